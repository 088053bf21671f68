//! The indexer over real connections: announce, list, and whatever does not belong there.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use remuda_indexer::{Indexer, IndexerConfig};
use remuda_net::protocol::index::{self, Liveness, Request, Response};
use remuda_net::{Endpoint, EndpointConfig, Protocol, request};
use remuda_types::{
    Announcement, DeviceClass, Load, NodeAddress, ProviderState, SecretKey, Signed,
};

const WAIT: Duration = Duration::from_secs(10);

async fn endpoint(key: SecretKey) -> Endpoint {
    let bind = "127.0.0.1:0".parse().unwrap();
    Endpoint::bind(EndpointConfig::new(key, bind)).await.unwrap()
}

async fn serve(config: IndexerConfig) -> (Endpoint, NodeAddress) {
    let server = endpoint(SecretKey::generate()).await;
    let protocol = Protocol { alpn: index::ALPN, frame_bytes_max: index::FRAME_BYTES_MAX };
    server.serve(vec![(protocol, Arc::new(Indexer::new(config)))]);
    let address = server.address();
    (server, address)
}

fn announcement(key: &SecretKey, address: NodeAddress, sequence: u64) -> Signed<Announcement> {
    let body = Announcement {
        address,
        sequence,
        announced_at: 0,
        models: Vec::new(),
        load: Load::default(),
        state: ProviderState::Ready,
        device: DeviceClass("test".into()),
        software: "test".into(),
    };
    Signed::sign(body, key)
}

async fn ask(from: &Endpoint, to: &NodeAddress, question: Request) -> Response {
    let connection = from.connect(to, index::ALPN).await.unwrap();
    request(&connection, index::FRAME_BYTES_MAX, &question, WAIT).await.unwrap()
}

fn code(response: Response) -> String {
    match response {
        Response::Refused { code, .. } => code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn what_a_provider_announces_is_listed_with_its_signature() {
    let (_server, indexer) = serve(IndexerConfig::default()).await;
    let key = SecretKey::generate();
    let provider = endpoint(key.clone()).await;
    let signed = announcement(&key, provider.address(), 1);
    let announced = index::announce(&provider, &indexer, signed.clone()).await;
    assert_eq!(announced.unwrap(), Duration::from_secs(2));

    let client = endpoint(SecretKey::generate()).await;
    let Response::Listings(list) = ask(&client, &indexer, Request::List).await else {
        panic!("expected a list");
    };
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].announcement, signed);
    assert_eq!(list[0].liveness, Liveness::Connected);
    assert!(list[0].announcement.verify_by(&key.public()).is_ok());
}

#[tokio::test]
async fn nobody_announces_another_or_too_much() {
    let (_server, indexer) = serve(IndexerConfig::default()).await;
    let (key, victim) = (SecretKey::generate(), SecretKey::generate());
    let node = endpoint(key.clone()).await;
    let own = node.address();
    let others = NodeAddress { node: victim.public(), ..own.clone() };
    let announce = |signed| ask(&node, &indexer, Request::Announce(Box::new(signed)));

    // Signed by itself in another's name; signed by another but sent by itself; replayed.
    for signed in [
        announcement(&key, others.clone(), 1),
        announcement(&victim, own.clone(), 1),
        announcement(&victim, others, 1),
    ] {
        assert_eq!(code(announce(signed).await), "not_itself");
    }
    let mut forged = announcement(&key, own.clone(), 1);
    forged.body.load.slots += 1;
    assert_eq!(code(announce(forged).await), "not_itself");
    let mut large = announcement(&key, own, 1).body;
    large.software = "x".repeat(100_000);
    assert_eq!(code(announce(Signed::sign(large, &key)).await), "too_large");
}

#[tokio::test]
async fn who_asks_too_often_is_refused_and_others_are_not() {
    let config = IndexerConfig { requests_per_second: 1, burst: 3, ..IndexerConfig::default() };
    let (_server, indexer) = serve(config).await;
    let eager = endpoint(SecretKey::generate()).await;
    let mut refused = 0;
    for _ in 0..8 {
        let answer = ask(&eager, &indexer, Request::List).await;
        refused +=
            u32::from(matches!(answer, Response::Refused { code, .. } if code == "too_often"));
    }
    assert!(refused > 0);
    let calm = endpoint(SecretKey::generate()).await;
    assert!(matches!(ask(&calm, &indexer, Request::List).await, Response::Listings(_)));
}
