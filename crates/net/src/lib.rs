//! How nodes talk: one iroh endpoint a node, dialled by public key, with one ALPN a protocol
//! and framed, versioned, size-limited messages on bidirectional streams.
//!
//! This crate moves messages and knows nothing of what they mean: who pays, who is matched and
//! what a job is are the business of the crates above. It contacts nobody on its own: no relay,
//! no discovery, no port mapping unless the configuration names one.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//! use remuda_net::{Endpoint, EndpointConfig, Handler, Protocol, Stream, request};
//! use remuda_types::SecretKey;
//!
//! const ECHO: Protocol = Protocol { alpn: b"example/echo/1", frame_bytes_max: 1024 };
//!
//! struct Echo;
//!
//! #[remuda_net::async_trait]
//! impl Handler for Echo {
//!     async fn handle(&self, mut stream: Stream) {
//!         if let Ok(Some(text)) = stream.reader.receive::<String>().await {
//!             let _ = stream.writer.send(&text).await;
//!         }
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let loopback = "127.0.0.1:0".parse()?;
//! let server = Endpoint::bind(EndpointConfig::new(SecretKey::generate(), loopback)).await?;
//! server.serve(vec![(ECHO, Arc::new(Echo))]);
//! let client = Endpoint::bind(EndpointConfig::new(SecretKey::generate(), loopback)).await?;
//! let connection = client.connect(&server.address(), ECHO.alpn).await?;
//! let question = "hello".to_owned();
//! let wait = Duration::from_secs(5);
//! let answer: String = request(&connection, ECHO.frame_bytes_max, &question, wait).await?;
//! assert_eq!(answer, question);
//! # Ok(())
//! # }
//! ```

pub mod address;
mod connection;
mod endpoint;
pub mod frame;
mod knock;
mod pool;
pub mod protocol;
pub mod relay;
mod serve;
mod stream;

pub use async_trait::async_trait;
pub use connection::{Connection, OPEN_TIMEOUT, PathKind};
pub use endpoint::{
    BindError, CONNECTION_WINDOW_BYTES, Endpoint, EndpointConfig, IDLE_TIMEOUT,
    KEEP_ALIVE_INTERVAL, STREAMS_PER_CONNECTION_MAX,
};
pub use frame::FrameError;
pub use knock::Knock;
pub use pool::{ConnectError, DIAL_TIMEOUT, POOL_CONNECTIONS_MAX};
pub use serve::{CONNECTIONS_MAX, HANDSHAKE_TIMEOUT, Handler, Protocol};
pub use stream::{FrameReader, FrameWriter, RequestError, SEND_TIMEOUT, Stream, request};
