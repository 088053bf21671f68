//! The embedded producer: one thread that makes blocks of what waits, and is always right.
//!
//! This is the other half of the seam to consensus. An engine with many validators replaces
//! this module: it takes batches from the [`Queue`] when it proposes, and calls
//! [`Machine::execute`] with what was agreed on.

use std::sync::Arc;
use std::time::Instant;

use remuda_ledger::{Block, TransactionError};
use remuda_types::{Hash, TimestampMs};

use crate::machine::{ExecuteError, Machine};
use crate::mempool::Pending;
use crate::queue::{Queue, Rhythm};
use crate::{Clock, Included, LedgerError};

/// What the producer works with.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) machine: Arc<Machine>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rhythm: Rhythm,
}

impl Drop for Producer {
    /// Without a producer nobody would ever answer, so nothing may be taken in: also when it
    /// ends by a panic.
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Producer {
    /// Makes blocks until the queue is closed.
    pub(crate) fn run(self) {
        let mut last_block = Instant::now();
        let next_nonce = |key: &_| self.machine.next_nonce(key);
        let mut served = None;
        loop {
            let heartbeat = self.rhythm.heartbeat.map(|interval| last_block + interval);
            // A rule that stays due after the block that was made for it waits like others.
            let due = self.machine.next_due().filter(|due| served != Some(*due));
            let idle_until = [heartbeat, self.instant_of(due)].into_iter().flatten().min();
            let Some(turn) = self.queue.next(&self.rhythm, idle_until, next_nonce) else { return };
            self.answer_stale(turn.batch.stale);
            if !turn.batch.ready.is_empty() || turn.even_empty {
                self.produce(turn.batch.ready);
                self.machine.catch_up();
                last_block = Instant::now();
                served = due.filter(|due| *due <= self.clock.now_ms());
            }
        }
    }

    /// When the clock will show `time`.
    fn instant_of(&self, time: Option<TimestampMs>) -> Option<Instant> {
        Some(Instant::now() + self.clock.until(time?)?)
    }

    fn produce(&self, batch: Vec<Pending>) {
        let transactions: Vec<_> = batch.iter().map(|p| p.transaction.clone()).collect();
        match self.machine.execute(self.clock.now_ms(), &transactions) {
            Ok(block) => answer_included(batch, &block),
            Err(error) => {
                tracing::error!(%error, transactions = batch.len(), "a block was not made");
                let answer = Err(error.into());
                batch.into_iter().for_each(|pending| pending.answer(&answer));
            }
        }
    }

    /// Transactions whose nonce is used up or out of reach. One may have come twice and be in
    /// a block already.
    fn answer_stale(&self, stale: Vec<(Pending, u64)>) {
        for (pending, expected) in stale {
            let found = pending.nonce();
            let answer = resolve(&self.machine, &pending.digest, expected, found);
            pending.answer(&answer);
        }
    }
}

/// What to tell who submits a transaction whose nonce is not the next: what became of it, if
/// it has been in a block.
pub(crate) fn resolve(
    machine: &Machine,
    digest: &Hash,
    expected: u64,
    found: u64,
) -> Result<Included, LedgerError> {
    let known = if found < expected { machine.lookup(digest)? } else { None };
    known.map_or(
        Err(LedgerError::Refused(TransactionError::WrongNonce { expected, found })),
        |known| known.into_included(*digest),
    )
}

fn answer_included(batch: Vec<Pending>, block: &Block) {
    let height = block.header.height;
    for (pending, outcome) in batch.into_iter().zip(&block.outcomes) {
        let digest = pending.digest;
        let answer = outcome
            .result()
            .map(|effects| Included { height, digest, effects })
            .map_err(LedgerError::Refused);
        pending.answer(&answer);
    }
}

impl From<ExecuteError> for LedgerError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Block(error) => Self::protocol(error),
            ExecuteError::Storage(error) => Self::Storage(error),
        }
    }
}
