//! What one attempt delivered, counted by the client itself, and whether the provider's
//! receipts say the same: pure.

use remuda_types::job::{Delta, JobKind, OutputHasher};
use remuda_types::{
    ChannelId, Credits, Hash, JobId, ManifestHash, NetworkId, NodeId, Price, PublicKey, Receipt,
    Seed, SeedSource, Signed, StopReason, Usage,
};
use thiserror::Error;

/// What was agreed for one attempt. A receipt must repeat it word by word.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub(crate) network: NetworkId,
    pub(crate) job: JobId,
    pub(crate) attempt: u16,
    pub(crate) kind: JobKind,
    pub(crate) manifest: ManifestHash,
    pub(crate) input: Hash,
    pub(crate) seed: Seed,
    pub(crate) seed_source: SeedSource,
    pub(crate) price: Price,
    pub(crate) channel: ChannelId,
    pub(crate) provider: NodeId,
    pub(crate) payer: PublicKey,
}

/// How a receipt differs from what was agreed or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Lie {
    #[error("the receipt is not signed by the provider")]
    Signature,
    #[error("the receipt is for something else than was agreed")]
    Agreement,
    #[error("the receipt counts other units than were received")]
    Units,
    #[error("the receipt asks another amount than price times units")]
    Amount,
    #[error("the receipt is for other output than was received")]
    Output,
    #[error("the receipt ends the job otherwise than it ended")]
    Stop,
}

/// A running receipt, and what had been received when it came.
#[derive(Debug)]
struct Running {
    receipt: Box<Signed<Receipt>>,
    seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    output: Hash,
    units_in: u64,
    units_out: u64,
    amount: Credits,
}

/// How the job ended, as the client saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// The client asked to cancel.
    pub(crate) cancelled: bool,
    /// All that was asked for was received.
    pub(crate) complete: bool,
}

/// The client's own count of one attempt.
#[derive(Debug)]
pub(crate) struct Meter {
    price: Price,
    hasher: OutputHasher,
    /// Whether this attempt is the one that the input is paid with.
    fresh: bool,
    usage: Usage,
    prepared_in: u64,
    delivered: bool,
    amount: Credits,
    running: Option<Running>,
}

impl Meter {
    pub(crate) fn new(price: Price, choices: u16, resumed: Option<u64>) -> Self {
        Self {
            price,
            hasher: OutputHasher::new(choices),
            fresh: resumed.is_none(),
            usage: Usage { units_resumed: resumed.unwrap_or_default(), ..Usage::default() },
            prepared_in: 0,
            delivered: false,
            amount: Credits::ZERO,
            running: None,
        }
    }

    /// The provider understood the input.
    pub(crate) const fn prepared(&mut self, units_in: u64, units_cached: u64) {
        self.prepared_in = units_in;
        self.usage.units_cached = units_cached;
    }

    /// A piece of output was received. Says what the attempt costs so far.
    pub(crate) fn output(&mut self, delta: &Delta) -> Credits {
        self.hasher.update(delta);
        self.usage.units_out += u64::from(delta.units);
        self.delivered()
    }

    /// Vectors were received. Says what the attempt costs so far.
    pub(crate) fn vectors(&mut self, vectors: &[Vec<f32>]) -> Credits {
        self.hasher.update_vectors(vectors);
        self.delivered()
    }

    /// Input is paid with the first piece of output, by the attempt that began the job.
    fn delivered(&mut self) -> Credits {
        self.delivered = true;
        self.usage.units_in = if self.fresh { self.prepared_in } else { 0 };
        let cost = self.price.cost(self.usage.units_in, self.usage.units_out);
        // A cost that does not fit its type is more than any channel holds.
        self.amount = cost.unwrap_or(Credits(u64::MAX));
        self.amount
    }

    /// Keeps a running receipt. It is checked only when it is needed.
    pub(crate) fn keep(&mut self, receipt: Box<Signed<Receipt>>) {
        self.running = Some(Running { receipt, seen: self.seen() });
    }

    pub(crate) const fn amount(&self) -> Credits {
        self.amount
    }

