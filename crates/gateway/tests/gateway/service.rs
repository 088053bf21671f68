//! Errors by class, receipts, readiness, metrics, the OpenAPI document, and ending.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use remuda_gateway::{Gateway, GatewayConfig, Receipts};
use remuda_types::{Canonical, FinalReceipt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Ledger, PATIENCE, Script, World, order, post, read_to_end};

fn chat(model: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#)
}

#[tokio::test]
async fn errors_are_distinct() {
    let world = World::new().await;
    let cases = [
        ("missing", 404, "model_not_found", "invalid_request_error"),
        ("nobody", 503, "no_provider", "server_error"),
        ("poor", 429, "insufficient_quota", "insufficient_quota"),
        ("expired", 401, "key_expired", "invalid_request_error"),
        ("stranger", 401, "unknown_session", "invalid_request_error"),
        ("busy", 503, "overloaded", "overloaded_error"),
        ("long", 400, "context_length_exceeded", "invalid_request_error"),
        ("away", 503, "ledger_unreachable", "server_error"),
        ("breaks", 503, "interrupted", "server_error"),
    ];
    for (model, status, code, kind) in cases {
        let reply = world.post("/v1/chat/completions", &chat(model)).await;
        assert_eq!((reply.status, reply.error().1.as_str()), (status, code), "{reply:?}");
        assert_eq!(reply.json()["error"]["type"], kind);
        assert_eq!(reply.header("retry-after").is_some(), status == 503, "{model}");
    }
    let quota = world.post("/v1/chat/completions", &chat("poor")).await;
    assert_eq!(quota.header("x-should-retry"), Some("false"));
}

#[tokio::test]
async fn a_refused_order_is_explained() {
    let world = World::new().await;
    let reply = world.post("/v1/chat/completions", &chat("nobody")).await;
    let order = reply.header("x-remuda-order").unwrap();
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains("3 providers: 0 fit"));
    let explained = world.get(&format!("/v1/orders/{order}/explain")).await;
    assert_eq!(explained.json()["sentence"], "3 providers: 0 fit");
    assert_eq!(explained.json()["considered"], 3);
    let unknown = world.get(&format!("/v1/orders/{}/explain", "0".repeat(64))).await;
    assert_eq!(unknown.error().0, 404);
}

#[tokio::test]
async fn receipts_are_found_by_each_name_and_survive_a_restart() {
    let world = World::new().await;
    let reply = world.post("/v1/chat/completions", &chat("text")).await;
    let by_receipt = reply.header("x-remuda-receipt").unwrap().to_owned();
    let found = world.get(&format!("/v1/receipts/{by_receipt}")).await.json();
    let receipt: FinalReceipt = serde_json::from_value(found["receipts"][0].clone()).unwrap();
    assert_eq!(receipt.verify(), Ok(()));
    let bytes = hex::decode(found["canonical"][0].as_str().unwrap()).unwrap();
    assert_eq!(FinalReceipt::from_canonical(&bytes).as_ref(), Ok(&receipt));
    assert_eq!(found["ids"][0], by_receipt.as_str());
    let (by_job, by_order) = (found["job"].as_str().unwrap(), order().to_string());
    for name in [by_job, &by_order] {
        assert_eq!(world.get(&format!("/v1/receipts/{name}")).await.json(), found);
    }
    for unknown in ["nonsense", &"0".repeat(64)] {
        let reply = world.get(&format!("/v1/receipts/{unknown}")).await;
        assert_eq!((reply.error().0, reply.error().1.as_str()), (404, "not_found"));
    }
    let World { gateway, home, .. } = world;
    gateway.shutdown().await;
    let kept = Receipts::open(home.path()).unwrap().find(&by_receipt.parse().unwrap()).unwrap();
    assert_eq!(kept.unwrap().receipts, [receipt]);
}

#[tokio::test]
async fn models_are_listed_and_described() {
    let world = World::new().await;
    let list = world.get("/v1/models").await.json();
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][0]["id"], "text");
    let one = world.get("/v1/models/org%2Ftwo").await.json();
    assert_eq!((&one["id"], &one["object"]), (&"org/two".into(), &"model".into()));
    let none = world.get("/v1/models/none").await;
    assert_eq!(none.error(), (404, "model_not_found".into(), Some("model".into())));
    let keyless = world.raw(b"GET /v1/models HTTP/1.0\r\n\r\n").await;
    assert_eq!(keyless.error().1, "missing_api_key");
}

