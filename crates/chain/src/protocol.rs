//! `remuda/ledger/1`: what a validator is asked and answers.
//!
//! One bidirectional stream a request: one [`Request`], one [`Response`].

use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_ledger::{Answer, Block, Header, Query, SignedTransaction, TransactionError};
use remuda_types::{Canonical, Hash, Height, NetworkId, TimestampMs};

use crate::{Found, Included, LedgerError, StorageError};

/// The protocol's name and version.
pub const ALPN: &[u8] = b"remuda/ledger/1";

/// The largest frame either side accepts, in bytes.
pub const FRAME_BYTES_MAX: usize = 8 << 20;

/// The most blocks in one answer.
pub const BLOCKS_MAX: usize = 256;

/// The most bytes of blocks in one answer, so that it fits its frame. At least one block is
/// always sent: [`BLOCK_BYTES_MAX`](crate::BLOCK_BYTES_MAX) keeps one below this.
pub const BLOCKS_BYTES_MAX: usize = FRAME_BYTES_MAX - (64 << 10);

/// The longest a validator holds back the answer to [`Request::NextHead`].
pub const HEAD_WAIT_MAX: Duration = Duration::from_secs(30);

/// The name of a transaction: its signer and what was signed. The signature is no part of
/// it, so no other signature over the same words makes it another transaction.
#[must_use]
pub fn transaction_digest(transaction: &SignedTransaction) -> Hash {
    let bytes = [transaction.signer.0, transaction.body.digest().0].concat();
    Hash::derive("remuda/transaction-digest/1", &bytes)
}

/// What a validator is asked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Request {
    /// Put this into a block.
    Submit(Box<SignedTransaction>),
    /// Tell a part of the newest state.
    Query(Query),
    /// Send blocks.
    Blocks {
        /// From this height on.
        from: Height,
        /// At most so many.
        limit: u32,
    },
    /// Name the network.
    Network,
    /// Tell what became of the transaction with this [digest](transaction_digest).
    Lookup(Hash),
    /// Send the newest header once it is above a height.
    NextHead {
        /// The height.
        after: Height,
        /// How long to wait for it, in milliseconds.
        wait_ms: u32,
    },
    /// Move block time on: on a network whose clock is virtual.
    Advance {
        /// Until when.
        until: TimestampMs,
    },
}

/// What a validator answers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Response {
    /// To `Submit`: it took effect and is on disk.
    Included(Included),
    /// To `Query`.
    Answer(Answer),
    /// To `Blocks`.
    Blocks(Vec<Block>),
    /// To `Network`.
    Network(NetworkId),
    /// To `Lookup`.
    Found(Option<Found>),
    /// To `NextHead` and `Advance`.
    Head(Header),
    /// To any request that was not granted.
    Refused(Refusal),
}

/// A [`LedgerError`] on the wire.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Refusal {
    /// The transaction breaks a rule.
    Transaction(TransactionError),
    /// The validator is stopping.
    Unreachable(String),
    /// Too much at once.
    Overloaded {
        /// When it is worth trying again, in milliseconds.
        retry_after_ms: u32,
    },
    /// The store failed.
    Storage(StorageError),
    /// The request was not understood.
    Protocol(String),
    /// It took too long.
    Timeout {
        /// How long was waited, in milliseconds.
        after_ms: u32,
    },
}

fn to_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn from_ms(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused(error) => Self::Transaction(error),
            LedgerError::Unreachable { reason } => Self::Unreachable(reason),
            LedgerError::Overloaded { retry_after } => {
                Self::Overloaded { retry_after_ms: to_ms(retry_after) }
            }
            LedgerError::Storage(error) => Self::Storage(error),
            LedgerError::Protocol { reason } => Self::Protocol(reason),
            LedgerError::Timeout { after } => Self::Timeout { after_ms: to_ms(after) },
        }
    }
}

impl From<Refusal> for LedgerError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Transaction(error) => Self::Refused(error),
            Refusal::Unreachable(reason) => Self::Unreachable { reason },
            Refusal::Overloaded { retry_after_ms } => {
                Self::Overloaded { retry_after: from_ms(retry_after_ms) }
            }
            Refusal::Storage(error) => Self::Storage(error),
            Refusal::Protocol(reason) => Self::Protocol { reason },
            Refusal::Timeout { after_ms } => Self::Timeout { after: from_ms(after_ms) },
        }
    }
}
