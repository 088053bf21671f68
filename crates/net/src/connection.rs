//! An authenticated connection to another node, and the path it takes.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use iroh::TransportAddr;
use iroh::endpoint::VarInt;
use remuda_types::{NodeId, PublicKey};
use tokio::time::timeout;

use crate::{FrameError, Stream};

/// How long opening a stream may wait while the other side allows no more of them.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The round-trip time that is assumed while none is measured.
const RTT_UNKNOWN: Duration = Duration::from_millis(333);

/// How packets reach the other node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathKind {
    /// Straight to this address.
    Direct(SocketAddr),
    /// Through the relay at this URL.
    Relayed(String),
    /// No path is chosen yet, or the connection is closed.
    Unknown,
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(address) => write!(f, "direct ({address})"),
            Self::Relayed(url) => write!(f, "relayed ({url})"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// A connection to a node that has proven its key. Clones share it; it closes when the last
/// clone and stream are gone.
#[derive(Clone)]
pub struct Connection {
    inner: iroh::endpoint::Connection,
}

impl Connection {
    pub(crate) const fn new(inner: iroh::endpoint::Connection) -> Self {
        Self { inner }
    }

    pub(crate) const fn inner(&self) -> &iroh::endpoint::Connection {
        &self.inner
    }

    /// The other node.
    #[must_use]
    pub fn remote(&self) -> NodeId {
        PublicKey(*self.inner.remote_id().as_bytes())
    }

    /// A number that no other connection of this process has.
    #[must_use]
    pub fn stable_id(&self) -> usize {
        self.inner.stable_id()
    }

    /// How packets travel now. It may change while the connection lives.
    #[must_use]
    pub fn path(&self) -> PathKind {
        let paths = self.inner.paths();
        let chosen = paths.iter().find(|path| path.is_selected());
        match chosen.or_else(|| paths.iter().next()).map(|path| path.remote_addr().clone()) {
            Some(TransportAddr::Ip(address)) => PathKind::Direct(address),
            Some(TransportAddr::Relay(url)) => PathKind::Relayed(url.to_string()),
            _ => PathKind::Unknown,
        }
    }

    /// The measured round-trip time of the path in use.
    #[must_use]
    pub fn rtt(&self) -> Duration {
        let paths = self.inner.paths();
        let chosen = paths.iter().find(|path| path.is_selected());
        chosen.map_or(RTT_UNKNOWN, |path| path.rtt())
    }

    /// Opens a bidirectional stream. The other side learns of it with the first message.
    ///
    /// # Errors
    /// [`FrameError::ConnectionClosed`], or [`FrameError::Timeout`] when the other side allows
    /// no more streams for [`OPEN_TIMEOUT`].
    pub async fn open(&self, frame_bytes_max: usize) -> Result<Stream, FrameError> {
        self.open_within(frame_bytes_max, OPEN_TIMEOUT).await
    }

    pub(crate) async fn open_within(
        &self,
        frame_bytes_max: usize,
        wait: Duration,
    ) -> Result<Stream, FrameError> {
        match timeout(wait, self.inner.open_bi()).await {
            Ok(Ok(halves)) => Ok(Stream::new(self.clone(), halves, frame_bytes_max)),
            Ok(Err(lost)) => Err(FrameError::ConnectionClosed { reason: lost.to_string() }),
            Err(_) => Err(FrameError::Timeout { after: wait }),
        }
    }

    /// Waits until the connection is closed by either side or lost; says why.
    pub async fn closed(&self) -> String {
        self.inner.closed().await.to_string()
    }

    /// Whether it is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.close_reason().is_some()
    }

    /// Closes it at once, for all clones; the next `connect` dials anew. What was sent but has
    /// not arrived is lost.
    pub fn close(&self, reason: &str) {
        self.inner.close(VarInt::from_u32(0), reason.as_bytes());
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alpn = String::from_utf8_lossy(self.inner.alpn());
        write!(f, "Connection({} over {alpn}, {})", self.remote().short(), self.path())
    }
}
