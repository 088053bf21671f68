//! `kill -9` at random moments: a validator in a process of its own writes transfers in a
//! loop, is killed again and again, and nothing that it acknowledged may be missing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use remuda_chain::{LedgerClient, LedgerClientExt, Signer, Validator, ValidatorConfig};
use remuda_ledger::Ledger;
use remuda_types::Hash;
use support::{ACCOUNTS, TOKENS, genesis, key, to};
use tokio::task::JoinSet;

/// Tells the child which store to write to.
const STORE: &str = "REMUDA_TEST_CRASH_STORE";
const KILLS: u32 = 24;
const SEED: u64 = 2;
/// How many keys write at once.
const WRITERS: u8 = 4;
const ACKNOWLEDGED: &str = "acknowledged ";

/// Not a test of its own: the process that is killed. It does nothing unless it is told to.
#[test]
fn writer_process() {
    let Some(store) = std::env::var_os(STORE) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(write_for_ever(Path::new(&store)));
}

async fn write_for_ever(store: &Path) {
    let validator = Validator::open(ValidatorConfig::new(store, genesis())).await.unwrap();
    let mut writers = JoinSet::new();
    for number in 1..=WRITERS {
        let signer = Signer::new(Arc::new(validator.clone()), key(number));
        writers.spawn(write(signer, number));
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
}

async fn write(signer: Signer, number: u8) {
    loop {
        let included = signer.send(to((number + 1) % ACCOUNTS, 1)).await.unwrap();
        let line = format!("{ACKNOWLEDGED}{}\n", included.digest);
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}

fn start(store: &Path) -> (Child, Receiver<Hash>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer_process", "--nocapture"])
        .env(STORE, store)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let digest = line.strip_prefix(ACKNOWLEDGED).and_then(|text| text.parse().ok());
            if let Some(digest) = digest {
                let _ = sender.send(digest);
            }
        }
    });
    (child, receiver)
}

/// Runs the writer, kills it at a random moment, and returns what it acknowledged. Every
/// other time the moment may be before the store is open, or made.
fn run_and_kill(store: &Path, random: &mut StdRng, round: u32) -> Vec<Hash> {
    let (mut child, receiver) = start(store);
    let mut acknowledged = Vec::new();
    if round.is_multiple_of(2) {
        acknowledged.extend(receiver.recv_timeout(Duration::from_secs(60)));
    }
    std::thread::sleep(Duration::from_micros(random.random_range(0..60_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(receiver);
    acknowledged
}

/// Opens the store and checks everything that must hold in it. `replayed` goes on from the
/// blocks of the rounds before.
async fn check(store: &Path, acknowledged: &[Hash], replayed: &mut Ledger) {
    let validator = Validator::open(ValidatorConfig::new(store, genesis())).await.unwrap();
    loop {
        let blocks = validator.blocks(replayed.head().height + 1, 1_000).await.unwrap();
        if blocks.is_empty() {
            break;
        }
        for block in &blocks {
            replayed.replay(block).unwrap();
        }
    }
    assert_eq!(*replayed.head(), validator.head().await.unwrap(), "replay gives the same root");
    for digest in acknowledged {
        let found = validator.lookup(*digest).await.unwrap().expect("acknowledged, then lost");
        assert!(found.outcome.is_applied());
    }
    let supply = validator.supply().await.unwrap();
    assert_eq!(supply.tokens.0, TOKENS.0 * u128::from(ACCOUNTS));
    validator.close().await;
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("ledger.redb");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut random = StdRng::seed_from_u64(SEED);
    let mut replayed = Ledger::new(&genesis()).unwrap();
    let mut total = 0;
    for round in 1..=KILLS {
        let acknowledged = run_and_kill(&store, &mut random, round);
        total += acknowledged.len();
        runtime.block_on(check(&store, &acknowledged, &mut replayed));
    }
    replayed.audit().unwrap();
    assert!(total > 0 && replayed.head().height > 0);
    println!("{KILLS} kills, {total} acknowledged, height {}", replayed.head().height);
}
