//! Receipts: who did what, for whom, from which input, at what price.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::job::JobKind;
use crate::{
    Canonical, ChannelId, Credits, DeviceClass, Hash, Height, JobId, ManifestHash, NetworkId,
    NodeId, Price, PublicKey, ReceiptId, Signed, TimestampMs, Voucher,
};

/// The key of a job's counter-based generator: every draw follows from it.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seed(pub Hash);

impl Seed {
    /// The seed that a caller chose by a number: equal numbers give equal draws.
    #[must_use]
    pub fn from_caller(number: i64) -> Self {
        Self(Hash::derive("remuda/seed/caller/1", &number.to_le_bytes()))
    }

    /// The seed that nobody could choose: bound to a beacon value, the job and a nonce.
    #[must_use]
    pub fn from_beacon(beacon: &Hash, job: &JobId, nonce: &[u8; 32]) -> Self {
        let bytes = [beacon.0, job.0.0, *nonce].concat();
        Self(Hash::derive("remuda/seed/beacon/1", &bytes))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a seed came from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum SeedSource {
    /// The caller's number.
    Caller(i64),
    /// The beacon of this block, the job and `nonce`.
    Beacon {
        /// The block whose beacon was used.
        height: Height,
        /// The client's nonce, 32 bytes as a digest's text.
        nonce: Hash,
    },
}

/// Why a job, or one choice of it, ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model ended by itself, or a stop string was met.
    Stop,
    /// The allowed number of output tokens was reached.
    Length,
    /// The model called tools.
    ToolCalls,
    /// The client withdrew.
    Cancelled,
    /// Not ended: the receipt stands for what was delivered so far.
    Partial,
}

/// What was measured.
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
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Input units that are paid. Zero when the job was resumed: the buyer pays its input once.
    pub units_in: u64,
    /// Of the input, units that were in a cache and cost no work; information only.
    pub units_cached: u64,
    /// Output units that this attempt delivered.
    pub units_out: u64,
    /// Output units that existed before this attempt; information only.
    pub units_resumed: u64,
}

/// One attempt at a job, as its provider states it.
///
/// The price times the units is the amount; whoever holds a receipt can check that alone.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The network whose ledger settles this.
    pub network: NetworkId,
    /// The job.
    pub job: JobId,
    /// Which attempt at it, from 0.
    pub attempt: u16,
    /// The kind of work.
    pub kind: JobKind,
    /// Exactly which model.
    pub manifest: ManifestHash,
    /// The salted commitment to the input.
    pub input: Hash,
    /// The key of all draws.
    pub seed: Seed,
    /// Where the seed came from.
    pub seed_source: SeedSource,
    /// The digest of this attempt's output ([`crate::job::OutputHasher`]).
    pub output: Hash,
    /// What was measured.
    pub usage: Usage,
    /// Why it ended.
    pub stop: StopReason,
    /// The root of the fingerprints of the work, where the engine makes them.
    pub fingerprint: Option<Hash>,
    /// When the provider began, by its clock.
    pub started_at: TimestampMs,
    /// When it ended, by its clock.
    pub finished_at: TimestampMs,
    /// The class of the device that did it.
    pub device: DeviceClass,
    /// The numerics of the engine ([`crate::ModelOffer::numerics`]).
    pub numerics: Option<String>,
    /// The agreed price.
    pub price: Price,
    /// What this attempt costs: exactly `price.cost(units_in, units_out)`.
    pub amount: Credits,
    /// The channel that pays.
    pub channel: ChannelId,
    /// Counts the provider's receipts on this channel.
    pub sequence: u64,
    /// All that the provider has earned on this channel with this receipt.
    pub cumulative: Credits,
    /// Who did it.
    pub provider: NodeId,
    /// Who pays: the channel's payer.
    pub payer: PublicKey,
}

impl Canonical for Receipt {
    const DOMAIN: &'static str = "remuda/receipt/1";
}

impl Receipt {
    /// The receipt's name.
    #[must_use]
    pub fn id(&self) -> ReceiptId {
        ReceiptId(self.digest())
    }

    /// Checks that the stated amount follows from price and units.
    ///
    /// # Errors
    /// [`ReceiptError::Amount`].
    pub fn check_amount(&self) -> Result<(), ReceiptError> {
        match self.price.cost(self.usage.units_in, self.usage.units_out) {
            Ok(cost) if cost == self.amount => Ok(()),
            _ => Err(ReceiptError::Amount),
        }
    }
}

/// Why a receipt does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The provider's signature is not over this receipt.
    #[error("the provider's signature does not belong to this receipt")]
    ProviderSignature,
    /// The payer's signature is not over this voucher.
    #[error("the payer's signature does not belong to this voucher")]
    PayerSignature,
    /// The voucher is for another receipt or channel.
    #[error("the voucher acknowledges another receipt")]
    OtherReceipt,
    /// Price times units is not the amount.
    #[error("the amount is not the price times the units")]
    Amount,
    /// The voucher pays less than the receipt's own amount.
    #[error("the voucher promises less than the receipt's amount")]
    Unpaid,
    /// The cumulative sum is below the receipt's own amount.
    #[error("the cumulative sum is below the receipt's own amount")]
    Cumulative,
}

/// A receipt signed by both: the provider's statement and the payer's voucher for it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalReceipt {
    /// The provider's statement.
    pub receipt: Signed<Receipt>,
    /// The payer's acknowledgement, which is also the payment.
    pub voucher: Signed<Voucher>,
}

impl Canonical for FinalReceipt {
    const DOMAIN: &'static str = "remuda/final-receipt/1";
}

impl FinalReceipt {
    /// Checks everything that can be checked offline.
    ///
    /// # Errors
    /// The first [`ReceiptError`] found.
    pub fn verify(&self) -> Result<(), ReceiptError> {
        let (receipt, voucher) = (&self.receipt.body, &self.voucher.body);
        self.receipt.verify_by(&receipt.provider).map_err(|_| ReceiptError::ProviderSignature)?;
        self.voucher.verify_by(&receipt.payer).map_err(|_| ReceiptError::PayerSignature)?;
        if voucher.channel != receipt.channel || voucher.receipt != Some(receipt.id()) {
            return Err(ReceiptError::OtherReceipt);
        }
        receipt.check_amount()?;
        if receipt.cumulative < receipt.amount {
            return Err(ReceiptError::Cumulative);
        }
        if voucher.cumulative < receipt.amount {
            return Err(ReceiptError::Unpaid);
        }
        Ok(())
    }
}
