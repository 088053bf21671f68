//! Why a rule of accounts refuses.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an action on an account of several keys, a grant or a fee is refused. New variants go to
/// the end.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccountsError {
    /// The members or the threshold cannot stand.
    #[error(
        "name 1 to {most} members in ascending order, each once, and a threshold of 1 to as many"
    )]
    MultisigPolicy {
        /// How many members there may be.
        most: u16,
    },
    /// The account is registered.
    #[error("the account {account} is registered already; use it")]
    MultisigExists {
        /// Which.
        account: AccountId,
    },
    /// The account is not registered as one of several keys.
    #[error("{account} is not registered as an account of several keys; create it first")]
    UnknownMultisig {
        /// Which.
        account: AccountId,
    },
    /// The signer is not a member.
    #[error("the signer is not a member of {account}; sign with a member's key")]
    NotMember {
        /// Which account.
        account: AccountId,
    },
    /// The action cannot be proposed.
    #[error("this cannot be proposed: {reason}")]
    NotProposable {
        /// Why.
        reason: String,
    },
    /// The proposal would end too early or too late.
    #[error("a proposal must end after {now} and not after {latest}")]
    ProposalEnd {
        /// Block time.
        now: TimestampMs,
        /// The latest end allowed.
        latest: TimestampMs,
    },
    /// The account has as many open proposals as it may.
    #[error("the account has {most} open proposals, the most allowed; cancel one or wait")]
    ProposalLimit {
        /// How many it may have.
        most: u32,
    },
    /// There is no such proposal, or it is forgotten.
    #[error("the account {account} has no proposal {number}")]
    UnknownMultisigProposal {
        /// Whose.
        account: AccountId,
        /// Its number.
        number: u64,
    },
    /// The proposal was executed, cancelled or has expired.
    #[error("proposal {number} has ended; make another")]
    ProposalEnded {
        /// Its number.
        number: u64,
    },
    /// The member approved before.
    #[error("the signer has approved proposal {number} already")]
    AlreadyApproved {
        /// Its number.
        number: u64,
    },
    /// Only the member who made a proposal takes it back.
    #[error("only its proposer may cancel proposal {number}; it ends by itself in time")]
    NotProposer {
        /// Its number.
        number: u64,
    },
    /// The terms of a grant cannot stand.
    #[error("these terms cannot stand; give {rule}")]
    VestingTerms {
        /// What would be accepted.
        rule: String,
    },
    /// The account made as many grants as it may.
    #[error("the account has {most} unfinished grants, the most allowed; wait until one ends")]
    GrantLimit {
        /// How many it may have.
        most: u32,
    },
    /// There is no such grant, or it has ended.
    #[error("there is no grant {grant}, or it has ended")]
    UnknownGrant {
        /// Its number.
        grant: u64,
    },
    /// Only the beneficiary may take it.
    #[error("grant {grant} is another account's; sign with its beneficiary's key")]
    NotBeneficiary {
        /// Its number.
        grant: u64,
    },
    /// Nothing is free that has not been taken.
    #[error("nothing of grant {grant} is free now; come back later")]
    NothingVested {
        /// Its number.
        grant: u64,
    },
    /// The grant cannot be ended, or not by the signer.
    #[error("grant {grant} is not one that the signer made and may end")]
    NotRevocable {
        /// Its number.
        grant: u64,
    },
    /// The economy has no such allocation for conversion.
    #[error("there is no allocation {name} to convert into")]
    UnknownAllocation {
        /// Its name.
        name: String,
    },
    /// The allocation is used up.
    #[error("allocation {name} has {left} left")]
    AllocationSpent {
        /// Its name.
        name: String,
        /// What is left.
        left: Tokens,
    },
    /// As many accounts share the allocation as may.
    #[error("allocation {name} is shared by {most} accounts, the most allowed")]
    AllocationFull {
        /// Its name.
        name: String,
        /// How many may share it.
        most: u32,
    },
    /// The signer can pay the fee neither in tokens nor in credits.
    #[error("the fee is {fee} and the signer holds {available}; hold that much, or wait")]
    FeeUnpayable {
        /// What would be accepted now.
        fee: Tokens,
        /// The same in credits, where they are accepted.
        credits: Option<Credits>,
        /// What the signer's account holds.
        available: Tokens,
    },
}

impl AccountsError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MultisigPolicy { .. } => "multisig_policy",
            Self::MultisigExists { .. } => "multisig_exists",
            Self::UnknownMultisig { .. } => "multisig_unknown",
            Self::NotMember { .. } => "multisig_not_member",
            Self::NotProposable { .. } => "multisig_not_proposable",
            Self::ProposalEnd { .. } => "multisig_proposal_end",
            Self::ProposalLimit { .. } => "multisig_proposal_limit",
            Self::UnknownMultisigProposal { .. } => "multisig_proposal_unknown",
            Self::ProposalEnded { .. } => "multisig_proposal_ended",
            Self::AlreadyApproved { .. } => "multisig_already_approved",
            Self::NotProposer { .. } => "multisig_not_proposer",
            Self::VestingTerms { .. } => "vesting_terms",
            Self::GrantLimit { .. } => "vesting_grant_limit",
            Self::UnknownGrant { .. } => "vesting_grant_unknown",
            Self::NotBeneficiary { .. } => "vesting_not_beneficiary",
            Self::NothingVested { .. } => "vesting_nothing",
            Self::NotRevocable { .. } => "vesting_not_revocable",
            Self::UnknownAllocation { .. } => "allocation_unknown",
            Self::AllocationSpent { .. } => "allocation_spent",
            Self::AllocationFull { .. } => "allocation_full",
            Self::FeeUnpayable { .. } => "fee_unpayable",
        }
    }

    /// Whether the same action may well succeed later, without anything else being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::NothingVested { .. } | Self::FeeUnpayable { .. })
    }
}
