//! The embedded validator: a handle over the state machine, its queue and its producer.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use remuda_ledger::{Answer, Block, Genesis, Header, Query, SignedTransaction, TransactionError};
use remuda_types::{Hash, Height, NetworkId, TimestampMs};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;

use crate::machine::Machine;
use crate::mempool::{BlockBounds, Pending};
use crate::producer::{self, Producer};
use crate::protocol::HEAD_WAIT_MAX;
use crate::queue::{Queue, Rhythm, stopped};
use crate::store::{Opener, Store, file_opener, make_file};
use crate::{
    Clock, Found, Included, LedgerClient, LedgerError, ManualClock, Retention, StorageError,
    SystemClock, transaction_digest,
};

/// How long after its first transaction a block is made, unless configured.
pub const COLLECT_DEFAULT: Duration = Duration::from_millis(2);

/// The longest time without a block, unless configured.
pub const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(60);

/// The most bytes of transactions in one block.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;

/// How long a submission waits for its block.
pub const SUBMIT_WAIT_MAX: Duration = Duration::from_secs(20);

/// When no block came for so long after the clock was moved, no rule is at work any more.
const SETTLED_AFTER: Duration = Duration::from_millis(300);

/// How a validator runs.
#[derive(Clone, Debug)]
pub struct ValidatorConfig {
    /// The store's file. It is made if it does not exist; its directory must.
    pub path: PathBuf,
    /// How the network begins. A store of another network is refused.
    pub genesis: Genesis,
    /// Where block time comes from.
    pub clock: Arc<dyn Clock>,
    /// How long after its first transaction a block is made, so that more can join it.
    pub collect: Duration,
    /// The longest time without a block; then an empty one is made, so that block time moves
    /// on. `None`: no empty blocks.
    pub heartbeat: Option<Duration>,
    /// How many blocks are kept.
    pub retention: Retention,
    /// Whether the whole file is checked at opening. It costs about a second a gigabyte, and
    /// finds damage before anybody relies on it.
    pub check_on_open: bool,
}

impl ValidatorConfig {
    /// The usual: system clock, archive, check at opening.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, genesis: Genesis) -> Self {
        Self {
            path: path.into(),
            genesis,
            clock: Arc::new(SystemClock),
            collect: COLLECT_DEFAULT,
            heartbeat: Some(HEARTBEAT_DEFAULT),
            retention: Retention::Archive,
            check_on_open: true,
        }
    }
}

/// A ledger with one validator, inside this process. Clones share it; it stops when the last
/// is dropped. [`Validator::close`] also waits until it has stopped.
///
/// Its answers come from memory and never wait for the disk. A submission is answered when
/// its block is on disk.
#[derive(Clone)]
pub struct Validator {
    inner: Arc<Inner>,
}

struct Inner {
    machine: Arc<Machine>,
    queue: Arc<Queue>,
    network: NetworkId,
    /// The hand of the clock, when block time is moved by hand.
    hand: Option<Arc<ManualClock>>,
    producer: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let height = self.inner.machine.head().height;
        write!(f, "Validator(of {}, height {height})", self.inner.network)
    }
}

impl Validator {
    /// Opens the store, takes up its state, and starts to make blocks.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process has the store,
    /// [`StorageError::Corrupt`] when it is damaged (also when its records do not give the
    /// state root of its newest header), [`StorageError::OtherNetwork`],
    /// [`StorageError::Format`], [`StorageError::Full`], [`StorageError::Io`].
    pub async fn open(config: ValidatorConfig) -> Result<Self, StorageError> {
        let (path, genesis) = (config.path.clone(), config.genesis.clone());
        let make = move || {
            make_file(&path, |store| {
                Machine::open(store, genesis)?.close();
                Ok(())
            })
        };
        spawn_blocking(make).await.map_err(StorageError::corrupt)??;
        let opener = file_opener(&config.path, config.check_on_open);
        Self::open_with(opener, config).await
    }

    pub(crate) async fn open_with(
        opener: Opener,
        config: ValidatorConfig,
    ) -> Result<Self, StorageError> {
        let work = move || {
            let store = Store::open(opener, config.retention)?;
            let machine = Machine::open(store, config.genesis.clone())?;
            Self::start(machine, &config)
        };
        // A damaged file can make the store's code panic; here that is one more damage.
        spawn_blocking(work).await.map_err(StorageError::corrupt)?
    }

    fn start(machine: Machine, config: &ValidatorConfig) -> Result<Self, StorageError> {
        let machine = Arc::new(machine);
        let queue = Arc::new(Queue::default());
        let virtual_clock = config.genesis.economy.virtual_clock;
        let hand = virtual_clock.then(|| Arc::new(ManualClock::at(machine.head().time)));
        let clock = match &hand {
            Some(hand) => Arc::clone(hand) as Arc<dyn Clock>,
            None => Arc::clone(&config.clock),
        };
        let producer = Producer {
            machine: Arc::clone(&machine),
            queue: Arc::clone(&queue),
            clock,
            rhythm: rhythm(config),
        };
        let thread =
            thread::Builder::new().name("remuda-producer".into()).spawn(move || producer.run())?;
        let network = config.genesis.network();
        let producer = Mutex::new(Some(thread));
        Ok(Self { inner: Arc::new(Inner { machine, queue, network, hand, producer }) })
    }

