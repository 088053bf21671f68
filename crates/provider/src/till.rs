//! The till: per channel what is owed, the best voucher and the receipts' sequence, on disk
//! within [`WRITE_INTERVAL`].
//!
//! What a crash loses is at most what was delivered in that time. The best voucher is the
//! whole truth of what can be redeemed, so an older one on disk costs at most the difference.

mod account;
mod store;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use remuda_ledger::Channel;
use remuda_types::{ChannelId, Credits, NetworkId, Signed, Voucher};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub(crate) use account::{Account, Tab, VoucherError};
use store::{Meta, Record, Store};

use crate::error::StartError;
use crate::status::Earnings;

/// How long the writer gathers changes before it commits them together.
pub(crate) const WRITE_INTERVAL: Duration = Duration::from_millis(10);
/// How long the writer waits after the disk refused a write.
const WRITE_RETRY: Duration = Duration::from_millis(500);
/// How long a flush waits for the disk.
const FLUSH_WAIT: Duration = Duration::from_secs(5);
/// The most channels that a provider keeps.
pub(crate) const CHANNELS_MAX: usize = 65_536;

/// All channels that pay this provider. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct Till {
    inner: Arc<Inner>,
}

struct Inner {
    accounts: RwLock<HashMap<ChannelId, Arc<Account>>>,
    meta: Mutex<Meta>,
    dirty: Mutex<Dirty>,
    /// Something is dirty.
    work: Notify,
    /// It should be written at once.
    urgent: Notify,
    /// The newest generation on disk.
    written: watch::Sender<u64>,
    closing: watch::Sender<bool>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the disk does not know yet.
#[derive(Default)]
struct Dirty {
    channels: HashSet<ChannelId>,
    meta: bool,
    generation: u64,
}

/// There are [`CHANNELS_MAX`] channels already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TillFull;

impl Till {
    /// Opens or creates the till in `home` and takes up what an earlier life left.
    pub(crate) async fn open(home: &Path) -> Result<Self, StartError> {
        let (store, content) = Store::open(home).await?;
        let adopt = |(id, record)| (id, Arc::new(Account::adopt(record)));
        let inner = Arc::new(Inner {
            accounts: RwLock::new(content.records.into_iter().map(adopt).collect()),
            meta: Mutex::new(content.meta),
            dirty: Mutex::default(),
            work: Notify::new(),
            urgent: Notify::new(),
            written: watch::Sender::new(0),
            closing: watch::Sender::new(false),
            writer: Mutex::new(None),
        });
        let writer = tokio::spawn(write(Arc::downgrade(&inner), store));
        *inner.writer.lock() = Some(writer);
        Ok(Self { inner })
    }

    /// The account of a channel that is known here.
    pub(crate) fn get(&self, id: &ChannelId) -> Option<Arc<Account>> {
        self.inner.accounts.read().get(id).cloned()
    }

    /// All accounts.
    pub(crate) fn all(&self) -> Vec<Arc<Account>> {
        self.inner.accounts.read().values().cloned().collect()
    }

    /// Whether any job runs, or waits for its last voucher.
    pub(crate) fn has_jobs(&self) -> bool {
        self.inner.accounts.read().values().any(|account| account.jobs() > 0)
    }

    /// Takes in what the ledger says about a channel toward this provider.
    pub(crate) fn update(&self, channel: Channel) -> Result<Arc<Account>, TillFull> {
        let id = channel.id;
        if let Some(account) = self.get(&id) {
            if account.refresh(channel) {
                self.mark(id);
            }
            return Ok(account);
        }
        let mut accounts = self.inner.accounts.write();
        if accounts.len() >= CHANNELS_MAX {
            return Err(TillFull);
        }
        let account = accounts.entry(id).or_insert_with(|| Arc::new(Account::open(channel)));
        let account = Arc::clone(account);
        drop(accounts);
        self.mark(id);
        Ok(account)
    }

    /// Drops a channel that the ledger no longer knows.
    pub(crate) fn remove(&self, id: &ChannelId) {
        let Some(account) = self.inner.accounts.write().remove(id) else { return };
        let mut meta = self.inner.meta.lock();
        meta.redeemed = Credits(meta.redeemed.0.saturating_add(account.redeemed().0));
        drop(meta);
        self.mark_meta();
        self.mark(*id);
    }

    /// Opens a job's tab on an account.
    pub(crate) fn tab(&self, account: Arc<Account>) -> Tab {
        Tab::open(self.clone(), account)
    }

    /// Takes in a voucher. `true` when it is better than the one before. A voucher with a
    /// receipt ends a job, and is written at once.
    pub(crate) fn take(
        &self,
        account: &Account,
        voucher: Signed<Voucher>,
    ) -> Result<bool, VoucherError> {
        let ends_job = voucher.body.receipt.is_some();
        let better = account.take(voucher)?;
        if better {
            self.mark(account.id);
            if ends_job {
                self.inner.urgent.notify_one();
            }
        }
        Ok(better)
    }

    /// The account must be written.
    pub(crate) fn mark(&self, id: ChannelId) {
        let mut dirty = self.inner.dirty.lock();
        dirty.generation += 1;
        dirty.channels.insert(id);
        drop(dirty);
        self.inner.work.notify_one();
    }

