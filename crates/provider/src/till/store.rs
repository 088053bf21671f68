//! The till's file: one row a channel, one row for the provider itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use remuda_ledger::Channel;
use remuda_types::{Canonical, ChannelId, Credits, Hash, NetworkId, Signed, TimestampMs, Voucher};

use crate::error::StartError;

/// The file's name in the home folder.
const FILE_NAME: &str = "provider.redb";
const CHANNELS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("channels/1");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta/1");
const META_KEY: &str = "provider";

/// What the disk keeps of a channel.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Record {
    /// What the ledger said last.
    pub(super) channel: Channel,
    /// When it said so.
    pub(super) checked_at: TimestampMs,
    /// Earned by ended jobs.
    pub(super) ended: Credits,
    /// Sequence numbers below this may have been used.
    pub(super) sequence: u64,
    /// The best voucher.
    pub(super) voucher: Option<Signed<Voucher>>,
    /// When a job last ran.
    pub(super) used_at: TimestampMs,
}

impl Canonical for Record {
    const DOMAIN: &'static str = "remuda/provider/channel-record/1";
}

/// What the disk keeps of the provider itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Meta {
    /// The network whose channels these are.
    pub(super) network: Option<NetworkId>,
    /// Whether the owner paused it.
    pub(super) paused: bool,
    /// Redeemed from channels that are no longer kept.
    pub(super) redeemed: Credits,
}

impl Canonical for Meta {
    const DOMAIN: &'static str = "remuda/provider/meta/1";
}

/// What an earlier life left.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) records: Vec<(ChannelId, Record)>,
    pub(super) meta: Meta,
}

/// The open file.
#[derive(Clone)]
pub(super) struct Store {
    database: Arc<Database>,
}

impl Store {
    pub(super) async fn open(home: &Path) -> Result<(Self, Content), StartError> {
        let path = home.join(FILE_NAME);
        let opening = path.clone();
        let opened = tokio::task::spawn_blocking(move || open(&opening)).await;
        opened.unwrap_or_else(|error| Err(till_error(&path, error)))
    }

    /// Writes rows (`None` removes one) and the provider's own row in one transaction that is
    /// on disk when this returns.
    pub(super) async fn commit(
        &self,
        rows: Vec<(ChannelId, Option<Record>)>,
        meta: Option<Meta>,
    ) -> Result<(), String> {
        let database = Arc::clone(&self.database);
        let commit =
            move || commit(&database, &rows, meta.as_ref()).map_err(|error| error.to_string());
        let committed = tokio::task::spawn_blocking(commit).await;
        committed.unwrap_or_else(|error| Err(error.to_string()))
    }
}

// Used with errors as they come, by value.
#[expect(clippy::needless_pass_by_value)]
fn till_error(path: &Path, reason: impl ToString) -> StartError {
    StartError::Till { path: path.to_owned(), reason: reason.to_string() }
}

fn open(path: &PathBuf) -> Result<(Store, Content), StartError> {
    if let Some(home) = path.parent() {
        std::fs::create_dir_all(home).map_err(|error| till_error(path, error))?;
    }
    let database = Database::create(path).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => StartError::InUse(path.clone()),
        other => till_error(path, other),
    })?;
    let content = read(&database).map_err(|error| till_error(path, error))?;
    Ok((Store { database: Arc::new(database) }, content))
}

fn read(database: &Database) -> Result<Content, Box<dyn std::error::Error + Send + Sync>> {
    // Creates the tables, so that reading finds them.
    let transaction = database.begin_write()?;
    transaction.open_table(CHANNELS)?;
    transaction.open_table(META)?;
    transaction.commit()?;
    let transaction = database.begin_read()?;
    let mut content = Content::default();
    if let Some(bytes) = transaction.open_table(META)?.get(META_KEY)? {
        content.meta = Meta::from_canonical(bytes.value())?;
    }
    for row in transaction.open_table(CHANNELS)?.iter()? {
        let (key, bytes) = row?;
        let record = Record::from_canonical(bytes.value())?;
        content.records.push((ChannelId(Hash(*key.value())), record));
    }
    Ok(content)
}

fn commit(
    database: &Database,
    rows: &[(ChannelId, Option<Record>)],
    meta: Option<&Meta>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut channels = transaction.open_table(CHANNELS)?;
        for (id, record) in rows {
            match record {
                Some(record) => drop(channels.insert(id.0.as_bytes(), &record.to_canonical()[..])?),
                None => drop(channels.remove(id.0.as_bytes())?),
            }
        }
    }
    if let Some(meta) = meta {
        transaction.open_table(META)?.insert(META_KEY, &meta.to_canonical()[..])?;
    }
    transaction.commit()?;
    Ok(())
}
