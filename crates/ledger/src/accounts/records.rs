//! What the state keeps of accounts beside their balances.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Height, PublicKey, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use super::multisig::{MultisigPolicy, SealedAction};
use super::vesting::VestingTerms;
use crate::block::Effects;
use crate::error::TransactionError;
use crate::query::record;

record! {
    /// An account of several keys.
    Multisig {
        /// Its name: [`MultisigPolicy::account`].
        account: AccountId,
        /// Who approves, and how many of them it takes.
        policy: MultisigPolicy,
        /// Since which block.
        registered_at: Height,
        /// How many proposals it ever had: the number of the next.
        proposals: u64,
    }
}

/// The name of a proposal.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct MultisigProposalId {
    /// The account in whose name it would act.
    pub account: AccountId,
    /// Its number within that account, from 0.
    pub number: u64,
}

record! {
    /// What the members of an account were asked to approve.
    MultisigProposal {
        /// Its name.
        id: MultisigProposalId,
        /// Which member asked.
        proposer: PublicKey,
        /// What would be done.
        action: SealedAction,
        /// Who approved, in order; the proposer is the first.
        approvals: Vec<PublicKey>,
        /// When it was made.
        opened_at: TimestampMs,
        /// When it ends unless it has been executed.
        expires_at: TimestampMs,
        /// When it ended.
        ended_at: Option<TimestampMs>,
        /// How it stands.
        status: MultisigStatus,
    }
}

/// How a proposal stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum MultisigStatus {
    /// It waits for approvals.
    Open,
    /// It was approved and took effect.
    Executed(Effects),
    /// It was approved, but its action was refused. It is not tried again.
    Failed(TransactionError),
    /// Its proposer took it back.
    Cancelled,
    /// Its time was over.
    Expired,
}

/// Who a grant is for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum Beneficiary {
    /// An account.
    Account(AccountId),
    /// The public treasury.
    Treasury,
}

/// Who made a grant.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum GrantSource {
    /// An allocation of the supply, by its name.
    Allocation(String),
    /// An account, of its own tokens.
    Account(AccountId),
    /// A rule of the network that pays with a delay.
    Rules,
}

record! {
    /// Tokens that come free over time.
    Grant {
        /// Its number; no other grant ever has it.
        id: u64,
        /// Who it is for.
        beneficiary: Beneficiary,
        /// The whole grant.
        amount: Tokens,
        /// What has been taken.
        claimed: Tokens,
        /// When its terms begin.
        starts_at: TimestampMs,
        /// How it comes free.
        terms: VestingTerms,
        /// Who made it.
        source: GrantSource,
        /// Whether the account that made it may end it.
        revocable: bool,
    }
}

/// All grants together.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct Vesting {
    /// How many grants there ever were: the number of the next.
    pub grants: u64,
    /// What all of them together still owe: exactly what the vault holds.
    pub owed: Tokens,
}

/// What has been minted of an allocation.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct AllocationUse {
    /// How much, at genesis or by conversion.
    pub minted: Tokens,
    /// Among how many accounts.
    pub participants: u32,
}

/// The name of an account's part in an allocation.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct AllocationPartId {
    /// The allocation.
    pub allocation: String,
    /// The account.
    pub account: AccountId,
}

/// The base fee.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct BaseFee {
    /// For one unit of weight, in the next block.
    pub price: Tokens,
    /// What the newest block held.
    pub weight: u64,
}
