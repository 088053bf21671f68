//! `remuda/job/1`: a client gives a provider a job, output streams back, vouchers pay for it.
//!
//! One bidirectional stream a job:
//!
//! ```text
//! client → provider   Open            once, first
//! provider → client   Accepted        or Refused, which ends the stream
//! provider → client   Prepared        the input is understood: its units are known
//! provider → client   Output…         pieces, each with a running receipt when due
//! provider → client   Heartbeat…      while there is nothing to say
//! client → provider   Voucher…        whenever half of the unpaid window is used
//! client → provider   Cancel          at most once
//! provider → client   Finished        the final receipt; or Failed
//! client → provider   Voucher         acknowledges the final receipt, and ends the stream
//! ```
//!
//! A client that drops its stream has cancelled. The provider pauses, with heartbeats, while
//! more than its window is unpaid.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::job::{Delta, JobInput, Resume};
use remuda_types::{
    ChannelId, ChannelUse, Credits, JobId, ManifestHash, Price, Receipt, Seed, SeedSource, Signed,
    StopReason, Voucher,
};

/// The protocol's name and version.
pub const ALPN: &[u8] = b"remuda/job/1";

/// The largest frame either side accepts, in bytes.
pub const FRAME_BYTES_MAX: usize = 8 << 20;

/// What neither side risks more than: a provider pauses while more than this is unpaid on a
/// channel, over all its jobs.
pub const UNPAID_WINDOW: Credits = Credits(2_000);

/// What opens a job.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Open {
    /// The job, the same over all its attempts.
    pub job: JobId,
    /// Which attempt, from 0.
    pub attempt: u16,
    /// Exactly which model.
    pub manifest: ManifestHash,
    /// The price that the client agreed to; the provider refuses if it asks more by now.
    pub price: Price,
    /// The channel that pays.
    pub channel: ChannelId,
    /// The payer's leave to use the channel; needed once per connection and channel.
    pub channel_use: Option<Signed<ChannelUse>>,
    /// The key of all draws.
    pub seed: Seed,
    /// Where the seed came from.
    pub seed_source: SeedSource,
    /// The salt of the input commitment.
    pub salt: [u8; 32],
    /// The work.
    pub input: JobInput,
    /// Where to continue; empty for a fresh job.
    pub resume: Resume,
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ClientFrame {
    /// Opens the job.
    Open(Box<Open>),
    /// Pays.
    Voucher(Signed<Voucher>),
    /// Ends the job early; the provider answers with its final receipt.
    Cancel,
    /// Instead of `Open`: delivers a voucher that an earlier, broken stream could not.
    /// The provider answers `Settled` and the stream ends.
    Settle(Signed<Voucher>),
}

/// What a provider sends.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum ProviderFrame {
    /// The job will run. Carries the best voucher that the provider holds for the channel
    /// when the client showed its `channel_use`, so that a restarted client goes on from it.
    Accepted {
        /// The best voucher, if any.
        voucher: Option<Signed<Voucher>>,
        /// All that the provider has earned on this channel by ended jobs.
        earned: Credits,
    },
    /// The job will not run. Nothing is owed.
    Refused(Refusal),
    /// The input is understood.
    Prepared {
        /// Units of input.
        units_in: u64,
        /// Of those, units that were in a cache.
        units_cached: u64,
    },
    /// A piece of output.
    Output {
        /// The piece.
        delta: Delta,
        /// A receipt for all output of this attempt so far, with stop reason `Partial`,
        /// signed when the last one is older than a few milliseconds.
        receipt: Option<Box<Signed<Receipt>>>,
    },
    /// The vectors of an embedding job.
    Embeddings(Vec<Vec<f32>>),
    /// One choice ended.
    ChoiceDone {
        /// Which.
        choice: u16,
        /// Why.
        stop: StopReason,
    },
    /// The provider lives, and works or waits for a voucher.
    Heartbeat,
    /// The job ended. The client answers with a voucher for this receipt.
    Finished(Box<Signed<Receipt>>),
    /// The job broke. What was delivered is owed; the last running receipt stands for it.
    Failed(Refusal),
    /// Answers `Settle`: the best voucher that the provider now holds.
    Settled(Signed<Voucher>),
}

/// Why a provider does not run, or no longer runs, a job.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Refusal {
    /// What went wrong, for programs.
    pub code: RefusalCode,
    /// What went wrong and what helps, for people. At most 500 bytes.
    pub message: String,
}

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[non_exhaustive]
pub enum RefusalCode {
    /// All slots and the queue are full. Another provider, or later.
    Overloaded,
    /// The provider is paused or draining. Another provider.
    NotReady,
    /// The model is not served here (any more). Another provider.
    UnknownModel,
    /// The asking price rose above the agreed one. Match again.
    PriceChanged,
    /// The channel is unknown to the ledger, or not toward this provider. Open one.
    UnknownChannel,
    /// The channel has too little left, is closing or about to expire. Open another.
    ChannelExhausted,
    /// The payer's leave to use the channel is missing or forged.
    ChannelUse,
    /// A voucher is forged, for another channel, or beyond the deposit.
    BadVoucher,
    /// No voucher came although the unpaid window was full.
    Unpaid,
    /// The input breaks a bound or needs something the model cannot do. Nobody will run it.
    InvalidInput,
    /// The input and the wanted output do not fit in the model's context.
    ContextExceeded,
    /// The job cannot be continued here from the given point.
    CannotResume,
    /// The engine broke. Another attempt may work.
    EngineFailed,
    /// The provider cannot reach the ledger to check the channel. Another provider, or later.
    LedgerUnreachable,
    /// A message broke the protocol.
    Protocol,
}

impl RefusalCode {
    /// Whether the same job may well run elsewhere or later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        !matches!(self, Self::InvalidInput | Self::ContextExceeded)
    }
}
