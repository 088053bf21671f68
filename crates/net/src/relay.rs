//! An own relay in this process, for networks that want none of anybody else's.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use iroh_relay::server::{RelayConfig, Server, ServerConfig, SpawnError};
use thiserror::Error;

/// Why a relay could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Another program has the port.
    #[error("TCP {address} is in use by another program; stop it or choose another port")]
    AddressInUse {
        /// The wanted address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("the relay on TCP {address} could not be started: {reason}")]
    Failed {
        /// The wanted address.
        address: SocketAddr,
        /// What the transport says.
        reason: String,
    },
}

impl RelayError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AddressInUse { .. } => "relay_address_in_use",
            Self::Failed { .. } => "relay_failed",
        }
    }
}

/// A running relay over plain HTTP: packets stay encrypted end to end between the nodes, so the
/// relay reads nothing. Put a TLS proxy in front where networks block plain HTTP. It stops when
/// it is dropped.
pub struct Relay {
    server: Server,
    address: SocketAddr,
}

impl Relay {
    /// Starts a relay on `bind`; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`RelayError`], with a variant of its own for a taken port.
    pub async fn spawn(bind: SocketAddr) -> Result<Self, RelayError> {
        let mut config = ServerConfig::default();
        config.relay = Some(RelayConfig::new(bind));
        let server = Box::pin(Server::spawn(config)).await.map_err(|e| spawn_error(bind, &e))?;
        let missing = || RelayError::Failed { address: bind, reason: "no address".to_owned() };
        let address = server.http_addr().ok_or_else(missing)?;
        Ok(Self { server, address })
    }

    /// The TCP address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL for nodes on this machine. Nodes elsewhere need the URL under which they see it.
    #[must_use]
    pub fn url(&self) -> String {
        let ip = match self.address.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}/", SocketAddr::new(ip, self.address.port()))
    }

    /// Stops it and waits until it has stopped.
    pub async fn shutdown(self) {
        if let Err(error) = self.server.shutdown().await {
            tracing::debug!(%error, "the relay had stopped already");
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({})", self.address)
    }
}

fn spawn_error(address: SocketAddr, error: &SpawnError) -> RelayError {
    let source = match error {
        SpawnError::BindTlsListener { source, .. } | SpawnError::BindTcpListener { source, .. } => {
            Some(source)
        }
        _ => None,
    };
    if source.is_some_and(|source| source.kind() == io::ErrorKind::AddrInUse) {
        return RelayError::AddressInUse { address };
    }
    RelayError::Failed { address, reason: error.to_string() }
}
