//! One node's presence on the network.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use iroh::address_lookup::memory::MemoryLookup;
use iroh::endpoint::{
    BindError as IrohBindError, Builder, IdleTimeout, NetReportConfig, QuicTransportConfig, VarInt,
    presets,
};
use iroh::{RelayMap, RelayMode, RelayUrl};
use remuda_types::{NodeAddress, NodeId, SecretKey};
use thiserror::Error;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::address::{self, AddressError, DIRECT_MAX};
use crate::pool::Pool;
use crate::serve::Server;
use crate::{ConnectError, Connection, Handler, Protocol};

/// How often an idle connection shows that it lives.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// After how long without a sign of life a connection is given up.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The most streams that one caller may have open on one connection.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 4096;

/// The most bytes of one stream that wait unread.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// The most bytes of one connection that wait unread, over all its streams.
pub const CONNECTION_WINDOW_BYTES: u32 = 64 << 20;

/// How long [`Endpoint::close`] waits for the transport, and then for handlers.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How an endpoint is set up.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The node's key.
    pub key: SecretKey,
    /// The UDP address to listen on; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// URLs of relays through which the node is reachable behind a NAT. None: no relay is
    /// contacted.
    pub relays: Vec<String>,
    /// Whether to ask the router for a port. Needs the cargo feature `port-mapping`.
    pub port_mapping: bool,
    /// Whether packets may travel directly. False leaves only the relays: for tests, and for
    /// nodes that must not reveal their address to their peers.
    pub direct: bool,
    /// After how long without a sign of life a connection is given up; the shorter of both
    /// sides' counts. Normally [`IDLE_TIMEOUT`].
    pub idle_timeout: Duration,
}

impl EndpointConfig {
    /// An endpoint on `bind` that contacts nobody on its own.
    #[must_use]
    pub const fn new(key: SecretKey, bind: SocketAddr) -> Self {
        let idle_timeout = IDLE_TIMEOUT;
        Self { key, bind, relays: Vec::new(), port_mapping: false, direct: true, idle_timeout }
    }
}

/// Why an endpoint could not be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another program has the port.
    #[error("UDP {address} is in use by another program; stop it or choose another port")]
    AddressInUse {
        /// The wanted address.
        address: SocketAddr,
    },
    /// The machine has no such address.
    #[error("this machine has no address {address}; listen on 0.0.0.0 or an address of its own")]
    AddressNotAvailable {
        /// The wanted address.
        address: SocketAddr,
    },
    /// The system does not let this user have the port.
    #[error("not allowed to listen on UDP {address}; choose a port above 1023")]
    NotAllowed {
        /// The wanted address.
        address: SocketAddr,
    },
    /// A relay's URL makes no sense.
    #[error(transparent)]
    Relay(#[from] AddressError),
    /// There is neither a direct path nor a relay.
    #[error("without direct paths a relay is needed; name one")]
    NoPath,
    /// Port mapping is asked for but not built in.
    #[error("this build has no port mapping; build with the feature `port-mapping` or turn it off")]
    PortMappingMissing,
    /// Anything else.
    #[error("the endpoint on UDP {address} could not be set up: {reason}")]
    Failed {
        /// The wanted address.
        address: SocketAddr,
        /// What the transport says.
        reason: String,
    },
}

impl BindError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AddressInUse { .. } => "bind_address_in_use",
            Self::AddressNotAvailable { .. } => "bind_address_not_available",
            Self::NotAllowed { .. } => "bind_not_allowed",
            Self::Relay(_) => "bind_relay",
            Self::NoPath => "bind_no_path",
            Self::PortMappingMissing => "bind_port_mapping_missing",
            Self::Failed { .. } => "bind_failed",
        }
    }
}

/// A node on the network: dials others, and serves protocols. Clones share it.
#[derive(Clone)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

