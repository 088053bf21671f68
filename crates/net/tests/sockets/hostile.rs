//! A peer that speaks QUIC and TLS properly, and breaks our framing in every way.

use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{Connection, WriteError, presets};
use iroh::{EndpointAddr, PublicKey};
use remuda_net::{Endpoint, FrameError, Handler, Stream, request};
use tokio::sync::mpsc;

use crate::{ECHO, PATIENCE, endpoint, loopback};

type Received = Result<Option<String>, FrameError>;

/// Reports what its first receive gave, and keeps the stream's writer open meanwhile.
struct Report(mpsc::UnboundedSender<Received>);

#[remuda_net::async_trait]
impl Handler for Report {
    async fn handle(&self, mut stream: Stream) {
        let received = stream.reader.receive_within(Duration::from_secs(2)).await;
        if received.is_ok() {
            let _ = stream.writer.send("fine").await;
        }
        let _ = self.0.send(received);
    }
}

struct Attack {
    server: Endpoint,
    reports: mpsc::UnboundedReceiver<Received>,
    _client: iroh::Endpoint,
    connection: Connection,
}

async fn attack() -> Attack {
    let server = endpoint().await;
    let (sender, reports) = mpsc::unbounded_channel();
    server.serve(vec![(ECHO, Arc::new(Report(sender)))]);
    let client = iroh::Endpoint::builder(presets::Minimal).clear_ip_transports();
    let client = client.bind_addr(loopback()).unwrap().bind().await.unwrap();
    let to = EndpointAddr::new(PublicKey::from_bytes(&server.node().0).unwrap())
        .with_ip_addr(server.local_address().unwrap());
    let connection = client.connect(to, ECHO.alpn).await.unwrap();
    Attack { server, reports, _client: client, connection }
}

impl Attack {
    /// Sends raw bytes, finishes the stream, and returns what the handler received.
    async fn send(&mut self, bytes: &[u8]) -> Received {
        let (mut send, _recv) = self.connection.open_bi().await.unwrap();
        // The server may refuse before everything is sent.
        let _ = send.write_all(bytes).await;
        let _ = send.finish();
        self.reports.recv().await.unwrap()
    }

    async fn refused(&mut self, bytes: &[u8], code: &str) {
        let error = self.send(bytes).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }

    /// The same connection still serves well-meaning streams.
    async fn survives(&mut self) {
        let frame = remuda_net::frame::encode("hello", ECHO.frame_bytes_max).unwrap();
        assert_eq!(self.send(&frame).await, Ok(Some("hello".to_owned())));
        let honest = endpoint().await;
        let connection = honest.connect(&self.server.address(), ECHO.alpn).await.unwrap();
        let answer: String =
            request(&connection, ECHO.frame_bytes_max, "hi", PATIENCE).await.unwrap();
        assert_eq!(answer, "fine");
    }
}

#[tokio::test]
async fn every_broken_frame_has_its_error_and_harms_nobody() {
    let mut attack = attack().await;
    let good = remuda_net::frame::encode("hello", ECHO.frame_bytes_max).unwrap();
    for cut in 1..good.len() {
        attack.refused(&good[..cut], "frame_truncated").await;
    }
    let mut wrong_version = good.clone();
    wrong_version[4] = 9;
    attack.refused(&wrong_version, "frame_version").await;
    let mut trailing = good.clone();
    trailing[0] += 1;
    trailing.push(0);
    attack.refused(&trailing, "frame_malformed").await;
    attack.refused(&[0, 0, 0, 0], "frame_malformed").await;
    attack.refused(&[5, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff], "frame_malformed").await;
    attack.refused(b"GET / HTTP/1.1\r\n\r\n", "frame_too_large").await;
    attack.refused(&[0xff; 64 << 10], "frame_too_large").await;
    attack.survives().await;
}

#[tokio::test]
async fn an_oversized_frame_is_refused_before_its_body_is_sent() {
    let mut attack = attack().await;
    let (mut send, _recv) = attack.connection.open_bi().await.unwrap();
    let length = u32::try_from(ECHO.frame_bytes_max + 1).unwrap().to_le_bytes();
    send.write_all(&length).await.unwrap();
    let error = attack.reports.recv().await.unwrap().unwrap_err();
    assert_eq!(error.code(), "frame_too_large");
    assert!(send.stopped().await.unwrap().is_some());
    let refused = send.write_all(b"more").await;
    assert!(matches!(refused, Err(WriteError::Stopped(_))), "{refused:?}");
    attack.survives().await;
}

#[tokio::test]
async fn a_stream_that_falls_silent_or_is_reset_ends() {
    let mut attack = attack().await;
    let (mut silent, _recv) = attack.connection.open_bi().await.unwrap();
    silent.write_all(&[5, 0]).await.unwrap();
    let error = attack.reports.recv().await.unwrap().unwrap_err();
    assert_eq!(error.code(), "frame_timeout");

    let (mut reset, _recv) = attack.connection.open_bi().await.unwrap();
    reset.write_all(&[5, 0]).await.unwrap();
    reset.reset(7_u32.into()).unwrap();
    // The reset may overtake the bytes; then the stream is never seen, and the next report is
    // that of the healthy stream.
    let frame = remuda_net::frame::encode("hello", ECHO.frame_bytes_max).unwrap();
    let first = attack.send(&frame).await;
    let seen = first.as_ref().map_err(FrameError::code);
    assert!(matches!(seen, Ok(Some(_)) | Err("stream_closed")), "{first:?}");
}