    /// The headers as they come; the receiver always holds the newest.
    #[must_use]
    pub fn heads(&self) -> watch::Receiver<Header> {
        self.inner.machine.heads()
    }

    /// Stops: what waits is answered with [`LedgerError::Unreachable`], the block in work is
    /// finished, and the store is closed so that it can be opened again.
    pub async fn close(&self) {
        self.inner.queue.close();
        let inner = Arc::clone(&self.inner);
        let stop = spawn_blocking(move || {
            if let Some(thread) = inner.producer.lock().take()
                && thread.join().is_err()
            {
                tracing::error!("the producer had panicked");
            }
            inner.machine.close();
        });
        if stop.await.is_err() {
            tracing::error!("closing the store panicked");
        }
    }

    /// Runs `work` where it may wait for the disk.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Machine) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let machine = Arc::clone(&self.inner.machine);
        spawn_blocking(move || work(&machine)).await.map_err(StorageError::corrupt)?
    }
}

fn rhythm(config: &ValidatorConfig) -> Rhythm {
    let most = config.genesis.parameters.transactions_per_block_max;
    let transactions = usize::try_from(most).unwrap_or(usize::MAX);
    // Where block time is virtual, how fast real time passes changes no block.
    let heartbeat = config.heartbeat.filter(|_| !config.genesis.economy.virtual_clock);
    Rhythm {
        collect: config.collect,
        heartbeat,
        bounds: BlockBounds { transactions, bytes: BLOCK_BYTES_MAX },
    }
}

#[async_trait]
impl LedgerClient for Validator {
    async fn submit(&self, transaction: SignedTransaction) -> Result<Included, LedgerError> {
        let machine = &self.inner.machine;
        match machine.check(&transaction) {
            Ok(()) => {}
            Err(TransactionError::WrongNonce { expected, found }) if found < expected => {
                let digest = transaction_digest(&transaction);
                let resolve =
                    move |machine: &_| producer::resolve(machine, &digest, expected, found);
                return self.on_disk(resolve).await;
            }
            Err(error) => return Err(LedgerError::Refused(error)),
        }
        let expected = machine.next_nonce(&transaction.signer);
        let (waiter, answer) = oneshot::channel();
        let pending = Pending::new(transaction, Instant::now());
        self.inner.queue.submit(pending, waiter, expected)?;
        match tokio::time::timeout(SUBMIT_WAIT_MAX, answer).await {
            Ok(answer) => answer.map_err(|_| stopped())?,
            Err(_) => Err(LedgerError::Timeout { after: SUBMIT_WAIT_MAX }),
        }
    }

    async fn query(&self, query: Query) -> Result<Answer, LedgerError> {
        Ok(self.inner.machine.query(&query))
    }

    async fn network(&self) -> Result<NetworkId, LedgerError> {
        Ok(self.inner.network)
    }

    async fn blocks(&self, from: Height, limit: usize) -> Result<Vec<Block>, LedgerError> {
        self.on_disk(move |machine| Ok(machine.blocks(from, limit)?)).await
    }

    async fn lookup(&self, digest: Hash) -> Result<Option<Found>, LedgerError> {
        self.on_disk(move |machine| Ok(machine.lookup(&digest)?)).await
    }

    async fn advance(&self, until: TimestampMs) -> Result<Header, LedgerError> {
        let inner = &self.inner;
        let real = || LedgerError::protocol("block time on this network is real");
        let hand = inner.hand.as_ref().ok_or_else(real)?;
        hand.set(until.max(hand.now_ms()));
        let mut heads = self.heads();
        inner.queue.force();
        let reached = heads.wait_for(|head| head.time >= until);
        match tokio::time::timeout(SUBMIT_WAIT_MAX, reached).await {
            Ok(head) => drop(head.map_err(|_| stopped())?),
            Err(_) => return Err(LedgerError::Timeout { after: SUBMIT_WAIT_MAX }),
        }
        // What became due runs in blocks of its own. A rule that waits for other blocks, not
        // for time, stays due without making any.
        while inner.machine.next_due().is_some_and(|due| due <= until) {
            match tokio::time::timeout(SETTLED_AFTER, heads.changed()).await {
                Ok(changed) => changed.map_err(|_| stopped())?,
                Err(_) => break,
            }
        }
        Ok(self.heads().borrow().clone())
    }

    async fn next_head(&self, after: Height, wait: Duration) -> Result<Header, LedgerError> {
        let mut heads = self.heads();
        let newer = heads.wait_for(|head| head.height > after);
        // Whether it came or not: the newest header is the answer.
        let _ = tokio::time::timeout(wait.min(HEAD_WAIT_MAX), newer).await;
        Ok(heads.borrow().clone())
    }
}
