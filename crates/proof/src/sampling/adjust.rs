//! From raw logits to the ones that a draw is made from: bias, penalties, mask.

use remuda_types::job::{Sampling, TokenId};

use super::{History, REPETITION_PROMPT_WINDOW, TokenMask};

/// Marks a token of the prompt; the bits below count occurrences in the output.
const IN_PROMPT: u32 = 1 << 31;

/// Bias and penalties, with the space they work in.
#[derive(Clone, Debug)]
pub(super) struct Adjuster {
    bias: Vec<(TokenId, f64)>,
    repetition: f64,
    frequency: f64,
    presence: f64,
    counts: Vec<u32>,
}

impl Adjuster {
    pub(super) fn new(params: &Sampling) -> Self {
        Self {
            bias: params.logit_bias.iter().map(|(token, bias)| (*token, bias.to_f64())).collect(),
            repetition: params.repetition_penalty.to_f64(),
            frequency: params.frequency_penalty.to_f64(),
            presence: params.presence_penalty.to_f64(),
            counts: Vec::new(),
        }
    }

    /// Fills `out` with the adjusted logits: none is NaN or plus infinity, and an impossible
    /// one is minus infinity.
    pub(super) fn adjust(
        &mut self,
        logits: &[f32],
        history: History<'_>,
        mask: Option<&TokenMask>,
        out: &mut Vec<f32>,
    ) {
        out.clear();
        out.extend(logits.iter().map(|&logit| clean(logit)));
        for &(token, bias) in &self.bias {
            if let Some(logit) = out.get_mut(token as usize) {
                *logit = narrow(f64::from(*logit) + bias);
            }
        }
        if self.repetition != 1.0 || self.frequency != 0.0 || self.presence != 0.0 {
            self.penalize(history, out);
        }
        if let Some(mask) = mask {
            mask.apply(out);
        }
    }

    fn penalize(&mut self, history: History<'_>, out: &mut [f32]) {
        self.counts.resize(out.len(), 0);
        let start = history.prompt.len().saturating_sub(REPETITION_PROMPT_WINDOW);
        let prompt = &history.prompt[start..];
        for token in prompt {
            if let Some(count) = self.counts.get_mut(*token as usize) {
                *count |= IN_PROMPT;
            }
        }
        for token in history.output {
            if let Some(count) = self.counts.get_mut(*token as usize) {
                *count += 1;
            }
        }
        for token in prompt.iter().chain(history.output) {
            let index = *token as usize;
            // Taking the count resets it and makes each token's turn its only one.
            let count = self.counts.get_mut(index).map_or(0, std::mem::take);
            if count != 0 {
                out[index] = self.penalty(out[index], count & !IN_PROMPT);
            }
        }
    }

    /// The logit of a token that was seen before, `count` times in the output.
    fn penalty(&self, logit: f32, count: u32) -> f32 {
        let logit = f64::from(logit);
        let repeated = if logit > 0.0 { logit / self.repetition } else { logit * self.repetition };
        let presence = if count > 0 { self.presence } else { 0.0 };
        narrow(repeated - (self.frequency * f64::from(count) + presence))
    }
}

/// What an engine that works never gives is never chosen. Minus zero becomes zero, so that
/// equal logits have equal bits.
pub(super) fn clean(logit: f32) -> f32 {
    if logit.is_finite() { logit + 0.0 } else { f32::NEG_INFINITY }
}

/// Back to single precision; finite stays finite.
fn narrow(logit: f64) -> f32 {
    if logit == f64::NEG_INFINITY {
        return f32::NEG_INFINITY;
    }
    #[expect(clippy::cast_possible_truncation)]
    let narrowed = logit.clamp(f32::MIN.into(), f32::MAX.into()) as f32;
    narrowed + 0.0
}

impl TokenMask {
    /// Makes all other tokens impossible.
    fn apply(&self, logits: &mut [f32]) {
        let words = self.words.iter().copied().chain(std::iter::repeat(0));
        for (word, logits) in words.zip(logits.chunks_mut(32)) {
            if word == u32::MAX {
                continue;
            }
            for (bit, logit) in logits.iter_mut().enumerate() {
                if word >> bit & 1 == 0 {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use remuda_types::job::Millionths;

    use super::*;

    fn adjusted(params: &Sampling, logits: &[f32], history: History<'_>) -> Vec<f32> {
        let mut out = Vec::new();
        let mut adjuster = Adjuster::new(params);
        adjuster.adjust(logits, history, None, &mut out);
        // A second time must not see traces of the first.
        adjuster.adjust(logits, history, None, &mut out);
        out
    }

    #[test]
    fn penalties_look_where_they_should() {
        let history = History { prompt: &[0, 1, 99], output: &[1, 2, 2] };
        let params = Sampling { repetition_penalty: Millionths(2_000_000), ..Sampling::default() };
        let out = adjusted(&params, &[4.0, -4.0, 4.0, 4.0], history);
        assert_eq!(out, [2.0, -8.0, 2.0, 4.0]);

        let params = Sampling {
            frequency_penalty: Millionths(500_000),
            presence_penalty: Millionths(1_000_000),
            ..Sampling::default()
        };
        let out = adjusted(&params, &[4.0, 4.0, 4.0, 4.0], history);
        assert_eq!(out, [4.0, 2.5, 2.0, 4.0]);
    }

    #[test]
    fn bias_comes_before_penalties() {
        let params = Sampling {
            logit_bias: [(0, Millionths(6_000_000)), (77, Millionths::ONE)].into(),
            repetition_penalty: Millionths(2_000_000),
            ..Sampling::default()
        };
        let out = adjusted(&params, &[-2.0, 1.0], History { prompt: &[0], output: &[] });
        assert_eq!(out, [2.0, 1.0]);
    }

    #[test]
    fn only_the_prompt_s_end_is_repetition() {
        let mut prompt = vec![1; REPETITION_PROMPT_WINDOW + 1];
        prompt[0] = 0;
        let params = Sampling { repetition_penalty: Millionths(2_000_000), ..Sampling::default() };
        let history = History { prompt: &prompt, output: &[] };
        assert_eq!(adjusted(&params, &[4.0, 4.0], history), [4.0, 2.0]);
    }

    #[test]
    fn what_is_no_number_is_impossible() {
        let logits = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MAX];
        let params = Sampling {
            logit_bias: [(4, Millionths(100_000_000))].into(),
            repetition_penalty: Millionths(10_000),
            ..Sampling::default()
        };
        let history = History { prompt: &[], output: &[0, 1, 2, 4] };
        let out = adjusted(&params, &logits, history);
        assert_eq!(out[..3], [f32::NEG_INFINITY; 3]);
        assert_eq!((out[3].to_bits(), out[4]), (0, f32::MAX));
    }

    #[test]
    fn a_mask_shorter_than_the_vocabulary_forbids_the_rest() {
        let mut mask = TokenMask::none(2);
        mask.allow(1);
        mask.allow(2);
        assert!(mask.allows(1) && !mask.allows(0) && !mask.allows(2) && !mask.allows(900));
        let mut logits = [1.0; 40];
        mask.apply(&mut logits);
        let allowed: Vec<usize> = (0..40).filter(|&n| logits[n] == 1.0).collect();
        assert_eq!(allowed, [1]);
    }
}
