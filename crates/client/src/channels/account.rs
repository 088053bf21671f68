//! The books of one channel, pure: what is owed, what is promised, what is still free.
//!
//! Owed is the sum of the ended jobs and of what the running ones have delivered so far. A
//! voucher promises all that is owed; promises never fall, and never exceed the deposit.

use std::collections::BTreeMap;

use remuda_types::{ChannelId, Credits, ReceiptId, TimestampMs, Voucher};

/// A running job on the channel.
pub(crate) type JobKey = u64;

#[derive(Clone, Copy, Debug)]
struct Running {
    /// Owed for what it delivered.
    amount: Credits,
    /// Set aside for what it may still deliver.
    reserve: Credits,
}

/// What an `Accepted` taught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adoption {
    /// Both sides agree, or nearly.
    Agreed,
    /// The provider believes to have earned far more than was received: the channel is to be
    /// left, or it would soon refuse to work.
    Disputed,
}

#[derive(Debug)]
pub(crate) struct ChannelAccount {
    id: ChannelId,
    deposit: Credits,
    expires_at: TimestampMs,
    /// Owed for ended jobs.
    settled: Credits,
    running: BTreeMap<JobKey, Running>,
    next_key: JobKey,
    /// The largest sum promised.
    promised: Credits,
    /// The last voucher's number.
    sequence: u64,
    /// Opened by an earlier life of this client, whose last jobs are not known.
    recovered: bool,
}

impl ChannelAccount {
    /// A channel that was just opened.
    pub(crate) const fn opened(id: ChannelId, deposit: Credits, expires_at: TimestampMs) -> Self {
        Self {
            id,
            deposit,
            expires_at,
            settled: Credits::ZERO,
            running: BTreeMap::new(),
            next_key: 0,
            promised: Credits::ZERO,
            sequence: 0,
            recovered: false,
        }
    }

    /// A channel of an earlier life. `redeemed` is the least that was promised; vouchers are
    /// numbered from `now` in milliseconds, above all numbers of earlier lives.
    pub(crate) const fn recovered(
        id: ChannelId,
        deposit: Credits,
        redeemed: Credits,
        expires_at: TimestampMs,
        now: TimestampMs,
    ) -> Self {
        let mut account = Self::opened(id, deposit, expires_at);
        account.settled = redeemed;
        account.promised = redeemed;
        account.sequence = now;
        account.recovered = true;
        account
    }

    pub(crate) const fn id(&self) -> ChannelId {
        self.id
    }

