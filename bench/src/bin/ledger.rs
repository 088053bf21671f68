//! Measures the ledger beside its floors, in one run: `ledger [--accounts N] [--directory DIR]`.
//!
//! Printed as JSON: applying transfers and vouchers beside checking their signatures alone;
//! committing a block durably beside writing its bytes raw; time and memory with many accounts;
//! the size of a proof and the time to verify it. CPU time is this process's, all threads.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement may stop at once")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use remuda_chain::{LedgerClient, Validator, ValidatorConfig};
use remuda_ledger::{
    Action, Economy, Genesis, GenesisAccount, Ledger, Parameters, SignedTransaction, StateKey,
    Transaction,
};
use remuda_types::{
    AccountId, Canonical, ChannelId, Credits, Hash, SecretKey, SignatureCheck, Signed, Tokens,
    Voucher, verify_each,
};
use serde_json::{Value, json};

/// Transactions of a block.
const BLOCK: u32 = 10_000;
/// How often each measurement is repeated; the median counts.
const ROUNDS: usize = 5;

#[derive(Debug, Parser)]
struct Arguments {
    /// How many accounts the large state has
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u32,
    /// Where stores are written [default: the system's folder for temporary files]
    #[arg(long)]
    directory: Option<PathBuf>,
}

fn key(number: u32) -> SecretKey {
    SecretKey::from_seed(Hash::derive("remuda/bench/ledger/1", &number.to_le_bytes()).0)
}

fn genesis(accounts: impl Iterator<Item = AccountId>, grantor: &SecretKey) -> Genesis {
    let held =
        |account| GenesisAccount { account, tokens: Tokens(1 << 40), credits: Credits::DOLLAR };
    Genesis {
        name: "bench".into(),
        time: 0,
        grantor: grantor.public(),
        accounts: accounts.map(held).collect(),
        roles: std::collections::BTreeMap::new(),
        parameters: Parameters::default(),
        economy: Economy::default(),
    }
}

fn sign(genesis: &Genesis, key: &SecretKey, nonce: u64, action: Action) -> SignedTransaction {
    Signed::sign(Transaction { network: genesis.network(), nonce, action }, key)
}

