//! The doctor on a healthy provider and on a sick one.

use std::sync::Arc;

use remuda_chain::{LedgerService, protocol};
use remuda_net::Protocol;
use remuda_provider::doctor::{self, Checkup, ModelFile, Severity};
use remuda_types::Hash;

use crate::world::{MANIFEST, TextEngine, World, endpoint, stranger};

fn model(world: &World, content: &[u8]) -> ModelFile {
    ModelFile {
        name: "text".into(),
        manifest: MANIFEST,
        path: world.folder.path().join("model.gguf"),
        bytes: content.len() as u64,
        blake3: Hash::of_content(content),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_provider_has_no_error() {
    let world = World::new().await;
    let validator = endpoint(stranger()).await;
    let service = LedgerService::new(Arc::new(world.ledger.clone()));
    let served = Protocol { alpn: protocol::ALPN, frame_bytes_max: protocol::FRAME_BYTES_MAX };
    validator.serve(vec![(served, Arc::new(service))]);
    let file = model(&world, b"weights");
    std::fs::write(&file.path, b"weights").unwrap();
    let checkup = Checkup {
        home: world.folder.path().to_owned(),
        node: Some(world.node.public()),
        reward: Some(world.reward.public().into()),
        models: vec![file],
        engines: vec![Arc::new(TextEngine::new())],
        endpoint: Some(endpoint(world.node.clone()).await),
        validators: vec![validator.address()],
        ledger: Some(Arc::new(world.ledger.clone())),
        ..Checkup::default()
    };
    let report = doctor::run(checkup).await;
    for code in ["cpu", "disk", "model", "engine", "exactness", "reachable", "validator", "reward"]
    {
        let finding = report.find(code).unwrap_or_else(|| panic!("{code} is missing"));
        assert_eq!(finding.severity, Severity::Ok, "{finding:?}");
    }
    assert_eq!(report.find("registration").unwrap().severity, Severity::Info);
    assert_eq!(report.find("indexer").unwrap().severity, Severity::Error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_has_its_finding_and_its_fix() {
    let world = World::new().await;
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let damaged = model(&world, b"weights");
    std::fs::write(&damaged.path, b"weighty").unwrap();
    let checkup = Checkup {
        home: world.folder.path().to_owned(),
        node: Some(world.node.public()),
        reward: Some(world.node.public().into()),
        models: vec![damaged],
        listen: Some(taken.local_addr().unwrap()),
        ..Checkup::default()
    };
    let report = doctor::run(checkup).await;
    for (code, severity) in [
        ("model", Severity::Error),
        ("port", Severity::Error),
        ("ledger", Severity::Error),
        ("reward", Severity::Warning),
        ("engine", Severity::Warning),
    ] {
        let finding = report.find(code).unwrap_or_else(|| panic!("{code} is missing"));
        assert_eq!(finding.severity, severity, "{finding:?}");
        assert!(finding.fix.is_some(), "{finding:?}");
    }
    assert_eq!(report.worst(), Severity::Error);
}
