//! The ledger on disk: one redb file with the state's leaves, the blocks, and how far they go.
//!
//! A block, what it changed and the new head are one write transaction: after a crash at any
//! moment the file holds the state after some block, whole. A write returns only when the
//! operating system says that the bytes are on disk.

use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use redb::{
    Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, TableDefinition,
    WriteTransaction,
};
use remuda_ledger::{Block, Change, Genesis, Header};
use remuda_types::{Canonical, Hash, Height};

use crate::StorageError;
use crate::error::RedbError;

/// The version of the file's layout.
const FORMAT: u32 = 1;

/// Memory that the file's pages may take.
const CACHE_BYTES_MAX: usize = 64 << 20;

/// The most blocks that one write removes. More than one, so that a lower retention is
/// reached; not many, so that reaching it holds nobody up.
const PRUNED_PER_BLOCK_MAX: u64 = 16;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const LEAVES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("leaves");
const BLOCKS: TableDefinition<'_, Height, &[u8]> = TableDefinition::new("blocks");
const DIGESTS: TableDefinition<'_, &[u8; 32], Height> = TableDefinition::new("digests");

const META_FORMAT: &str = "format";
const META_GENESIS: &str = "genesis";
const META_HEAD: &str = "head";

/// How many blocks are kept. The index of transactions reaches as far as the blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retention {
    /// All of them.
    #[default]
    Archive,
    /// The newest ones.
    Newest(NonZeroU64),
}

/// Opens the file (again).
pub(crate) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// What a store holds at opening.
pub(crate) struct Stored {
    pub(crate) head: Header,
    pub(crate) leaves: Vec<(Vec<u8>, Vec<u8>)>,
}

/// See the module.
pub(crate) struct Store {
    opener: Opener,
    retention: Retention,
    /// `None` while the file could not be opened again after a failure, and once closed.
    database: RwLock<Option<Database>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("retention", &self.retention).finish_non_exhaustive()
    }
}

/// Opens, or makes, the file at `path`.
pub(crate) fn file_opener(path: &Path, check: bool) -> Opener {
    let path = PathBuf::from(path);
    Box::new(move || {
        Database::builder()
            .set_cache_size(CACHE_BYTES_MAX)
            .set_check_integrity_on_open(check)
            .create(&path)
    })
}

