//! Keeps what the gateway's jobs ended with: found by receipt, job or order.
//!
//! A record can be read as soon as it is put, and is on disk within [`GROUP_COMMIT`] plus one
//! sync of the disk: one writer gathers records and commits them together, off the path of
//! the request. A record holds no prompt and no output, only what both sides signed.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use parking_lot::Mutex;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use remuda_client::{JobReport, ReportHook};
use remuda_types::{Canonical, Credits, FinalReceipt, Hash, JobId, OrderId};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::Notify;

/// How many records are kept; the oldest go first.
const RECORDS_MAX: u64 = 1_000_000;

/// How long a record waits for others before they are written together.
const GROUP_COMMIT: Duration = Duration::from_millis(500);

/// The most records that wait for the disk. When it fails for long, the oldest are given up.
const UNWRITTEN_MAX: usize = 16_384;

/// The most records of one commit.
const COMMIT_MAX: usize = 1_024;

/// How long the writer waits after a failed commit.
const COMMIT_RETRY: Duration = Duration::from_secs(1);

/// The store's file in the gateway's folder.
const FILE_NAME: &str = "receipts.redb";

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
const NAMES: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("names");

/// What one job ended with.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct ReceiptRecord {
    /// The order.
    pub order: OrderId,
    /// The job that served it.
    pub job: JobId,
    /// What all attempts together cost, in micro-dollars.
    pub amount: Credits,
    /// One receipt for each paid attempt, in their order.
    pub receipts: Vec<FinalReceipt>,
}

impl Canonical for ReceiptRecord {
    const DOMAIN: &'static str = "remuda/gateway-record/1";
}

impl From<&JobReport> for ReceiptRecord {
    fn from(report: &JobReport) -> Self {
        let JobReport { order, job, amount, receipts, .. } = report;
        Self { order: *order, job: *job, amount: *amount, receipts: receipts.clone() }
    }
}

impl ReceiptRecord {
    /// Every name by which the record is kept. An order whose job's name follows from its own
    /// needs none: each name costs a place in the index.
    fn names(&self) -> impl Iterator<Item = Hash> + '_ {
        let receipts = self.receipts.iter().map(|receipt| receipt.receipt.body.id().0);
        let order = (JobId::derive(&self.order) != self.job).then_some(self.order.0);
        order.into_iter().chain([self.job.0]).chain(receipts)
    }
}

/// Why the store of receipts cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReceiptsError {
    /// The file cannot be opened, read or written.
    #[error("the store of receipts cannot be used: {0}; check the disk and the file's owner")]
    Store(#[from] redb::Error),
    /// A stored record does not decode.
    #[error("a stored receipt is damaged: {0}")]
    Damaged(#[from] remuda_types::CodecError),
}

impl ReceiptsError {
    /// The stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "receipts_store",
            Self::Damaged(_) => "receipt_damaged",
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {
        $(impl From<$error> for ReceiptsError {
            fn from(error: $error) -> Self {
                Self::Store(error.into())
            }
        })*
    };
}

from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);

/// The gateway's receipts. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Receipts {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    database: Database,
    records_max: u64,
    unwritten: Mutex<Unwritten>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Unwritten {
    queue: VecDeque<Arc<ReceiptRecord>>,
    by_name: HashMap<Hash, Arc<ReceiptRecord>>,
    failing: Option<String>,
    lost: u64,
}

impl Receipts {
    /// Opens the store in the folder `home`, or makes both.
    ///
    /// # Errors
    /// [`ReceiptsError`], also when another gateway has it open.
    pub fn open(home: &Path) -> Result<Self, ReceiptsError> {
        Self::open_bounded(home, RECORDS_MAX)
    }

