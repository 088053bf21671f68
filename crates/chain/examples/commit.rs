//! Measures how fast blocks are made: `cargo run -p remuda-chain --example commit [DIR]`.
//!
//! Prints the rate of the pure state machine with its signature checks, and of durable blocks
//! of 1, 100 and 1,000 transactions. DIR is where the store is written; the system's directory
//! for temporary files, which may be memory, unless given.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remuda_chain::{LedgerClient, Validator, ValidatorConfig};
use remuda_ledger::{
    Action, Economy, Genesis, GenesisAccount, Ledger, Parameters, SignedTransaction, Transaction,
};
use remuda_types::{Credits, SecretKey, Signed, Tokens};

/// How many keys send.
const KEYS: u32 = 1_000;
/// How many blocks of each size are made.
const BLOCKS: u32 = 50;

fn key(number: u32) -> SecretKey {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_le_bytes());
    SecretKey::from_seed(seed)
}

fn genesis(keys: &[SecretKey]) -> Genesis {
    let accounts = keys
        .iter()
        .map(|key| GenesisAccount {
            account: key.public().into(),
            tokens: Tokens(1 << 40),
            credits: Credits::ZERO,
        })
        .collect();
    let grantor = keys[0].public();
    Genesis {
        name: "bench".into(),
        time: 0,
        grantor,
        accounts,
        roles: std::collections::BTreeMap::new(),
        parameters: Parameters::default(),
        economy: Economy::default(),
    }
}

/// One transfer of each of the first `count` keys.
fn transfers(genesis: &Genesis, keys: &[SecretKey], nonce: u64) -> Vec<SignedTransaction> {
    let to = keys[0].public().into();
    let action = Action::Transfer { to, amount: Tokens(1) };
    keys.iter()
        .map(|key| {
            let body = Transaction { network: genesis.network(), nonce, action: action.clone() };
            Signed::sign(body, key)
        })
        .collect()
}

fn measure_pure(genesis: &Genesis, keys: &[SecretKey]) {
    let mut ledger = Ledger::new(genesis).unwrap();
    let rounds = 10;
    let batches: Vec<_> = (0..rounds).map(|nonce| transfers(genesis, keys, nonce)).collect();
    let start = Instant::now();
    for batch in &batches {
        ledger.apply(0, batch).unwrap();
    }
    let with = start.elapsed();
    let start = Instant::now();
    for transaction in batches.iter().flatten() {
        transaction.verify().unwrap();
    }
    let single = start.elapsed();
    let count = f64::from(KEYS) * f64::from(u32::try_from(rounds).unwrap());
    println!("apply, signatures in batches: {:>9.0} tx/s", count / with.as_secs_f64());
    println!("one signature at a time:      {:>9.0} /s", count / single.as_secs_f64());
}

async fn measure_durable(directory: &Path, keys: &[SecretKey], size: usize) {
    let genesis = genesis(keys);
    let home = tempfile::tempdir_in(directory).unwrap();
    let mut config = ValidatorConfig::new(home.path().join("ledger.redb"), genesis.clone());
    // Long enough for a block's transactions to meet; a lone one is not held up.
    config.collect = if size == 1 { Duration::ZERO } else { Duration::from_millis(20) };
    config.genesis.parameters.transactions_per_block_max = u32::try_from(size).unwrap();
    let genesis = config.genesis.clone();
    let validator = Arc::new(Validator::open(config).await.unwrap());
    let batches: Vec<_> =
        (0..u64::from(BLOCKS)).map(|nonce| transfers(&genesis, &keys[..size], nonce)).collect();
    let mut waits = Vec::new();
    let start = Instant::now();
    for batch in batches {
        let began = Instant::now();
        let submissions: Vec<_> = batch
            .into_iter()
            .map(|transaction| {
                let validator = Arc::clone(&validator);
                tokio::spawn(async move { validator.submit(transaction).await.unwrap() })
            })
            .collect();
        for submission in submissions {
            submission.await.unwrap();
        }
        waits.push(began.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    waits.sort();
    let blocks = validator.heads().borrow().height;
    println!(
        "{size:>5} tx a batch: {:>7.1} blocks/s {:>9.0} tx/s   median {:.1} ms, p99 {:.1} ms",
        f64::from(u32::try_from(blocks).unwrap()) / seconds,
        f64::from(BLOCKS) * f64::from(u32::try_from(size).unwrap()) / seconds,
        waits[waits.len() / 2].as_secs_f64() * 1e3,
        waits[waits.len() * 99 / 100].as_secs_f64() * 1e3,
    );
    validator.close().await;
}

#[tokio::main]
async fn main() {
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| std::env::temp_dir().into());
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    measure_pure(&genesis(&keys), &keys);
    for size in [1, 100, 1_000] {
        measure_durable(Path::new(&directory), &keys, size).await;
    }
}
