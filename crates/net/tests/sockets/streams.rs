//! Streams of frames between well-meaning nodes.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use remuda_net::{Connection, Endpoint, EndpointConfig, FrameError, request};

use crate::{ECHO, PATIENCE, config, echo_server, endpoint};

async fn connected() -> (Endpoint, Endpoint, Connection) {
    let (server, client) = (echo_server().await, endpoint().await);
    let connection = client.connect(&server.address(), ECHO.alpn).await.unwrap();
    (server, client, connection)
}

async fn ask(connection: &Connection, text: &str) -> Result<String, remuda_net::RequestError> {
    request(connection, ECHO.frame_bytes_max, text, PATIENCE).await
}

#[tokio::test]
async fn one_stream_carries_many_messages_in_order() {
    let (_server, _client, connection) = connected().await;
    let mut stream = connection.open(ECHO.frame_bytes_max).await.unwrap();
    let texts: Vec<String> = (0..100_usize).map(|i| "x".repeat(i * 100)).collect();
    for text in &texts {
        stream.writer.send(text).await.unwrap();
    }
    stream.writer.finish();
    for text in &texts {
        assert_eq!(stream.reader.receive::<String>().await.unwrap().as_ref(), Some(text));
    }
    assert_eq!(stream.reader.receive::<String>().await, Ok(None));
    assert_eq!(stream.reader.receive::<String>().await, Ok(None));
}

#[tokio::test]
async fn a_thousand_streams_run_at_once() {
    let (_server, _client, connection) = connected().await;
    let asked = (0..1000).map(|i| {
        let connection = connection.clone();
        async move { (i, ask(&connection, &i.to_string()).await) }
    });
    for (i, answer) in join_all(asked).await {
        assert_eq!(answer.unwrap(), i.to_string());
    }
}

#[tokio::test]
async fn a_receive_that_is_dropped_loses_nothing() {
    let (_server, _client, connection) = connected().await;
    let mut stream = connection.open(ECHO.frame_bytes_max).await.unwrap();
    let texts: Vec<String> = (0..300_usize).map(|i| format!("{i}:{}", "y".repeat(i * 7))).collect();
    let sent = texts.clone();
    let mut writer = stream.writer;
    let sender = tokio::spawn(async move {
        for text in &sent {
            writer.send(text).await.unwrap();
            tokio::task::yield_now().await;
        }
        writer
    });
    let mut received = Vec::new();
    while received.len() < texts.len() {
        // Each receive is polled once and dropped.
        match stream.reader.receive::<String>().now_or_never() {
            Some(message) => received.push(message.unwrap().unwrap()),
            None => tokio::task::yield_now().await,
        }
    }
    assert_eq!(received, texts);
    drop(sender.await.unwrap());
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_not_sent_and_the_stream_goes_on() {
    let (_server, _client, connection) = connected().await;
    let mut stream = connection.open(ECHO.frame_bytes_max).await.unwrap();
    let huge = "z".repeat(ECHO.frame_bytes_max);
    let error = stream.writer.send(&huge).await.unwrap_err();
    assert_eq!(error.code(), "frame_too_large");
    stream.writer.send("small").await.unwrap();
    assert_eq!(stream.reader.receive::<String>().await, Ok(Some("small".to_owned())));
}

#[tokio::test]
async fn a_panicking_handler_costs_its_own_stream_only() {
    let (_server, _client, connection) = connected().await;
    let error = ask(&connection, "panic").await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_eq!(ask(&connection, "still here").await.unwrap(), "still here");
}

#[tokio::test]
async fn a_closed_peer_is_an_error_and_not_a_hang() {
    let (server, _client, connection) = connected().await;
    let mut stream = connection.open(ECHO.frame_bytes_max).await.unwrap();
    stream.writer.send("first").await.unwrap();
    assert_eq!(stream.reader.receive::<String>().await, Ok(Some("first".to_owned())));
    server.close().await;
    let error = stream.reader.receive::<String>().await.unwrap_err();
    assert_eq!(error.code(), "connection_closed");
    assert!(connection.is_closed());
    assert_eq!(ask(&connection, "again").await.unwrap_err().code(), "connection_closed");
}

/// A killed process closes nothing: its packets just stop.
#[test]
fn a_killed_peer_is_an_error_and_not_a_hang() {
    let dying = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = dying.block_on(echo_server());
    let address = server.address();
    let surviving = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    surviving.block_on(async {
        let idle_timeout = Duration::from_secs(1);
        let client = Endpoint::bind(EndpointConfig { idle_timeout, ..config() }).await.unwrap();
        let connection = client.connect(&address, ECHO.alpn).await.unwrap();
        let mut stream = connection.open(ECHO.frame_bytes_max).await.unwrap();
        stream.writer.send("first").await.unwrap();
        assert_eq!(stream.reader.receive::<String>().await, Ok(Some("first".to_owned())));
        dying.shutdown_background();
        let received = stream.reader.receive_within::<String>(PATIENCE).await;
        assert!(matches!(received, Err(FrameError::ConnectionClosed { .. })), "{received:?}");
        client.close().await;
    });
    drop(server);
}