fn transfers(genesis: &Genesis, keys: &[SecretKey], nonce: u64) -> Vec<SignedTransaction> {
    let to = |index: usize| keys[(index + 1) % keys.len()].public().into();
    let transfer = |(index, key): (usize, &SecretKey)| {
        let action = Action::Transfer { to: to(index), amount: Tokens(1) };
        sign(genesis, key, nonce, action)
    };
    keys.iter().enumerate().map(transfer).collect()
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // The kernel counts in hundredths of a second.
    Duration::from_millis(ticks * 10)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

/// Applying blocks of signed transactions beside checking their signatures alone.
fn beside_signatures(ledger: &mut Ledger, blocks: &[Vec<SignedTransaction>]) -> Value {
    let (mut applying, mut checking) = (Vec::new(), Vec::new());
    for block in blocks {
        let checks: Vec<SignatureCheck> = block.iter().map(SignatureCheck::from).collect();
        let (time, verdicts) = timed(|| verify_each(&checks));
        assert!(verdicts.iter().all(|holds| *holds));
        checking.push(time);
        let (time, applied) = timed(|| ledger.apply(1, block).unwrap());
        assert!(applied.block.outcomes.iter().all(remuda_ledger::Outcome::is_applied));
        applying.push(time);
    }
    let (applying, checking) = (median(applying), median(checking));
    json!({
        "transactions": blocks[0].len(),
        "apply_with_signatures_ms": applying,
        "signatures_alone_ms": checking,
        "apply_without_signatures_ms": applying - checking,
        "ratio": applying / checking,
    })
}

/// Blocks in which one provider redeems a voucher of each of many channels.
fn vouchers(keys: &[SecretKey]) -> Value {
    let provider = key(u32::MAX);
    let genesis = genesis(keys.iter().map(|key| key.public().into()), &keys[0]);
    let mut ledger = Ledger::new(&genesis).unwrap();
    let open = |key: &SecretKey| {
        let action = Action::OpenChannel {
            nonce: [0; 32],
            provider: provider.public(),
            client: key.public(),
            deposit: Credits(1_000),
            expires_at: 1_000_000,
        };
        sign(&genesis, key, 0, action)
    };
    let opening: Vec<_> = keys.iter().map(open).collect();
    ledger.apply(0, &opening).unwrap();
    let voucher = |key: &SecretKey, round: u64| {
        let channel = ChannelId::derive(&key.public(), &provider.public(), &[0; 32]);
        let cumulative = Credits(10 * (round + 1));
        Signed::sign(Voucher { channel, sequence: round, cumulative, receipt: None }, key)
    };
    let (mut applying, mut checking) = (Vec::new(), Vec::new());
    let batches = keys.len() / 64;
    for round in 0..ROUNDS as u64 {
        let block: Vec<_> = keys
            .chunks_exact(64)
            .enumerate()
            .map(|(index, keys)| {
                let vouchers = keys.iter().map(|key| voucher(key, round)).collect();
                let nonce = round * batches as u64 + index as u64;
                sign(&genesis, &provider, nonce, Action::Redeem { vouchers })
            })
            .collect();
        let checks: Vec<SignatureCheck> = block
            .iter()
            .flat_map(|transaction| match &transaction.body.action {
                Action::Redeem { vouchers } => vouchers.iter().map(SignatureCheck::from).collect(),
                _ => vec![],
            })
            .collect();
        checking.push(timed(|| verify_each(&checks)).0);
        applying.push(timed(|| ledger.apply(1, &block).unwrap()).0);
    }
    let (applying, checking) = (median(applying), median(checking));
    json!({
        "vouchers": batches * 64,
        "apply_with_signatures_ms": applying,
        "signatures_alone_ms": checking,
        "apply_without_signatures_ms": applying - checking,
        "ratio": applying / checking,
    })
}

/// One block of transfers, from submission to disk, beside writing its bytes raw.
async fn durable(directory: &Path, all_keys: &[SecretKey], size: usize) -> Value {
    let keys = &all_keys[..size];
    let genesis = genesis(all_keys.iter().map(|key| key.public().into()), &keys[0]);
    let home = tempfile::tempdir_in(directory).unwrap();
    let mut config = ValidatorConfig::new(home.path().join("ledger.redb"), genesis);
    // Long enough for a block's transactions to meet; a lone one is not held up.
    config.collect = Duration::from_millis(if size == 1 { 0 } else { 200 });
    config.genesis.parameters.transactions_per_block_max = u32::try_from(size).unwrap();
    let genesis = config.genesis.clone();
    let validator = std::sync::Arc::new(Validator::open(config).await.unwrap());
    let (mut all, mut processor) = (Vec::new(), Vec::new());
    for nonce in 0..ROUNDS as u64 {
        let block = transfers(&genesis, keys, nonce);
        let (began, cpu_began) = (Instant::now(), cpu());
        let submissions: Vec<_> = block
            .into_iter()
            .map(|transaction| {
                let validator = validator.clone();
                tokio::spawn(async move { validator.submit(transaction).await.unwrap() })
            })
            .collect();
        for submission in submissions {
            submission.await.unwrap();
        }
        all.push(began.elapsed());
        processor.push(cpu() - cpu_began);
    }
    let blocks = validator.blocks(1, 1).await.unwrap();
    let bytes = blocks[0].to_canonical();
    let raw = (0..ROUNDS).map(|_| timed(|| write_raw(home.path(), &bytes)).0).collect();
    validator.close().await;
    json!({
        "transactions": keys.len(),
        "submission_to_disk_ms": median(all),
        "cpu_ms": median(processor),
        "block_bytes": bytes.len(),
        "raw_write_of_the_block_ms": median(raw),
    })
}

fn write_raw(directory: &Path, bytes: &[u8]) {
    let mut file = std::fs::File::create(directory.join("raw")).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// A state of many accounts: what it costs to make, to hold, to change and to prove.
fn large(accounts: u32, keys: &[SecretKey]) -> Value {
    let before = resident_mib();
    let others = (0..accounts).map(|number| {
        AccountId(Hash::derive("remuda/bench/ledger/account/1", &number.to_le_bytes()))
    });
    let own = keys.iter().map(|key| AccountId::from(key.public()));
    let genesis = genesis(own.chain(others), &keys[0]);
    let (making, mut ledger) = timed(|| Ledger::new(&genesis).unwrap());
    let memory = resident_mib() - before;
    let blocks: Vec<_> = (0..ROUNDS as u64).map(|nonce| transfers(&genesis, keys, nonce)).collect();
    let applying = beside_signatures(&mut ledger, &blocks);
    let name = StateKey::Account(keys[7].public().into());
    let (proving, proven) = timed(|| ledger.prove(&name));
    let root = ledger.head().state;
    let rounds = 1_000;
    let (verifying, ()) = timed(|| {
        for _ in 0..rounds {
            proven.proof.verify(&root, &name.to_bytes(), proven.value.as_deref()).unwrap();
        }
    });
    json!({
        "accounts": accounts,
        "genesis_s": making.as_secs_f64(),
        "memory_mib": memory,
        "bytes_an_account": memory * 1024.0 * 1024.0 / f64::from(accounts),
        "block_of_transfers": applying,
        "proof_bytes": borsh::to_vec(&proven.proof).unwrap().len(),
        "proof_made_us": proving.as_secs_f64() * 1e6,
        "proof_verified_us": verifying.as_secs_f64() * 1e6 / f64::from(rounds),
    })
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let directory = arguments.directory.unwrap_or_else(std::env::temp_dir);
    let keys: Vec<_> = (0..BLOCK).map(key).collect();
    let genesis = genesis(keys.iter().map(|key| key.public().into()), &keys[0]);
    let blocks: Vec<_> =
        (0..ROUNDS as u64).map(|nonce| transfers(&genesis, &keys, nonce)).collect();
    let mut ledger = Ledger::new(&genesis).unwrap();
    let result = json!({
        "transfers": beside_signatures(&mut ledger, &blocks),
        "vouchers": vouchers(&keys),
        "durable": [
            durable(&directory, &keys, 1).await,
            durable(&directory, &keys, 1_000).await,
            durable(&directory, &keys, BLOCK as usize).await,
        ],
        "large": large(arguments.accounts, &keys),
    });
    println!("{}", serde_json::to_string_pretty(&result).unwrap());
}
