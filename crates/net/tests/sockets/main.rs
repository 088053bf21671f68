//! Endpoints on real loopback sockets.

// A helper that fails should end its test.
#![allow(clippy::unwrap_used)]

mod dial;
mod hostile;
mod relayed;
mod streams;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use remuda_net::{Endpoint, EndpointConfig, Handler, Protocol, Stream};
use remuda_types::SecretKey;

/// What every test serves.
const ECHO: Protocol = Protocol { alpn: b"test/echo/1", frame_bytes_max: 64 << 10 };

/// Long enough for a loaded machine, short enough to end a broken test.
const PATIENCE: Duration = Duration::from_secs(30);

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn config() -> EndpointConfig {
    EndpointConfig::new(SecretKey::generate(), loopback())
}

async fn endpoint() -> Endpoint {
    Endpoint::bind(config()).await.unwrap()
}

async fn echo_server() -> Endpoint {
    let server = endpoint().await;
    server.serve(vec![(ECHO, Arc::new(Echo))]);
    server
}

/// Sends every text back; panics when told to.
struct Echo;

#[remuda_net::async_trait]
impl Handler for Echo {
    async fn handle(&self, mut stream: Stream) {
        while let Ok(Some(text)) = stream.reader.receive_within::<String>(PATIENCE).await {
            assert_ne!(text, "panic", "told to panic");
            if stream.writer.send(&text).await.is_err() {
                return;
            }
        }
    }
}
