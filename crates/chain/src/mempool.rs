//! Transactions that wait for a block: one lane a key, in the order of its nonces, and every
//! lane with work gets its turn.
//!
//! Knows no ledger, no clock and no thread: the caller says what time it is and which nonce
//! comes next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use remuda_ledger::{NONCES_AHEAD_MAX, SignedTransaction, TransactionError};
use remuda_types::{Hash, PublicKey};
use tokio::sync::oneshot;

use crate::{Included, LedgerError};

/// The most transactions that wait.
pub const MEMPOOL_TRANSACTIONS_MAX: usize = 16_384;

/// The most bytes of transactions that wait.
pub const MEMPOOL_BYTES_MAX: usize = 64 << 20;

/// How long a transaction waits for the ones before it to arrive.
pub const GAP_WAIT: Duration = Duration::from_millis(500);

/// How many submitters of the same transaction can wait for it.
pub const WAITERS_MAX: usize = 16;

/// When a client that met a full mempool should try again.
pub const OVERLOAD_RETRY_AFTER: Duration = Duration::from_millis(100);

/// Where a submitter waits.
pub(crate) type Waiter = oneshot::Sender<Result<Included, LedgerError>>;

/// A transaction that waits, already checked as far as that needs no state.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) transaction: SignedTransaction,
    pub(crate) digest: Hash,
    /// The length of its encoding.
    pub(crate) bytes: usize,
    pub(crate) arrived: Instant,
    waiters: Vec<Waiter>,
}

impl Pending {
    pub(crate) fn new(transaction: SignedTransaction, arrived: Instant) -> Self {
        // Counting the bytes of a record cannot fail.
        let bytes = borsh::object_length(&transaction).unwrap_or(usize::MAX);
        let digest = crate::transaction_digest(&transaction);
        Self { transaction, digest, bytes, arrived, waiters: Vec::new() }
    }

    pub(crate) fn nonce(&self) -> u64 {
        self.transaction.body.nonce
    }

    /// Tells every submitter. One that no longer waits is passed over.
    pub(crate) fn answer(self, result: &Result<Included, LedgerError>) {
        for waiter in self.waiters {
            let _ = waiter.send(result.clone());
        }
    }
}

/// What [`Mempool::take`] took out.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// For the next block, in order: every key's nonces without a gap.
    pub(crate) ready: Vec<Pending>,
    /// Not for any block: the nonce has been used, or the ones before it did not come. With
    /// each the nonce that its key should use.
    pub(crate) stale: Vec<(Pending, u64)>,
}

/// What fits into one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockBounds {
    pub(crate) transactions: usize,
    pub(crate) bytes: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Mempool {
    lanes: HashMap<PublicKey, BTreeMap<u64, Pending>>,
    /// Every lane's key once: whose turn it is.
    turns: VecDeque<PublicKey>,
    count: usize,
    bytes: usize,
    /// Since when something waits that [`Mempool::take`] has not looked at.
    fresh_since: Option<Instant>,
    /// When the first transaction behind a gap gives up.
    gap_ends: Option<Instant>,
}

impl Mempool {
    /// How many transactions wait.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Since when something waits that could go into a block.
    pub(crate) const fn fresh_since(&self) -> Option<Instant> {
        self.fresh_since
    }

    /// When the first transaction behind a gap gives up.
    pub(crate) const fn gap_ends(&self) -> Option<Instant> {
        self.gap_ends
    }

    /// Takes a transaction in; `waiter` hears what becomes of it. `expected` is the next
    /// nonce of its key; the caller has made sure that the transaction's is not below.
    pub(crate) fn insert(
        &mut self,
        pending: Pending,
        waiter: Waiter,
        expected: u64,
    ) -> Result<(), LedgerError> {
        let (signer, nonce) = (pending.transaction.signer, pending.nonce());
        let wrong_nonce =
            LedgerError::Refused(TransactionError::WrongNonce { expected, found: nonce });
        if nonce.saturating_sub(expected) > NONCES_AHEAD_MAX {
            return Err(wrong_nonce);
        }
        if let Some(known) = self.lanes.get_mut(&signer).and_then(|lane| lane.get_mut(&nonce)) {
            if known.digest != pending.digest {
                return Err(wrong_nonce);
            }
            return join(known, waiter);
        }
        if self.count >= MEMPOOL_TRANSACTIONS_MAX || self.bytes + pending.bytes > MEMPOOL_BYTES_MAX
        {
            return Err(LedgerError::Overloaded { retry_after: OVERLOAD_RETRY_AFTER });
        }
        self.add(pending, waiter);
        Ok(())
    }

