//! The life of a provider: registration, pause, drain, restart, control, indexers.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use remuda_chain::LedgerClientExt as _;
use remuda_net::protocol::index;
use remuda_net::protocol::job::{ClientFrame, ProviderFrame, RefusalCode};
use remuda_net::{Handler, Protocol, Stream};
use remuda_provider::control::{self, Command, Reply};
use remuda_provider::{Provider, ProviderConfig, ProviderStatus, StartError};
use remuda_types::{Announcement, Credits, DeviceClass, ProviderState};

use crate::world::{
    DEPOSIT, Job, LONG, TextEngine, World, endpoint, eventually, limits, provider_node, start,
    stranger,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_registers_its_reward_account() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    eventually(async || provider.status().registered).await;
    let known = world.ledger.provider(provider_node(&world)).await.unwrap().unwrap();
    assert_eq!(known.reward, world.reward.public().into());
    provider.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_provider_takes_up_what_it_had() {
    let mut world = World::new().await;
    let channel = world.channel(DEPOSIT).await;
    // The first life has a runtime of its own, which is taken away without a word.
    let life = tokio::runtime::Runtime::new().unwrap();
    let (home, node, reward) = (world.home(), world.node.clone(), world.reward.clone());
    let ledger = Arc::new(world.ledger.clone());
    let started = life.spawn(async move {
        start(&home, &node, &reward, ledger, TextEngine::new(), limits()).await
    });
    let provider = started.await.unwrap();
    let receipt = world.paid_job(&provider, channel).await;
    let mut stream = world.stream(&provider).await;
    let voucher = world.voucher(channel, 400);
    stream.writer.send(&ClientFrame::Settle(voucher.clone())).await.unwrap();
    assert_eq!(Job { stream }.next().await, Some(ProviderFrame::Settled(voucher.clone())));
    provider.pause().await;
    drop(provider);
    tokio::task::spawn_blocking(move || life.shutdown_timeout(LONG)).await.unwrap();
    world.reconnect().await;

    let provider = world.provider(TextEngine::new(), limits()).await;
    assert_eq!(provider.status().state, ProviderState::Paused);
    assert_eq!(provider.status().earnings.vouchered, Credits(400));
    provider.resume().await;
    let mut job = world.begin(&provider, world.open(channel, 1)).await;
    assert_eq!(job.accepted().await, (Some(voucher), Credits(400)));
    let next = job.finished().await.1.body;
    assert!(next.sequence > receipt.sequence);
    assert_eq!(next.cumulative, Credits(505));
    provider.shutdown().await;
    assert_eq!(world.earned().await, Credits(400));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_provider_takes_nothing_until_it_is_resumed() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let channel = world.channel(DEPOSIT).await;
    for state in [ProviderState::Paused, ProviderState::Draining] {
        match state {
            ProviderState::Paused => provider.pause().await,
            _ => provider.drain().await,
        }
        assert_eq!(provider.status().state, state);
        let mut job = world.begin(&provider, world.open(channel, 1)).await;
        assert_eq!(job.refused().await, RefusalCode::NotReady);
    }
    assert!(provider.drained().await);
    provider.resume().await;
    world.paid_job(&provider, channel).await;
}

async fn status(world: &World, command: Command) -> ProviderStatus {
    match control::ask(&world.home(), command).await.unwrap() {
        Reply::Status(status) => *status,
        Reply::Error { message, .. } => panic!("{message}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_steers_it_and_only_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let none = control::ask(&world.home(), Command::Status).await.unwrap_err();
    assert_eq!(none.code(), "provider_not_running");
    let provider = world.provider(TextEngine::new(), limits()).await;
    let socket = world.home().join(control::SOCKET_NAME);
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(status(&world, Command::Pause).await.state, ProviderState::Paused);
    assert_eq!(status(&world, Command::Status).await.node, provider_node(&world));
    assert_eq!(status(&world, Command::Resume).await.state, ProviderState::Ready);
    assert_eq!(status(&world, Command::Drain).await.state, ProviderState::Draining);
    status(&world, Command::Stop).await;
    tokio::time::timeout(LONG, provider.stop_requested()).await.unwrap();
    provider.shutdown().await;
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_provider_with_the_same_home_does_not_start() {
    let world = World::new().await;
    let _first = world.provider(TextEngine::new(), limits()).await;
    let key = world.node.clone();
    let reward = world.reward.public().into();
    let device = DeviceClass("test".into());
    let config = ProviderConfig::new(world.home(), key.clone(), reward, device);
    let parts = remuda_provider::Parts {
        endpoint: endpoint(key).await,
        ledger: Arc::new(world.ledger.clone()),
        engines: vec![Arc::new(TextEngine::new())],
        models: vec![],
        protocols: vec![],
    };
    let second = Provider::start(config, parts).await;
    assert!(matches!(second, Err(StartError::InUse(_))));
}

/// Keeps what is announced.
#[derive(Default)]
struct Indexer(Arc<Mutex<Vec<Announcement>>>);

#[async_trait]
impl Handler for Indexer {
    async fn handle(&self, mut stream: Stream) {
        let received = stream.reader.receive().await;
        let Ok(Some(index::Request::Announce(signed))) = received else { return };
        if signed.verify_by(&signed.body.address.node).is_ok() {
            self.0.lock().push(signed.body);
        }
        let answer = index::Response::Announced { renew_after_ms: 60_000 };
        stream.writer.send(&answer).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexers_hear_of_changes_at_once_and_of_the_end() {
    let world = World::new().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let indexer = endpoint(stranger()).await;
    let protocol = Protocol { alpn: index::ALPN, frame_bytes_max: index::FRAME_BYTES_MAX };
    indexer.serve(vec![(protocol, Arc::new(Indexer(Arc::clone(&heard))))]);
    let device = DeviceClass("test".into());
    let reward = world.reward.public().into();
    let mut config = ProviderConfig::new(world.home(), world.node.clone(), reward, device);
    config.limits = limits();
    config.indexers = vec![indexer.address()];
    let parts = remuda_provider::Parts {
        endpoint: endpoint(world.node.clone()).await,
        ledger: Arc::new(world.ledger.clone()),
        engines: vec![Arc::new(TextEngine::new())],
        models: vec![remuda_provider::OfferedModel {
            name: "text".into(),
            manifest: crate::world::MANIFEST,
            price: crate::world::PRICE,
        }],
        protocols: vec![],
    };
    let provider = Provider::start(config, parts).await.unwrap();
    let last = || heard.lock().last().cloned();
    eventually(async || last().is_some()).await;
    let first = last().unwrap();
    assert_eq!((first.state, first.models[0].name.as_str()), (ProviderState::Ready, "text"));
    // The next regular announcement is a minute away: this one comes from the change.
    provider.pause().await;
    eventually(async || last().is_some_and(|now| now.state == ProviderState::Paused)).await;
    provider.shutdown().await;
    let farewell = last().unwrap();
    assert_eq!(farewell.state, ProviderState::Draining);
    let sequences: Vec<u64> = heard.lock().iter().map(|one| one.sequence).collect();
    assert!(sequences.is_sorted_by(|one, next| one < next), "{sequences:?}");
}
