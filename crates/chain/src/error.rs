//! What can go wrong with the ledger, as its users see it.

use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_ledger::TransactionError;
use remuda_types::{Height, NetworkId};
use thiserror::Error;

/// Why the ledger did not do, or did not tell, what it was asked.
///
/// [`LedgerError::Timeout`], [`LedgerError::Unreachable`] and [`LedgerError::Storage`] leave
/// open whether a submitted transaction took effect. Submitting the *same signed*
/// transaction again is always safe: the validator recognises it and answers what became of
/// it. Signing the same action anew is not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The transaction breaks a rule. It did nothing.
    #[error("the ledger refused the transaction: {0}")]
    Refused(TransactionError),
    /// No validator answers, or the embedded one has stopped.
    #[error("no validator can be reached: {reason}")]
    Unreachable {
        /// What the last attempt met.
        reason: String,
    },
    /// The validator has more to do than it may queue.
    #[error("the validator is overloaded; try again in {} ms", retry_after.as_millis())]
    Overloaded {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The store under the validator failed; the transaction was not acknowledged.
    #[error("the ledger's store failed: {0}")]
    Storage(#[from] StorageError),
    /// The two sides do not understand each other.
    #[error("the ledger's protocol was broken: {reason}")]
    Protocol {
        /// How.
        reason: String,
    },
    /// There was no answer in time.
    #[error("the ledger did not answer within {} ms", after.as_millis())]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
}

impl LedgerError {
    /// A stable name for machines. A refused transaction has the code of its own error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(error) => error.code(),
            Self::Unreachable { .. } => "ledger_unreachable",
            Self::Overloaded { .. } => "ledger_overloaded",
            Self::Storage(error) => error.code(),
            Self::Protocol { .. } => "ledger_protocol",
            Self::Timeout { .. } => "ledger_timeout",
        }
    }

    /// Whether the same request may succeed later, unchanged.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Refused(error) => error.is_retryable(),
            Self::Unreachable { .. } | Self::Overloaded { .. } | Self::Timeout { .. } => true,
            Self::Storage(error) => error.is_retryable(),
            Self::Protocol { .. } => false,
        }
    }

    /// Whether a submitted transaction may have taken effect although this error came back.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. } | Self::Storage(_))
    }

    /// What helps, in one sentence.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Refused(_) => "correct what the reason names and sign a new transaction",
            Self::Unreachable { .. } => {
                "check that the validator runs and that its address is right"
            }
            Self::Overloaded { .. } => "wait as long as the error says, then try again",
            Self::Storage(error) => error.hint(),
            Self::Protocol { .. } => "upgrade the older side",
            Self::Timeout { .. } => "submit the same signed transaction again: it cannot run twice",
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "used as a function value")]
    pub(crate) fn unreachable(reason: impl ToString) -> Self {
        Self::Unreachable { reason: reason.to_string() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "used as a function value")]
    pub(crate) fn protocol(reason: impl ToString) -> Self {
        Self::Protocol { reason: reason.to_string() }
    }
}

/// Why the store did not open, write or read.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another process has the store open.
    #[error("the ledger's store is in use by another process; stop that one first")]
    Locked,
    /// There is no room. Nothing was acknowledged; reads go on.
    #[error("the disk is full: {detail}")]
    Full {
        /// What the operating system said.
        detail: String,
    },
    /// The operating system refused a read or a write.
    #[error("reading or writing failed: {detail}")]
    Io {
        /// What the operating system said.
        detail: String,
    },
    /// The store's bytes are not what was written, and its own repair did not help.
    #[error("the store is damaged: {detail}")]
    Corrupt {
        /// What does not fit.
        detail: String,
    },
    /// The store belongs to a network with another genesis.
    #[error("the store holds network {found}, but network {expected} was asked for")]
    OtherNetwork {
        /// The network asked for.
        expected: NetworkId,
        /// The network in the store.
        found: NetworkId,
    },
    /// The genesis cannot begin a network.
    #[error("the genesis is not valid: {detail}")]
    Genesis {
        /// What is wrong with it.
        detail: String,
    },
    /// The store was written by a version of this software that this one cannot read.
    #[error("the store has format {found}; this build reads format {supported}")]
    Format {
        /// The format in the store.
        found: u32,
        /// The format that this build reads.
        supported: u32,
    },
    /// The block has been pruned.
    #[error("blocks before height {oldest} are no longer kept")]
    Pruned {
        /// The oldest block that is kept.
        oldest: Height,
    },
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl StorageError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked => "store_locked",
            Self::Full { .. } => "store_full",
            Self::Io { .. } => "store_io",
            Self::Corrupt { .. } => "store_corrupt",
            Self::OtherNetwork { .. } => "store_other_network",
            Self::Genesis { .. } => "store_genesis",
            Self::Format { .. } => "store_format",
            Self::Pruned { .. } => "store_pruned",
            Self::Closed => "store_closed",
        }
    }

    /// Whether the same request may succeed later, unchanged.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Locked | Self::Full { .. } | Self::Io { .. } | Self::Closed)
    }

    /// What helps, in one sentence.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Locked => "stop the other validator, or give this one a home of its own",
            Self::Full { .. } => "free some space: the validator goes on by itself",
            Self::Io { .. } => "check the disk, and that this user may write the store's file",
            Self::Corrupt { .. } => {
                "put the file aside and restore the last copy of it, or replay the blocks from \
                 another validator into a new one"
            }
            Self::OtherNetwork { .. } => {
                "use the genesis that the store was made with, or another home"
            }
            Self::Genesis { .. } => "correct the genesis file",
            Self::Format { .. } => "start the version that wrote the store, or a newer one",
            Self::Pruned { .. } => "ask an archiving validator",
            Self::Closed => "start the validator again",
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "used as a function value")]
    pub(crate) fn corrupt(detail: impl ToString) -> Self {
        Self::Corrupt { detail: detail.to_string() }
    }
}

impl<E: Into<redb::Error>> From<RedbError<E>> for StorageError {
    fn from(error: RedbError<E>) -> Self {
        match error.0.into() {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::Locked,
            redb::Error::Io(error) => Self::from(error),
            redb::Error::PreviousIo => Self::Io { detail: "an earlier write failed".into() },
            redb::Error::DatabaseClosed => Self::Closed,
            other => Self::corrupt(other),
        }
    }
}

/// Any of redb's errors, on its way to becoming a [`StorageError`].
pub(crate) struct RedbError<E>(pub(crate) E);

impl From<std::io::Error> for StorageError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let detail = error.to_string();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::Full { detail }
            }
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Self::Corrupt { detail },
            _ => Self::Io { detail },
        }
    }
}
