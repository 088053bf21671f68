//! Two nodes with no direct path, and a relay between them.

use std::net::SocketAddr;
use std::sync::Arc;

use remuda_net::relay::Relay;
use remuda_net::{Endpoint, EndpointConfig, PathKind, request};
use tokio::time::timeout;

use crate::{ECHO, Echo, PATIENCE, config, loopback};

#[tokio::test]
async fn nodes_without_a_direct_path_talk_through_the_relay() {
    let relay = Relay::spawn(loopback()).await.unwrap();
    let relayed = || EndpointConfig { relays: vec![relay.url()], direct: false, ..config() };
    let server = Endpoint::bind(relayed()).await.unwrap();
    server.serve(vec![(ECHO, Arc::new(Echo))]);
    timeout(PATIENCE, server.online()).await.unwrap();
    let client = Endpoint::bind(relayed()).await.unwrap();
    let address = server.address();
    assert_eq!((address.direct.len(), address.relay), (0, Some(relay.url())));

    let connection = client.connect(&server.address(), ECHO.alpn).await.unwrap();
    assert_eq!(connection.path(), PathKind::Relayed(relay.url()));
    let answer: String = request(&connection, ECHO.frame_bytes_max, "far", PATIENCE).await.unwrap();
    assert_eq!(answer, "far");
    client.close().await;
    server.close().await;
    relay.shutdown().await;
}

#[tokio::test]
async fn a_taken_relay_port_is_a_distinct_error() {
    let relay = Relay::spawn(loopback()).await.unwrap();
    let second = Relay::spawn(relay.address()).await;
    assert_eq!(second.unwrap_err().code(), "relay_address_in_use");
    let everywhere = Relay::spawn(SocketAddr::from(([0; 4], 0))).await.unwrap();
    assert!(everywhere.url().starts_with("http://127.0.0.1:"));
}