    /// Waits, boundedly, until all that was marked before is on disk. `false` when it is not.
    pub(crate) async fn flush(&self) -> bool {
        let generation = self.inner.dirty.lock().generation;
        self.inner.work.notify_one();
        self.inner.urgent.notify_one();
        let mut written = self.inner.written.subscribe();
        let wait = written.wait_for(|written| *written >= generation);
        matches!(tokio::time::timeout(FLUSH_WAIT, wait).await, Ok(Ok(_)))
    }

    /// Writes everything and ends the writer, so that the file can be opened again.
    pub(crate) async fn close(&self) {
        if !self.flush().await {
            tracing::error!("the till could not be written whole before the end");
        }
        self.inner.closing.send_replace(true);
        let writer = self.inner.writer.lock().take();
        if let Some(writer) = writer {
            let _ = tokio::time::timeout(FLUSH_WAIT, writer).await;
        }
    }

    /// The network whose channels these are.
    pub(crate) fn network(&self) -> Option<NetworkId> {
        self.inner.meta.lock().network
    }

    /// Binds the till to `network`, for good.
    pub(crate) async fn bind_network(&self, network: NetworkId) -> Result<(), StartError> {
        match self.network() {
            Some(known) if known == network => Ok(()),
            Some(known) => Err(StartError::OtherNetwork { known, found: network }),
            None => {
                self.change_meta(|meta| meta.network = Some(network)).await;
                Ok(())
            }
        }
    }

    /// Whether the owner paused this provider.
    pub(crate) fn paused(&self) -> bool {
        self.inner.meta.lock().paused
    }

    /// Remembers whether the owner paused this provider.
    pub(crate) async fn set_paused(&self, paused: bool) {
        if self.paused() != paused {
            self.change_meta(|meta| meta.paused = paused).await;
        }
    }

    async fn change_meta(&self, change: impl FnOnce(&mut Meta)) {
        change(&mut self.inner.meta.lock());
        self.mark_meta();
        self.flush().await;
    }

    fn mark_meta(&self) {
        let mut dirty = self.inner.dirty.lock();
        dirty.meta = true;
        dirty.generation += 1;
    }

    /// All money that is known here.
    pub(crate) fn earnings(&self) -> Earnings {
        let mut sum = Earnings { redeemed: self.inner.meta.lock().redeemed, ..Earnings::default() };
        for account in self.all() {
            let balance = account.balance();
            sum.owed = more(sum.owed, balance.unpaid());
            sum.vouchered = more(sum.vouchered, balance.unredeemed());
            sum.redeemed = more(sum.redeemed, balance.redeemed);
            sum.channels += 1;
        }
        sum
    }
}

/// A sum for display; all credits there are fit, since the ledger's own sum does.
fn more(sum: Credits, part: Credits) -> Credits {
    sum.add(part).unwrap_or(Credits(u64::MAX))
}

/// What is to be written next.
struct Batch {
    rows: Vec<(ChannelId, Option<Record>)>,
    meta: Option<Meta>,
    generation: u64,
}

impl Inner {
    fn batch(&self) -> Option<Batch> {
        let mut dirty = self.dirty.lock();
        if dirty.channels.is_empty() && !dirty.meta {
            return None;
        }
        let channels = std::mem::take(&mut dirty.channels);
        let meta = std::mem::take(&mut dirty.meta);
        let generation = dirty.generation;
        drop(dirty);
        let accounts = self.accounts.read();
        let row = |id: ChannelId| (id, accounts.get(&id).map(|account| account.record()));
        let rows = channels.into_iter().map(row).collect();
        drop(accounts);
        let meta = meta.then(|| self.meta.lock().clone());
        Some(Batch { rows, meta, generation })
    }

    /// Puts back what the disk refused.
    fn restore(&self, ids: Vec<ChannelId>, meta: bool) {
        let mut dirty = self.dirty.lock();
        dirty.channels.extend(ids);
        dirty.meta |= meta;
    }
}

/// Writes batches until the till is closed or gone.
async fn write(inner: std::sync::Weak<Inner>, store: Store) {
    loop {
        let Some(till) = inner.upgrade() else { return };
        let mut closing = till.closing.subscribe();
        tokio::select! {
            () = till.work.notified() => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        gather(&till).await;
        let written = write_batch(&till, &store).await;
        if *till.closing.borrow() {
            return;
        }
        drop(till);
        if !written {
            tokio::time::sleep(WRITE_RETRY).await;
        }
    }
}

/// Waits a little for more to write, unless it is urgent.
async fn gather(till: &Inner) {
    tokio::select! {
        () = tokio::time::sleep(WRITE_INTERVAL) => {}
        () = till.urgent.notified() => {}
    }
}

async fn write_batch(till: &Inner, store: &Store) -> bool {
    let Some(batch) = till.batch() else { return true };
    let ids = batch.rows.iter().map(|(id, _)| *id).collect();
    let had_meta = batch.meta.is_some();
    match store.commit(batch.rows, batch.meta).await {
        Ok(()) => {
            till.written.send_replace(batch.generation);
            true
        }
        Err(error) => {
            tracing::error!(%error, "the till could not be written; trying again");
            till.restore(ids, had_meta);
            till.work.notify_one();
            false
        }
    }
}
