//! Why the ledger refuses: a stable code for programs, a hint for people.

mod chain;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, ChannelId, Credits, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::chain::{AuditError, BlockError, GenesisError, RestoreError};

use crate::accounts::AccountsError;

/// Why a transaction takes no effect. It is recorded in the block, so its encoding is part of
/// the chain: new variants go to the end.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TransactionError {
    /// Longer than a transaction may be.
    #[error("the transaction has {bytes} bytes; at most {most} are allowed")]
    TooLarge {
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        most: u64,
    },
    /// The signature is not over this transaction.
    #[error("the signature does not belong to this transaction and key")]
    BadSignature,
    /// Made for another network.
    #[error("the transaction is for another network; ask the validator for its network id")]
    WrongNetwork,
    /// Not the signer's next number.
    #[error("the key's next nonce is {expected}, not {found}; sign again with {expected}")]
    WrongNonce {
        /// What it should be.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// Nothing is moved.
    #[error("the amount is zero; give at least 1 unit")]
    ZeroAmount,
    /// A sum does not fit in its type.
    #[error("the sum overflows; give a smaller amount")]
    Overflow,
    /// The account has too few tokens.
    #[error("the account holds {available}, and {needed} are needed")]
    InsufficientTokens {
        /// What it has.
        available: Tokens,
        /// What it would take.
        needed: Tokens,
    },
    /// The account has too few credits.
    #[error("the account has {available} to spend, and {needed} are needed; add credits")]
    InsufficientCredits {
        /// What it has.
        available: Credits,
        /// What it would take.
        needed: Credits,
    },
    /// Only the genesis grantor creates credits.
    #[error("only the grantor of this network's genesis may grant credits")]
    NotGrantor,
    /// The key has signed before, holds funds, or is a session key already.
    #[error("this key has been used before; make a new session key")]
    SessionKeyTaken,
    /// The account has as many sessions as it may, and all are in use.
    #[error("the account has {most} live session keys, the most allowed; revoke one")]
    SessionLimit {
        /// How many it may have.
        most: u32,
    },
    /// The session would end before it begins.
    #[error("the session would end at {expires_at}, but block time is {now}; choose a later end")]
    SessionEnd {
        /// The wanted end.
        expires_at: TimestampMs,
        /// Block time.
        now: TimestampMs,
    },
    /// There is no such session key.
    #[error("this session key is not known")]
    UnknownSession,
    /// The session belongs to another account.
    #[error("the session key belongs to another account; sign with that account's key")]
    NotSessionOwner,
    /// The session has ended.
    #[error("the session key expired at {expired_at}; create a new one")]
    SessionExpired {
        /// When.
        expired_at: TimestampMs,
    },
    /// The account ended the session.
    #[error("the session key was revoked; create a new one")]
    SessionRevoked,
    /// More than the session may still spend.
    #[error("the session key may spend {left} more, and {needed} are needed")]
    SessionCap {
        /// Of its cap, what is neither spent nor locked.
        left: Credits,
        /// What it would take.
        needed: Credits,
    },
    /// A channel toward oneself.
    #[error("a channel needs two sides: the provider is the payer")]
    SelfChannel,
    /// The channel would end too early or too late.
    #[error("a channel must end after {now} and not after {latest}")]
    ChannelEnd {
        /// Block time.
        now: TimestampMs,
        /// The latest end allowed.
        latest: TimestampMs,
    },
    /// The name is taken by an open or a lately closed channel.
    #[error("this channel exists or existed; choose another nonce")]
    ChannelExists {
        /// Which.
        channel: ChannelId,
    },
    /// The payer has as many channels as it may.
    #[error("the payer has {most} open channels, the most allowed; close one")]
    ChannelLimit {
        /// How many it may have.
        most: u32,
    },
    /// There is no such channel.
    #[error("channel {channel} is not known")]
    UnknownChannel {
        /// Which.
        channel: ChannelId,
    },
    /// The channel has been closed or expired; its vouchers are worth nothing.
    #[error("channel {channel} is closed")]
    ChannelClosed {
        /// Which.
        channel: ChannelId,
    },
    /// The payer asked to close, or the channel's time is over: nothing is added to it.
    #[error("channel {channel} is ending; open another")]
    ChannelEnding {
        /// Which.
        channel: ChannelId,
    },
    /// The channel's time is not over.
    #[error("channel {channel} runs until {until}; come back then")]
    ChannelNotOver {
        /// Which.
        channel: ChannelId,
        /// Until when, as it stands.
        until: TimestampMs,
    },
    /// Only the channel's payer or its account may do this.
    #[error("only the payer of channel {channel} or its account may do this")]
    NotPayer {
        /// Which.
        channel: ChannelId,
    },
    /// Only the channel's provider may do this, with its node key.
    #[error("only the provider of channel {channel} may do this, with its node key")]
    NotProvider {
        /// Which.
        channel: ChannelId,
    },
    /// No vouchers, or too many.
    #[error("give 1 to {most} vouchers")]
    VoucherCount {
        /// How many are allowed.
        most: u32,
    },
    /// The voucher is not signed by the channel's payer.
    #[error("the voucher on channel {channel} is not signed by its payer")]
    VoucherForged {
        /// Which.
        channel: ChannelId,
    },
    /// The voucher is of another channel than the one to be closed.
    #[error("the voucher is of channel {voucher}, not of {channel}")]
    VoucherOfOtherChannel {
        /// The channel to be closed.
        channel: ChannelId,
        /// The voucher's.
        voucher: ChannelId,
    },
    /// The voucher promises more than the channel holds.
    #[error("the voucher promises {promised}, but channel {channel} holds {deposit}")]
    VoucherBeyondDeposit {
        /// Which.
        channel: ChannelId,
        /// What the voucher says.
        promised: Credits,
        /// What was locked.
        deposit: Credits,
    },
    /// A text is empty or too long.
    #[error("{field} must have 1 to {most} bytes")]
    TextLength {
        /// Which text.
        field: String,
        /// How many bytes it may have.
        most: u32,
    },
    /// The provider is not registered.
    #[error("this node is not registered as a provider")]
    UnknownProvider,
    /// No kinds of jobs, or one named twice.
    #[error("name each kind of job once, and at least one")]
    ModelKinds,
    /// The name belongs to another account.
    #[error("the name belongs to {owner}; choose another name")]
    ModelOwned {
        /// Whose it is.
        owner: AccountId,
    },
    /// The registry is full.
    #[error("the registry holds {most} entries, the most allowed")]
    RegistryFull {
        /// How many it may hold.
        most: u32,
    },
    /// More tokens would exist than the economy's cap allows.
    #[error("the supply may not exceed {cap}")]
    SupplyCap {
        /// The cap.
        cap: Tokens,
    },
    /// A rule of accounts of several keys, grants or fees.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// Of credits and the oracle.
    #[error(transparent)]
    Credits(#[from] crate::credits::CreditsError),
    /// Leases and orders refuse.
    #[error(transparent)]
    Escrow(#[from] crate::escrow::EscrowError),

    /// Of devices, certificates and licences.
    #[error(transparent)]
    Devices(#[from] crate::devices::DevicesError),

    /// Something about stake.
    #[error(transparent)]
    Stake(#[from] crate::stake::StakeError),
    /// Of the room of epochs.
    #[error(transparent)]
    Epochs(#[from] crate::epochs::EpochError),

    /// Of points.
    #[error(transparent)]
    Points(#[from] crate::points::PointsError),
    /// Of governance, treasury and pool.
    #[error(transparent)]
    Governance(#[from] crate::governance::GovernanceError),
    /// Disputes refuse.
    #[error(transparent)]
    Dispute(#[from] crate::disputes::DisputeError),
}

impl TransactionError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "transaction_too_large",
            Self::BadSignature => "bad_signature",
            Self::WrongNetwork => "wrong_network",
            Self::WrongNonce { .. } => "wrong_nonce",
            Self::ZeroAmount => "zero_amount",
            Self::Overflow => "overflow",
            Self::InsufficientTokens { .. } => "insufficient_tokens",
            Self::InsufficientCredits { .. } => "insufficient_credits",
            Self::NotGrantor => "not_grantor",
            Self::SessionKeyTaken => "session_key_taken",
            Self::SessionLimit { .. } => "session_limit",
            Self::SessionEnd { .. } => "session_end",
            Self::UnknownSession => "unknown_session",
            Self::NotSessionOwner => "not_session_owner",
            Self::SessionExpired { .. } => "session_expired",
            Self::SessionRevoked => "session_revoked",
            Self::SessionCap { .. } => "session_cap",
            Self::SelfChannel => "self_channel",
            Self::ChannelEnd { .. } => "channel_end",
            Self::ChannelExists { .. } => "channel_exists",
            Self::ChannelLimit { .. } => "channel_limit",
            Self::UnknownChannel { .. } => "unknown_channel",
            Self::ChannelClosed { .. } => "channel_closed",
            Self::ChannelEnding { .. } => "channel_ending",
            Self::ChannelNotOver { .. } => "channel_not_over",
            Self::NotPayer { .. } => "not_payer",
            Self::NotProvider { .. } => "not_provider",
            Self::VoucherCount { .. } => "voucher_count",
            Self::VoucherForged { .. } => "voucher_forged",
            Self::VoucherOfOtherChannel { .. } => "voucher_of_other_channel",
            Self::VoucherBeyondDeposit { .. } => "voucher_beyond_deposit",
            Self::TextLength { .. } => "text_length",
            Self::UnknownProvider => "unknown_provider",
            Self::ModelKinds => "model_kinds",
            Self::ModelOwned { .. } => "model_owned",
            Self::RegistryFull { .. } => "registry_full",
            Self::SupplyCap { .. } => "supply_cap",
            Self::Accounts(error) => error.code(),
            Self::Credits(error) => error.code(),
            Self::Escrow(error) => error.code(),

            Self::Devices(error) => error.code(),

            Self::Epochs(error) => error.code(),
            Self::Stake(error) => error.code(),

            Self::Points(error) => error.code(),
            Self::Governance(error) => error.code(),
            Self::Dispute(error) => error.code(),
        }
    }

    /// Whether the same action may well succeed when it is signed again, at once
    /// ([`Self::WrongNonce`]) or later ([`Self::ChannelNotOver`]), without anything else
    /// being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::WrongNonce { .. } | Self::ChannelNotOver { .. } => true,
            Self::Accounts(error) => error.is_retryable(),
            Self::Credits(error) => error.is_retryable(),
            Self::Devices(error) => error.is_retryable(),
            Self::Points(error) => error.is_retryable(),
            Self::Governance(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// Whether the transaction was not the signer's at all (or not its next): it did not even
    /// consume a nonce. Such transactions need not be put in a block.
    #[must_use]
    pub const fn is_inadmissible(&self) -> bool {
        matches!(
            self,
            Self::TooLarge { .. }
                | Self::BadSignature
                | Self::WrongNetwork
                | Self::WrongNonce { .. }
                // Whoever cannot pay the fee leaves no trace.
                | Self::Accounts(AccountsError::FeeUnpayable { .. })
        )
    }
}

impl From<remuda_types::AmountError> for TransactionError {
    /// Sums that could fall below zero are checked by name before; what remains overflows.
    fn from(_: remuda_types::AmountError) -> Self {
        Self::Overflow
    }
}
