//! `kill -9` on the serving provider in mid-stream: the buyer sees nothing of it.

#![allow(clippy::print_stdout, reason = "a measurement goes with the result")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use support::{MODEL, Network, kill};

const PROVIDERS: u16 = 3;
/// The serving provider dies when this much text has come.
const KILL_AFTER_CHARACTERS: usize = 120;

fn story(seed: i64) -> Value {
    json!({
        "model": MODEL,
        "messages": [{ "role": "user", "content": "Tell me a long story about a horse." }],
        "max_completion_tokens": 200,
        "temperature": 0.8,
        "seed": seed,
    })
}

/// The provider whose status says that it works.
fn serving(network: &Network) -> Option<String> {
    (1..=PROVIDERS).map(|number| format!("provider-{number}")).find(|name| {
        let home = network.home.path().join("devnet").join(name);
        let output =
            support::remuda(&home).args(["--json", "provider", "status"]).output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        status["load"]["active"].as_u64() > Some(0)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_provider_costs_no_text_and_no_second_bill() {
    let mut network = Network::devnet(PROVIDERS);
    let buyer = network.buyer();
    let uninterrupted = buyer.stream(&story(7), |_| {}).await;
    assert!(uninterrupted.done, "{uninterrupted:?}{}", network.logs());
    assert!(uninterrupted.error.is_none(), "{uninterrupted:?}");

    let processes: Vec<(String, u32)> = (1..=PROVIDERS)
        .map(|number| format!("provider-{number}"))
        .map(|name| (name.clone(), network.process_of(&name)))
        .collect();
    let killed = Arc::new(Mutex::new(None));
    let mark = killed.clone();
    let orphans = Arc::new(Mutex::new(Vec::new()));
    let network = network;
    let interrupted = buyer
        .stream(&story(7), |text| {
            let mut killed = mark.lock().unwrap();
            if killed.is_none() && text.len() > KILL_AFTER_CHARACTERS {
                let name = serving(&network).expect("no provider says that it works");
                let process = processes.iter().find(|(other, _)| *other == name).unwrap().1;
                *orphans.lock().unwrap() = support::children_of(process);
                kill(process, "KILL");
                *killed = Some(name);
            }
        })
        .await;
    assert!(killed.lock().unwrap().is_some(), "nobody was killed: {interrupted:?}");
    assert!(interrupted.error.is_none(), "{interrupted:?}{}", network.logs());
    assert_eq!(interrupted.text, uninterrupted.text, "{}", network.logs());
    assert_eq!(interrupted.usage["completion_tokens"], uninterrupted.usage["completion_tokens"]);
    assert_eq!(interrupted.usage["prompt_tokens"], uninterrupted.usage["prompt_tokens"]);
    let gap = interrupted.arrivals.windows(2).map(|pair| pair[1] - pair[0]).max();
    println!("longest gap of the interrupted stream: {:?}", gap.unwrap_or(Duration::ZERO));

    check_receipts(&network, &interrupted.receipt, 2).await;
    check_receipts(&network, &uninterrupted.receipt, 1).await;
    check_supply(&network);
    let workers = orphans.lock().unwrap().clone();
    assert_eq!(workers.len(), 1, "a provider has one engine worker");
    support::wait_gone(&workers);
}

/// The job has this many receipts, all verify, and their units sum up to one whole answer.
async fn check_receipts(network: &Network, id: &str, attempts: usize) {
    let document: Value =
        network.buyer().get(&format!("receipts/{id}")).await.unwrap().json().await.unwrap();
    let receipts = document["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), attempts, "{document}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receipts.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let verify =
        support::remuda(folder.path()).args(["receipt", "verify"]).arg(&file).output().unwrap();
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
    let providers: std::collections::BTreeSet<&str> = receipts
        .iter()
        .map(|receipt| receipt["receipt"]["body"]["provider"].as_str().unwrap())
        .collect();
    assert_eq!(providers.len(), attempts, "each attempt was another provider's");
    let inputs = receipts
        .iter()
        .filter(|receipt| receipt["receipt"]["body"]["usage"]["units_in"] != json!(0))
        .count();
    assert_eq!(inputs, 1, "the input is paid once");
}

fn check_supply(network: &Network) {
    let supply = network.result(&["wallet", "supply"]);
    let part = |name: &str| supply[name].as_u64().unwrap();
    assert_eq!(part("granted"), part("credits") + part("locked") + part("earned"), "{supply}");
}
