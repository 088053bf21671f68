//! The accepting side: one task a connection, one task a stream, all of them bounded.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use iroh::endpoint::Incoming;
use parking_lot::RwLock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Connection, STREAMS_PER_CONNECTION_MAX, Stream};

/// The most incoming connections at once. A node beyond it is refused and may dial again.
pub const CONNECTIONS_MAX: usize = 4096;

/// How long a handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A protocol's name on the wire, and how long its frames may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The name, with its version.
    pub alpn: &'static [u8],
    /// The longest frame, in bytes.
    pub frame_bytes_max: usize,
}

/// The serving side of a protocol.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Serves one bidirectional stream. `stream.connection.remote()` is the proven caller.
    ///
    /// It runs in a task of its own and may panic without harm to others. The first receive
    /// should be [`crate::FrameReader::receive_within`]: a caller may open a stream and fall
    /// silent.
    async fn handle(&self, stream: Stream);
}

type Table = HashMap<&'static [u8], (Protocol, Arc<dyn Handler>)>;

/// What is served, and the tasks that serve.
pub(crate) struct Server {
    endpoint: iroh::Endpoint,
    table: RwLock<Table>,
    connections: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Server {
    pub(crate) fn new(endpoint: iroh::Endpoint, stop: CancellationToken) -> Self {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let tasks = TaskTracker::new();
        Self { endpoint, table: RwLock::default(), connections, stop, tasks }
    }

    /// Adds protocols; the first call starts accepting.
    pub(crate) fn add(self: &Arc<Self>, protocols: Vec<(Protocol, Arc<dyn Handler>)>) {
        let mut table = self.table.write();
        let first = table.is_empty();
        for (protocol, handler) in protocols {
            table.insert(protocol.alpn, (protocol, handler));
        }
        self.endpoint.set_alpns(table.keys().map(|alpn| alpn.to_vec()).collect());
        if first && !table.is_empty() {
            self.tasks.spawn(Arc::clone(self).accept());
        }
    }

    async fn accept(self: Arc<Self>) {
        loop {
            let incoming = tokio::select! {
                () = self.stop.cancelled() => return,
                incoming = self.endpoint.accept() => incoming,
            };
            let Some(incoming) = incoming else { return };
            match Arc::clone(&self.connections).try_acquire_owned() {
                Ok(permit) => {
                    self.tasks.spawn(Arc::clone(&self).greet(incoming, permit));
                }
                Err(_) => {
                    tracing::warn!(limit = CONNECTIONS_MAX, "a connection was refused: too many");
                    incoming.refuse();
                }
            }
        }
    }

    async fn greet(self: Arc<Self>, incoming: Incoming, _permit: OwnedSemaphorePermit) {
        match timeout(HANDSHAKE_TIMEOUT, shake_hands(incoming)).await {
            Ok(Ok(connection)) => self.serve(Connection::new(connection)).await,
            Ok(Err(reason)) => tracing::debug!(reason, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    }

    async fn serve(&self, connection: Connection) {
        let found = self.table.read().get(connection.inner().alpn()).cloned();
        let Some((protocol, handler)) = found else { return };
        let streams = Arc::new(Semaphore::new(STREAMS_PER_CONNECTION_MAX as usize));
        loop {
            let Ok(permit) = Arc::clone(&streams).acquire_owned().await else { return };
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = connection.inner().accept_bi() => accepted,
            };
            let Ok(halves) = accepted else { return };
            let stream = Stream::new(connection.clone(), halves, protocol.frame_bytes_max);
            self.tasks.spawn(run(Arc::clone(&handler), stream, permit));
        }
    }
}

async fn shake_hands(incoming: Incoming) -> Result<iroh::endpoint::Connection, String> {
    let accepting = incoming.accept().map_err(|error| error.to_string())?;
    accepting.await.map_err(|error| error.to_string())
}

/// Runs the handler, and keeps a panic from passing unseen.
async fn run(handler: Arc<dyn Handler>, stream: Stream, _permit: OwnedSemaphorePermit) {
    let remote = stream.connection.remote().short();
    if AssertUnwindSafe(handler.handle(stream)).catch_unwind().await.is_err() {
        tracing::error!(remote, "a protocol handler panicked; its stream was dropped");
    }
}
