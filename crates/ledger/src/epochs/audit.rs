//! The room's invariants.

use remuda_types::{AmountError, Tokens};

use super::rules::Recipient;
use crate::error::AuditError;
use crate::state::State;

/// The vault holds exactly what accounts are owed and what is not yet paid; no stream has
/// minted more than all emission together; contributions belong to an epoch that runs or is
/// being closed.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    let require = |holds: bool, invariant: String| {
        if holds { Ok(()) } else { Err(AuditError { invariant }) }
    };
    let (owed, minted) =
        sums(state).map_err(|error| AuditError { invariant: format!("rewards: {error}") })?;
    let held = state.vault(crate::Vault::EpochRewards);
    require(held.tokens == owed, format!("{} held for epochs, {owed} owed", held.tokens))?;
    let emission = state.flow(crate::Flow::Emission);
    require(minted <= emission, format!("streams minted {minted}, emission is {emission}"))?;
    let empty = state.tables.rewards.iter().find(|(_, owed)| owed.is_zero());
    require(empty.is_none(), format!("an empty reward is kept: {empty:?}"))?;
    for (stream, epoch, recipient, node) in state.tables.contributions.keys() {
        let held = state.tables.streams.get(stream);
        let open = held.is_some_and(|held| {
            let closing = held.closing.as_ref().map(|closing| closing.epoch);
            *epoch == held.epoch || Some(*epoch) == closing
        });
        require(open, format!("a contribution of {node} to the closed epoch {stream} {epoch}"))?;
        let fits = *recipient != Recipient::Treasury;
        require(fits, format!("{node} contributes as the treasury"))?;
    }
    Ok(())
}

/// What is owed and unpaid, and what streams minted.
fn sums(state: &State) -> Result<(Tokens, Tokens), AmountError> {
    let mut owed =
        state.tables.rewards.values().try_fold(Tokens::ZERO, |sum, owed| sum.add(*owed))?;
    let mut minted = Tokens::ZERO;
    for held in state.tables.streams.values() {
        minted = minted.add(held.minted)?;
        if let Some(closing) = &held.closing {
            owed = owed.add(closing.unpaid)?;
        }
    }
    Ok((owed, minted))
}
