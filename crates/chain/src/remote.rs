//! The ledger on the other side of the network.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rand::Rng as _;
use remuda_ledger::{Answer, Block, Header, Query, SignedTransaction};
use remuda_net::Endpoint;
use remuda_types::{Hash, Height, NetworkId, NodeAddress, TimestampMs};
use tokio::time::{sleep, timeout};

use crate::protocol::{self, HEAD_WAIT_MAX, Request, Response};
use crate::{Found, Included, LedgerClient, LedgerError};

/// How patient a [`RemoteLedger`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteConfig {
    /// How long dialling a validator may take.
    pub connect_timeout: Duration,
    /// How long an answer may take. A submission may take three times as long: it waits for
    /// its block.
    pub request_timeout: Duration,
    /// How often a request is tried, the first time included. With more than one validator
    /// each try goes to the next.
    pub attempts_max: u32,
    /// The pause before the second try. It doubles with each, and a random part of up to a
    /// half is taken off.
    pub backoff_min: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
}

impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(5),
            attempts_max: 8,
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(1),
        }
    }
}

impl RemoteConfig {
    /// The pause before try number `attempt`, counted from 1.
    fn backoff(&self, attempt: u32) -> Duration {
        let doubled = self.backoff_min.saturating_mul(1 << (attempt - 1).min(16));
        let most = doubled.min(self.backoff_max);
        most.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// A ledger whose validators are other nodes. Clones share it.
///
/// Connections are kept and made anew when they break. Every request is tried several times;
/// that is safe for submissions, too, because a validator knows a transaction again.
#[derive(Clone)]
pub struct RemoteLedger {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    validators: Vec<NodeAddress>,
    config: RemoteConfig,
    /// The validator that answered last.
    current: AtomicUsize,
}

impl fmt::Debug for RemoteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let validators: Vec<_> = self.inner.validators.iter().map(|v| v.node.short()).collect();
        write!(f, "RemoteLedger(of {validators:?})")
    }
}

impl RemoteLedger {
    /// A ledger behind `validators`, any of which will do.
    #[must_use]
    pub fn new(endpoint: Endpoint, validators: Vec<NodeAddress>) -> Self {
        Self::with_config(endpoint, validators, RemoteConfig::default())
    }

    /// The same with other patience.
    #[must_use]
    pub fn with_config(
        endpoint: Endpoint,
        validators: Vec<NodeAddress>,
        config: RemoteConfig,
    ) -> Self {
        let current = AtomicUsize::new(0);
        Self { inner: Arc::new(Inner { endpoint, validators, config, current }) }
    }

    /// Asks until there is an answer that another try would not change, or tries run out.
    async fn ask(&self, request: &Request, wait: Duration) -> Result<Response, LedgerError> {
        let config = &self.inner.config;
        let mut last = LedgerError::unreachable("no validator is configured");
        for attempt in 0..config.attempts_max {
            if attempt > 0 {
                sleep(self.pause(attempt, &last)).await;
            }
            let current = self.inner.current.load(Ordering::Relaxed);
            match self.ask_once(current, request, wait).await {
                Err(error) if worth_another_try(&error) => last = error,
                other => return other,
            }
            tracing::debug!(error = %last, attempt, "a request to the ledger failed");
            let next = current.wrapping_add(1);
            let _ = self.inner.current.compare_exchange(
                current,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
        Err(last)
    }

    fn pause(&self, attempt: u32, error: &LedgerError) -> Duration {
        let config = &self.inner.config;
        let pause = config.backoff(attempt);
        match error {
            LedgerError::Overloaded { retry_after } => {
                pause.max(*retry_after).min(config.request_timeout)
            }
            _ => pause,
        }
    }

    async fn ask_once(
        &self,
        current: usize,
        request: &Request,
        wait: Duration,
    ) -> Result<Response, LedgerError> {
        let inner = &self.inner;
        let validators = &inner.validators;
        let index = current.checked_rem(validators.len());
        let validator = index.and_then(|index| validators.get(index));
        let Some(validator) = validator else {
            return Err(LedgerError::unreachable("no validator is configured"));
        };
        let dial = inner.endpoint.connect(validator, protocol::ALPN);
        let connection = timeout(inner.config.connect_timeout, dial)
            .await
            .map_err(|_| LedgerError::unreachable("dialling took too long"))?
            .map_err(LedgerError::unreachable)?;
        let response =
            remuda_net::request(&connection, protocol::FRAME_BYTES_MAX, request, wait).await;
        match response.map_err(LedgerError::from)? {
            Response::Refused(refusal) => Err(refusal.into()),
            response => Ok(response),
        }
    }
}

/// Whether the same request, unchanged, may fare better in a moment.
fn worth_another_try(error: &LedgerError) -> bool {
    // A wrong nonce is retryable, but only when signed anew.
    !matches!(error, LedgerError::Refused(_)) && error.is_retryable()
}

impl From<remuda_net::RequestError> for LedgerError {
    fn from(error: remuda_net::RequestError) -> Self {
        match error {
            remuda_net::RequestError::Timeout { after } => Self::Timeout { after },
            error if error.is_retryable() => Self::unreachable(error),
            error => Self::protocol(error),
        }
    }
}

macro_rules! expect_response {
    ($response:expr, $variant:ident) => {
        match $response {
            Response::$variant(value) => Ok(value),
            _ => Err(LedgerError::protocol(concat!("expected a response ", stringify!($variant)))),
        }
    };
}

#[async_trait]
impl LedgerClient for RemoteLedger {
    async fn submit(&self, transaction: SignedTransaction) -> Result<Included, LedgerError> {
        let request = Request::Submit(Box::new(transaction));
        let wait = self.inner.config.request_timeout * 3;
        expect_response!(self.ask(&request, wait).await?, Included)
    }

    async fn query(&self, query: Query) -> Result<Answer, LedgerError> {
        let wait = self.inner.config.request_timeout;
        expect_response!(self.ask(&Request::Query(query), wait).await?, Answer)
    }

    async fn network(&self) -> Result<NetworkId, LedgerError> {
        let wait = self.inner.config.request_timeout;
        expect_response!(self.ask(&Request::Network, wait).await?, Network)
    }

    async fn blocks(&self, from: Height, limit: usize) -> Result<Vec<Block>, LedgerError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let wait = self.inner.config.request_timeout;
        expect_response!(self.ask(&Request::Blocks { from, limit }, wait).await?, Blocks)
    }

    async fn lookup(&self, digest: Hash) -> Result<Option<Found>, LedgerError> {
        let wait = self.inner.config.request_timeout;
        expect_response!(self.ask(&Request::Lookup(digest), wait).await?, Found)
    }

    async fn next_head(&self, after: Height, wait: Duration) -> Result<Header, LedgerError> {
        let wait = wait.min(HEAD_WAIT_MAX);
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let request = Request::NextHead { after, wait_ms };
        let wait = self.inner.config.request_timeout + wait;
        expect_response!(self.ask(&request, wait).await?, Head)
    }

    async fn advance(&self, until: TimestampMs) -> Result<Header, LedgerError> {
        let wait = self.inner.config.request_timeout * 3;
        expect_response!(self.ask(&Request::Advance { until }, wait).await?, Head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let config = RemoteConfig::default();
        for attempt in 1..40 {
            let most = config.backoff_min.saturating_mul(1 << (attempt - 1).min(16));
            let pause = config.backoff(attempt);
            assert!(pause <= most.min(config.backoff_max));
            assert!(pause >= most.min(config.backoff_max) / 2);
        }
    }
}
