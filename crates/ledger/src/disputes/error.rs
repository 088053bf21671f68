//! Why disputes refuse.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{NodeId, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{DisputeId, Stage};

/// Why an action on a dispute takes no effect. Its encoding is part of the chain: new variants
/// go to the end.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DisputeError {
    /// This network has no disputes.
    #[error("this network's profile has no window for disputes")]
    Closed,
    /// A gateway posts one root a block.
    #[error("this gateway has posted a root in this block; post the next one in the next block")]
    RootPosted,
    /// No receipts, or too many.
    #[error("a root stands over 1 to {most} receipts")]
    RootCount {
        /// How many are allowed.
        most: u32,
    },
    /// There is no such root, or its window is over.
    #[error("there is no such root, or the window for disputes about it is over")]
    UnknownRoot,
    /// The receipt is not under the root.
    #[error("the path does not lead from this receipt to the posted root")]
    NotIncluded,
    /// A signature of the receipt does not hold.
    #[error("a signature of this receipt does not hold: nobody is bound by it")]
    ReceiptForged,
    /// The receipt is of another network.
    #[error("the receipt is of another network")]
    WrongNetwork,
    /// The evidence proves nothing.
    #[error("the evidence proves no offence: {why}")]
    NoOffence {
        /// What is missing.
        why: String,
    },
    /// The evidence is older than the node's last conviction.
    #[error("this node was convicted at {at}; only work that ended later proves more")]
    AlreadyConvicted {
        /// When.
        at: TimestampMs,
    },
    /// The node was ejected.
    #[error("node {node} was ejected; there is nothing more to prove")]
    Ejected {
        /// Who.
        node: NodeId,
    },
    /// The receipt is disputed already.
    #[error("receipt is disputed already, as {dispute}")]
    Exists {
        /// As which.
        dispute: DisputeId,
    },
    /// There is no such dispute, or it was forgotten.
    #[error("dispute {dispute} is not known")]
    Unknown {
        /// Which.
        dispute: DisputeId,
    },
    /// The dispute is not where this could be done.
    #[error("the dispute is {stage:?}; this cannot be done there")]
    WrongStage {
        /// Where it is.
        stage: Stage,
    },
    /// The time for it is over.
    #[error("the time for this move is over")]
    Late,
    /// The signer was not drawn.
    #[error("the signer was not drawn for this dispute")]
    NotDrawn,
    /// A second commitment or reveal.
    #[error("the checker has done this already")]
    AlreadyDone,
    /// The reveal is not what was committed to.
    #[error("the reveal is not what the checker committed to")]
    NotCommitted,
    /// Only one of the sides may do this.
    #[error("it is not the signer's move")]
    NotMover,
    /// The split is not one of the interval.
    #[error("name {arity} states, the last of them the one that is claimed")]
    WrongSplit {
        /// How many.
        arity: u32,
    },
    /// The pick is outside of the split.
    #[error("pick one of the {arity} states")]
    WrongPick {
        /// How many there are.
        arity: u32,
    },
    /// The last step cannot be decided by this evidence.
    #[error("this evidence does not decide the last step; checkers will vote when time is over")]
    Undecided,
    /// The checker's deposit is too small.
    #[error("a checker deposits at least {least}")]
    BondTooLow {
        /// How much.
        least: Tokens,
    },
    /// There are as many checkers as there may be.
    #[error("there are {most} checkers, the most allowed; wait until one leaves")]
    CheckersFull {
        /// How many there may be.
        most: u32,
    },
    /// The signer is no checker, or has left.
    #[error("the signer is not enrolled as a checker")]
    NotChecker,
}

impl DisputeError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed => "dispute_closed",
            Self::RootPosted => "dispute_root_posted",
            Self::RootCount { .. } => "dispute_root_count",
            Self::UnknownRoot => "dispute_unknown_root",
            Self::NotIncluded => "dispute_not_included",
            Self::ReceiptForged => "dispute_receipt_forged",
            Self::WrongNetwork => "dispute_wrong_network",
            Self::NoOffence { .. } => "dispute_no_offence",
            Self::AlreadyConvicted { .. } => "dispute_already_convicted",
            Self::Ejected { .. } => "dispute_ejected",
            Self::Exists { .. } => "dispute_exists",
            Self::Unknown { .. } => "dispute_unknown",
            Self::WrongStage { .. } => "dispute_wrong_stage",
            Self::Late => "dispute_late",
            Self::NotDrawn => "dispute_not_drawn",
            Self::AlreadyDone => "dispute_already_done",
            Self::NotCommitted => "dispute_not_committed",
            Self::NotMover => "dispute_not_mover",
            Self::WrongSplit { .. } => "dispute_wrong_split",
            Self::WrongPick { .. } => "dispute_wrong_pick",
            Self::Undecided => "dispute_undecided",
            Self::BondTooLow { .. } => "dispute_bond_too_low",
            Self::CheckersFull { .. } => "dispute_checkers_full",
            Self::NotChecker => "dispute_not_checker",
        }
    }
}
