//! Why the room refuses.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::Hash;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::rules::Recipient;

/// Why an action of epochs takes no effect. New variants go to the end.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EpochError {
    /// Only accounts that the economy names may report.
    #[error("only the reporters that the economy names may do this")]
    NotReporter,
    /// No entries, or too many.
    #[error("give 1 to {most} entries in one report")]
    EntryCount {
        /// How many are allowed.
        most: u32,
    },
    /// Nobody reported the device's capacity.
    #[error("device {device} of this provider is not known; report its capacity first")]
    UnknownDevice {
        /// Which.
        device: Hash,
    },
    /// As many devices are known as may be.
    #[error("{most} devices are known, the most allowed; report a capacity of 0 to remove one")]
    DeviceLimit {
        /// How many there may be.
        most: u32,
    },
    /// A fact is out of bounds.
    #[error("{field} {rule}")]
    Fact {
        /// Which.
        field: String,
        /// What would be accepted.
        rule: String,
    },
    /// This recipient's weight is not reported.
    #[error("the weight of {recipient:?} is counted by the ledger; nobody may report it")]
    NotReported {
        /// Which.
        recipient: Recipient,
    },
    /// The account is owed nothing.
    #[error("this account is owed no rewards; come back after the next epoch")]
    NothingToClaim,
}

impl EpochError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotReporter => "epoch_not_reporter",
            Self::EntryCount { .. } => "epoch_entry_count",
            Self::UnknownDevice { .. } => "epoch_unknown_device",
            Self::DeviceLimit { .. } => "epoch_device_limit",
            Self::Fact { .. } => "epoch_fact",
            Self::NotReported { .. } => "epoch_not_reported",
            Self::NothingToClaim => "epoch_nothing_to_claim",
        }
    }
}