    pub(crate) const fn usage(&self) -> Usage {
        self.usage
    }

    pub(crate) const fn has_delivered(&self) -> bool {
        self.delivered
    }

    /// Checks the final receipt against what was agreed and received.
    ///
    /// # Errors
    /// [`Lie`].
    pub(crate) fn check_final(
        &self,
        agreed: &Agreed,
        receipt: &Signed<Receipt>,
        ended: Ended,
    ) -> Result<(), Lie> {
        let ended = match receipt.body.stop {
            StopReason::Partial => false,
            StopReason::Cancelled => ended.cancelled,
            _ => ended.complete,
        };
        if !ended {
            return Err(Lie::Stop);
        }
        check(agreed, receipt, &self.seen())
    }

    /// The last running receipt, if it is honest.
    ///
    /// # Errors
    /// [`Lie`] when it is not.
    pub(crate) fn take_running(&mut self, agreed: &Agreed) -> Result<Option<Signed<Receipt>>, Lie> {
        let Some(Running { receipt, seen }) = self.running.take() else { return Ok(None) };
        if receipt.body.stop != StopReason::Partial {
            return Err(Lie::Stop);
        }
        check(agreed, &receipt, &seen)?;
        Ok(Some(*receipt))
    }

    fn seen(&self) -> Seen {
        Seen {
            output: self.hasher.digest(),
            units_in: self.usage.units_in,
            units_out: self.usage.units_out,
            amount: self.amount,
        }
    }
}

/// The cheap comparisons first; the signature last.
fn check(agreed: &Agreed, signed: &Signed<Receipt>, seen: &Seen) -> Result<(), Lie> {
    let receipt = &signed.body;
    if !repeats(agreed, receipt) {
        return Err(Lie::Agreement);
    }
    if (receipt.usage.units_in, receipt.usage.units_out) != (seen.units_in, seen.units_out) {
        return Err(Lie::Units);
    }
    if receipt.amount != seen.amount || receipt.cumulative < receipt.amount {
        return Err(Lie::Amount);
    }
    if receipt.output != seen.output {
        return Err(Lie::Output);
    }
    signed.verify_by(&agreed.provider).map_err(|_| Lie::Signature)
}

fn repeats(agreed: &Agreed, receipt: &Receipt) -> bool {
    receipt.network == agreed.network
        && receipt.job == agreed.job
        && receipt.attempt == agreed.attempt
        && receipt.kind == agreed.kind
        && receipt.manifest == agreed.manifest
        && receipt.input == agreed.input
        && receipt.seed == agreed.seed
        && receipt.seed_source == agreed.seed_source
        && receipt.price == agreed.price
        && receipt.channel == agreed.channel
        && receipt.provider == agreed.provider
        && receipt.payer == agreed.payer
}

#[cfg(test)]
mod tests {
    use super::*;
    use remuda_types::{DeviceClass, SecretKey};

    const COMPLETE: Ended = Ended { cancelled: false, complete: true };

    fn provider() -> SecretKey {
        SecretKey::from_seed([3; 32])
    }

    fn agreed() -> Agreed {
        let hash = Hash([1; 32]);
        Agreed {
            network: NetworkId(hash),
            job: JobId(hash),
            attempt: 2,
            kind: JobKind::Generate,
            manifest: ManifestHash(hash),
            input: hash,
            seed: Seed(hash),
            seed_source: SeedSource::Caller(1),
            price: Price { input: 1_000_000, output: 2_000_000 },
            channel: ChannelId(hash),
            provider: provider().public(),
            payer: PublicKey([5; 32]),
        }
    }

    fn delivered() -> Meter {
        let mut meter = Meter::new(agreed().price, 1, None);
        meter.prepared(7, 0);
        let text = "ab".to_owned();
        meter.output(&Delta { tokens: vec![1, 2], units: 2, text, ..Delta::default() });
        meter
    }

