//! What can be set, and the bounds that are fixed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use remuda_types::Price;

/// The settings of a gateway.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder that keeps the receipts.
    pub home: PathBuf,
    /// The most that a buyer pays who does not say (`max_price` in the request).
    pub max_price: Price,
    /// Output tokens of a choice when the request sets no limit.
    pub max_output_default: u32,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// How long a connection may take to send a request's head, the first or the next one.
    pub header_read_timeout: Duration,
    /// How long a request's body may take to arrive.
    pub body_read_timeout: Duration,
    /// The most connections. Further ones wait in the operating system's queue.
    pub connections_max: usize,
    /// The most generations at once. Further ones are answered with 503 and `Retry-After`.
    pub in_flight_max: usize,
    /// The longest that one generation may take.
    pub request_time_max: Duration,
    /// After how much silence a stream sends a comment, so that nothing between gives it up.
    pub keep_alive: Duration,
    /// How long running requests may go on when the gateway stops.
    pub shutdown_grace: Duration,
}

impl GatewayConfig {
    /// The usual settings, with receipts in the folder `home`.
    #[must_use]
    pub fn new(listen: SocketAddr, home: PathBuf) -> Self {
        Self {
            listen,
            home,
            max_price: Price { input: 10_000_000, output: 50_000_000 },
            max_output_default: 1_024,
            body_bytes_max: 8 << 20,
            header_read_timeout: Duration::from_secs(30),
            body_read_timeout: Duration::from_secs(30),
            connections_max: 4_096,
            in_flight_max: 1_024,
            request_time_max: Duration::from_secs(3_600),
            keep_alive: Duration::from_secs(10),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// The most streams of one HTTP/2 connection.
pub(crate) const HTTP2_STREAMS_MAX: u32 = 256;

/// The most bytes of a request's head.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;

/// How old the list of models may be.
pub(crate) const MODELS_AGE_MAX: Duration = Duration::from_secs(1);

/// How long the ledger may take to answer when readiness is asked for.
pub(crate) const READINESS_TIMEOUT: Duration = Duration::from_secs(2);

/// A stream hands its bytes to the socket at the latest when it has gathered this many.
pub(crate) const STREAM_BUFFER_BYTES: usize = 32 << 10;

/// The most bytes of output text and arguments that one answer gathers in memory.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 20;
