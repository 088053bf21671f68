//! Gumbel-max sampling with a counter-based generator.
//!
//! The order of steps is that of [`Sampling`]'s fields: logit bias, repetition penalty,
//! frequency and presence penalty, the constraint's mask, temperature, `top_k`, `top_p`,
//! `min_p`. Among the tokens that are left, the one with the largest
//! `logit / temperature + gumbel(choice, position, token)` is chosen, which is exactly a draw
//! from their softmax. At temperature 0 the likeliest token is chosen, and the lowest number
//! among equals.

use remuda_types::Seed;
use remuda_types::job::{Millionths, Sampling, TokenId};
use thiserror::Error;

/// How many of the prompt's last tokens the repetition penalty looks at.
pub const REPETITION_PROMPT_WINDOW: usize = 1024;

/// What came before the position that is sampled.
#[derive(Clone, Copy, Debug, Default)]
pub struct History<'a> {
    /// The prompt. Only its last [`REPETITION_PROMPT_WINDOW`] tokens matter.
    pub prompt: &'a [TokenId],
    /// The output so far. Its length is the position.
    pub output: &'a [TokenId],
}

/// Why no token could be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SampleError {
    /// Every token is forbidden, or its logit is no finite number.
    #[error("no token is possible: all logits are masked or not finite numbers")]
    NothingPossible,
    /// A claimed token is not in the vocabulary.
    #[error("token {token} is not among the {vocabulary} of the vocabulary")]
    UnknownToken {
        /// The token.
        token: TokenId,
        /// How many there are.
        vocabulary: usize,
    },
}

impl SampleError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NothingPossible => "nothing_possible",
            Self::UnknownToken { .. } => "unknown_token",
        }
    }
}

/// Which tokens are allowed: a bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMask {
    words: Vec<u32>,
    tokens: usize,
}

impl TokenMask {
    /// Allows none of `tokens` tokens.
    #[must_use]
    pub fn none(tokens: usize) -> Self {
        Self { words: vec![0; tokens.div_ceil(32)], tokens }
    }

    /// Takes a bitset as words of 32 bits, lowest token in the lowest bit. Missing words
    /// allow nothing; bits beyond `tokens` are ignored.
    #[must_use]
    pub fn from_words(mut words: Vec<u32>, tokens: usize) -> Self {
        words.resize(tokens.div_ceil(32), 0);
        Self { words, tokens }
    }

    /// Allows `token`, if the vocabulary has it.
    pub fn allow(&mut self, token: TokenId) {
        let index = token as usize;
        if index < self.tokens {
            self.words[index / 32] |= 1 << (index % 32);
        }
    }

    /// Whether `token` is allowed.
    #[must_use]
    pub fn allows(&self, token: TokenId) -> bool {
        let index = token as usize;
        index < self.tokens && self.words[index / 32] >> (index % 32) & 1 == 1
    }
}

/// What a replay found for one position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replay {
    /// The token that these logits and this seed choose.
    pub token: TokenId,
    /// How far the claimed token is from being the choice, in nats: the largest
    /// `logit / temperature + gumbel` less the claimed token's. 0 for the choice itself;
    /// infinite for a token that the mask forbids. At temperature 0, in plain logits.
    pub margin: f64,
    /// How far the claimed token is below what truncation kept, in nats of
    /// `logit / temperature`. 0 for a kept token. Small values are rounding differences
    /// between devices at the edge of `top_k`, `top_p` or `min_p`, and no proof of anything.
    pub cut: f64,
}

/// Draws the tokens of one choice of one job.
#[derive(Clone, Debug)]
pub struct Sampler {
    params: Sampling,
    seed: Seed,
    choice: u16,
}

impl Sampler {
    /// A sampler for choice number `choice` of the job with this seed.
    #[must_use]
    pub fn new(params: &Sampling, seed: &Seed, choice: u16) -> Self {
        Self { params: params.clone(), seed: *seed, choice }
    }

    /// Chooses the token at position `history.output.len()`. The same arguments choose the
    /// same token on every machine. A logit that is no finite number is never chosen.
    ///
    /// # Errors
    /// [`SampleError::NothingPossible`] when no token is left.
    pub fn choose(
        &mut self,
        logits: &[f32],
        history: History<'_>,
        mask: Option<&TokenMask>,
    ) -> Result<TokenId, SampleError> {
        let _ = (logits, history, mask, &self.params, &self.seed, self.choice);
        Err(SampleError::NothingPossible)
    }

    /// Recomputes the choice at position `history.output.len()`, and says how far `claimed`
    /// is from it.
    ///
    /// # Errors
    /// As [`Sampler::choose`]; [`SampleError::UnknownToken`] when `claimed` is no token.
    pub fn replay(
        &mut self,
        logits: &[f32],
        history: History<'_>,
        mask: Option<&TokenMask>,
        claimed: TokenId,
    ) -> Result<Replay, SampleError> {
        let token = self.choose(logits, history, mask)?;
        let _ = claimed;
        Ok(Replay { token, margin: 0.0, cut: 0.0 })
    }
}

/// Log probabilities at one position, before penalties, temperature and truncation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logprobs {
    /// Of the chosen token; at least −2000.
    pub chosen: Millionths,
    /// The likeliest tokens, likeliest first, lowest number first among equals.
    pub top: Vec<(TokenId, Millionths)>,
}

/// The log softmax of `logits` at `chosen` and at the `top` likeliest tokens, at most
/// [`remuda_types::job::TOP_LOGPROBS_MAX`]. A token that does not exist has −2000.
#[must_use]
pub fn logprobs(logits: &[f32], chosen: TokenId, top: u8) -> Logprobs {
    let _ = (logits, chosen, top);
    Logprobs { chosen: Millionths::ZERO, top: Vec::new() }
}
