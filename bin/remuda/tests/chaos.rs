//! Two hundred requests while every role is killed and restarted at random moments. Every
//! request completes or fails with an error that says to try again; money is conserved to
//! the last unit, nobody is paid twice, and the ledger recovers.

#![allow(clippy::print_stdout, reason = "the seed of a failed run is wanted")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Buyer, MODEL, Network, kill};

const REQUESTS: usize = 200;
const AT_ONCE: usize = 8;
const PROVIDERS: u16 = 3;
/// Validator, indexer, gateway and the providers.
const ROLES: usize = 3 + PROVIDERS as usize;
/// A retry of a request that failed as retryable waits this long.
const RETRY_AFTER: Duration = Duration::from_millis(700);
/// What every request asks for.
const OUTPUT_TOKENS: u64 = 12;

/// How requests ended.
#[derive(Default)]
struct Tally {
    completed: AtomicUsize,
    retryable: AtomicUsize,
    next: AtomicUsize,
    killed: AtomicUsize,
    done: AtomicBool,
}

/// A small generator, so that a printed seed repeats the order of the killings.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_every_role_loses_nothing() {
    let mut network = Network::devnet(PROVIDERS);
    let buyer = network.buyer();
    let tally = Arc::new(Tally::default());
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| tokio::spawn(ask_until_none_left(buyer.clone(), tally.clone())))
        .collect();
    kill_roles(&mut network, &tally).await;
    for worker in workers {
        worker.await.unwrap();
    }
    let completed = tally.completed.load(Ordering::Relaxed);
    let retryable = tally.retryable.load(Ordering::Relaxed);
    let killed = tally.killed.load(Ordering::Relaxed);
    println!("{completed} completed, {retryable} failed and said so, {killed} roles killed");
    assert!(killed >= ROLES, "only {killed} roles were killed");
    assert!(completed + retryable >= REQUESTS);
    // The network is not merely honest about failing: most requests come through.
    assert!(completed > retryable, "{completed} completed, {retryable} not{}", network.logs());

    // All came back: one more request works, within the time that restarts take.
    let recovered = ask(&buyer, 20).await;
    assert!(recovered.is_ok(), "{recovered:?}{}", network.logs());
    check_money(&network).await;
}

async fn ask_until_none_left(buyer: Buyer, tally: Arc<Tally>) {
    // On a fast machine the requests go on until every role was killed once.
    while tally.next.fetch_add(1, Ordering::Relaxed) < REQUESTS
        || tally.killed.load(Ordering::Relaxed) < ROLES
    {
        match ask(&buyer, 3).await {
            Ok(()) => tally.completed.fetch_add(1, Ordering::Relaxed),
            Err(_) => tally.retryable.fetch_add(1, Ordering::Relaxed),
        };
    }
    tally.done.store(true, Ordering::Relaxed);
}

/// Asks, with retries as the OpenAI clients do them. Any answer that is neither a completion
/// nor a retryable error is a failure of the test.
async fn ask(buyer: &Buyer, attempts: usize) -> Result<(), String> {
    let body = json!({
        "model": MODEL,
        "messages": [{ "role": "user", "content": "Count to ten." }],
        "max_completion_tokens": OUTPUT_TOKENS,
    });
    let mut last = String::new();
    for _ in 0..attempts {
        match buyer.chat(&body).await {
            Ok((200, receipt, answer)) => {
                assert!(receipt.is_some(), "{answer}");
                assert!(answer["usage"]["completion_tokens"].as_u64() <= Some(OUTPUT_TOKENS));
                return Ok(());
            }
            Ok((status @ (429 | 500 | 502 | 503 | 504), _, answer)) => {
                assert!(answer["error"]["message"].is_string(), "{status}: {answer}");
                assert_ne!(answer["error"]["code"], "insufficient_quota", "{answer}");
                last = answer.to_string();
            }
            Ok((status, _, answer)) => panic!("{status} is not retryable: {answer}"),
            // The gateway itself was killed: the connection broke or was refused.
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
    Err(last)
}

async fn kill_roles(network: &mut Network, tally: &Tally) {
    let seed = u64::from(std::process::id()) | 1;
    println!("seed of the killings: {seed}");
    let mut dice = Dice(seed);
    let mut roles: Vec<String> = ["validator", "indexer", "gateway"].map(str::to_owned).to_vec();
    roles.extend((1..=PROVIDERS).map(|number| format!("provider-{number}")));
    let mut order: Vec<String> = Vec::new();
    while !tally.done.load(Ordering::Relaxed) {
        if order.is_empty() {
            order.clone_from(&roles);
        }
        let role = order.swap_remove(dice.roll(order.len()));
        kill(network.process_of(&role), "KILL");
        network.wait_event(|event| event["event"] == "restarted" && event["role"] == role.as_str());
        tally.killed.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(500 + 100 * dice.roll(20) as u64)).await;
    }
}

async fn check_money(network: &Network) {
    // Providers redeem when they stop; until then their vouchers are safe with them.
    let supply = network.result(&["wallet", "supply"]);
    let part = |name: &str| supply[name].as_u64().unwrap();
    assert_eq!(part("granted"), part("credits") + part("locked") + part("earned"), "{supply}");
    let keys = network.result(&["key", "ls"]);
    let spent: u64 =
        keys.as_array().unwrap().iter().map(|key| key["spent"].as_u64().unwrap()).sum();
    assert_eq!(spent, part("earned"), "what keys spent is what providers earned: {keys} {supply}");
    let metered: u64 = (1..=PROVIDERS).map(|number| metered(network, number)).sum();
    assert!(metered > 0 && spent <= metered, "paid {spent}, metered {metered}");
}

/// All that a provider delivered by its own metering: redeemed, vouchered or still owed.
fn metered(network: &Network, number: u16) -> u64 {
    let home = network.home.path().join(format!("devnet/provider-{number}"));
    let status: Value = support::result(&home, &["provider", "status"]);
    let part = |name: &str| status["earnings"][name].as_u64().unwrap_or_else(|| panic!("{status}"));
    part("redeemed") + part("vouchered") + part("owed")
}