    fn open_bounded(home: &Path, records_max: u64) -> Result<Self, ReceiptsError> {
        std::fs::create_dir_all(home).map_err(redb::StorageError::Io)?;
        let database = Database::create(home.join(FILE_NAME))?;
        let transaction = database.begin_write()?;
        transaction.open_table(RECORDS)?;
        transaction.open_table(NAMES)?;
        transaction.commit()?;
        let unwritten = Mutex::default();
        let shared = Shared { database, records_max, unwritten, changed: Notify::new() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Keeps a record. It can be found at once, and is written soon.
    pub fn put(&self, record: ReceiptRecord) {
        let record = Arc::new(record);
        let mut unwritten = self.shared.unwritten.lock();
        if unwritten.queue.len() >= UNWRITTEN_MAX {
            let oldest = unwritten.queue.pop_front();
            oldest.iter().for_each(|oldest| unwritten.forget(oldest));
            unwritten.lost += 1;
        }
        for name in record.names() {
            unwritten.by_name.insert(name, record.clone());
        }
        unwritten.queue.push_back(record);
        drop(unwritten);
        self.shared.changed.notify_one();
    }

    /// Takes in the reports of jobs whose buyer went away: what they paid is receipted, too.
    #[must_use]
    pub fn report_hook(&self) -> ReportHook {
        let receipts = self.clone();
        Arc::new(move |report| receipts.put(ReceiptRecord::from(&report)))
    }

    /// The record of a receipt, job or order. Reads the disk: call it where blocking is fine.
    ///
    /// # Errors
    /// [`ReceiptsError`].
    pub fn find(&self, name: &Hash) -> Result<Option<ReceiptRecord>, ReceiptsError> {
        match self.find_kept(name)? {
            Some(record) => Ok(Some(record)),
            None => self.find_kept(&JobId::derive(&OrderId(*name)).0),
        }
    }

    fn find_kept(&self, name: &Hash) -> Result<Option<ReceiptRecord>, ReceiptsError> {
        if let Some(record) = self.shared.unwritten.lock().by_name.get(name) {
            return Ok(Some(ReceiptRecord::clone(record)));
        }
        let transaction = self.shared.database.begin_read()?;
        let Some(number) = transaction.open_table(NAMES)?.get(name.as_bytes())? else {
            return Ok(None);
        };
        match transaction.open_table(RECORDS)?.get(number.value())? {
            None => Ok(None),
            Some(bytes) => Ok(Some(ReceiptRecord::from_canonical(bytes.value())?)),
        }
    }

    /// Why the last commit failed, while it keeps failing.
    #[must_use]
    pub fn failing(&self) -> Option<String> {
        self.shared.unwritten.lock().failing.clone()
    }

    /// How many records were given up because the disk failed for long.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.unwritten.lock().lost
    }

    /// Writes until `stop` resolves, then once more.
    pub(crate) async fn write_until(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = self.shared.changed.notified() => {}
                () = &mut stop => break,
            }
            tokio::select! {
                () = tokio::time::sleep(GROUP_COMMIT) => {}
                () = &mut stop => break,
            }
            if !self.flush().await {
                tokio::select! {
                    () = tokio::time::sleep(COMMIT_RETRY) => self.shared.changed.notify_one(),
                    () = &mut stop => break,
                }
            }
        }
        self.flush().await;
    }

    /// Writes what waits. False when the disk failed; it waits on then.
    async fn flush(&self) -> bool {
        let receipts = self.clone();
        let flushed = tokio::task::spawn_blocking(move || receipts.flush_blocking()).await;
        flushed.unwrap_or(false)
    }

    fn flush_blocking(&self) -> bool {
        loop {
            let batch: Vec<_> =
                self.shared.unwritten.lock().queue.iter().take(COMMIT_MAX).cloned().collect();
            if batch.is_empty() {
                return true;
            }
            let committed = self.shared.commit(&batch);
            let mut unwritten = self.shared.unwritten.lock();
            if let Err(error) = committed {
                tracing::error!(%error, waiting = unwritten.queue.len(), "receipts not written");
                unwritten.failing = Some(error.to_string());
                return false;
            }
            unwritten.failing = None;
            unwritten.remove(&batch);
        }
    }
}

impl Unwritten {
    fn forget(&mut self, record: &Arc<ReceiptRecord>) {
        for name in record.names() {
            // A later record of the same job may have taken the name over.
            if self.by_name.get(&name).is_some_and(|found| Arc::ptr_eq(found, record)) {
                self.by_name.remove(&name);
            }
        }
    }

    fn remove(&mut self, written: &[Arc<ReceiptRecord>]) {
        for record in written {
            // The front may have been given up meanwhile.
            if self.queue.front().is_some_and(|front| Arc::ptr_eq(front, record)) {
                self.queue.pop_front();
            }
            self.forget(record);
        }
    }
}

