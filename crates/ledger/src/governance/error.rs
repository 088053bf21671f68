//! Why governance refuses.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Credits, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an action of this room takes no effect. Recorded in blocks: new variants go to the end.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GovernanceError {
    /// This economy has no governance.
    #[error("this network takes no proposals; its genesis did not enable governance")]
    Disabled,
    /// As many proposals are open as may be.
    #[error("{most} proposals are open, the most allowed; wait until one ends")]
    OpenLimit {
        /// How many may be.
        most: u32,
    },
    /// There is no such proposal.
    #[error("there is no proposal {id}, or it is no longer remembered")]
    UnknownProposal {
        /// Which.
        id: u64,
    },
    /// The proposal stands elsewhere.
    #[error("proposal {id} does not stand where this is possible")]
    ProposalState {
        /// Which.
        id: u64,
    },
    /// The timelock runs.
    #[error("proposal {id} can be executed from {execute_at} on; come back then")]
    Timelock {
        /// Which.
        id: u64,
        /// From when on.
        execute_at: TimestampMs,
    },
    /// No tokens that could vote.
    #[error("the account has nothing to vote with; lock tokens, or bond them, first")]
    NoVotes,
    /// Locked tokens are bound by a vote.
    #[error("locked tokens are bound by a vote until {until}; come back then")]
    VotesBound {
        /// Until when.
        until: TimestampMs,
    },
    /// More than is locked.
    #[error("{locked} are locked for voting; give back at most that")]
    VotesShort {
        /// How many are locked.
        locked: Tokens,
    },
    /// No changes, or too many.
    #[error("name 1 to {most} parameters")]
    ChangeCount {
        /// How many are allowed.
        most: u32,
    },
    /// There is no such parameter.
    #[error("there is no parameter {path}; see the economy's rules for its path")]
    UnknownParameter {
        /// The path.
        path: String,
    },
    /// The value is not one of this parameter's.
    #[error("{path} cannot be this: {reason}")]
    ParameterValue {
        /// The path.
        path: String,
        /// Why.
        reason: String,
    },
    /// The rules with the change could not stand.
    #[error("with this change, {path} {rule}")]
    RuleBroken {
        /// Where.
        path: String,
        /// What would be accepted.
        rule: String,
    },
    /// The parameter is never changed.
    #[error("{path} is immutable on this network")]
    Immutable {
        /// Which.
        path: String,
    },
    /// The cap may fall only, and not below the supply.
    #[error("the cap may only be lowered, and not below the {supply} that exist")]
    CapRaised {
        /// What exists.
        supply: Tokens,
    },
    /// More than one proposal may spend.
    #[error("one proposal may spend at most {most} base units of the treasury's now")]
    SpendLimit {
        /// How much.
        most: u128,
    },
    /// The upgrade's block is in the past.
    #[error("an upgrade must name a block after the next ones; choose a later height")]
    UpgradeHeight,
    /// Only the council may do this.
    #[error("only the account that `governance.treasury.council` names may do this")]
    NotCouncil,
    /// The council may not do this in this phase, or not to this proposal.
    #[error("in phase {phase} the council may not do this; propose it to the vote")]
    CouncilPhase {
        /// Which.
        phase: u8,
    },
    /// The council has used up what it may do in its period.
    #[error("the council has used up its period, which ends at {until}")]
    CouncilCap {
        /// When the next one begins.
        until: TimestampMs,
    },
    /// There is no such spend of the council that waits.
    #[error("there is no waiting spend {id} of the council")]
    UnknownSpend {
        /// Which.
        id: u64,
    },
    /// The pool takes no trades.
    #[error("the pool is closed or empty; a proposal may seed it")]
    PoolClosed,
    /// The pool would pay less than asked.
    #[error("the pool would pay {credits} for this; ask for less, or sell fewer")]
    PoolPrice {
        /// What it would pay.
        credits: Credits,
    },
    /// Both sides of an empty pool must be seeded.
    #[error("seed both sides of the pool")]
    PoolSides,
}

impl GovernanceError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Disabled => "governance_disabled",
            Self::OpenLimit { .. } => "governance_open_limit",
            Self::UnknownProposal { .. } => "governance_unknown_proposal",
            Self::ProposalState { .. } => "governance_proposal_state",
            Self::Timelock { .. } => "governance_timelock",
            Self::NoVotes => "governance_no_votes",
            Self::VotesBound { .. } => "governance_votes_bound",
            Self::VotesShort { .. } => "governance_votes_short",
            Self::ChangeCount { .. } => "governance_change_count",
            Self::UnknownParameter { .. } => "governance_unknown_parameter",
            Self::ParameterValue { .. } => "governance_parameter_value",
            Self::RuleBroken { .. } => "governance_rule_broken",
            Self::Immutable { .. } => "governance_immutable",
            Self::CapRaised { .. } => "governance_cap_raised",
            Self::SpendLimit { .. } => "governance_spend_limit",
            Self::UpgradeHeight => "governance_upgrade_height",
            Self::NotCouncil => "governance_not_council",
            Self::CouncilPhase { .. } => "governance_council_phase",
            Self::CouncilCap { .. } => "governance_council_cap",
            Self::UnknownSpend { .. } => "governance_unknown_spend",
            Self::PoolClosed => "pool_closed",
            Self::PoolPrice { .. } => "pool_price",
            Self::PoolSides => "pool_sides",
        }
    }

    /// Whether the same action may succeed later without anything else being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Timelock { .. }
                | Self::VotesBound { .. }
                | Self::OpenLimit { .. }
                | Self::CouncilCap { .. }
        )
    }
}
