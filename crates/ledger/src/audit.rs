//! The invariants of the ledger, recomputed from its records.

use std::collections::BTreeMap;

use remuda_types::{AccountId, AmountError, Credits, PublicKey};

use crate::error::AuditError;
use crate::state::{Row, State};
use crate::{Supply, accounts};

/// Checks every invariant.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    supply(state)?;
    sessions(state)?;
    channels(state)?;
    indexes(state)?;
    accounts::audit(state)?;

    crate::credits::audit(state)?;

    crate::escrow::audit(state)?;

    crate::devices::audit(state)?;

    crate::stake::audit(state)?;

    crate::epochs::audit(state)?;

    crate::points::audit(state)?;

    crate::governance::audit(state)?;

    crate::disputes::audit(state)?;
    Ok(())
}

/// Requires that an invariant holds.
pub(crate) fn require(holds: bool, invariant: impl FnOnce() -> String) -> Result<(), AuditError> {
    if holds { Ok(()) } else { Err(AuditError { invariant: invariant() }) }
}

fn supply(state: &State) -> Result<(), AuditError> {
    let stated = state.supply();
    let found =
        sum(state, &stated).map_err(|error| AuditError { invariant: format!("sums: {error}") })?;
    require(stated == found, || format!("supply says {stated:?}, records say {found:?}"))?;
    let whole = stated.tokens.add(stated.burned);
    require(whole == Ok(stated.minted), || format!("minted is not tokens + burned: {stated:?}"))
}

/// All money, added up; `granted` is what the rest must come to.
fn sum(state: &State, stated: &Supply) -> Result<Supply, AmountError> {
    let mut supply = Supply::EMPTY;
    for account in state.tables.accounts.values() {
        supply.tokens = supply.tokens.add(account.tokens)?;
        supply.credits = supply.credits.add(account.credits)?;
        supply.earned = supply.earned.add(account.earned)?;
    }
    for purse in state.tables.vaults.values() {
        supply.tokens = supply.tokens.add(purse.tokens)?;
        supply.vaulted = supply.vaulted.add(purse.credits)?;
    }
    for channel in state.tables.channels.values() {
        supply.locked = supply.locked.add(channel.deposit.sub(channel.redeemed)?)?;
    }
    for (flow, amount) in &state.tables.flows {
        let side = if flow.is_mint() { &mut supply.minted } else { &mut supply.burned };
        *side = side.add(*amount)?;
    }
    // Nothing else says what was retired.
    supply.retired = stated.retired;
    let held = supply.credits.add(supply.locked)?.add(supply.vaulted)?.add(supply.earned)?;
    supply.granted = held.add(supply.retired)?;
    Ok(supply)
}

/// A session's `locked` is what its open channels hold, and its cap is kept.
fn sessions(state: &State) -> Result<(), AuditError> {
    let mut locked: BTreeMap<PublicKey, u64> = BTreeMap::new();
    for channel in state.tables.channels.values() {
        if channel.account != AccountId::from(channel.payer) {
            *locked.entry(channel.payer).or_default() += channel.remaining().0;
        }
    }
    for (key, session) in &state.tables.sessions {
        let held = Credits(locked.remove(key).unwrap_or_default());
        require(session.locked == held, || {
            format!("session {key} says {} locked, its channels hold {held}", session.locked)
        })?;
        let used = session.spent.add(session.locked);
        require(used.is_ok_and(|used| used <= session.cap), || format!("session {key} over cap"))?;
    }
    require(locked.is_empty(), || format!("channels of unknown sessions: {:?}", locked.keys()))
}

fn channels(state: &State) -> Result<(), AuditError> {
    for (id, channel) in &state.tables.channels {
        let forgotten = !state.tables.closed.contains_key(id);
        require(forgotten, || format!("channel {id} is both open and closed"))?;
        require(channel.redeemed <= channel.deposit, || format!("channel {id} overdrawn"))?;
    }
    let empty = state.tables.accounts.iter().find(|(_, a)| **a == crate::Account::EMPTY);
    require(empty.is_none(), || format!("an empty account is kept: {empty:?}"))
}

/// The indexes are those that the records alone would give.
fn indexes(state: &State) -> Result<(), AuditError> {
    let mut fresh = State::default();
    for (key, value) in state.tables.leaves() {
        let row = Row::decode(&key, &value);
        let row = row.ok_or_else(|| AuditError { invariant: "a record does not decode".into() })?;
        fresh.load(row);
    }
    require(fresh.indexes == state.indexes, || "an index is not that of its records".into())
}