    fn add(&mut self, mut pending: Pending, waiter: Waiter) {
        let signer = pending.transaction.signer;
        self.count += 1;
        self.bytes += pending.bytes;
        self.fresh_since.get_or_insert(pending.arrived);
        pending.waiters.push(waiter);
        let lane = self.lanes.entry(signer).or_insert_with(|| {
            self.turns.push_back(signer);
            BTreeMap::new()
        });
        lane.insert(pending.nonce(), pending);
    }

    /// Takes out what fits into the next block, one of each lane in turn, and what has no
    /// place in any block. `next_nonce` tells each key's next nonce.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        bounds: BlockBounds,
        next_nonce: impl Fn(&PublicKey) -> u64,
    ) -> Batch {
        let mut batch = Batch::default();
        let mut bytes = 0;
        let mut expected = HashMap::new();
        let mut stuck = VecDeque::new();
        self.fresh_since = None;
        self.gap_ends = None;
        while let Some(key) = self.turns.pop_front() {
            let expected = expected.entry(key).or_insert_with(|| next_nonce(&key));
            let Some(pending) = self.pop_first(&key, *expected, now, &mut batch) else {
                if self.lanes.contains_key(&key) {
                    stuck.push_back(key);
                }
                continue;
            };
            if batch.ready.len() >= bounds.transactions || bytes + pending.bytes > bounds.bytes {
                self.put_back(pending, now);
                break;
            }
            bytes += pending.bytes;
            *expected += 1;
            batch.ready.push(pending);
            if self.lanes.contains_key(&key) {
                self.turns.push_back(key);
            }
        }
        self.turns.append(&mut stuck);
        batch
    }

    /// Takes the lane's first transaction if its nonce is `expected`. What is before that,
    /// or has waited too long behind a gap, goes to `batch.stale`.
    fn pop_first(
        &mut self,
        key: &PublicKey,
        expected: u64,
        now: Instant,
        batch: &mut Batch,
    ) -> Option<Pending> {
        let lane = self.lanes.get_mut(key)?;
        let mut found = None;
        while let Some(first) = lane.first_entry() {
            let gives_up = first.get().arrived + GAP_WAIT;
            if *first.key() > expected && gives_up > now {
                self.gap_ends = Some(self.gap_ends.map_or(gives_up, |end| end.min(gives_up)));
                break;
            }
            let ready = *first.key() == expected;
            let pending = first.remove();
            self.count -= 1;
            self.bytes -= pending.bytes;
            if ready {
                found = Some(pending);
                break;
            }
            batch.stale.push((pending, expected));
        }
        if lane.is_empty() {
            self.lanes.remove(key);
        }
        found
    }

    /// Undoes [`Self::pop_first`]: the block is full. The lane is first in turn next time.
    fn put_back(&mut self, pending: Pending, now: Instant) {
        let signer = pending.transaction.signer;
        self.count += 1;
        self.bytes += pending.bytes;
        self.fresh_since = Some(pending.arrived.min(now));
        self.turns.push_front(signer);
        self.lanes.entry(signer).or_default().insert(pending.nonce(), pending);
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> Vec<Pending> {
        let lanes = std::mem::take(self).lanes;
        lanes.into_values().flat_map(BTreeMap::into_values).collect()
    }
}

