//! What one attempt has delivered, and the receipts that state it.

use std::time::{Duration, Instant};

use remuda_net::protocol::job::Open;
use remuda_types::job::{Delta, OutputHasher};
use remuda_types::{
    AmountError, ChannelId, Credits, DeviceClass, NetworkId, NodeId, PublicKey, Receipt, SecretKey,
    Signed, StopReason, Usage,
};

use super::admission::choices;
use crate::shared::now_ms;
use crate::till::Tab;

/// A running receipt is signed when the last is at least this old.
const RECEIPT_INTERVAL: Duration = Duration::from_millis(5);

/// The meter of one attempt.
pub(super) struct Meter {
    /// All that does not change while the job runs.
    receipt: Receipt,
    hasher: OutputHasher,
    /// Whether this attempt is the one that the input is paid with.
    fresh: bool,
    units_in: u64,
    /// Whether any output was delivered: without it nothing is owed, input included.
    delivered: bool,
    signed_at: Option<Instant>,
    /// Whether something was delivered since the last receipt.
    unsigned: bool,
}

/// Who serves and who pays.
pub(super) struct Sides {
    pub(super) network: NetworkId,
    pub(super) provider: NodeId,
    pub(super) payer: PublicKey,
    pub(super) device: DeviceClass,
    pub(super) numerics: Option<String>,
}

impl Meter {
    pub(super) fn new(open: &Open, sides: Sides) -> Self {
        let hasher = OutputHasher::new(choices(&open.input));
        let now = now_ms();
        let usage = Usage { units_resumed: open.resume.units(), ..Usage::default() };
        let receipt = Receipt {
            network: sides.network,
            job: open.job,
            attempt: open.attempt,
            kind: open.input.kind(),
            manifest: open.manifest,
            input: open.input.commit(&open.salt),
            seed: open.seed,
            seed_source: open.seed_source,
            output: hasher.digest(),
            usage,
            stop: StopReason::Partial,
            fingerprint: None,
            started_at: now,
            finished_at: now,
            device: sides.device,
            numerics: sides.numerics,
            price: open.price,
            amount: Credits::ZERO,
            channel: open.channel,
            sequence: 0,
            cumulative: Credits::ZERO,
            provider: sides.provider,
            payer: sides.payer,
        };
        Self {
            receipt,
            hasher,
            fresh: open.resume.is_fresh(),
            units_in: 0,
            delivered: false,
            signed_at: None,
            unsigned: false,
        }
    }

    /// The input is understood.
    pub(super) fn prepared(&mut self, units_in: u64, units_cached: u64) {
        self.units_in = units_in;
        self.receipt.usage.units_cached = units_cached;
    }

    /// A piece of output is about to be delivered. Returns what the attempt then costs.
    pub(super) fn output(&mut self, delta: &Delta) -> Result<Credits, AmountError> {
        self.hasher.update(delta);
        let units = self.receipt.usage.units_out.checked_add(u64::from(delta.units));
        self.receipt.usage.units_out = units.ok_or(AmountError::Overflow)?;
        self.deliver()
    }

    /// Vectors are about to be delivered. Returns what the attempt then costs.
    pub(super) fn vectors(&mut self, vectors: &[Vec<f32>]) -> Result<Credits, AmountError> {
        self.hasher.update_vectors(vectors);
        self.deliver()
    }

    fn deliver(&mut self) -> Result<Credits, AmountError> {
        self.delivered = true;
        self.unsigned = true;
        let usage = &mut self.receipt.usage;
        usage.units_in = if self.fresh { self.units_in } else { 0 };
        self.receipt.amount = self.receipt.price.cost(usage.units_in, usage.units_out)?;
        Ok(self.receipt.amount)
    }

    /// Whether anything was delivered.
    pub(super) const fn delivered(&self) -> bool {
        self.delivered
    }

    /// Whether something was delivered that no receipt states yet.
    pub(super) const fn unsigned(&self) -> bool {
        self.unsigned
    }

    /// A running receipt, when one is due.
    pub(super) fn running(&mut self, tab: &Tab, key: &SecretKey) -> Option<Box<Signed<Receipt>>> {
        let due = self.signed_at.is_none_or(|at| at.elapsed() >= RECEIPT_INTERVAL);
        due.then(|| Box::new(self.sign(StopReason::Partial, tab, key)))
    }

    /// A receipt for all that was delivered.
    pub(super) fn sign(&mut self, stop: StopReason, tab: &Tab, key: &SecretKey) -> Signed<Receipt> {
        self.signed_at = Some(Instant::now());
        self.unsigned = false;
        let mut receipt = self.receipt.clone();
        receipt.output = self.hasher.digest();
        receipt.stop = stop;
        receipt.finished_at = now_ms().max(receipt.started_at);
        receipt.sequence = tab.next_sequence();
        receipt.cumulative = tab.cumulative();
        Signed::sign(receipt, key)
    }

    /// The channel that pays.
    pub(super) const fn channel(&self) -> ChannelId {
        self.receipt.channel
    }
}
