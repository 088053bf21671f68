//! The invariants of governance, treasury and pool.

use std::collections::BTreeMap;

use remuda_types::{Credits, Tokens};

use super::{Proposal, ProposalStatus, SpendStatus, Tally};
use crate::audit::require;
use crate::error::AuditError;
use crate::money::{Purse, Vault};
use crate::state::State;

/// Checks every invariant of the room.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    locked(state)?;
    tallies(state)?;
    counts(state)?;
    let (pool, held) = (state.exchange(), state.vault(Vault::Pool));
    let stated = Purse { tokens: pool.tokens, credits: pool.credits };
    require(stated == held, || format!("the pool says {stated:?}, its vault holds {held:?}"))
}

/// The vault holds exactly the deposits of proposals under vote and what is locked to vote.
fn locked(state: &State) -> Result<(), AuditError> {
    let voting = |proposal: &&Proposal| proposal.status == ProposalStatus::Voting;
    let deposits = state.tables.proposals.values().filter(voting).map(|found| found.deposit.0);
    let locks = state.tables.voting_locks.values().map(|lock| lock.amount.0);
    let sum = deposits.chain(locks).try_fold(0, u128::checked_add).unwrap_or(u128::MAX);
    let owed = Purse { tokens: Tokens(sum), credits: Credits::ZERO };
    let held = state.vault(Vault::Proposals);
    require(held == owed, || format!("voters are owed {owed:?}, their vault holds {held:?}"))
}

/// The tally of a proposal under vote is what its votes come to.
fn tallies(state: &State) -> Result<(), AuditError> {
    let mut found: BTreeMap<u64, Tally> = BTreeMap::new();
    for ((id, voter), vote) in &state.tables.votes {
        require(*voter == vote.voter, || format!("a vote on {id} has another name"))?;
        let tally = found.remove(id).unwrap_or(Tally::EMPTY).with(vote);
        let tally = tally.map_err(|_| AuditError { invariant: "votes overflow".into() })?;
        found.insert(*id, tally);
    }
    for (id, proposal) in &state.tables.proposals {
        let is_open = proposal.status.is_open();
        require(proposal.due_at.is_some() == is_open, || format!("proposal {id} never ends"))?;
        let votes = found.remove(id).unwrap_or(Tally::EMPTY);
        let voting = proposal.status == ProposalStatus::Voting;
        require(!voting || votes == proposal.tally, || {
            format!("proposal {id} says {:?}, its votes {votes:?}", proposal.tally)
        })?;
        let swept = voting || votes == Tally::EMPTY || state.tables.vote_sweeps.contains_key(id);
        require(swept, || format!("the votes on {id} are never forgotten"))?;
    }
    Ok(())
}

/// The counters are what the records come to.
fn counts(state: &State) -> Result<(), AuditError> {
    let Some(governance) = state.governance() else {
        let none = state.tables.proposals.is_empty() && state.tables.outflows.is_empty();
        return require(none, || "proposals without governance".into());
    };
    let open = state.tables.proposals.values().filter(|found| found.status.is_open()).count();
    require(open == governance.open as usize, || format!("{open} open, not as {governance:?}"))?;
    let spends = state.tables.council_spends.values();
    let waiting = spends.filter(|spend| spend.status == SpendStatus::Pending).count();
    let counted = waiting == governance.spends_open as usize;
    require(counted, || format!("{waiting} spends wait, not as {governance:?}"))?;
    require((1..=3).contains(&governance.phase), || format!("phase {}", governance.phase))?;
    let newest = state.tables.outflows.last_key_value().map_or(0, |(number, _)| number + 1);
    require(newest == governance.next_outflow, || format!("outflows end at {newest}"))
}
