//! Finding the right node, or saying what is wrong.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use remuda_net::{ConnectError, Endpoint, EndpointConfig, PathKind, request};
use remuda_types::{NodeAddress, SecretKey};

use crate::{ECHO, Echo, PATIENCE, config, echo_server, endpoint};

async fn echoes(client: &Endpoint, to: &NodeAddress) -> bool {
    let connection = client.connect(to, ECHO.alpn).await.unwrap();
    let answer: String =
        request(&connection, ECHO.frame_bytes_max, "hello", PATIENCE).await.unwrap();
    answer == "hello"
}

#[tokio::test]
async fn a_node_is_its_key_and_the_path_is_direct() {
    let (server, client) = (echo_server().await, endpoint().await);
    let connection = client.connect(&server.address(), ECHO.alpn).await.unwrap();
    assert_eq!(connection.remote(), server.node());
    assert_eq!(connection.path(), PathKind::Direct(server.local_address().unwrap()));
    assert!(echoes(&client, &server.address()).await);
    assert!(connection.rtt() < PATIENCE);
}

#[tokio::test]
async fn many_callers_share_one_dial() {
    let (server, client) = (echo_server().await, endpoint().await);
    let address = server.address();
    let dials = (0..100).map(|_| client.connect(&address, ECHO.alpn));
    let ids: HashSet<usize> =
        join_all(dials).await.into_iter().map(|dialled| dialled.unwrap().stable_id()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_end_the_dial_of_others() {
    let (server, client) = (echo_server().await, endpoint().await);
    let address = server.address();
    let first = tokio::spawn({
        let (client, address) = (client.clone(), address.clone());
        async move { client.connect(&address, ECHO.alpn).await }
    });
    let second = client.connect(&address, ECHO.alpn);
    first.abort();
    assert!(second.await.is_ok());
}

#[tokio::test]
async fn a_closed_connection_is_replaced() {
    let (server, client) = (echo_server().await, endpoint().await);
    let first = client.connect(&server.address(), ECHO.alpn).await.unwrap();
    first.close("test");
    assert!(first.is_closed());
    let second = client.connect(&server.address(), ECHO.alpn).await.unwrap();
    assert_ne!(first.stable_id(), second.stable_id());
    assert!(echoes(&client, &server.address()).await);
}

#[tokio::test]
async fn an_unserved_protocol_is_refused_in_the_handshake() {
    let (server, client) = (echo_server().await, endpoint().await);
    let error = client.connect(&server.address(), b"test/other/1").await.unwrap_err();
    assert_eq!(error.code(), "connect_wrong_protocol", "{error}");
    assert!(echoes(&client, &server.address()).await);
}

#[tokio::test]
async fn another_key_at_the_address_is_detected() {
    let (server, client) = (echo_server().await, endpoint().await);
    let other = SecretKey::generate().public();
    let address = NodeAddress { node: other, ..server.address() };
    let error = client.connect(&address, ECHO.alpn).await.unwrap_err();
    assert_eq!(error.code(), "connect_wrong_identity", "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_dead_address_ends_in_a_typed_error_and_is_not_remembered() {
    let client = endpoint().await;
    let gone = echo_server().await;
    let address = gone.address();
    gone.close().await;
    let error = client.connect(&address, ECHO.alpn).await.unwrap_err();
    assert_eq!(error.code(), "connect_timeout", "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn nobody_dials_itself_and_a_key_alone_needs_an_address() {
    let (server, client) = (echo_server().await, endpoint().await);
    let error = client.connect(&client.address(), ECHO.alpn).await.unwrap_err();
    assert_eq!(error, ConnectError::SelfConnect);

    let bare = NodeAddress { node: server.node(), direct: vec![], relay: None };
    let error = client.connect(&bare, ECHO.alpn).await.unwrap_err();
    assert_eq!(error.code(), "connect_no_address", "{error}");
    client.learn(&server.address()).unwrap();
    assert!(echoes(&client, &bare).await);
}

#[tokio::test]
async fn a_taken_port_is_a_distinct_error() {
    let server = endpoint().await;
    let bind = server.local_address().unwrap();
    let taken = Endpoint::bind(EndpointConfig::new(SecretKey::generate(), bind)).await;
    assert_eq!(taken.unwrap_err().code(), "bind_address_in_use");
    let elsewhere: SocketAddr = "192.0.2.1:0".parse().unwrap();
    let missing = Endpoint::bind(EndpointConfig::new(SecretKey::generate(), elsewhere)).await;
    assert_eq!(missing.unwrap_err().code(), "bind_address_not_available");
}

#[tokio::test]
async fn an_endpoint_on_all_interfaces_names_addresses_that_work() {
    let everywhere = EndpointConfig { bind: SocketAddr::from(([0; 4], 0)), ..config() };
    let server = Endpoint::bind(everywhere).await.unwrap();
    server.serve(vec![(ECHO, Arc::new(Echo))]);
    let address = server.address();
    assert!(!address.direct.is_empty());
    assert!(address.direct.iter().all(|direct| !direct.ip().is_unspecified()));
    assert!(echoes(&endpoint().await, &address).await);
}

#[tokio::test]
async fn a_bad_relay_or_no_path_at_all_is_refused_at_the_start() {
    let relays = vec!["not a url".to_owned()];
    let bad = Endpoint::bind(EndpointConfig { relays, ..config() }).await.unwrap_err();
    assert_eq!(bad.code(), "bind_relay");
    let none = Endpoint::bind(EndpointConfig { direct: false, ..config() }).await.unwrap_err();
    assert_eq!(none.code(), "bind_no_path");
}
