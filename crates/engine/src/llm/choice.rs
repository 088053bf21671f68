//! One answer of a job: its tokens, the state of its sampler, grammar and text.

use remuda_proof::sampling::{History, Sampler, logprobs};
use remuda_types::StopReason;
use remuda_types::job::{Delta, LogprobEntry, Millionths, ResumeChoice, TokenId, TokenLogprob};

use super::model::Model;
use super::native::Sequence;
use super::prepare::Plan;
use crate::EngineError;
use crate::constraint::ConstraintState;
use crate::text::{Piece, TextAssembler};

/// Where a choice is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// For a slot.
    Waiting,
    /// In a slot.
    Running(Sequence),
    /// Nothing more comes.
    Done,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) index: u16,
    pub(super) phase: Phase,
    /// The prompt and the output.
    pub(super) tokens: Vec<TokenId>,
    prompt: usize,
    limit: usize,
    sampler: Sampler,
    assembler: TextAssembler,
    constraint: Option<ConstraintState>,
    /// Of a resumed choice: what became certain but was not delivered, and whether the
    /// tokens given had reached an end that the client does not know of.
    undelivered: Piece,
    ended: Option<StopReason>,
}

impl Choice {
    /// The state of a choice after the tokens of `earlier`.
    pub(super) fn begin(
        model: &Model,
        plan: &Plan,
        index: u16,
        earlier: &ResumeChoice,
    ) -> Result<Self, EngineError> {
        let stop = &plan.generate.stop;
        let mut tokens = Vec::with_capacity(plan.prompt.len() + earlier.tokens.len() + 64);
        tokens.extend_from_slice(&plan.prompt);
        let mut choice = Self {
            index,
            phase: Phase::Waiting,
            tokens,
            prompt: plan.prompt.len(),
            limit: plan.limit,
            sampler: Sampler::new(&plan.generate.sampling, &plan.seed, index),
            assembler: TextAssembler::new(stop, plan.tools, &plan.seed, index),
            constraint: plan.constraint.clone(),
            undelivered: Piece::default(),
            ended: None,
        };
        choice.replay(model, earlier)?;
        Ok(choice)
    }

    fn replay(&mut self, model: &Model, earlier: &ResumeChoice) -> Result<(), EngineError> {
        let refuse = |why: &str| Err(EngineError::CannotResume(why.to_owned()));
        if earlier.tokens.len() != earlier.units as usize {
            return refuse("the tokens of the earlier output are needed, one a unit");
        }
        let mut text = String::new();
        for &token in &earlier.tokens {
            if token as usize >= model.vocabulary() {
                return refuse("a token is not in the model's vocabulary");
            }
            if self.ended.is_some() {
                return refuse("there are tokens after the end");
            }
            let (piece, ended) = self.take(model, token)?;
            text.push_str(&piece.text);
            self.ended = ended;
        }
        // Tool calls became certain with the same token at the earlier provider, which sent
        // them with it: nothing of them is undelivered.
        let Some(rest) = text.strip_prefix(earlier.text.as_str()) else {
            return refuse("the text does not follow from the tokens");
        };
        self.undelivered.text = rest.to_owned();
        Ok(())
    }

    /// Of a resumed choice that had ended already: its last piece and its end.
    pub(super) fn take_end(&mut self) -> Option<(Delta, StopReason)> {
        let stop = self.ended?;
        self.phase = Phase::Done;
        let text = std::mem::take(&mut self.undelivered.text);
        Some((Delta { choice: self.index, text, ..Delta::default() }, stop))
    }

    /// How many tokens the prompt has.
    pub(super) const fn prompt(&self) -> usize {
        self.prompt
    }

    /// How many tokens there are after the prompt.
    pub(super) fn position(&self) -> usize {
        self.tokens.len() - self.prompt
    }

    /// Draws the next token.
    pub(super) fn draw(
        &mut self,
        model: &Model,
        plan: &Plan,
        logits: &[f32],
    ) -> Result<(TokenId, Delta, Option<StopReason>), EngineError> {
        let mask = self.constraint.as_mut().map(ConstraintState::mask).transpose()?;
        let (prompt, output) = self.tokens.split_at(self.prompt);
        let token = self
            .sampler
            .choose(logits, History { prompt, output }, mask.as_ref())
            .map_err(|error| EngineError::Failed(error.to_string()))?;
        let (piece, ended) = self.take(model, token)?;
        let top = plan.generate.logprobs;
        let delta = Delta {
            choice: self.index,
            tokens: vec![token],
            units: 1,
            text: std::mem::take(&mut self.undelivered.text) + &piece.text,
            tool_calls: piece.tool_calls,
            logprobs: top.map(|top| token_logprob(model, logits, token, top)).into_iter().collect(),
        };
        Ok((token, delta, ended))
    }

    /// Takes in a token, drawn now or earlier.
    fn take(
        &mut self,
        model: &Model,
        token: TokenId,
    ) -> Result<(Piece, Option<StopReason>), EngineError> {
        if let Some(constraint) = &mut self.constraint {
            constraint.accept(token)?;
        }
        self.tokens.push(token);
        if model.is_end(token) {
            let piece = self.assembler.finish();
            return Ok((piece, Some(self.natural_end())));
        }
        let mut piece = self.assembler.push(model.piece(token));
        if piece.stopped {
            return Ok((piece, Some(self.natural_end())));
        }
        if self.position() < self.limit {
            return Ok((piece, None));
        }
        let rest = self.assembler.finish();
        piece.text.push_str(&rest.text);
        piece.tool_calls.extend(rest.tool_calls);
        let stop = if rest.stopped { StopReason::Stop } else { StopReason::Length };
        Ok((piece, Some(stop)))
    }

    fn natural_end(&self) -> StopReason {
        if self.assembler.has_called() { StopReason::ToolCalls } else { StopReason::Stop }
    }
}

fn token_logprob(model: &Model, logits: &[f32], token: TokenId, top: u8) -> TokenLogprob {
    let entry = |(token, logprob): (TokenId, Millionths)| LogprobEntry {
        token,
        bytes: model.piece(token).to_vec(),
        logprob,
    };
    let found = logprobs(logits, token, top);
    TokenLogprob {
        chosen: entry((token, found.chosen)),
        top: found.top.into_iter().map(entry).collect(),
    }
}
