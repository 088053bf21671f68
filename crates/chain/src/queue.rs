//! Where submitters meet the producer: the mempool behind a lock, and a bell.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use remuda_types::PublicKey;

use crate::LedgerError;
use crate::mempool::{Batch, BlockBounds, Mempool, Pending, Waiter};

/// When blocks are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    /// How long after its first transaction a block is made.
    pub(crate) collect: Duration,
    /// The longest time without a block.
    pub(crate) heartbeat: Option<Duration>,
    /// What fits into a block. A full one is made at once.
    pub(crate) bounds: BlockBounds,
}

/// What the producer has to do.
#[derive(Debug)]
pub(crate) struct Turn {
    /// What waited.
    pub(crate) batch: Batch,
    /// Whether a block is due even if nothing waited.
    pub(crate) even_empty: bool,
}

#[derive(Debug, Default)]
struct State {
    pool: Mempool,
    closed: bool,
    /// A block is wanted even if it is empty.
    forced: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    bell: Condvar,
}

impl Queue {
    /// Takes a transaction in; `waiter` hears what becomes of it.
    pub(crate) fn submit(
        &self,
        pending: Pending,
        waiter: Waiter,
        expected: u64,
    ) -> Result<(), LedgerError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(stopped());
        }
        state.pool.insert(pending, waiter, expected)?;
        self.bell.notify_one();
        Ok(())
    }

    /// Wants a block now, even an empty one.
    pub(crate) fn force(&self) {
        self.state.lock().forced = true;
        self.bell.notify_one();
    }

    /// Waits until there is something for a block, a gap ends or `idle_until` has come (then
    /// also an empty block is due), and takes it. `None` once the queue is closed.
    pub(crate) fn next(
        &self,
        rhythm: &Rhythm,
        idle_until: Option<Instant>,
        next_nonce: impl Fn(&PublicKey) -> u64,
    ) -> Option<Turn> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            let idle_until = if state.forced { Some(now) } else { idle_until };
            match due(&state.pool, rhythm, idle_until) {
                Some(at) if at > now => {
                    self.bell.wait_until(&mut state, at);
                }
                Some(_) => {
                    state.forced = false;
                    let batch = state.pool.take(now, rhythm.bounds, next_nonce);
                    let even_empty = idle_until.is_some_and(|at| at <= now);
                    return Some(Turn { batch, even_empty });
                }
                None => self.bell.wait(&mut state),
            }
        }
    }

    /// Refuses everything from now on, and answers those who wait.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut state = self.state.lock();
            state.closed = true;
            self.bell.notify_all();
            state.pool.drain()
        };
        for pending in waiting {
            pending.answer(&Err(stopped()));
        }
    }
}

/// When the producer has something to do; a moment that has passed means now.
fn due(pool: &Mempool, rhythm: &Rhythm, idle_until: Option<Instant>) -> Option<Instant> {
    let full = pool.count() >= rhythm.bounds.transactions;
    let collected =
        pool.fresh_since().map(|since| if full { since } else { since + rhythm.collect });
    [collected, pool.gap_ends(), idle_until].into_iter().flatten().min()
}

pub(crate) fn stopped() -> LedgerError {
    LedgerError::unreachable("the validator has stopped")
}