    fn honest(meter: &Meter, stop: StopReason) -> Receipt {
        let it = agreed();
        let seen = meter.seen();
        Receipt {
            network: it.network,
            job: it.job,
            attempt: it.attempt,
            kind: it.kind,
            manifest: it.manifest,
            input: it.input,
            seed: it.seed,
            seed_source: it.seed_source,
            output: seen.output,
            usage: meter.usage(),
            stop,
            fingerprint: None,
            started_at: 0,
            finished_at: 1,
            device: DeviceClass("test".into()),
            numerics: None,
            price: it.price,
            amount: seen.amount,
            channel: it.channel,
            sequence: 1,
            cumulative: seen.amount,
            provider: it.provider,
            payer: it.payer,
        }
    }

    fn verdict(change: impl FnOnce(&mut Receipt)) -> Result<(), Lie> {
        let meter = delivered();
        let mut receipt = honest(&meter, StopReason::Stop);
        change(&mut receipt);
        meter.check_final(&agreed(), &Signed::sign(receipt, &provider()), COMPLETE)
    }

    #[test]
    fn an_honest_receipt_holds() {
        assert_eq!(delivered().amount(), Credits(7 + 4));
        assert_eq!(verdict(|_| {}), Ok(()));
    }

    #[test]
    fn every_lie_is_found() {
        let other = Hash([9; 32]);
        assert_eq!(verdict(|it| it.usage.units_out += 1), Err(Lie::Units));
        assert_eq!(verdict(|it| it.usage.units_in += 1), Err(Lie::Units));
        assert_eq!(verdict(|it| it.amount.0 += 1), Err(Lie::Amount));
        assert_eq!(verdict(|it| it.cumulative.0 = 0), Err(Lie::Amount));
        assert_eq!(verdict(|it| it.output = other), Err(Lie::Output));
        assert_eq!(verdict(|it| it.stop = StopReason::Partial), Err(Lie::Stop));
        assert_eq!(verdict(|it| it.stop = StopReason::Cancelled), Err(Lie::Stop));
        let changes: [fn(&mut Receipt, Hash); 12] = [
            |it, other| it.network = NetworkId(other),
            |it, other| it.job = JobId(other),
            |it, _| it.attempt += 1,
            |it, _| it.kind = JobKind::Embed,
            |it, other| it.manifest = ManifestHash(other),
            |it, other| it.input = other,
            |it, other| it.seed = Seed(other),
            |it, _| it.seed_source = SeedSource::Caller(2),
            |it, _| it.price.output += 1,
            |it, other| it.channel = ChannelId(other),
            |it, other| it.provider = PublicKey(other.0),
            |it, other| it.payer = PublicKey(other.0),
        ];
        for change in changes {
            assert_eq!(verdict(|it| change(it, other)), Err(Lie::Agreement));
        }
    }

    #[test]
    fn a_receipt_of_another_signer_is_forged() {
        let meter = delivered();
        let forger = SecretKey::from_seed([4; 32]);
        let receipt = Signed::sign(honest(&meter, StopReason::Stop), &forger);
        assert_eq!(meter.check_final(&agreed(), &receipt, COMPLETE), Err(Lie::Signature));
    }

    #[test]
    fn a_running_receipt_is_held_against_what_had_been_received_with_it() {
        let mut meter = delivered();
        let receipt = honest(&meter, StopReason::Partial);
        meter.keep(Box::new(Signed::sign(receipt.clone(), &provider())));
        meter.output(&Delta { tokens: vec![3], units: 1, ..Delta::default() });
        let kept = meter.take_running(&agreed());
        assert_eq!(kept.map(|it| it.map(|it| it.body)), Ok(Some(receipt.clone())));
        // The same receipt a piece later is a replay.
        meter.keep(Box::new(Signed::sign(receipt, &provider())));
        assert_eq!(meter.take_running(&agreed()), Err(Lie::Units));
    }

    #[test]
    fn a_resumed_attempt_owes_no_input_and_nothing_is_owed_for_nothing() {
        let mut meter = Meter::new(agreed().price, 1, Some(5));
        meter.prepared(7, 0);
        assert_eq!((meter.amount(), meter.usage().units_in), (Credits::ZERO, 0));
        assert_eq!(meter.output(&Delta { units: 3, ..Delta::default() }), Credits(6));
        assert_eq!(meter.usage().units_resumed, 5);
    }
}
