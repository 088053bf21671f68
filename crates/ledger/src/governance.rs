//! Proposals and votes, the treasury, and the buy-back of tokens.
//!
//! The rules of a running network change by an executed proposal only. A proposal that could
//! not be executed is refused when it is made, and checked again when it is executed, against
//! the rules of that time.

mod actions;
mod audit;
mod changes;
mod council;
mod error;
mod execution;
mod indexes;
mod phases;
mod pool;
mod proposals;
mod queries;
mod records;
mod rules;
mod treasury;
mod votes;

pub use actions::{
    CHANGES_MAX, GovernanceAction, MEMO_BYTES_MAX, TEXT_BYTES_MAX, TITLE_BYTES_MAX, VALUE_BYTES_MAX,
};
pub use changes::{BUILT_IN_IMMUTABLE, rule_mut};
pub use error::GovernanceError;
pub use queries::{GovernanceAnswer, GovernanceQuery};
pub use records::{
    Choice, CouncilSpend, Governance, Outflow, OutflowReason, ParameterChange, Pool, Proposal,
    ProposalKind, ProposalStatus, SpendStatus, Tally, UpgradePlan, Vote, VotingLock,
};
pub use rules::*;
pub use treasury::OUTFLOWS_KEPT;

pub(crate) use actions::execute;
pub(crate) use audit::audit;
pub(crate) use execution::{next_due, run_proposals};
pub(crate) use indexes::GovernanceIndexes;
pub(crate) use phases::measure;
pub(crate) use pool::buy_back;
pub(crate) use queries::answer;
pub(crate) use votes::sweep;
