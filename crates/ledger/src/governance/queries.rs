//! What can be asked about governance and the treasury.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits, Tokens};
use serde::{Deserialize, Serialize};

use super::{CouncilSpend, Governance, Outflow, Pool, Proposal, Vote, VotingLock, pool, votes};
use crate::answers::ANSWER_RECORDS_MAX;
use crate::state::State;

/// The most proposals in one answer: each may be long.
const PROPOSALS_PER_ANSWER: usize = 64;

/// A question to this room. Lists are newest first, by pages.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GovernanceQuery {
    /// Governance as a whole: phase, council, plans.
    State,
    /// A proposal.
    Proposal(u64),
    /// Proposals.
    Proposals {
        /// Only those with a smaller number.
        before: Option<u64>,
    },
    /// The votes on a proposal, in the order of their voters.
    Votes {
        /// Which.
        proposal: u64,
        /// Only those after this voter.
        after: Option<AccountId>,
    },
    /// What an account locked for voting.
    VotingLock(AccountId),
    /// Spends of the council.
    CouncilSpends {
        /// Only those with a smaller number.
        before: Option<u64>,
    },
    /// What left the treasury.
    Outflows {
        /// Only those with a smaller number.
        before: Option<u64>,
    },
    /// The pool.
    Pool,
    /// What the pool would pay for tokens now.
    Quote(Tokens),
}

/// The answer to a [`GovernanceQuery`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GovernanceAnswer {
    /// To `State`; none where governance is not enabled.
    State(Option<Governance>),
    /// To `Proposal`.
    Proposal(Option<Box<Proposal>>),
    /// To `Proposals`.
    Proposals(Vec<Proposal>),
    /// To `Votes`.
    Votes(Vec<Vote>),
    /// To `VotingLock`.
    VotingLock(VotingLock),
    /// To `CouncilSpends`.
    CouncilSpends(Vec<CouncilSpend>),
    /// To `Outflows`.
    Outflows(Vec<Outflow>),
    /// To `Pool`.
    Pool(Pool),
    /// To `Quote`; none when the sum does not fit.
    Quote(Option<Credits>),
}

/// Answers a question.
pub(crate) fn answer(state: &State, query: &GovernanceQuery) -> GovernanceAnswer {
    let tables = &state.tables;
    let below = |before: &Option<u64>| ..before.unwrap_or(u64::MAX);
    match query {
        GovernanceQuery::State => GovernanceAnswer::State(state.governance().cloned()),
        GovernanceQuery::Proposal(id) => {
            GovernanceAnswer::Proposal(tables.proposals.get(id).cloned().map(Box::new))
        }
        GovernanceQuery::Proposals { before } => {
            let found = tables.proposals.range(below(before)).rev().take(PROPOSALS_PER_ANSWER);
            GovernanceAnswer::Proposals(found.map(|(_, proposal)| proposal.clone()).collect())
        }
        GovernanceQuery::Votes { proposal, after } => {
            let found = votes::votes_on(state, *proposal, *after).take(ANSWER_RECORDS_MAX);
            GovernanceAnswer::Votes(found.map(|(_, vote)| vote.clone()).collect())
        }
        GovernanceQuery::VotingLock(id) => GovernanceAnswer::VotingLock(state.voting_lock(id)),
        GovernanceQuery::CouncilSpends { before } => {
            let found = tables.council_spends.range(below(before)).rev();
            let found = found.take(ANSWER_RECORDS_MAX).map(|(_, spend)| spend.clone());
            GovernanceAnswer::CouncilSpends(found.collect())
        }
        GovernanceQuery::Outflows { before } => {
            let found = tables.outflows.range(below(before)).rev().take(ANSWER_RECORDS_MAX);
            GovernanceAnswer::Outflows(found.map(|(_, outflow)| outflow.clone()).collect())
        }
        GovernanceQuery::Pool => GovernanceAnswer::Pool(state.exchange()),
        GovernanceQuery::Quote(tokens) => GovernanceAnswer::Quote(pool::quote(state, *tokens).ok()),
    }
}
