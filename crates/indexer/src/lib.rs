//! A node that matches: keeps what providers announce, and hands the list to clients.
//!
//! It decides nothing and vouches for nothing: every announcement carries its provider's
//! signature, and clients check it. Its state is soft: after a restart the providers announce
//! themselves again within seconds, and clients go on with the list they have meanwhile.
//!
//! ```no_run
//! use std::sync::Arc;
//! use remuda_indexer::{Indexer, IndexerConfig};
//! use remuda_net::protocol::index;
//! use remuda_net::{Endpoint, Protocol};
//!
//! # fn example(endpoint: &Endpoint) {
//! let indexer = Indexer::new(IndexerConfig::default());
//! let protocol = Protocol { alpn: index::ALPN, frame_bytes_max: index::FRAME_BYTES_MAX };
//! endpoint.serve(vec![(protocol, Arc::new(indexer))]);
//! # }
//! ```

mod bounds;
mod rate;
mod table;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remuda_net::protocol::index::{Request, Response};
use remuda_net::{Handler, Stream, async_trait};
use remuda_types::{Announcement, NodeId, Signed};

pub use bounds::{ANNOUNCEMENT_BYTES_MAX, DIRECT_ADDRESSES_MAX, MODELS_MAX, TEXT_BYTES_MAX};
pub use table::{Counts, PROVIDERS_MAX};

use rate::Rates;
use table::{Encoded, Table};

/// How long a caller may take to ask.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings of an [`Indexer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexerConfig {
    /// Heard of within this time: connected.
    pub connected: Duration,
    /// Heard of within this time: unknown; later: lost.
    pub unknown: Duration,
    /// Not heard of for this time: forgotten.
    pub forget: Duration,
    /// After which time providers are asked to announce again.
    pub renew_after: Duration,
    /// How long a list is handed out before it is made anew.
    pub list_age: Duration,
    /// Requests of one node per second, over time.
    pub requests_per_second: u32,
    /// Requests of one node at once.
    pub burst: u32,
}

impl Default for IndexerConfig {
    fn default() -> Self {
        Self {
            connected: Duration::from_secs(6),
            unknown: Duration::from_secs(60),
            forget: Duration::from_secs(600),
            renew_after: Duration::from_secs(2),
            list_age: Duration::from_millis(50),
            requests_per_second: 20,
            burst: 60,
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The announcement's signature does not hold, or it is for another node than announces.
    #[error("an announcement must be signed and sent by the node that it is about")]
    NotItself,
    /// The announcement breaks a bound.
    #[error(
        "the announcement is too large: at most {ANNOUNCEMENT_BYTES_MAX} bytes, {MODELS_MAX} \
         models, {DIRECT_ADDRESSES_MAX} addresses, {TEXT_BYTES_MAX} bytes a text"
    )]
    TooLarge,
    /// A newer announcement of this node is known.
    #[error("a newer announcement of this node is known; check that only one process uses its key")]
    Stale,
    /// As many providers as fit are known.
    #[error("this indexer has no room for more providers; announce to another one, too")]
    Full,
    /// Too many requests.
    #[error("too many requests from this node; ask less often")]
    TooOften,
}

impl Refused {
    /// The stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotItself => "not_itself",
            Self::TooLarge => "too_large",
            Self::Stale => "stale",
            Self::Full => "full",
            Self::TooOften => "too_often",
        }
    }

    /// Whether the same request may well succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Full | Self::TooOften)
    }
}

/// Keeps what providers announce. Clones share the table.
#[derive(Clone)]
pub struct Indexer {
    inner: Arc<Inner>,
}

struct Inner {
    config: IndexerConfig,
    table: Mutex<Table>,
    rates: Mutex<Rates>,
}

impl Indexer {
    /// An indexer that knows nobody yet.
    #[must_use]
    pub fn new(config: IndexerConfig) -> Self {
        let rates = Rates::new(config.requests_per_second, config.burst);
        let (table, rates) = (Mutex::new(Table::new(config)), Mutex::new(rates));
        Self { inner: Arc::new(Inner { config, table, rates }) }
    }

    /// How many providers are known, by liveness.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.inner.table.lock().counts(Instant::now())
    }

    /// Takes in the announcement that `caller` sends.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn announce(
        &self,
        caller: NodeId,
        announcement: Signed<Announcement>,
    ) -> Result<Duration, Refused> {
        bounds::check(&announcement)?;
        let node = announcement.body.address.node;
        if node != caller || announcement.verify_by(&caller).is_err() {
            return Err(Refused::NotItself);
        }
        self.inner.table.lock().announce(announcement, Instant::now())?;
        Ok(self.inner.config.renew_after)
    }

    fn allow(&self, caller: NodeId) -> Result<(), Refused> {
        let allowed = self.inner.rates.lock().allow(caller, Instant::now());
        if allowed { Ok(()) } else { Err(Refused::TooOften) }
    }

    fn answer(&self, caller: NodeId, request: Request) -> Result<Encoded, Refused> {
        self.allow(caller)?;
        match request {
            Request::Announce(announcement) => {
                let renew_after = self.announce(caller, *announcement)?;
                let ms = u32::try_from(renew_after.as_millis()).unwrap_or(u32::MAX);
                Ok(Encoded::of(&Response::Announced { renew_after_ms: ms }))
            }
            Request::List => Ok(self.inner.table.lock().list(Instant::now())),
        }
    }
}

#[async_trait]
impl Handler for Indexer {
    async fn handle(&self, mut stream: Stream) {
        let caller = stream.connection.remote();
        let Ok(Some(request)) = stream.reader.receive_within::<Request>(REQUEST_TIMEOUT).await
        else {
            return;
        };
        let answer = self.answer(caller, request).unwrap_or_else(|refused| {
            tracing::debug!(node = caller.short(), code = refused.code(), "refused");
            let (code, message) = (refused.code().to_owned(), refused.to_string());
            Encoded::of(&Response::Refused { code, message })
        });
        if stream.writer.send(&answer).await.is_ok() {
            stream.writer.finish();
        }
    }
}

impl fmt::Debug for Indexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Indexer").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
