//! A network namespace with nothing but loopback: all works the same.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::process::Command;

use serde_json::json;
use support::{MODEL, Network};

#[test]
fn a_whole_network_needs_nothing_but_loopback() {
    let own = std::env::current_exe().unwrap();
    let script = format!(
        "ip link set lo up && exec '{}' --ignored --exact inside_the_namespace --nocapture",
        own.display()
    );
    let output = Command::new("unshare")
        .args(["--map-root-user", "--net", "--", "bash", "-c", &script])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("1 passed"), "{text}{errors}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run inside the namespace by the test above"]
async fn inside_the_namespace() {
    let links = Command::new("ip").args(["-o", "link"]).output().unwrap();
    let links = String::from_utf8_lossy(&links.stdout).lines().count();
    assert_eq!(links, 1, "the namespace has more than loopback");
    let network = Network::devnet(2);
    let body = json!({
        "model": MODEL,
        "messages": [{ "role": "user", "content": "Name three colours." }],
        "max_completion_tokens": 16,
    });
    let streamed = network.buyer().stream(&body, |_| {}).await;
    assert!(streamed.done && streamed.error.is_none(), "{streamed:?}{}", network.logs());
    let receipt = network.buyer().get(&format!("receipts/{}", streamed.receipt)).await.unwrap();
    assert_eq!(receipt.status(), 200);
}
