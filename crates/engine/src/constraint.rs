//! Grammars that decide which tokens are possible at each step.

use std::fmt;

use remuda_proof::sampling::TokenMask;
use remuda_types::job::{Generate, TokenId};

use crate::EngineError;

/// A model's tokens, as grammars need them.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// The bytes of each token, by its number. A control token's bytes are its name
    /// (`<|im_start|>`); an unused number has none.
    pub tokens: Vec<Vec<u8>>,
    /// The control tokens: no text of a grammar ever matches them.
    pub control: Vec<TokenId>,
    /// The tokens that end an answer; at least one.
    pub eos: Vec<TokenId>,
}

/// Compiles constraints for one model. Build it once: it holds the vocabulary's trie.
pub struct ConstraintFactory {}

impl fmt::Debug for ConstraintFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConstraintFactory").finish_non_exhaustive()
    }
}

impl ConstraintFactory {
    /// Prepares a vocabulary.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when the vocabulary is empty or has no end token.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, EngineError> {
        let _ = vocabulary;
        Ok(Self {})
    }

    /// The state of a fresh choice of this job: `None` when every token is possible. Takes
    /// up to some hundred milliseconds for large schemas; compile once a job and
    /// clone for its choices.
    ///
    /// # Errors
    /// [`EngineError::InvalidInput`] names `response_format`, `tools` or `tool_choice`.
    pub fn compile(&self, job: &Generate) -> Result<Option<ConstraintState>, EngineError> {
        let _ = job;
        Ok(None)
    }
}

/// Where one choice stands in its grammar: a pure function of the grammar and the tokens
/// accepted so far, so that a resumed choice has the same masks.
#[derive(Clone)]
pub struct ConstraintState {}

impl fmt::Debug for ConstraintState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConstraintState").finish_non_exhaustive()
    }
}

impl ConstraintState {
    /// Which tokens are possible now. When the grammar is complete, only the end tokens.
    ///
    /// # Errors
    /// [`EngineError::InvalidInput`] when the grammar is too complex to go on.
    pub fn mask(&mut self) -> Result<TokenMask, EngineError> {
        Ok(TokenMask::none(0))
    }

    /// Takes in the token that was drawn.
    ///
    /// # Errors
    /// [`EngineError::CannotResume`] when the grammar forbids the token.
    pub fn accept(&mut self, token: TokenId) -> Result<(), EngineError> {
        let _ = token;
        Ok(())
    }

    /// Whether the output could end here.
    pub fn is_accepting(&mut self) -> bool {
        false
    }

    /// Whether nothing but an end token can follow.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        false
    }
}