struct Shared {
    iroh: iroh::Endpoint,
    node: NodeId,
    relays: Vec<RelayUrl>,
    direct: bool,
    known: MemoryLookup,
    pool: Arc<Pool>,
    server: Arc<Server>,
    /// Ends the accepting tasks when the last clone of the endpoint is gone.
    _stop: DropGuard,
}

impl Endpoint {
    /// Binds the socket. Contacts nobody but the configured relays.
    ///
    /// # Errors
    /// [`BindError`], with a variant of its own for a taken port.
    pub async fn bind(config: EndpointConfig) -> Result<Self, BindError> {
        let relays = config.relays.iter().map(|url| address::parse_relay(url));
        let relays: Vec<RelayUrl> = relays.collect::<Result<_, _>>()?;
        let known = MemoryLookup::new();
        let builder = builder(&config, &relays)?.address_lookup(known.clone());
        let bound = Box::pin(builder.bind()).await;
        let iroh = bound.map_err(|error| bind_error(config.bind, &error))?;
        let stop = CancellationToken::new();
        let shared = Shared {
            node: config.key.public(),
            relays,
            direct: config.direct,
            known,
            pool: Arc::new(Pool::new(iroh.clone())),
            server: Arc::new(Server::new(iroh.clone(), stop.clone())),
            iroh,
            _stop: stop.drop_guard(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The node's name: its public key.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.shared.node
    }

    /// Where the node can be reached now: its addresses (those of the interfaces when it
    /// listens on all of them) and its relay.
    #[must_use]
    pub fn address(&self) -> NodeAddress {
        let iroh = self.shared.iroh.addr();
        let relay = iroh.relay_urls().next().or(self.shared.relays.first());
        let relay = relay.map(ToString::to_string);
        let direct = if self.shared.direct { self.direct_addresses(&iroh) } else { Vec::new() };
        NodeAddress { node: self.shared.node, direct, relay }
    }

    /// The local UDP address.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.shared.iroh.bound_sockets().first().copied()
    }

    fn direct_addresses(&self, iroh: &iroh::EndpointAddr) -> Vec<SocketAddr> {
        let bound = self.shared.iroh.bound_sockets();
        let fixed = bound.iter().filter(|socket| !socket.ip().is_unspecified());
        let found = iroh.ip_addrs().filter(|socket| !is_link_local(socket.ip()));
        let mut direct: Vec<SocketAddr> = Vec::new();
        for socket in fixed.chain(found) {
            if !direct.contains(socket) {
                direct.push(*socket);
            }
        }
        if direct.is_empty() {
            // No interface is known: the machine itself can still be reached from itself.
            direct.extend(bound.iter().map(loopback_of));
        }
        direct.truncate(DIRECT_MAX);
        direct
    }

    /// Remembers where a node can be reached, so that an address with only its key suffices.
    ///
    /// # Errors
    /// [`AddressError`] when the address makes no sense.
    pub fn learn(&self, address: &NodeAddress) -> Result<(), AddressError> {
        self.shared.known.set_endpoint_info(address::to_iroh(address)?);
        Ok(())
    }

    /// A connection to `to` for `alpn`: the open one, or a new one. However many ask at once,
    /// one dial is made.
    ///
    /// # Errors
    /// [`ConnectError`], after [`crate::DIAL_TIMEOUT`] at the latest.
    pub async fn connect(
        &self,
        to: &NodeAddress,
        alpn: &'static [u8],
    ) -> Result<Connection, ConnectError> {
        self.shared.pool.connect(to, alpn).await
    }

    /// Serves `protocols` from now on, beside those of earlier calls. A caller of any other
    /// protocol is refused in the handshake. Must be called within a tokio runtime.
    pub fn serve(&self, protocols: Vec<(Protocol, Arc<dyn Handler>)>) {
        self.shared.server.add(protocols);
    }

    /// Waits until a relay is connected; at once when none is configured.
    pub async fn online(&self) {
        if !self.shared.relays.is_empty() {
            self.shared.iroh.online().await;
        }
    }

    /// Closes all connections and stops serving. Waits a bounded time for handlers to end.
    pub async fn close(&self) {
        let server = &self.shared.server;
        server.stop.cancel();
        self.shared.pool.clear();
        if timeout(CLOSE_TIMEOUT, self.shared.iroh.close()).await.is_err() {
            tracing::warn!("the transport did not close in time");
        }
        server.tasks.close();
        if timeout(CLOSE_TIMEOUT, server.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = server.tasks.len(), "handlers still run after closing");
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.shared.node.short())
    }
}