#[tokio::test]
async fn readiness_says_what_is_wrong() {
    let world = World::new().await;
    assert_eq!(world.get("/readyz").await.status, 200);
    assert_eq!(world.get("/healthz").await.status, 200);
    let away = World::with(|_| {}, true).await;
    let reply = away.get("/readyz").await;
    assert_eq!(reply.status, 503);
    assert!(reply.json()["troubles"][0].as_str().unwrap().starts_with("ledger: "));
    assert_eq!(away.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let world = World::new().await;
    world.post("/v1/chat/completions", &chat("text")).await;
    world.post("/v1/chat/completions", &chat("poor")).await;
    let text = world.get("/metrics").await.body;
    for line in [
        r#"remuda_gateway_requests_total{route="chat_completions",status="2xx"} 1"#,
        r#"remuda_gateway_requests_total{route="chat_completions",status="4xx"} 1"#,
        r#"remuda_gateway_tokens_total{direction="in"} 5"#,
        r#"remuda_gateway_tokens_total{direction="out"} 3"#,
        "remuda_gateway_amount_micro_dollars_total 11",
        "remuda_gateway_in_flight 0",
        "remuda_gateway_providers 3",
        "remuda_gateway_first_token_seconds_count 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_job() {
    let world = World::new().await;
    for more in [r#","stream":true"#, ""] {
        let body = chat("silent").replace("}]}", &format!("}}]{more}}}"));
        let mut stream = world.connect().await;
        stream.write_all(post("/v1/chat/completions", &body).as_bytes()).await.unwrap();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while world.seen.running.load(Ordering::SeqCst) == 0 {
            assert!(tokio::time::Instant::now() < deadline);
            tokio::task::yield_now().await;
        }
        drop(stream);
        tokio::time::timeout(PATIENCE, world.seen.dropped.notified()).await.unwrap();
        assert_eq!(world.seen.running.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_full_gateway_says_when_to_come_back() {
    let world = World::with(|config| config.in_flight_max = 1, false).await;
    let mut first = world.connect().await;
    let body = chat("silent").replace("}]}", r#"}],"stream":true}"#);
    first.write_all(post("/v1/chat/completions", &body).as_bytes()).await.unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    let reply = world.post("/v1/chat/completions", &chat("text")).await;
    assert_eq!((reply.status, reply.error().1.as_str()), (503, "overloaded"));
    assert_eq!(reply.header("retry-after"), Some("1"));
    drop(first);
    tokio::time::timeout(PATIENCE, world.seen.dropped.notified()).await.unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while world.post("/v1/chat/completions", &chat("text")).await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline);
    }
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive() {
    let quick = std::time::Duration::from_millis(20);
    let world = World::with(|config| config.keep_alive = quick, false).await;
    let mut stream = world.connect().await;
    let body = chat("silent").replace("}]}", r#"}],"stream":true}"#);
    stream.write_all(post("/v1/chat/completions", &body).as_bytes()).await.unwrap();
    let (mut seen, mut buffer) = (Vec::new(), [0; 4_096]);
    while !seen.windows(12).any(|window| window == b": keep-alive") {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap();
        seen.extend_from_slice(&buffer[..read.unwrap()]);
    }
}

#[tokio::test]
async fn ending_lets_streams_end_within_the_grace() {
    let grace = std::time::Duration::from_millis(50);
    let world = World::with(|config| config.shutdown_grace = grace, false).await;
    let mut idle = world.connect().await;
    let mut running = world.connect().await;
    let body = chat("silent").replace("}]}", r#"}],"stream":true}"#);
    running.write_all(post("/v1/chat/completions", &body).as_bytes()).await.unwrap();
    let mut byte = [0];
    running.read_exact(&mut byte).await.unwrap();
    let World { gateway, seen, .. } = world;
    tokio::time::timeout(PATIENCE, gateway.shutdown()).await.unwrap();
    assert_eq!(seen.running.load(Ordering::SeqCst), 0);
    assert_eq!(read_to_end(&mut idle).await, b"");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let world = World::new().await;
    let listen = world.gateway.local_addr();
    let home = tempfile::tempdir().unwrap();
    let config = GatewayConfig::new(listen, home.path().to_owned());
    let ledger = Arc::new(Ledger { away: false });
    let error = Gateway::start(config, Script::default(), ledger.clone()).await.unwrap_err();
    assert_eq!(error.code(), "port_taken");
    assert!(error.to_string().contains(&listen.port().to_string()), "{error}");
    // Two gateways cannot share a folder.
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = GatewayConfig::new(listen, world.home.path().to_owned());
    let error = Gateway::start(config, Script::default(), ledger).await.unwrap_err();
    assert_eq!(error.code(), "receipts_store");
}

#[tokio::test]
async fn the_openapi_document_is_the_committed_one() {
    let path = format!("{}/openapi.json", env!("CARGO_MANIFEST_DIR"));
    let document = remuda_gateway::openapi_document();
    if std::env::var_os("REMUDA_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        document == committed,
        "run the test with REMUDA_UPDATE_SNAPSHOTS=1, and look at the difference"
    );
    let world = World::new().await;
    assert_eq!(world.get("/openapi.json").await.body, document);
}
