//! Outgoing connections: one a node and protocol, dialled once however many ask.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use iroh::endpoint::{
    ConnectError as IrohConnectError, ConnectWithOptsError, ConnectingError, ConnectionError,
};
use parking_lot::Mutex;
use remuda_types::{NodeAddress, NodeId};
use thiserror::Error;
use tokio::time::timeout;

use crate::Connection;
use crate::address::{self, AddressError};

/// How long a dial may take, over all addresses and the relay.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(8);

/// The most outgoing connections that are kept for reuse. Beyond it one of them is forgotten,
/// and closes when its streams end.
pub const POOL_CONNECTIONS_MAX: usize = 4096;

/// The TLS alert of a server that speaks no protocol of the client's.
const ALERT_NO_APPLICATION_PROTOCOL: u64 = 0x100 + 120;

/// Why a node could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address makes no sense.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A node does not dial itself.
    #[error("this is the node's own address")]
    SelfConnect,
    /// The address has neither direct addresses nor a relay, and none are known.
    #[error("no address of node {node} is known; add ip:port or a relay")]
    NoAddress {
        /// The node, shortened.
        node: String,
    },
    /// Nobody answered.
    #[error("node {node} did not answer within {after:?}")]
    Timeout {
        /// The node, shortened.
        node: String,
        /// How long was waited.
        after: Duration,
    },
    /// Somebody answered who does not hold the node's key.
    #[error("whoever answered there does not hold the key of node {node}: {reason}")]
    WrongIdentity {
        /// The node, shortened.
        node: String,
        /// What the transport says.
        reason: String,
    },
    /// The node answered but does not speak the protocol.
    #[error("node {node} does not speak {protocol}; it has another role or version")]
    WrongProtocol {
        /// The node, shortened.
        node: String,
        /// The protocol.
        protocol: String,
    },
    /// The node refused, or the connection broke while it was made.
    #[error("node {node} could not be reached: {reason}")]
    Failed {
        /// The node, shortened.
        node: String,
        /// What the transport says.
        reason: String,
    },
    /// This endpoint is closed.
    #[error("this endpoint is closed")]
    EndpointClosed,
}

impl ConnectError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Address(error) => error.code(),
            Self::SelfConnect => "connect_self",
            Self::NoAddress { .. } => "connect_no_address",
            Self::Timeout { .. } => "connect_timeout",
            Self::WrongIdentity { .. } => "connect_wrong_identity",
            Self::WrongProtocol { .. } => "connect_wrong_protocol",
            Self::Failed { .. } => "connect_failed",
            Self::EndpointClosed => "endpoint_closed",
        }
    }

    /// Whether dialling the same address later may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Failed { .. })
    }
}