/// Lets one more submitter of the same transaction wait.
fn join(known: &mut Pending, waiter: Waiter) -> Result<(), LedgerError> {
    known.waiters.retain(|waiter| !waiter.is_closed());
    if known.waiters.len() >= WAITERS_MAX {
        return Err(LedgerError::Overloaded { retry_after: OVERLOAD_RETRY_AFTER });
    }
    known.waiters.push(waiter);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use remuda_ledger::{Action, Effects, Transaction};
    use remuda_types::{AccountId, Hash, NetworkId, Signature, Signed, Tokens};

    use super::*;

    const ROOMY: BlockBounds = BlockBounds { transactions: 1_000, bytes: 1 << 20 };

    fn transaction(signer: u8, nonce: u64, amount: u128) -> SignedTransaction {
        let to = AccountId(Hash([0; 32]));
        let action = Action::Transfer { to, amount: Tokens(amount) };
        let network = NetworkId(Hash([0; 32]));
        Signed {
            body: Transaction { network, nonce, action },
            signer: PublicKey([signer; 32]),
            signature: Signature([0; 64]),
        }
    }

    fn insert(
        pool: &mut Mempool,
        transaction: SignedTransaction,
        arrived: Instant,
        expected: u64,
    ) -> Result<oneshot::Receiver<Result<Included, LedgerError>>, LedgerError> {
        let (waiter, answer) = oneshot::channel();
        pool.insert(
            Pending { bytes: 100, ..Pending::new(transaction, arrived) },
            waiter,
            expected,
        )?;
        Ok(answer)
    }

    fn nonces(batch: &Batch) -> Vec<(u8, u64)> {
        batch.ready.iter().map(|p| (p.transaction.signer.0[0], p.nonce())).collect()
    }

    #[test]
    fn consecutive_nonces_of_one_key_share_a_block_and_keys_take_turns() {
        let (mut pool, now) = (Mempool::default(), Instant::now());
        for nonce in [2, 0, 1] {
            insert(&mut pool, transaction(1, nonce, 1), now, 0).unwrap();
        }
        insert(&mut pool, transaction(2, 7, 1), now, 7).unwrap();
        let batch = pool.take(now, ROOMY, |key| if key.0[0] == 1 { 0 } else { 7 });
        assert_eq!(nonces(&batch), [(1, 0), (2, 7), (1, 1), (1, 2)]);
        assert_eq!((pool.count(), pool.bytes, pool.lanes.len()), (0, 0, 0));
    }

    #[test]
    fn a_full_block_leaves_the_rest_in_order() {
        let (mut pool, now) = (Mempool::default(), Instant::now());
        for nonce in 0..5 {
            insert(&mut pool, transaction(1, nonce, 1), now, 0).unwrap();
        }
        let two = BlockBounds { transactions: 2, ..ROOMY };
        assert_eq!(nonces(&pool.take(now, two, |_| 0)), [(1, 0), (1, 1)]);
        assert!(pool.fresh_since().is_some(), "the rest is ready for the next block at once");
        let small = BlockBounds { bytes: 250, ..ROOMY };
        assert_eq!(nonces(&pool.take(now, small, |_| 2)), [(1, 2), (1, 3)]);
        assert_eq!(nonces(&pool.take(now, ROOMY, |_| 4)), [(1, 4)]);
    }

    #[test]
    fn a_gap_is_waited_for_but_not_for_ever() {
        let (mut pool, now) = (Mempool::default(), Instant::now());
        insert(&mut pool, transaction(1, 1, 1), now, 0).unwrap();
        assert!(pool.take(now, ROOMY, |_| 0).ready.is_empty());
        assert_eq!(pool.gap_ends(), Some(now + GAP_WAIT));
        insert(&mut pool, transaction(1, 0, 1), now, 0).unwrap();
        assert_eq!(nonces(&pool.take(now, ROOMY, |_| 0)), [(1, 0), (1, 1)]);

        insert(&mut pool, transaction(1, 3, 1), now, 2).unwrap();
        let batch = pool.take(now + GAP_WAIT, ROOMY, |_| 2);
        assert!(batch.ready.is_empty());
        assert_eq!(batch.stale[0].0.nonce(), 3);
        assert_eq!(pool.count(), 0);
    }

    #[test]
    fn the_same_transaction_twice_is_one_and_another_of_its_nonce_is_refused() {
        let (mut pool, now) = (Mempool::default(), Instant::now());
        let first = insert(&mut pool, transaction(1, 0, 1), now, 0).unwrap();
        let second = insert(&mut pool, transaction(1, 0, 1), now, 0).unwrap();
        let other = insert(&mut pool, transaction(1, 0, 2), now, 0).unwrap_err();
        assert_eq!(other.code(), "wrong_nonce");
        let mut batch = pool.take(now, ROOMY, |_| 0);
        let pending = batch.ready.remove(0);
        let included = Included { height: 9, digest: pending.digest, effects: Effects::default() };
        pending.answer(&Ok(included));
        for mut answer in [first, second] {
            assert_eq!(answer.try_recv().unwrap(), Ok(included));
        }
    }

    #[test]
    fn everything_is_bounded() {
        let (mut pool, now) = (Mempool::default(), Instant::now());
        let far = insert(&mut pool, transaction(1, NONCES_AHEAD_MAX + 1, 1), now, 0);
        assert_eq!(far.unwrap_err().code(), "wrong_nonce");
        let answers: Vec<_> = (0..WAITERS_MAX)
            .map(|_| insert(&mut pool, transaction(1, 0, 1), now, 0).unwrap())
            .collect();
        let crowd = insert(&mut pool, transaction(1, 0, 1), now, 0);
        assert_eq!(crowd.unwrap_err().code(), "ledger_overloaded");
        drop(answers);
        assert!(insert(&mut pool, transaction(1, 0, 1), now, 0).is_ok());
        pool.count = MEMPOOL_TRANSACTIONS_MAX;
        let full = insert(&mut pool, transaction(1, 1, 1), now, 0);
        assert_eq!(full.unwrap_err().code(), "ledger_overloaded");
        pool.count = 1;
        pool.bytes = MEMPOOL_BYTES_MAX;
        let full = insert(&mut pool, transaction(1, 1, 1), now, 0);
        assert_eq!(full.unwrap_err().code(), "ledger_overloaded");
    }

    proptest! {
        /// Whatever arrives in whatever order: every key's nonces come out without gap or
        /// repetition, nothing is lost, and the counters come back to zero.
        #[test]
        fn lanes_come_out_in_order_and_whole(
            arrivals in prop::collection::btree_set((0u8..4, 0u64..12), 1..40),
            order in any::<u64>(),
            block in 1usize..6,
        ) {
            let (mut pool, now) = (Mempool::default(), Instant::now());
            let mut shuffled: Vec<_> = arrivals.iter().copied().collect();
            shuffled.sort_by_key(|(key, nonce)| {
                let bytes = [order.to_le_bytes(), [*key; 8], nonce.to_le_bytes()].concat();
                Hash::derive("shuffle", &bytes).0
            });
            for (key, nonce) in shuffled {
                insert(&mut pool, transaction(key, nonce, 1), now, 0).unwrap();
            }
            let mut next = [0u64; 4];
            let bounds = BlockBounds { transactions: block, ..ROOMY };
            loop {
                let batch = pool.take(now, bounds, |key| next[usize::from(key.0[0])]);
                prop_assert!(batch.ready.len() <= block && batch.stale.is_empty());
                if batch.ready.is_empty() { break }
                for (key, nonce) in nonces(&batch) {
                    prop_assert_eq!(nonce, next[usize::from(key)]);
                    next[usize::from(key)] += 1;
                }
            }
            let stuck: BTreeSet<_> = arrivals.iter().copied()
                .filter(|(key, nonce)| *nonce >= next[usize::from(*key)]).collect();
            for (key, nonce) in &next.iter().enumerate().map(|(k, n)| (k, *n)).collect::<Vec<_>>() {
                prop_assert!(!stuck.contains(&(u8::try_from(*key).unwrap(), *nonce)));
            }
            prop_assert_eq!(pool.count(), stuck.len());
            let last = pool.take(now + GAP_WAIT, bounds, |key| next[usize::from(key.0[0])]);
            prop_assert_eq!(last.stale.len(), stuck.len());
            prop_assert_eq!((pool.count, pool.bytes, pool.turns.len()), (0, 0, 0));
        }
    }
}