/// Makes the file at `path`, if there is none, by `fill`ing one beside it: the path never
/// leads to a file that is only half made, whenever the power goes.
pub(crate) fn make_file(
    path: &Path,
    fill: impl FnOnce(Store) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    if path.exists() {
        return Ok(());
    }
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fill(Store::open(file_opener(&draft, false), Retention::Archive)?)?;
    // A link, unlike a rename, never replaces what another process has made meanwhile.
    match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    std::fs::remove_file(&draft)?;
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Any of redb's errors as ours.
fn from_redb<E: Into<redb::Error>>(error: E) -> StorageError {
    RedbError(error).into()
}

impl Store {
    pub(crate) fn open(opener: Opener, retention: Retention) -> Result<Self, StorageError> {
        let database = opener().map_err(from_redb)?;
        Ok(Self { opener, retention, database: RwLock::new(Some(database)) })
    }

    /// Opens the file anew: after a failed write redb refuses to go on with it.
    pub(crate) fn reopen(&self) -> Result<(), StorageError> {
        let mut database = self.database.write();
        *database = None;
        *database = Some((self.opener)().map_err(from_redb)?);
        Ok(())
    }

    pub(crate) fn close(&self) {
        *self.database.write() = None;
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        work(self.database.read().as_ref().ok_or(StorageError::Closed)?)
    }

    fn write(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        self.with(|database| {
            let mut write = database.begin_write().map_err(from_redb)?;
            write.set_durability(Durability::Immediate).map_err(from_redb)?;
            work(&write)?;
            write.commit().map_err(from_redb)
        })
    }

    /// Writes the state of height 0 into an empty store.
    pub(crate) fn begin(
        &self,
        genesis: &Genesis,
        head: &Header,
        leaves: impl Iterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Result<(), StorageError> {
        self.write(|write| {
            let mut meta = write.open_table(META).map_err(from_redb)?;
            let entries = [
                (META_FORMAT, FORMAT.to_le_bytes().to_vec()),
                (META_GENESIS, genesis.to_canonical()),
                (META_HEAD, head.to_canonical()),
            ];
            for (key, value) in entries {
                meta.insert(key, &value[..]).map_err(from_redb)?;
            }
            write.open_table(BLOCKS).map_err(from_redb)?;
            write.open_table(DIGESTS).map_err(from_redb)?;
            let leaves: Vec<_> = leaves.map(|(key, value)| (key, Some(value))).collect();
            apply_changes(write, &leaves)
        })
    }

    /// The whole state, or `None` when the store is new.
    pub(crate) fn load(&self, genesis: &Genesis) -> Result<Option<Stored>, StorageError> {
        self.with(|database| {
            let read = database.begin_read().map_err(from_redb)?;
            let meta = match read.open_table(META) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                other => other.map_err(from_redb)?,
            };
            check_format(&meta)?;
            check_genesis(&meta, genesis)?;
            let leaves = read.open_table(LEAVES).map_err(from_redb)?;
            let leaves = leaves
                .iter()
                .map_err(from_redb)?
                .map(|entry| entry.map(|(key, value)| (key.value().into(), value.value().into())))
                .collect::<Result<_, _>>()
                .map_err(from_redb)?;
            Ok(Some(Stored { head: read_head(&meta)?, leaves }))
        })
    }

    /// Writes a block with all that it changed. A block that is on disk already is left
    /// alone, so that writing it again is harmless.
    pub(crate) fn commit(&self, block: &Block, changes: &[Change]) -> Result<(), StorageError> {
        let height = block.header.height;
        self.write(|write| {
            let mut meta = write.open_table(META).map_err(from_redb)?;
            let stored = read_head(&meta)?;
            if stored == block.header {
                return Ok(());
            }
            if stored.height + 1 != height {
                let detail = format!("block {height} does not follow the stored {}", stored.height);
                return Err(StorageError::Corrupt { detail });
            }
            meta.insert(META_HEAD, &block.header.to_canonical()[..]).map_err(from_redb)?;
            apply_changes(write, changes)?;
            insert_block(write, block)?;
            self.prune(write, height)
        })
    }

    fn prune(&self, write: &WriteTransaction, head: Height) -> Result<(), StorageError> {
        let Retention::Newest(kept) = self.retention else { return Ok(()) };
        let mut blocks = write.open_table(BLOCKS).map_err(from_redb)?;
        let mut digests = write.open_table(DIGESTS).map_err(from_redb)?;
        for _ in 0..PRUNED_PER_BLOCK_MAX {
            let Some((oldest, block)) = blocks
                .first()
                .map_err(from_redb)?
                .map(|(height, bytes)| (height.value(), decode_block(bytes.value())))
            else {
                return Ok(());
            };
            if oldest + kept.get() > head {
                return Ok(());
            }
            for transaction in block?.transactions {
                let digest = crate::transaction_digest(&transaction);
                digests.remove(&digest.0).map_err(from_redb)?;
            }
            blocks.remove(oldest).map_err(from_redb)?;
        }
        Ok(())
    }

    /// Blocks from `from` on: at most `limit`, and no more bytes than `bytes_max` unless the
    /// first alone has more.
    pub(crate) fn blocks(
        &self,
        from: Height,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Vec<Block>, StorageError> {
        let from = from.max(1);
        self.with(|database| {
            let read = database.begin_read().map_err(from_redb)?;
            let table = read.open_table(BLOCKS).map_err(from_redb)?;
            if let Some((oldest, _)) = table.first().map_err(from_redb)?
                && oldest.value() > from
            {
                return Err(StorageError::Pruned { oldest: oldest.value() });
            }
            let (mut blocks, mut bytes) = (Vec::new(), 0);
            for entry in table.range(from..).map_err(from_redb)?.take(limit) {
                let (_, block) = entry.map_err(from_redb)?;
                bytes += block.value().len();
                if bytes > bytes_max && !blocks.is_empty() {
                    break;
                }
                blocks.push(decode_block(block.value())?);
            }
            Ok(blocks)
        })
    }

    /// The block that holds the transaction with this digest.
    pub(crate) fn block_of(&self, digest: &Hash) -> Result<Option<Block>, StorageError> {
        self.with(|database| {
            let read = database.begin_read().map_err(from_redb)?;
            let digests = read.open_table(DIGESTS).map_err(from_redb)?;
            let Some(height) = digests.get(&digest.0).map_err(from_redb)? else {
                return Ok(None);
            };
            let blocks = read.open_table(BLOCKS).map_err(from_redb)?;
            let block = blocks.get(height.value()).map_err(from_redb)?;
            let block =
                block.ok_or_else(|| StorageError::corrupt("an indexed block is missing"))?;
            decode_block(block.value()).map(Some)
        })
    }
}

fn apply_changes(write: &WriteTransaction, changes: &[Change]) -> Result<(), StorageError> {
    let mut leaves = write.open_table(LEAVES).map_err(from_redb)?;
    for (key, value) in changes {
        match value {
            Some(value) => leaves.insert(&key[..], &value[..]).map_err(from_redb)?,
            None => leaves.remove(&key[..]).map_err(from_redb)?,
        };
    }
    Ok(())
}

fn insert_block(write: &WriteTransaction, block: &Block) -> Result<(), StorageError> {
    let height = block.header.height;
    let mut digests = write.open_table(DIGESTS).map_err(from_redb)?;
    for (transaction, outcome) in block.transactions.iter().zip(&block.outcomes) {
        // One that did not consume its nonce may still come to something in a later block.
        if outcome.result().is_err_and(|error| error.is_inadmissible()) {
            continue;
        }
        let digest = crate::transaction_digest(transaction);
        digests.insert(&digest.0, height).map_err(from_redb)?;
    }
    let mut blocks = write.open_table(BLOCKS).map_err(from_redb)?;
    blocks.insert(height, &block.to_canonical()[..]).map_err(from_redb)?;
    Ok(())
}

fn decode_block(bytes: &[u8]) -> Result<Block, StorageError> {
    Block::from_canonical(bytes).map_err(StorageError::corrupt)
}

fn read_meta(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &str,
) -> Result<Vec<u8>, StorageError> {
    let value = meta.get(key).map_err(from_redb)?;
    let value = value.ok_or_else(|| StorageError::corrupt(format!("no {key}")))?;
    Ok(value.value().to_vec())
}

fn read_head(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Header, StorageError> {
    Header::from_canonical(&read_meta(meta, META_HEAD)?).map_err(StorageError::corrupt)
}

fn check_format(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<(), StorageError> {
    let bytes = read_meta(meta, META_FORMAT)?;
    let bytes = bytes.try_into().map_err(|_| StorageError::corrupt("the format is no number"))?;
    match u32::from_le_bytes(bytes) {
        FORMAT => Ok(()),
        found => Err(StorageError::Format { found, supported: FORMAT }),
    }
}

fn check_genesis(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
    genesis: &Genesis,
) -> Result<(), StorageError> {
    let stored =
        Genesis::from_canonical(&read_meta(meta, META_GENESIS)?).map_err(StorageError::corrupt)?;
    if stored == *genesis {
        return Ok(());
    }
    Err(StorageError::OtherNetwork { expected: genesis.network(), found: stored.network() })
}