impl Shared {
    fn commit(&self, batch: &[Arc<ReceiptRecord>]) -> Result<(), ReceiptsError> {
        let transaction = self.database.begin_write()?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            let mut names = transaction.open_table(NAMES)?;
            let first = records.last()?.map_or(0, |(last, _)| last.value() + 1);
            for (number, record) in (first..).zip(batch) {
                records.insert(number, record.to_canonical().as_slice())?;
                for name in record.names() {
                    names.insert(name.as_bytes(), number)?;
                }
            }
            while records.len()? > self.records_max {
                let Some((number, bytes)) = records.pop_first()? else { break };
                let oldest = ReceiptRecord::from_canonical(bytes.value());
                let number = number.value();
                drop(bytes);
                for name in oldest.iter().flat_map(ReceiptRecord::names) {
                    let stale = names.get(name.as_bytes())?.is_some_and(|at| at.value() == number);
                    if stale {
                        names.remove(name.as_bytes())?;
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u8) -> ReceiptRecord {
        let (order, job) = (OrderId(Hash([number; 32])), JobId(Hash([number + 100; 32])));
        ReceiptRecord { order, job, amount: Credits(u64::from(number)), receipts: Vec::new() }
    }

    #[test]
    fn a_record_is_found_before_and_after_it_is_written() {
        let home = tempfile::tempdir().unwrap();
        let receipts = Receipts::open(home.path()).unwrap();
        receipts.put(record(1));
        for written in [false, true] {
            assert_eq!(receipts.shared.unwritten.lock().queue.is_empty(), written);
            assert_eq!(receipts.find(&record(1).job.0).unwrap(), Some(record(1)));
            assert_eq!(receipts.find(&record(1).order.0).unwrap(), Some(record(1)));
            assert!(receipts.flush_blocking());
        }
        drop(receipts);
        let again = Receipts::open(home.path()).unwrap();
        assert_eq!(again.find(&record(1).job.0).unwrap(), Some(record(1)));
        assert_eq!(again.find(&record(2).job.0).unwrap(), None);
    }

    #[test]
    fn an_order_is_found_by_the_job_that_follows_from_it() {
        let home = tempfile::tempdir().unwrap();
        let receipts = Receipts::open(home.path()).unwrap();
        let derived = ReceiptRecord { job: JobId::derive(&record(1).order), ..record(1) };
        assert_eq!(derived.names().count(), 1);
        receipts.put(derived.clone());
        for written in [false, true] {
            assert_eq!(receipts.shared.unwritten.lock().queue.is_empty(), written);
            assert_eq!(receipts.find(&derived.order.0).unwrap(), Some(derived.clone()));
            assert_eq!(receipts.find(&derived.job.0).unwrap(), Some(derived.clone()));
            assert!(receipts.flush_blocking());
        }
    }

    #[test]
    fn the_oldest_records_go_first() {
        let home = tempfile::tempdir().unwrap();
        let receipts = Receipts::open_bounded(home.path(), 3).unwrap();
        for number in 1..=5 {
            receipts.put(record(number));
            assert!(receipts.flush_blocking());
        }
        for number in 1..=5 {
            let found = receipts.find(&record(number).job.0).unwrap();
            assert_eq!(found, (number > 2).then(|| record(number)), "{number}");
        }
    }

    #[test]
    fn a_name_belongs_to_its_latest_record() {
        let home = tempfile::tempdir().unwrap();
        let receipts = Receipts::open_bounded(home.path(), 1).unwrap();
        let later = ReceiptRecord { amount: Credits(9), ..record(1) };
        receipts.put(record(1));
        receipts.put(later.clone());
        assert_eq!(receipts.find(&later.job.0).unwrap(), Some(later.clone()));
        // The first record goes, and its names stay with the second.
        assert!(receipts.flush_blocking());
        assert_eq!(receipts.find(&later.job.0).unwrap(), Some(later));
    }

    #[test]
    fn what_waits_for_the_disk_is_bounded() {
        let home = tempfile::tempdir().unwrap();
        let receipts = Receipts::open(home.path()).unwrap();
        let numbered = |number: usize| {
            let hash = Hash::of_content(&number.to_le_bytes());
            ReceiptRecord { order: OrderId(hash), job: JobId(hash), ..record(0) }
        };
        for number in 0..=UNWRITTEN_MAX {
            receipts.put(numbered(number));
        }
        assert_eq!(receipts.lost(), 1);
        assert_eq!(receipts.find(&numbered(0).job.0).unwrap(), None);
        assert!(receipts.find(&numbered(1).job.0).unwrap().is_some());
    }
}
