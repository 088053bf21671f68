//! What a job gives back, piece by piece, and the digest that binds it.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::{Millionths, TokenId};
use crate::Hash;

/// A piece of output of one choice.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct Delta {
    /// Which choice.
    pub choice: u16,
    /// The tokens that were drawn; empty with an engine that does not show them.
    pub tokens: Vec<TokenId>,
    /// Output units in this piece: what it costs.
    pub units: u32,
    /// The text that became certain. It may lag the tokens: incomplete characters and
    /// possible stop strings are held back until they are decided.
    pub text: String,
    /// Tool calls that became certain.
    pub tool_calls: Vec<ToolCallDelta>,
    /// One entry a token, when asked for.
    pub logprobs: Vec<TokenLogprob>,
}

/// A piece of a tool call.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ToolCallDelta {
    /// Which call of this choice.
    pub index: u16,
    /// The call's name, in its first piece.
    pub id: Option<String>,
    /// The function, in its first piece.
    pub name: Option<String>,
    /// The next part of the arguments' JSON text.
    pub arguments: String,
}

/// How likely a token was, before penalties, temperature and truncation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The drawn token.
    pub chosen: LogprobEntry,
    /// The likeliest tokens, likeliest first.
    pub top: Vec<LogprobEntry>,
}

/// A token and its log probability.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct LogprobEntry {
    /// The token; 0 with an engine that does not show it.
    pub token: TokenId,
    /// The token's bytes, which may be part of a character.
    pub bytes: Vec<u8>,
    /// The natural logarithm of its probability, at least −2000.
    pub logprob: Millionths,
}

/// The running digest of a job's output: the same for provider and client however the
/// output was cut into pieces.
#[derive(Clone, Debug)]
pub struct OutputHasher {
    choices: Vec<(blake3::Hasher, blake3::Hasher)>,
}

impl OutputHasher {
    /// The digest of no output in `choices` choices.
    #[must_use]
    pub fn new(choices: u16) -> Self {
        let pair = || (blake3::Hasher::new(), blake3::Hasher::new());
        Self { choices: (0..choices).map(|_| pair()).collect() }
    }

    /// Takes in a piece of output. A piece of a choice that the job does not have is ignored:
    /// whoever received it refuses it before.
    pub fn update(&mut self, delta: &Delta) {
        let Some((tokens, text)) = self.choices.get_mut(usize::from(delta.choice)) else {
            return;
        };
        for token in &delta.tokens {
            tokens.update(&token.to_le_bytes());
        }
        text.update(delta.text.as_bytes());
        for call in &delta.tool_calls {
            text.update(call.name.as_deref().unwrap_or_default().as_bytes());
            text.update(call.arguments.as_bytes());
        }
    }

    /// Takes in embedding vectors, as the bits of their numbers.
    pub fn update_vectors(&mut self, vectors: &[Vec<f32>]) {
        let Some((_, bits)) = self.choices.first_mut() else { return };
        for number in vectors.iter().flatten() {
            bits.update(&number.to_bits().to_le_bytes());
        }
    }

    /// The digest of all output so far.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let mut all = Vec::with_capacity(self.choices.len() * 64);
        for (tokens, text) in &self.choices {
            all.extend_from_slice(tokens.finalize().as_bytes());
            all.extend_from_slice(text.finalize().as_bytes());
        }
        Hash::derive("remuda/output/1", &all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_digest_does_not_depend_on_the_cut() {
        let piece = |tokens: &[u32], text: &str| Delta {
            tokens: tokens.to_vec(),
            text: text.into(),
            ..Delta::default()
        };
        let mut whole = OutputHasher::new(1);
        whole.update(&piece(&[1, 2], "ab"));
        let mut cut = OutputHasher::new(1);
        cut.update(&piece(&[1], ""));
        cut.update(&piece(&[2], "ab"));
        assert_eq!(whole.digest(), cut.digest());
        cut.update(&piece(&[], "c"));
        assert_ne!(whole.digest(), cut.digest());
    }
}