    pub(crate) const fn expires_at(&self) -> TimestampMs {
        self.expires_at
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    fn owed(&self) -> Credits {
        self.running.values().fold(self.settled, |sum, job| plus(sum, job.amount))
    }

    /// What is neither owed nor set aside.
    pub(crate) fn room(&self) -> Credits {
        let set_aside = |job: &Running| job.amount.max(job.reserve);
        let taken = self.running.values().fold(self.settled, |sum, job| plus(sum, set_aside(job)));
        self.deposit.excess_over(taken.max(self.promised))
    }

    /// The deposit grew.
    pub(crate) fn top_up(&mut self, amount: Credits) {
        self.deposit = plus(self.deposit, amount);
    }

    /// A job begins, and may cost `reserve`.
    pub(crate) fn begin(&mut self, reserve: Credits) -> JobKey {
        let key = self.next_key;
        self.next_key += 1;
        self.running.insert(key, Running { amount: Credits::ZERO, reserve });
        key
    }

    /// Whether a voucher says more than is known here.
    pub(crate) fn is_news(&self, voucher: &Voucher) -> bool {
        voucher.cumulative > self.promised || voucher.sequence > self.sequence
    }

    /// Takes in what the provider says of the channel: its best voucher, already checked to be
    /// signed by the payer for this channel, and what it earned by ended jobs. `window` is what
    /// either side may lose.
    pub(crate) fn adopt(
        &mut self,
        voucher: Option<&Voucher>,
        earned: Credits,
        window: Credits,
    ) -> Adoption {
        if let Some(voucher) = voucher {
            self.sequence = self.sequence.max(voucher.sequence);
            if voucher.cumulative > self.promised {
                // Promised by an earlier life: it is owed, whatever it was for.
                let unknown = voucher.cumulative.excess_over(self.owed());
                self.settled = plus(self.settled, unknown);
                self.promised = voucher.cumulative;
            }
        }
        let unknown = earned.excess_over(self.owed());
        if std::mem::take(&mut self.recovered) && unknown <= window {
            // What the earlier life received and could not pay before it ended.
            self.settled = plus(self.settled, unknown).min(self.deposit.max(self.settled));
            return Adoption::Agreed;
        }
        if unknown.0 > window.0 / 2 { Adoption::Disputed } else { Adoption::Agreed }
    }

    /// A running job now owes `amount`; says how much of the channel is owed and not promised.
    pub(crate) fn meter(&mut self, key: JobKey, amount: Credits) -> Credits {
        if let Some(job) = self.running.get_mut(&key) {
            job.amount = job.amount.max(amount);
        }
        self.owed().excess_over(self.promised)
    }

    /// What a running job may still cost beyond what it owes.
    pub(crate) fn left_for(&self, key: JobKey) -> Credits {
        let Some(job) = self.running.get(&key) else { return Credits::ZERO };
        plus(job.reserve.excess_over(job.amount), self.room())
    }

    /// Sets more aside for a running job.
    pub(crate) fn reserve_more(&mut self, key: JobKey, amount: Credits) {
        if let Some(job) = self.running.get_mut(&key) {
            job.reserve = plus(job.reserve, amount);
        }
    }

    /// The next voucher: all that is owed, as far as the deposit reaches.
    pub(crate) fn promise(&mut self, receipt: Option<ReceiptId>) -> Voucher {
        self.promised = self.owed().min(self.deposit).max(self.promised);
        self.sequence += 1;
        Voucher { channel: self.id, sequence: self.sequence, cumulative: self.promised, receipt }
    }

    /// A job ended; it owes `amount` for good.
    pub(crate) fn end(&mut self, key: JobKey, amount: Credits) {
        if let Some(job) = self.running.remove(&key) {
            self.settled = plus(self.settled, job.amount.max(amount));
        }
    }

    #[cfg(test)]
    pub(crate) const fn promised(&self) -> Credits {
        self.promised
    }
}

/// Sums of amounts that were each checked against a deposit stay far below the type's end; at
/// the end itself a promise is capped by the deposit anyway.
const fn plus(a: Credits, b: Credits) -> Credits {
    match a.0.checked_add(b.0) {
        Some(sum) => Credits(sum),
        None => Credits(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use remuda_types::Hash;

    const WINDOW: Credits = Credits(2_000);

    fn opened(deposit: u64) -> ChannelAccount {
        ChannelAccount::opened(ChannelId(Hash([1; 32])), Credits(deposit), 0)
    }

    fn voucher(sequence: u64, cumulative: u64) -> Voucher {
        let channel = ChannelId(Hash([1; 32]));
        Voucher { channel, sequence, cumulative: Credits(cumulative), receipt: None }
    }

    #[test]
    fn our_own_higher_promise_wins_over_an_older_voucher() {
        let mut account = opened(1_000);
        let key = account.begin(Credits(100));
        account.meter(key, Credits(50));
        account.promise(None);
        account.end(key, Credits(50));
        account.adopt(Some(&voucher(1, 20)), Credits(20), WINDOW);
        assert_eq!(account.promise(None), voucher(2, 50));
    }

    #[test]
    fn a_higher_voucher_of_an_earlier_life_is_the_floor() {
        let id = ChannelId(Hash([1; 32]));
        let mut account = ChannelAccount::recovered(id, Credits(1_000), Credits(100), 0, 7_000);
        let key = account.begin(Credits(50));
        account.adopt(Some(&voucher(9, 400)), Credits(410), WINDOW);
        account.meter(key, Credits(5));
        // 400 promised, 10 earned but unpaid when the earlier life ended, 5 now.
        assert_eq!(account.promise(None), voucher(7_001, 415));
    }

    #[test]
    fn a_claim_beyond_what_is_known_is_believed_once_and_disputed_later() {
        let mut account = opened(100_000);
        assert_eq!(account.adopt(None, Credits(1_000), WINDOW), Adoption::Agreed);
        assert_eq!(account.adopt(None, Credits(1_001), WINDOW), Adoption::Disputed);
        assert_eq!(account.promise(None).cumulative, Credits::ZERO, "claims are not paid");
        let id = ChannelId(Hash([1; 32]));
        let mut old = ChannelAccount::recovered(id, Credits(100_000), Credits::ZERO, 0, 0);
        assert_eq!(old.adopt(None, Credits(2_001), WINDOW), Adoption::Disputed);
        assert_eq!(old.promise(None).cumulative, Credits::ZERO);
    }

    #[test]
    fn a_promise_never_exceeds_the_deposit() {
        let mut account = opened(10);
        let key = account.begin(Credits(10));
        account.meter(key, Credits(25));
        assert_eq!(account.promise(None).cumulative, Credits(10));
        account.top_up(Credits(10));
        assert_eq!(account.promise(None).cumulative, Credits(20));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Begin { reserve: u64 },
        Meter { job: usize, more: u64 },
        Promise,
        End { job: usize },
        Stale { cumulative: u64 },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..500_u64).prop_map(|reserve| Step::Begin { reserve }),
            (0..8_usize, 0..300_u64).prop_map(|(job, more)| Step::Meter { job, more }),
            Just(Step::Promise),
            (0..8_usize).prop_map(|job| Step::End { job }),
            (0..2_000_u64).prop_map(|cumulative| Step::Stale { cumulative }),
        ];
        proptest::collection::vec(step, 1..80)
    }

    proptest! {
        #[test]
        fn promises_are_monotone_numbered_and_end_at_the_sum_of_all_jobs(steps in steps()) {
            let mut account = opened(1_000_000);
            let mut jobs: Vec<(JobKey, u64)> = Vec::new();
            let (mut total, mut last) = (0, voucher(0, 0));
            for step in steps {
                match step {
                    Step::Begin { reserve } => jobs.push((account.begin(Credits(reserve)), 0)),
                    Step::Meter { job, more } if !jobs.is_empty() => {
                        let at = job % jobs.len();
                        let (key, amount) = &mut jobs[at];
                        *amount += more;
                        total += more;
                        account.meter(*key, Credits(*amount));
                    }
                    Step::End { job } if !jobs.is_empty() => {
                        let (key, amount) = jobs.swap_remove(job % jobs.len());
                        account.end(key, Credits(amount));
                    }
                    Step::Promise => {
                        let next = account.promise(None);
                        prop_assert!(next.sequence > last.sequence);
                        prop_assert!(next.cumulative >= last.cumulative);
                        prop_assert_eq!(next.cumulative, Credits(total));
                        last = next;
                    }
                    // An honest provider never holds more than was promised.
                    Step::Stale { cumulative } => {
                        let held = cumulative.min(account.promised().0);
                        let old = voucher(0, held);
                        account.adopt(Some(&old), Credits(held), WINDOW);
                    }
                    _ => {}
                }
                prop_assert!(account.room() <= Credits(1_000_000));
            }
            for (key, amount) in jobs {
                account.end(key, Credits(amount));
            }
            prop_assert!(account.is_idle());
            prop_assert_eq!(account.promise(None).cumulative, Credits(total));
        }
    }
}
