//! Tests over a simulated disk that can lose power at any write, keep any part of what was
//! not synced, and be full.

use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use redb::{Database, StorageBackend};
use remuda_ledger::{Answer, Block, Query};

use crate::machine::{ExecuteError, Machine};
use crate::store::{Opener, Store};
use crate::support::{self, ACCOUNTS, TOKENS, genesis, replay, signed};
use crate::{
    LedgerClient, LedgerClientExt, Retention, StorageError, Validator, ValidatorConfig,
    transaction_digest,
};

/// The unit in which a write can be torn, in bytes.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// What a sync has brought to safety.
    safe: Vec<u8>,
    /// What the process sees.
    seen: Vec<u8>,
    unsynced: Vec<Write>,
    /// Power fails after so many more operations.
    power_left: Option<u64>,
    full: bool,
    /// The next sync does its work and then says that it failed.
    answer_lost: bool,
}

#[derive(Clone, Debug)]
enum Write {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

fn put(image: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if image.len() < offset + data.len() {
        image.resize(offset + data.len(), 0);
    }
    image[offset..offset + data.len()].copy_from_slice(data);
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

impl Platter {
    fn work(&mut self) -> io::Result<()> {
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match &mut self.power_left {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The power comes back: of what was not synced, any part in any order of arrival may
    /// have reached the disk, down to single sectors.
    fn restart(&mut self, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        for write in std::mem::take(&mut self.unsynced) {
            match write {
                Write::Length(length) if random.random() => self.safe.resize(length, 0),
                Write::Length(_) => {}
                Write::Bytes(offset, data) => {
                    for (number, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                        if random.random() {
                            put(&mut self.safe, offset + number * SECTOR_BYTES, sector);
                        }
                    }
                }
            }
        }
        self.seen = self.safe.clone();
        self.power_left = None;
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock();
        let end = place(offset) + out.len();
        let bytes = platter.seen.get(place(offset)..end);
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.work()?;
        platter.seen.resize(place(len), 0);
        platter.unsynced.push(Write::Length(place(len)));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.work()?;
        platter.safe = platter.seen.clone();
        platter.unsynced.clear();
        if std::mem::take(&mut platter.answer_lost) {
            return Err(io::Error::other("the answer was lost"));
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.work()?;
        put(&mut platter.seen, place(offset), data);
        platter.unsynced.push(Write::Bytes(place(offset), data.to_vec()));
        Ok(())
    }
}

impl Disk {
    fn opener(&self) -> Opener {
        let disk = self.clone();
        Box::new(move || {
            Database::builder().set_cache_size(1 << 20).create_with_backend(disk.clone())
        })
    }

    fn machine(&self, retention: Retention) -> Result<Machine, StorageError> {
        Machine::open(Store::open(self.opener(), retention)?, genesis())
    }
}

/// Block number `height` of the test's chain: transfers between accounts in turn.
fn execute(machine: &Machine, height: u64) -> Result<Block, ExecuteError> {
    let from = u8::try_from(height % u64::from(ACCOUNTS - 1)).unwrap();
    let nonce = machine.next_nonce(&support::key(from).public());
    let transfers: Vec<_> =
        (0..3).map(|more| signed(from, nonce + more, support::to(7, 1))).collect();
    machine.execute(1_000 + height, &transfers)
}

fn all_blocks(machine: &Machine) -> Vec<Block> {
    let (mut blocks, mut from) = (Vec::new(), 1);
    loop {
        let more = machine.blocks(from, 1_000).unwrap();
        if more.is_empty() {
            return blocks;
        }
        from += more.len() as u64;
        blocks.extend(more);
    }
}

fn assert_whole(machine: &Machine) {
    let replayed = replay(&genesis(), &all_blocks(machine));
    assert_eq!(*replayed.head(), machine.head());
    let Answer::Supply(supply) = machine.query(&Query::Supply) else { panic!("no supply") };
    assert_eq!(supply.tokens.0, TOKENS.0 * u128::from(ACCOUNTS));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Power fails after any number of operations, again and again, also while the store is
    /// being repaired: nothing acknowledged is lost, and what is there is whole.
    #[test]
    fn nothing_acknowledged_is_lost_with_the_power(
        cuts in prop::collection::vec((0u64..140, any::<u64>()), 1..4),
    ) {
        let disk = Disk::default();
        disk.machine(Retention::Archive).unwrap();
        let mut acknowledged = 0;
        for (power, seed) in cuts {
            disk.0.lock().power_left = Some(power);
            if let Ok(machine) = disk.machine(Retention::Archive) {
                prop_assert!(machine.head().height >= acknowledged);
                while let Ok(block) = execute(&machine, machine.head().height) {
                    acknowledged = block.header.height;
                    machine.catch_up();
                }
            }
            disk.0.lock().restart(seed);
            let machine = disk.machine(Retention::Archive).unwrap();
            let height = machine.head().height;
            prop_assert!(height == acknowledged || height == acknowledged + 1);
            acknowledged = height;
            assert_whole(&machine);
        }
    }
}

#[test]
fn readers_see_nothing_that_is_not_on_disk() {
    let disk = Disk::default();
    let machine = disk.machine(Retention::Archive).unwrap();
    execute(&machine, 0).unwrap();
    let before = machine.head();
    disk.0.lock().full = true;
    let error = execute(&machine, 1).unwrap_err();
    assert!(matches!(error, ExecuteError::Storage(StorageError::Full { .. })), "{error}");
    assert_eq!(machine.head(), before);
    assert_eq!(*machine.heads().borrow(), before);
}

#[test]
fn a_block_that_is_on_disk_although_its_write_failed_is_found_again() {
    let disk = Disk::default();
    let machine = disk.machine(Retention::Archive).unwrap();
    execute(&machine, 0).unwrap();
    disk.0.lock().answer_lost = true;
    let error = execute(&machine, 1).unwrap_err();
    assert!(matches!(error, ExecuteError::Storage(StorageError::Io { .. })), "{error}");
    let block = machine.blocks(2, 1).unwrap().remove(0);
    assert_eq!(machine.head(), block.header);
    let found = machine.lookup(&transaction_digest(&block.transactions[0])).unwrap().unwrap();
    assert_eq!((found.height, found.outcome), (2, block.outcomes[0].clone()));
    execute(&machine, 2).unwrap();
    assert_whole(&machine);
}

#[test]
fn blocks_beyond_the_retention_go_and_say_so() {
    let disk = Disk::default();
    let kept = Retention::Newest(NonZeroU64::new(4).unwrap());
    let machine = disk.machine(kept).unwrap();
    let first = execute(&machine, 0).unwrap();
    let digest = transaction_digest(&first.transactions[0]);
    assert!(machine.lookup(&digest).unwrap().is_some());
    for height in 1..10 {
        execute(&machine, height).unwrap();
    }
    assert_eq!(machine.lookup(&digest).unwrap(), None);
    assert_eq!(machine.blocks(1, 10).unwrap_err(), StorageError::Pruned { oldest: 7 });
    assert_eq!(machine.blocks(7, 10).unwrap().len(), 4);
    assert_eq!(machine.blocks(8, 2).unwrap().len(), 2);
    assert!(machine.blocks(11, 10).unwrap().is_empty());
}

#[test]
fn a_leaf_that_was_tampered_with_is_noticed() {
    let disk = Disk::default();
    execute(&disk.machine(Retention::Archive).unwrap(), 0).unwrap();
    let leaves = redb::TableDefinition::<&[u8], &[u8]>::new("leaves");
    let database = disk.opener()().unwrap();
    let write = database.begin_write().unwrap();
    let removed = write.open_table(leaves).unwrap().pop_last().unwrap().is_some();
    assert!(removed);
    write.commit().unwrap();
    drop(database);
    let error = disk.machine(Retention::Archive).unwrap_err();
    assert_eq!(error.code(), "store_corrupt");
}

#[tokio::test]
async fn a_full_disk_acknowledges_nothing_serves_reads_and_recovers() {
    let disk = Disk::default();
    let config = ValidatorConfig::new("", genesis());
    let validator = Validator::open_with(disk.opener(), config).await.unwrap();
    validator.submit(signed(1, 0, support::to(2, 5))).await.unwrap();

    disk.0.lock().full = true;
    let stuck = signed(1, 1, support::to(2, 5));
    let error = validator.submit(stuck.clone()).await.unwrap_err();
    assert_eq!(error.code(), "store_full");
    assert!(error.is_retryable() && error.is_outcome_unknown());
    assert_eq!(validator.head().await.unwrap().height, 1);
    assert_eq!(validator.account(support::account(2)).await.unwrap().tokens.0, TOKENS.0 + 5);

    disk.0.lock().full = false;
    let included = loop {
        match validator.submit(stuck.clone()).await {
            Err(error) => assert_eq!(error.code(), "store_full"),
            Ok(included) => break included,
        }
    };
    assert_eq!(included.height, 2);
    assert_eq!(validator.submit(stuck).await, Ok(included), "once, however often submitted");
    assert_eq!(validator.account(support::account(2)).await.unwrap().tokens.0, TOKENS.0 + 10);
    validator.close().await;
}
