//! One step of the scheduler: compose a batch, decode it, draw from its outputs.

use std::sync::atomic::Ordering::Relaxed;

use remuda_types::StopReason;

use super::Drawn;
use super::choice::Phase;
use super::native::Sequence;
use super::scheduler::Scheduler;
use crate::{EngineError, EngineEvent};

/// The most prompt tokens of a step in which other sequences wait for their next token: it
/// bounds how much a new prompt slows them.
const PREFILL_BESIDE_DECODES: usize = 32;

/// A sequence's part in a step.
#[derive(Clone, Copy, Debug)]
struct Part {
    slot: Sequence,
    job: usize,
    choice: usize,
    /// Tokens from the first that is not yet in the cache.
    count: usize,
    /// Whether that reaches the sequence's last token, from whose output the next is drawn.
    output: bool,
    /// The last token's place in the batch.
    index: usize,
}

impl Scheduler {
    /// Computes one step. False when there was nothing to compute.
    pub(super) fn step(&mut self) -> bool {
        let mut parts = self.compose();
        if parts.is_empty() {
            return false;
        }
        self.gauges.steps.fetch_add(1, Relaxed);
        self.gauges.stepping.store(true, Relaxed);
        if self.hidden_states {
            // With hidden states on, every token is an output: prompts go without, so that
            // the output head is not computed for all of them.
            let (mut bulk, mut drawing): (Vec<_>, Vec<_>) =
                parts.iter().partition(|part| !part.output);
            self.compute(&mut bulk, false);
            self.compute(&mut drawing, true);
        } else {
            self.compute(&mut parts, false);
        }
        self.gauges.stepping.store(false, Relaxed);
        true
    }

    /// What each running sequence computes in this step, in the order of the slots (in which
    /// llama.cpp can batch them).
    fn compose(&self) -> Vec<Part> {
        let mut parts = self.pending();
        let decodes = parts.iter().any(|part| part.count == 1);
        let mut budget =
            if decodes { self.prefill.min(PREFILL_BESIDE_DECODES) } else { self.prefill };
        for part in parts.iter_mut().filter(|part| part.count > 1) {
            let wanted = if self.hidden_states { part.count - 1 } else { part.count };
            let count = wanted.min(budget);
            part.output = count == part.count;
            part.count = count;
            budget -= count;
        }
        parts.retain(|part| part.count > 0);
        parts.sort_by_key(|part| part.slot);
        parts
    }

    /// All running sequences whose reader has room, with all that they have to compute.
    fn pending(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for (job, running) in self.jobs.iter().enumerate() {
            if !running.reporter.is_ready() {
                continue;
            }
            for (choice, state) in running.choices.iter().enumerate() {
                if let Phase::Running(slot) = state.phase {
                    let count = state.tokens.len() - self.slots.held(slot);
                    parts.push(Part { slot, job, choice, count, output: true, index: 0 });
                }
            }
        }
        parts
    }

    /// Decodes the parts in one batch and draws from the outputs.
    fn compute(&mut self, parts: &mut [Part], hidden: bool) {
        if parts.is_empty() {
            return;
        }
        self.batch.clear();
        for part in parts.iter_mut() {
            let held = self.slots.held(part.slot);
            let tokens = &self.jobs[part.job].choices[part.choice].tokens;
            let end = held + part.count;
            for (position, &token) in (held..end).zip(&tokens[held..end]) {
                let output = part.output && position + 1 == end;
                part.index = self.batch.add(token, position, part.slot, output);
            }
        }
        if self.hidden_states {
            self.context.set_hidden_states(hidden);
        }
        if let Err(error) = self.context.decode(&mut self.batch) {
            tracing::error!(%error, tokens = self.batch.len(), "a batch was not decoded");
            return self.fail(parts, &EngineError::Failed(error.to_string()));
        }
        for part in parts.iter() {
            let held = self.slots.held(part.slot);
            let tokens = &self.jobs[part.job].choices[part.choice].tokens;
            self.slots.computed(part.slot, &tokens[held..held + part.count]);
        }
        for part in parts.iter().filter(|part| part.output) {
            if let Err(error) = self.draw(*part) {
                self.fail(&[*part], &error);
            }
        }
    }

    /// Draws the next token of a sequence and reports it.
    fn draw(&mut self, part: Part) -> Result<(), EngineError> {
        let job = &mut self.jobs[part.job];
        if job.broken.is_some() {
            return Ok(());
        }
        let choice = &mut job.choices[part.choice];
        let position = choice.position();
        let missing = || EngineError::Failed("the engine gave no output".into());
        let logits = self.context.logits(part.index).ok_or_else(missing)?;
        let (token, delta, ended) = choice.draw(&self.model, &job.plan, logits)?;
        if let Some(observer) = &self.observer {
            let logits = logits.to_vec();
            observer.drawn(Drawn {
                seed: &job.plan.seed,
                choice: choice.index,
                position,
                token,
                logits: &logits,
                hidden: self.hidden_states.then(|| self.context.hidden(part.index)).flatten(),
            });
        }
        job.reporter.event(EngineEvent::Output(delta));
        if let Some(stop) = ended {
            self.finish(part, stop);
        }
        Ok(())
    }

    fn finish(&mut self, part: Part, stop: StopReason) {
        let job = &mut self.jobs[part.job];
        let choice = &mut job.choices[part.choice];
        choice.phase = Phase::Done;
        job.reporter.event(EngineEvent::ChoiceDone { choice: choice.index, stop });
        self.slots.release(part.slot);
    }

    /// The jobs of these parts end with an error. What their slots hold is not trusted.
    fn fail(&mut self, parts: &[Part], error: &EngineError) {
        for part in parts {
            let kept = self.context.keep(part.slot, 0);
            self.slots.truncate(part.slot, kept);
            self.jobs[part.job].broken = Some(error.clone());
        }
    }
}