/// An endpoint that talks to nobody unless told: no discovery, no probes, no port mapping.
fn builder(config: &EndpointConfig, relays: &[RelayUrl]) -> Result<Builder, BindError> {
    let relay_mode = match (relays.is_empty(), config.direct) {
        (true, false) => return Err(BindError::NoPath),
        (true, true) => RelayMode::Disabled,
        (false, _) => RelayMode::Custom(RelayMap::from_iter(relays.iter().cloned())),
    };
    let builder = iroh::Endpoint::builder(presets::Minimal)
        .secret_key(iroh::SecretKey::from_bytes(config.key.seed()))
        .relay_mode(relay_mode)
        .clear_address_lookup()
        .net_report_config(net_report(relays))
        .transport_config(transport(config)?)
        .clear_ip_transports();
    let builder = map_ports(builder, config.port_mapping)?;
    if !config.direct {
        return Ok(builder);
    }
    builder.bind_addr(config.bind).map_err(|error| failed(config.bind, &error))
}

/// The nearest relay is found by asking the configured ones, and nobody else.
fn net_report(relays: &[RelayUrl]) -> NetReportConfig {
    let mut config = NetReportConfig::minimal();
    config.https_probes = !relays.is_empty();
    config
}

#[cfg(feature = "port-mapping")]
fn map_ports(builder: Builder, wanted: bool) -> Result<Builder, BindError> {
    use iroh::endpoint::PortmapperConfig;
    let config = if wanted { PortmapperConfig::default() } else { PortmapperConfig::Disabled };
    Ok(builder.portmapper_config(config))
}

#[cfg(not(feature = "port-mapping"))]
fn map_ports(builder: Builder, wanted: bool) -> Result<Builder, BindError> {
    if wanted { Err(BindError::PortMappingMissing) } else { Ok(builder) }
}

fn transport(config: &EndpointConfig) -> Result<QuicTransportConfig, BindError> {
    let idle = IdleTimeout::try_from(config.idle_timeout);
    let idle = idle.map_err(|error| failed(config.bind, &error))?;
    let keep_alive = KEEP_ALIVE_INTERVAL.min(config.idle_timeout / 4);
    let config = QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_PER_CONNECTION_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .keep_alive_interval(keep_alive)
        .default_path_keep_alive_interval(keep_alive)
        .default_path_max_idle_timeout(config.idle_timeout)
        .max_idle_timeout(Some(idle));
    Ok(config.build())
}

fn bind_error(address: SocketAddr, error: &IrohBindError) -> BindError {
    let kind = match error {
        IrohBindError::Sockets { source, .. } => source.kind(),
        _ => io::ErrorKind::Other,
    };
    match kind {
        io::ErrorKind::AddrInUse => BindError::AddressInUse { address },
        io::ErrorKind::AddrNotAvailable => BindError::AddressNotAvailable { address },
        io::ErrorKind::PermissionDenied => BindError::NotAllowed { address },
        _ => failed(address, error),
    }
}

fn failed(address: SocketAddr, error: &dyn fmt::Display) -> BindError {
    BindError::Failed { address, reason: error.to_string() }
}

fn loopback_of(socket: &SocketAddr) -> SocketAddr {
    let ip: IpAddr = match socket {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, socket.port())
}

/// Link-local IPv6 addresses mean nothing without an interface, which a text cannot carry.
fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}
