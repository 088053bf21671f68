//! Votes: what an account may vote with, and what it says.

use remuda_types::{AccountId, Hash, TimestampMs, Tokens};

use super::proposals::LOCKED;
use super::{
    Choice, Curve, GovernanceError, Power, Proposal, ProposalStatus, Rules, Tally, Vote, VotingLock,
};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::money::{Holder, Vault};
use crate::state::{Row, State};

/// The most votes of ended proposals that one block forgets; the others go in the next ones.
const SWEEP_PER_BLOCK_MAX: usize = 512;

impl State {
    pub(super) fn voting_lock(&self, account: &AccountId) -> VotingLock {
        let none = VotingLock { amount: Tokens::ZERO, until: 0 };
        self.tables.voting_locks.get(account).cloned().unwrap_or(none)
    }

    fn put_voting_lock(&mut self, account: AccountId, lock: VotingLock) {
        let record = (!lock.amount.is_zero()).then_some(lock);
        self.write(Row::VotingLock(account, record));
    }

    /// All that could vote: the tokens outside the treasury, or all stake.
    pub(super) fn electorate(&self, rules: &Rules) -> u128 {
        match rules.power {
            Power::LockedTokens => {
                self.supply().tokens.excess_over(self.vault(Vault::Treasury).tokens).0
            }
            Power::Stake => self.vault(Vault::Stake).tokens.0,
        }
    }

    /// What an account may vote with, before any cap.
    fn voting_tokens(&self, rules: &Rules, account: &AccountId) -> Tokens {
        match rules.power {
            Power::LockedTokens => self.voting_lock(account).amount,
            Power::Stake => self.staked_by(account),
        }
    }
}

/// An account locks tokens for voting.
pub(super) fn lock(state: &mut State, context: &Context<'_>, amount: Tokens) -> Verdict {
    state.running()?;
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let account = context.account();
    state.move_tokens(Holder::Account(account), LOCKED, amount)?;
    let mut lock = state.voting_lock(&account);
    lock.amount = lock.amount.add(amount)?;
    state.put_voting_lock(account, lock);
    Ok(Effects::default())
}

/// An account takes tokens back that no vote binds.
pub(super) fn unlock(state: &mut State, context: &Context<'_>, amount: Tokens) -> Verdict {
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let account = context.account();
    let mut lock = state.voting_lock(&account);
    let locked = lock.amount;
    lock.amount = locked.sub(amount).map_err(|_| GovernanceError::VotesShort { locked })?;
    if context.now < lock.until {
        return Err(GovernanceError::VotesBound { until: lock.until }.into());
    }
    state.move_tokens(LOCKED, Holder::Account(account), amount)?;
    state.put_voting_lock(account, lock);
    Ok(Effects::default())
}

/// An account votes, or votes anew.
pub(super) fn vote(state: &mut State, context: &Context<'_>, id: u64, choice: Choice) -> Verdict {
    let mut proposal = state.proposal(id)?;
    if proposal.status != ProposalStatus::Voting || context.now >= proposal.votes_until {
        return Err(GovernanceError::ProposalState { id }.into());
    }
    let voter = context.account();
    let vote = weigh(state, &context.economy.governance, &proposal, voter, choice);
    if vote.power == 0 {
        return Err(GovernanceError::NoVotes.into());
    }
    if let Some(former) = state.tables.votes.get(&(id, voter)) {
        proposal.tally = proposal.tally.without(former)?;
    }
    proposal.tally = proposal.tally.with(&vote)?;
    bind(state, &context.economy.governance, voter, proposal.votes_until);
    state.write(Row::Vote((id, voter), Some(vote)));
    state.keep_proposal(proposal);
    Ok(Effects::default())
}

/// What a vote counts: tokens up to the cap, then the curve.
fn weigh(
    state: &State,
    rules: &Rules,
    proposal: &Proposal,
    voter: AccountId,
    choice: Choice,
) -> Vote {
    let cap = rules.voter_cap.of(proposal.electorate);
    let weight = state.voting_tokens(rules, &voter).0.min(cap);
    let power = match rules.curve {
        Curve::Linear => weight,
        Curve::SquareRoot => weight.isqrt(),
    };
    Vote { voter, choice, weight, power }
}

/// Locked tokens stay until the vote that they took part in is over.
fn bind(state: &mut State, rules: &Rules, voter: AccountId, until: TimestampMs) {
    if rules.power == Power::LockedTokens {
        let lock = state.voting_lock(&voter);
        let until = lock.until.max(until);
        state.put_voting_lock(voter, VotingLock { until, ..lock });
    }
}

impl Tally {
    fn side(&mut self, choice: Choice) -> &mut u128 {
        match choice {
            Choice::Yes => &mut self.yes,
            Choice::No => &mut self.no,
            Choice::Abstain => &mut self.abstain,
            Choice::Veto => &mut self.veto,
        }
    }

    /// With one vote more.
    pub(super) fn with(mut self, vote: &Vote) -> Result<Self, TransactionError> {
        let side = self.side(vote.choice);
        *side = side.checked_add(vote.power).ok_or(TransactionError::Overflow)?;
        let turnout = self.turnout.checked_add(vote.weight);
        Ok(Self { turnout: turnout.ok_or(TransactionError::Overflow)?, ..self })
    }

    /// With one vote less.
    fn without(mut self, vote: &Vote) -> Result<Self, TransactionError> {
        let side = self.side(vote.choice);
        *side = side.checked_sub(vote.power).ok_or(TransactionError::Overflow)?;
        let turnout = self.turnout.checked_sub(vote.weight);
        Ok(Self { turnout: turnout.ok_or(TransactionError::Overflow)?, ..self })
    }
}

/// The votes on one proposal, in the order of their voters, after one.
pub(super) fn votes_on(
    state: &State,
    id: u64,
    after: Option<AccountId>,
) -> impl Iterator<Item = (&(u64, AccountId), &Vote)> {
    use std::ops::Bound::{Excluded, Included};
    let first = Included((id, AccountId(Hash([0; 32]))));
    let from = after.map_or(first, |after| Excluded((id, after)));
    state.tables.votes.range((from, Included((id, AccountId(Hash([u8::MAX; 32]))))))
}

/// Every block: votes of ended proposals are forgotten.
pub(crate) fn sweep(state: &mut State, _: &Cycle) -> Result<(), TransactionError> {
    let Some(id) = state.tables.vote_sweeps.first_key_value().map(|(id, _)| *id) else {
        return Ok(());
    };
    let votes = votes_on(state, id, None).take(SWEEP_PER_BLOCK_MAX).map(|(name, _)| *name);
    let votes: Vec<(u64, AccountId)> = votes.collect();
    if votes.len() < SWEEP_PER_BLOCK_MAX {
        state.write(Row::VoteSweep(id, None));
    }
    for name in votes {
        state.write(Row::Vote(name, None));
    }
    Ok(())
}
