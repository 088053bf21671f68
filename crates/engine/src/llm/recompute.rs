//! One teacher-forced pass over given tokens: what a checker does to replay a job.

use remuda_types::job::TokenId;

use super::model::Model;
use super::native::{Batch, Context, Pooling, Shape};
use crate::EngineError;

/// What the model said after one token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenState {
    /// The logits of the next token.
    pub logits: Vec<f32>,
    /// The last hidden state, after the final norm.
    pub hidden: Vec<f32>,
}

/// Computes `tokens` in one batch, in a context of its own, and returns the states after
/// each token from the one at `from` on. Memory grows with the length times the vocabulary.
///
/// # Errors
/// [`EngineError::ContextExceeded`] for more tokens than the model's context,
/// [`EngineError::Failed`] when there is no memory or a token does not exist.
pub fn recompute(
    model: &Model,
    tokens: &[TokenId],
    from: usize,
) -> Result<Vec<TokenState>, EngineError> {
    if tokens.len() > model.context() as usize {
        return Err(model.too_long(tokens.len() as u64));
    }
    let length = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    let shape = Shape {
        positions: length,
        sequences: 1,
        batch: length,
        outputs: length,
        threads: model.threads(),
        pooling: Pooling::None,
    };
    let mut context = Context::new(model.native(), shape)
        .ok_or_else(|| EngineError::Failed("no memory for a context".into()))?;
    context.set_hidden_states(true);
    let mut batch = Batch::default();
    for (position, &token) in tokens.iter().enumerate() {
        batch.add(token, position, 0, true);
    }
    context.decode(&mut batch).map_err(|error| EngineError::Failed(error.to_string()))?;
    (from..tokens.len()).map(|index| state(&mut context, index)).collect()
}

fn state(context: &mut Context, index: usize) -> Result<TokenState, EngineError> {
    let missing = || EngineError::Failed(format!("no output at {index}"));
    let logits = context.logits(index).ok_or_else(missing)?.to_vec();
    let hidden = context.hidden(index).ok_or_else(missing)?.to_vec();
    Ok(TokenState { logits, hidden })
}
