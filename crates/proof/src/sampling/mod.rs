//! Gumbel-max sampling with a counter-based generator.
//!
//! The order of steps is that of [`Sampling`]'s fields: logit bias, repetition penalty,
//! frequency and presence penalty, the constraint's mask, temperature, `top_k`, `top_p`,
//! `min_p`. Among the tokens that are left, the one with the largest
//! `logit / temperature + gumbel(choice, position, token)` is chosen, which is exactly a draw
//! from their softmax. At temperature 0 the likeliest token is chosen, and the lowest number
//! among equals.

mod adjust;
mod math;
mod noise;
mod select;

use remuda_types::Seed;
use remuda_types::job::{Millionths, Sampling, TOP_LOGPROBS_MAX, TokenId};
use thiserror::Error;

use self::adjust::{Adjuster, clean};
use self::math::ln;
use self::noise::Noise;
use self::select::{Candidate, Cut, Truncation, draw, likeliest, mass, score, token_id, top};

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
        if let (Some(last), used @ 1..) = (words.last_mut(), tokens % 32) {
            *last &= (1 << used) - 1;
        }
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
    adjuster: Adjuster,
    truncation: Truncation,
    seed: Seed,
    choice: u16,
    /// The adjusted logits of the last call, kept for their space.
    logits: Vec<f32>,
}

impl Sampler {
    /// A sampler for choice number `choice` of the job with this seed.
    #[must_use]
    pub fn new(params: &Sampling, seed: &Seed, choice: u16) -> Self {
        let truncation = Truncation {
            temperature: params.temperature.to_f64(),
            top_k: params.top_k as usize,
            top_p: params.top_p.to_f64(),
            min_p: params.min_p.to_f64(),
        };
        let adjuster = Adjuster::new(params);
        Self { adjuster, truncation, seed: *seed, choice, logits: Vec::new() }
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
        let likeliest = self.prepare(logits, history, mask)?;
        if self.is_greedy() {
            return Ok(likeliest.token);
        }
        let temperature = self.truncation.temperature;
        let cut = self.truncation.last_kept(&self.logits, likeliest);
        let noise = self.noise(history);
        Ok(draw(&self.logits, likeliest, temperature, &cut, &noise).token)
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
        let vocabulary = logits.len();
        if claimed as usize >= vocabulary {
            return Err(SampleError::UnknownToken { token: claimed, vocabulary });
        }
        let likeliest = self.prepare(logits, history, mask)?;
        let claimed = Candidate { token: claimed, logit: self.logits[claimed as usize] };
        if self.is_greedy() {
            let margin = f64::from(likeliest.logit) - f64::from(claimed.logit);
            return Ok(Replay { token: likeliest.token, margin, cut: 0.0 });
        }
        let cut = self.truncation.last_kept(&self.logits, likeliest);
        Ok(self.compare(likeliest, claimed, &cut, &self.noise(history)))
    }

    fn compare(
        &self,
        likeliest: Candidate,
        claimed: Candidate,
        cut: &Cut,
        noise: &Noise,
    ) -> Replay {
        let temperature = self.truncation.temperature;
        let drawn = draw(&self.logits, likeliest, temperature, cut, noise);
        let claimed_score = score(claimed.logit, temperature, noise.gumbel(claimed.token));
        Replay {
            token: drawn.token,
            // A token beyond the cut may have the larger score: that is `cut`'s to tell.
            margin: (drawn.score - claimed_score).max(0.0),
            cut: cut.distance(claimed, temperature),
        }
    }

    /// Adjusts the logits and finds the likeliest token.
    fn prepare(
        &mut self,
        logits: &[f32],
        history: History<'_>,
        mask: Option<&TokenMask>,
    ) -> Result<Candidate, SampleError> {
        self.adjuster.adjust(logits, history, mask, &mut self.logits);
        likeliest(&self.logits).ok_or(SampleError::NothingPossible)
    }

    /// One candidate, or no temperature: the likeliest token whatever the noise.
    fn is_greedy(&self) -> bool {
        self.truncation.temperature <= 0.0
    }

    fn noise(&self, history: History<'_>) -> Noise {
        Noise::new(&self.seed, self.choice, token_id(history.output.len()))
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
/// [`TOP_LOGPROBS_MAX`]. A token that is impossible or does not exist has −2000.
#[must_use]
pub fn logprobs(logits: &[f32], chosen: TokenId, top: u8) -> Logprobs {
    let logits: Vec<f32> = logits.iter().map(|&logit| clean(logit)).collect();
    let Some(likeliest) = likeliest(&logits) else {
        return Logprobs { chosen: LOGPROB_MIN, top: Vec::new() };
    };
    let max = likeliest.logit;
    let log_mass = ln(mass(&logits, max, 1.0));
    let logprob = |logit: f32| {
        let value = f64::from(logit) - f64::from(max) - log_mass;
        Millionths::from_f64(value.max(LOGPROB_MIN.to_f64())).unwrap_or(LOGPROB_MIN)
    };
    let top = match top.min(TOP_LOGPROBS_MAX) {
        0 => Vec::new(),
        count => self::top(&logits, count.into()),
    };
    Logprobs {
        chosen: logits.get(chosen as usize).map_or(LOGPROB_MIN, |&logit| logprob(logit)),
        top: top.into_iter().map(|one| (one.token, logprob(one.logit))).collect(),
    }
}

/// Stands for minus infinity.
const LOGPROB_MIN: Millionths = Millionths(-2_000_000_000);

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests;
