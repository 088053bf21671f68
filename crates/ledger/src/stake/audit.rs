//! The invariants of stake, recomputed from its records.

use std::collections::BTreeMap;

use remuda_types::{AmountError, Tokens};

use super::Subject;
use crate::audit::require;
use crate::error::AuditError;
use crate::money::Vault;
use crate::state::State;

/// Shares of one subject's positions and unbondings, as far as they are of the era.
#[derive(Default, PartialEq, Eq, Debug)]
struct Shares {
    bonded: u128,
    unbonding: u128,
}

/// Checks every invariant of this room.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    vaults(state)?;
    shares(state)?;
    pools(state)
}

fn overflow(error: AmountError) -> AuditError {
    AuditError { invariant: format!("sums of stake: {error}") }
}

/// Both vaults hold exactly what the records say.
fn vaults(state: &State) -> Result<(), AuditError> {
    let (mut stake, mut rewards) = (Tokens::ZERO, Tokens::ZERO);
    let add = |sum: &mut Tokens, amount: Tokens| {
        *sum = sum.add(amount).map_err(overflow)?;
        Ok::<(), AuditError>(())
    };
    for pool in state.tables.stake_pools.values() {
        add(&mut stake, pool.stake())?;
        add(&mut stake, pool.unbonding)?;
        add(&mut rewards, pool.rewards)?;
        add(&mut rewards, pool.owed)?;
        let co_stake = pool.co_stake.as_ref().map_or(Tokens::ZERO, |held| held.rewards);
        add(&mut rewards, co_stake)?;
    }
    for (vault, owed) in [(Vault::Stake, stake), (Vault::StakeRewards, rewards)] {
        let held = state.vault(vault).tokens;
        require(held == owed, || format!("vault {vault:?} holds {held}, its records {owed}"))?;
    }
    Ok(())
}

/// The shares of positions and unbondings come to those of their pools.
fn shares(state: &State) -> Result<(), AuditError> {
    let mut found: BTreeMap<Subject, Shares> = BTreeMap::new();
    let tables = &state.tables;
    for ((subject, account), position) in &tables.stake_positions {
        let named = (position.subject, position.account) == (*subject, *account);
        require(named && position.shares > 0, || format!("a wrong position: {position:?}"))?;
        let pool = tables.stake_pools.get(subject);
        if pool.is_some_and(|pool| pool.era == position.era) {
            found.entry(*subject).or_default().bonded += position.shares;
        }
    }
    for unbonding in tables.unbondings.values() {
        let pool = tables.stake_pools.get(&unbonding.subject);
        require(pool.is_some(), || format!("an unbonding from nowhere: {unbonding:?}"))?;
        if pool.is_some_and(|pool| pool.unbonding_era == unbonding.era) {
            found.entry(unbonding.subject).or_default().unbonding += unbonding.shares;
        }
    }
    for (subject, pool) in &tables.stake_pools {
        let stated = Shares { bonded: pool.shares, unbonding: pool.unbonding_shares };
        let found = found.remove(subject).unwrap_or_default();
        require(stated == found, || format!("{subject:?} says {stated:?}, holders {found:?}"))?;
    }
    require(found.is_empty(), || format!("shares of unknown pools: {found:?}"))
}

/// Where there are no shares nothing is held for any, and the reverse.
fn pools(state: &State) -> Result<(), AuditError> {
    for (subject, pool) in &state.tables.stake_pools {
        require(pool.subject == *subject, || format!("a pool of another subject: {pool:?}"))?;
        let bonded = (pool.shares == 0) == (pool.value() == 0);
        let unbonding = (pool.unbonding_shares == 0) == pool.unbonding.is_zero();
        require(bonded && unbonding, || {
            format!("value without shares, or shares without: {pool:?}")
        })?;
        let offer = pool.co_stake.as_ref().filter(|offer| offer.holder.is_none());
        let idle = offer.is_none_or(|offer| offer.tokens.is_zero() && offer.rewards.is_zero());
        require(idle, || format!("an open offer holds tokens: {pool:?}"))?;
    }
    Ok(())
}
