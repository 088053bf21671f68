//! The embedded producer: one thread that makes blocks of what waits, and is always right.
//!
//! This is the other half of the seam to consensus. An engine with many validators replaces
//! this module: it takes batches from the [`Queue`] when it proposes, and calls
//! [`Machine::execute`] with what was agreed on.

use std::sync::Arc;
use std::time::Instant;

use remuda_ledger::{Block, TransactionError};
use remuda_types::Hash;

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
        while let Some(batch) = self.queue.next(&self.rhythm, last_block, next_nonce) {
            self.answer_stale(batch.stale);
            let idle = last_block.elapsed();
            let heartbeat_is_due = self.rhythm.heartbeat.is_some_and(|interval| idle >= interval);
            if !batch.ready.is_empty() || heartbeat_is_due {
                self.produce(batch.ready);
                self.machine.catch_up();
                last_block = Instant::now();
            }
        }
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
