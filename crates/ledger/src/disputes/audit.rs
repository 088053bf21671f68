//! The invariants of disputes: the vault holds exactly what bonds and frozen payouts say.

use remuda_types::{Credits, Tokens};

use super::{Dispute, Stage};
use crate::audit::require;
use crate::error::AuditError;
use crate::money::Vault;
use crate::state::State;

/// Checks every invariant of the room.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    let overflow = |_| AuditError { invariant: "sums of disputes overflow".into() };
    let (mut tokens, mut credits) = (Tokens::ZERO, Credits::ZERO);
    for dispute in state.tables.disputes.values() {
        audit_dispute(dispute)?;
        tokens = tokens.add(dispute.bond).map_err(overflow)?;
        credits = credits.add(dispute.frozen).map_err(overflow)?;
    }
    for checker in state.tables.checkers.values() {
        tokens = tokens.add(checker.bond).map_err(overflow)?;
    }
    let purse = state.vault(Vault::Disputes);
    let owed = purse.tokens == tokens && purse.credits == credits;
    require(owed, || format!("disputes owe {tokens} and {credits}, the vault holds {purse:?}"))
}

fn audit_dispute(dispute: &Dispute) -> Result<(), AuditError> {
    let id = dispute.id;
    let over = dispute.stage.is_over();
    require(over == dispute.ended_at.is_some(), || format!("dispute {id} has a wrong end"))?;
    let empty = dispute.bond.is_zero() && dispute.frozen.is_zero();
    require(!over || empty, || format!("ended dispute {id} holds something"))?;
    let waits = dispute.due_at.is_some() != dispute.due_height.is_some();
    require(over != waits, || format!("dispute {id} waits for nothing, or for two things"))?;
    let plays = matches!(dispute.stage, Stage::Bisecting | Stage::Leaf);
    require(!plays || dispute.bisection.is_some(), || format!("dispute {id} has no bisection"))
}
