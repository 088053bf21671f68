//! Why a genesis, a block or a stored state is refused.

use remuda_types::{AccountId, Hash, Height, TimestampMs};
use thiserror::Error;

/// Why a genesis cannot begin a network.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// The name is empty or too long.
    #[error("the network's name must have 1 to {most} bytes")]
    Name {
        /// How many bytes it may have.
        most: usize,
    },
    /// An account is named twice.
    #[error("account {account} is named twice; add its amounts up")]
    DuplicateAccount {
        /// Which.
        account: AccountId,
    },
    /// A parameter is out of bounds.
    #[error("parameter {name} {rule}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// What would be accepted.
        rule: &'static str,
    },
    /// A rule of the economy cannot stand.
    #[error("the economy's rule {0}")]
    Economy(#[from] crate::RuleError),
    /// All accounts together hold more than the type can.
    #[error("the sum of all accounts overflows")]
    Overflow,
}

impl GenesisError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "genesis_name",
            Self::DuplicateAccount { .. } => "genesis_duplicate_account",
            Self::Parameter { .. } => "genesis_parameter",
            Self::Economy(_) => "genesis_economy",
            Self::Overflow => "genesis_overflow",
        }
    }
}

/// Why a block cannot follow the head. The state is untouched.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlockError {
    /// Block time would run backwards.
    #[error("block time {found} is before the head's {head}; check the validator's clock")]
    TimeBackwards {
        /// The head's time.
        head: TimestampMs,
        /// The new block's.
        found: TimestampMs,
    },
    /// More transactions than a block may hold.
    #[error("{count} transactions do not fit in one block; at most {most} do")]
    TooManyTransactions {
        /// How many there are.
        count: usize,
        /// How many may be.
        most: u32,
    },
    /// The block is of another network.
    #[error("the block is of another network")]
    WrongNetwork,
    /// Not the next height.
    #[error("the next height is {expected}, not {found}")]
    WrongHeight {
        /// The next.
        expected: Height,
        /// The block's.
        found: Height,
    },
    /// The block follows another head.
    #[error("the block does not follow the head {head}")]
    WrongParent {
        /// The head's digest.
        head: Hash,
    },
    /// A part of the block is not what its header says, or not what the rules give.
    #[error("the block's {part} is not what the rules give; its maker runs other rules or lied")]
    Diverged {
        /// Which part.
        part: &'static str,
    },
    /// Only the newest block can be reverted.
    #[error("only the head can be reverted")]
    NotTheHead,
}

impl BlockError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TimeBackwards { .. } => "block_time_backwards",
            Self::TooManyTransactions { .. } => "block_too_many_transactions",
            Self::WrongNetwork => "block_wrong_network",
            Self::WrongHeight { .. } => "block_wrong_height",
            Self::WrongParent { .. } => "block_wrong_parent",
            Self::Diverged { .. } => "block_diverged",
            Self::NotTheHead => "block_not_the_head",
        }
    }
}

/// Why a stored state cannot be taken up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The genesis itself is wrong.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The head is of another network than the genesis.
    #[error("the stored head belongs to another genesis; use the genesis it was made with")]
    WrongNetwork,
    /// A leaf's bytes are not a record.
    #[error("a stored record is malformed (key {key}); the store is damaged")]
    Malformed {
        /// The leaf's key in hexadecimal digits.
        key: String,
    },
    /// The same key comes twice.
    #[error("a stored record comes twice (key {key}); the store is damaged")]
    Duplicate {
        /// The leaf's key in hexadecimal digits.
        key: String,
    },
    /// The leaves do not give the root that the head names.
    #[error(
        "the stored records have root {found}, the head names {expected}; the store is damaged"
    )]
    Root {
        /// The head's.
        expected: Hash,
        /// The leaves'.
        found: Hash,
    },
}

impl RestoreError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Genesis(error) => error.code(),
            Self::WrongNetwork => "restore_wrong_network",
            Self::Malformed { .. } => "restore_malformed",
            Self::Duplicate { .. } => "restore_duplicate",
            Self::Root { .. } => "restore_root",
        }
    }
}

/// An invariant of the ledger does not hold: a defect of this program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the ledger's invariant does not hold: {invariant}")]
pub struct AuditError {
    /// Which.
    pub invariant: String,
}