type Key = (NodeId, &'static [u8]);
type Dialled = Result<Connection, ConnectError>;

enum Slot {
    Open(Connection),
    Dialling(Shared<BoxFuture<'static, Dialled>>),
}

/// The outgoing connections of one endpoint.
pub(crate) struct Pool {
    endpoint: iroh::Endpoint,
    slots: Mutex<HashMap<Key, Slot>>,
}

impl Pool {
    pub(crate) fn new(endpoint: iroh::Endpoint) -> Self {
        Self { endpoint, slots: Mutex::new(HashMap::new()) }
    }

    /// An open connection: the pooled one, or the outcome of the one dial that is under way.
    pub(crate) async fn connect(
        self: &Arc<Self>,
        to: &NodeAddress,
        alpn: &'static [u8],
    ) -> Dialled {
        let dial = {
            let mut slots = self.slots.lock();
            match slots.get(&(to.node, alpn)) {
                Some(Slot::Open(connection)) if !connection.is_closed() => {
                    return Ok(connection.clone());
                }
                Some(Slot::Dialling(dial)) => dial.clone(),
                _ => self.start_dial(&mut slots, to, alpn),
            }
        };
        dial.await
    }

    /// Forgets all connections, so that none is handed out again.
    pub(crate) fn clear(&self) {
        self.slots.lock().clear();
    }

    /// Dials in a task of its own, so that a caller that gives up does not end it for others.
    fn start_dial(
        self: &Arc<Self>,
        slots: &mut HashMap<Key, Slot>,
        to: &NodeAddress,
        alpn: &'static [u8],
    ) -> Shared<BoxFuture<'static, Dialled>> {
        make_room(slots);
        let (pool, to) = (Arc::clone(self), to.clone());
        let node = to.node;
        let task = tokio::spawn(async move {
            let dialled = dial(&pool.endpoint, &to, alpn).await;
            pool.store((to.node, alpn), &dialled);
            dialled
        });
        let ended = |_| Err(ConnectError::EndpointClosed);
        let dial = task.map(move |joined| joined.unwrap_or_else(ended)).boxed().shared();
        slots.insert((node, alpn), Slot::Dialling(dial.clone()));
        dial
    }

    fn store(&self, key: Key, dialled: &Dialled) {
        let mut slots = self.slots.lock();
        match dialled {
            Ok(connection) => slots.insert(key, Slot::Open(connection.clone())),
            Err(_) => slots.remove(&key),
        };
    }
}

fn make_room(slots: &mut HashMap<Key, Slot>) {
    if slots.len() < POOL_CONNECTIONS_MAX {
        return;
    }
    slots.retain(|_, slot| !matches!(slot, Slot::Open(connection) if connection.is_closed()));
    if slots.len() >= POOL_CONNECTIONS_MAX {
        let open = slots.iter().find(|(_, slot)| matches!(slot, Slot::Open(_)));
        if let Some(key) = open.map(|(key, _)| *key) {
            slots.remove(&key);
        }
    }
}

async fn dial(endpoint: &iroh::Endpoint, to: &NodeAddress, alpn: &'static [u8]) -> Dialled {
    let address = address::to_iroh(to)?;
    match timeout(DIAL_TIMEOUT, endpoint.connect(address, alpn)).await {
        Ok(Ok(connection)) => Ok(Connection::new(connection)),
        Ok(Err(error)) => Err(explain(to.node, alpn, &error)),
        Err(_) => Err(ConnectError::Timeout { node: to.node.short(), after: DIAL_TIMEOUT }),
    }
}

fn explain(node: NodeId, alpn: &[u8], error: &IrohConnectError) -> ConnectError {
    match error {
        IrohConnectError::Connect { source, .. } => explain_start(node, source),
        IrohConnectError::Connection { source, .. } => explain_lost(node, alpn, source),
        IrohConnectError::Connecting { source, .. } => match source {
            ConnectingError::ConnectionError { source, .. } => explain_lost(node, alpn, source),
            ConnectingError::HandshakeFailure { source, .. } => {
                ConnectError::WrongIdentity { node: node.short(), reason: source.to_string() }
            }
            other => failed(node, other),
        },
        other => failed(node, other),
    }
}

fn explain_start(node: NodeId, error: &ConnectWithOptsError) -> ConnectError {
    match error {
        ConnectWithOptsError::SelfConnect { .. } => ConnectError::SelfConnect,
        ConnectWithOptsError::NoAddress { .. } => ConnectError::NoAddress { node: node.short() },
        ConnectWithOptsError::EndpointClosed { .. } => ConnectError::EndpointClosed,
        other => failed(node, other),
    }
}

fn explain_lost(node: NodeId, alpn: &[u8], error: &ConnectionError) -> ConnectError {
    let node_text = node.short();
    match error {
        ConnectionError::TimedOut => ConnectError::Timeout { node: node_text, after: DIAL_TIMEOUT },
        ConnectionError::ConnectionClosed(close)
            if u64::from(close.error_code) == ALERT_NO_APPLICATION_PROTOCOL =>
        {
            let protocol = String::from_utf8_lossy(alpn).into_owned();
            ConnectError::WrongProtocol { node: node_text, protocol }
        }
        // Our own TLS refused the certificate: another key answered.
        ConnectionError::TransportError(error)
            if (0x100..0x200).contains(&u64::from(error.code)) =>
        {
            ConnectError::WrongIdentity { node: node_text, reason: error.to_string() }
        }
        other => failed(node, other),
    }
}

fn failed(node: NodeId, error: &dyn std::fmt::Display) -> ConnectError {
    ConnectError::Failed { node: node.short(), reason: error.to_string() }
}
