//! What a user gets from `remuda up`: a real answer, a receipt that holds offline, and state
//! that survives a power cut.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use serde_json::{Value, json};
use support::{MODEL, Network, output, result};

fn question(seed: i64) -> Value {
    json!({
        "model": MODEL,
        "messages": [{ "role": "user", "content": "Name three colours." }],
        "max_completion_tokens": 24,
        "seed": seed,
    })
}

async fn receipt_of(network: &Network, id: &str) -> Value {
    let response = network.buyer().get(&format!("receipts/{id}")).await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_has_a_receipt_that_holds_offline() {
    let network = Network::up();
    let (status, receipt, body) = network.buyer().chat(&question(1)).await.unwrap();
    assert_eq!(status, 200, "{body}");
    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(!text.trim().is_empty(), "{body}");
    let receipt = receipt_of(&network, &receipt.unwrap()).await;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receipt.json");
    std::fs::write(&file, receipt.to_string()).unwrap();
    let path = file.to_str().unwrap();
    // Offline: an empty home knows no network.
    let valid = output(folder.path(), &["receipt", "verify", path]);
    assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stderr));

    let usage = &body["usage"];
    let first = &receipt["receipts"][0]["receipt"]["body"];
    assert_eq!(first["usage"]["units_in"], usage["prompt_tokens"]);
    assert_eq!(first["usage"]["units_out"], usage["completion_tokens"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_with_any_changed_digit_is_refused() {
    let network = Network::up();
    let (_, receipt, _) = network.buyer().chat(&question(2)).await.unwrap();
    let document = receipt_of(&network, &receipt.unwrap()).await;
    let text = document["receipts"][0].to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receipt.json");
    let path = file.to_str().unwrap();
    let mut tried = 0;
    // Every 37th character that carries meaning; the types crate tries every byte.
    for position in
        (0..text.len()).filter(|at| text.as_bytes()[*at].is_ascii_hexdigit()).step_by(37)
    {
        let mut changed = text.clone().into_bytes();
        changed[position] = if changed[position] == b'1' { b'2' } else { b'1' };
        std::fs::write(&file, &changed).unwrap();
        let verdict = output(folder.path(), &["receipt", "verify", path]);
        assert_eq!(verdict.status.code(), Some(5), "{}", String::from_utf8_lossy(&changed));
        tried += 1;
    }
    assert!(tried > 10, "only {tried} positions were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_survives_a_power_cut() {
    let mut network = Network::up();
    let buyer = network.buyer();
    let (status, _, first) = buyer.chat(&question(3)).await.unwrap();
    assert_eq!(status, 200, "{first}");
    let key = network.api_key();
    let before = network.result(&["wallet", "supply"]);
    network.kill();
    network.restart();
    assert_eq!(network.api_key(), key, "the key is the same after a restart");
    let after = network.result(&["wallet", "supply"]);
    assert_eq!(before["granted"], after["granted"]);
    let (status, receipt, again) = network.buyer().chat(&question(3)).await.unwrap();
    assert_eq!(status, 200, "{again}");
    let content = |body: &Value| body["choices"][0]["message"]["content"].clone();
    assert_eq!(content(&first), content(&again), "equal seeds give equal answers");
    let held = receipt_of(&network, &receipt.unwrap()).await;
    assert!(held["receipts"][0].is_object());
    let supply = network.result(&["wallet", "supply"]);
    let sum = ["credits", "locked", "earned"].map(|part| supply[part].as_u64().unwrap());
    assert_eq!(supply["granted"].as_u64().unwrap(), sum.iter().sum::<u64>());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_capped_expire_and_are_revoked() {
    let network = Network::up();
    let short = network.result(&["key", "create", "--cap", "1", "--seconds", "1"]);
    let poor = network.result(&["key", "create", "--cap", "0.000001"]);
    let gone = network.result(&["key", "create", "--cap", "1"]);
    let key = |value: &Value| value["api_key"].as_str().unwrap().to_owned();
    result(network.home.path(), &["key", "revoke", &key(&gone)]);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for (key, status, code) in [
        (key(&short), 401, "key_expired"),
        (key(&gone), 401, "key_expired"),
        (key(&poor), 429, "insufficient_quota"),
        ("sk-remuda-1nonsense".to_owned(), 401, "invalid_api_key"),
    ] {
        let (found, _, body) = network.buyer().with_key(&key).chat(&question(1)).await.unwrap();
        assert_eq!(found, status, "{body}");
        assert_eq!(body["error"]["code"], code, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_gets_the_model_from_a_peer() {
    let network = Network::up();
    let newcomer = tempfile::tempdir().unwrap();
    let models = newcomer.path().join("models");
    // Without a package client there is no other source than the network's provider.
    let pull = std::process::Command::new(env!("CARGO_BIN_EXE_remuda"))
        .env("PATH", newcomer.path())
        .arg("--home")
        .arg(newcomer.path())
        .arg("--models")
        .arg(&models)
        .arg("--network")
        .arg(network.home.path().join("network.json"))
        .args(["model", "pull", MODEL])
        .output()
        .unwrap();
    assert!(pull.status.success(), "{}", String::from_utf8_lossy(&pull.stderr));
    let path = String::from_utf8(pull.stdout).unwrap();
    assert!(std::fs::metadata(path.trim()).unwrap().len() > 90_000_000);
}
