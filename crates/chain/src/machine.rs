//! The durable state machine: a decided block in, the next state on disk out.
//!
//! Two copies of the state are in memory. A block is applied to the one that nobody sees,
//! written to disk, and only then are the two exchanged: readers never see what a power cut
//! could take back, and never wait for the disk or for a block. The copy that was seen before
//! then catches up by replaying the block, which also checks that the rules give the same
//! result twice. When a write fails, nobody knows what is on disk: both copies are then
//! restored from there before the next block.
//!
//! This is one half of the seam to consensus: whoever decides on blocks calls
//! [`Machine::execute`]. Today that is [`crate::producer`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use remuda_ledger::{
    Answer, Block, BlockError, Genesis, Header, Ledger, Query, RestoreError, SignedTransaction,
    TransactionError,
};
use remuda_types::{Hash, Height, PublicKey, TimestampMs};
use tokio::sync::watch;

use crate::protocol::{BLOCKS_BYTES_MAX, BLOCKS_MAX};
use crate::store::Store;
use crate::{Found, StorageError, transaction_digest};

/// After a failed attempt to open the store again, the next one waits so long.
const RECOVERY_PAUSE: Duration = Duration::from_millis(200);

/// Why a block was not executed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecuteError {
    /// The block cannot follow the head. Nothing was written.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// Whether it is on disk is unknown; it has not been shown.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Machine {
    genesis: Genesis,
    store: Store,
    /// What readers see. They take the `Arc` and let go of the lock.
    shown: RwLock<Arc<Ledger>>,
    working: Mutex<Working>,
    heads: watch::Sender<Header>,
}

#[derive(Debug)]
struct Working {
    ledger: Arc<Ledger>,
    /// How `ledger` stands to what is shown and on disk.
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    /// The same.
    Level,
    /// This block behind.
    Behind(Box<Block>),
    /// Unknown: a write failed. With the last attempt to find out.
    Suspect(Option<(Instant, StorageError)>),
}

impl Machine {
    /// Takes up the state in `store`, or begins with `genesis` when it is new.
    pub(crate) fn open(store: Store, genesis: Genesis) -> Result<Self, StorageError> {
        let ledger = match restore(&store, &genesis)? {
            Some(ledger) => ledger,
            None => begin(&store, &genesis)?,
        };
        let heads = watch::Sender::new(ledger.head().clone());
        let working = Working { ledger: Arc::new(ledger.clone()), standing: Standing::Level };
        let shown = RwLock::new(Arc::new(ledger));
        Ok(Self { genesis, store, shown, working: Mutex::new(working), heads })
    }

    /// When a block is due even if no transaction comes.
    pub(crate) fn next_due(&self) -> Option<TimestampMs> {
        self.shown.read().next_due()
    }

    /// Makes the next block of `transactions` at `time` (or at the head's time, if that is
    /// later), writes it to disk, and shows it.
    pub(crate) fn execute(
        &self,
        time: TimestampMs,
        transactions: &[SignedTransaction],
    ) -> Result<Block, ExecuteError> {
        let mut working = self.working.lock();
        self.level(&mut working)?;
        let ledger = Arc::make_mut(&mut working.ledger);
        let applied = ledger.apply(time.max(ledger.head().time), transactions)?;
        if let Err(error) = self.store.commit(&applied.block, &applied.changes) {
            working.standing = Standing::Suspect(None);
            // At once, so that blocks can be read again where the disk allows it.
            if let Err(error) = self.level(&mut working) {
                tracing::warn!(%error, "the store could not be opened again yet");
            }
            return Err(error.into());
        }
        self.show(&mut working);
        working.standing = Standing::Behind(Box::new(applied.block.clone()));
        Ok(applied.block)
    }

    /// Does now what would otherwise hold up the next block.
    pub(crate) fn catch_up(&self) {
        let mut working = self.working.lock();
        if matches!(working.standing, Standing::Behind(_))
            && let Err(error) = self.level(&mut working)
        {
            tracing::error!(%error, "the state could not be restored");
        }
    }

    /// Exchanges the working copy, which is on disk, with the shown one.
    fn show(&self, working: &mut Working) {
        let head = working.ledger.head().clone();
        std::mem::swap(&mut *self.shown.write(), &mut working.ledger);
        self.heads.send_replace(head);
    }

    /// Makes the working copy equal to what is on disk and shown.
    fn level(&self, working: &mut Working) -> Result<(), StorageError> {
        match &working.standing {
            Standing::Level => Ok(()),
            Standing::Behind(block) => {
                // A reader that still holds this copy costs a clone of it, no more.
                if let Err(error) = Arc::make_mut(&mut working.ledger).replay(block) {
                    tracing::error!(%error, "a block gave two results; restoring from disk");
                    working.standing = Standing::Suspect(None);
                    return self.recover(working);
                }
                working.standing = Standing::Level;
                Ok(())
            }
            Standing::Suspect(Some((at, error))) if at.elapsed() < RECOVERY_PAUSE => {
                Err(error.clone())
            }
            Standing::Suspect(_) => {
                let recovered = self.recover(working);
                if let Err(error) = &recovered {
                    working.standing = Standing::Suspect(Some((Instant::now(), error.clone())));
                }
                recovered
            }
        }
    }

    /// Restores both copies from disk.
    fn recover(&self, working: &mut Working) -> Result<(), StorageError> {
        self.store.reopen()?;
        let ledger = restore(&self.store, &self.genesis)?
            .ok_or_else(|| StorageError::corrupt("the store has become empty"))?;
        working.ledger = Arc::new(ledger.clone());
        self.show(working);
        *working = Working { ledger: Arc::new(ledger), standing: Standing::Level };
        tracing::info!(height = working.ledger.head().height, "restored the state from disk");
        Ok(())
    }

    fn shown(&self) -> Arc<Ledger> {
        Arc::clone(&self.shown.read())
    }

    /// Whether a block could hold `transaction`: [`Ledger::check`].
    pub(crate) fn check(&self, transaction: &SignedTransaction) -> Result<(), TransactionError> {
        self.shown().check(transaction)
    }

    pub(crate) fn query(&self, query: &Query) -> Answer {
        self.shown().query(query)
    }

    pub(crate) fn next_nonce(&self, key: &PublicKey) -> u64 {
        match self.query(&Query::Nonce(*key)) {
            Answer::Nonce(nonce) => nonce,
            other => unreachable!("the ledger answered a question about a nonce with {other:?}"),
        }
    }

    pub(crate) fn heads(&self) -> watch::Receiver<Header> {
        self.heads.subscribe()
    }

    pub(crate) fn head(&self) -> Header {
        self.shown().head().clone()
    }

    pub(crate) fn blocks(&self, from: Height, limit: usize) -> Result<Vec<Block>, StorageError> {
        self.store.blocks(from, limit.min(BLOCKS_MAX), BLOCKS_BYTES_MAX)
    }

    /// What became of the transaction with this digest.
    pub(crate) fn lookup(&self, digest: &Hash) -> Result<Option<Found>, StorageError> {
        let Some(block) = self.store.block_of(digest)? else { return Ok(None) };
        let outcome = block
            .transactions
            .iter()
            .zip(&block.outcomes)
            .find(|(transaction, _)| transaction_digest(transaction) == *digest)
            .map(|(_, outcome)| outcome.clone())
            .ok_or_else(|| StorageError::corrupt("the index names the wrong block"))?;
        Ok(Some(Found { height: block.header.height, outcome }))
    }

    pub(crate) fn close(&self) {
        self.store.close();
    }
}

/// The ledger as it is in the store; `None` when the store is new.
fn restore(store: &Store, genesis: &Genesis) -> Result<Option<Ledger>, StorageError> {
    let Some(stored) = store.load(genesis)? else { return Ok(None) };
    Ok(Some(Ledger::restore(genesis, stored.head, stored.leaves)?))
}

/// Writes height 0 into a new store.
fn begin(store: &Store, genesis: &Genesis) -> Result<Ledger, StorageError> {
    let ledger = Ledger::new(genesis).map_err(RestoreError::from)?;
    store.begin(genesis, ledger.head(), ledger.leaves())?;
    Ok(ledger)
}

impl From<RestoreError> for StorageError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Genesis(error) => Self::Genesis { detail: error.to_string() },
            other => Self::corrupt(other),
        }
    }
}
