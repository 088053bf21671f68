//! The server of `remuda/ledger/1`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use remuda_net::{FrameError, Handler, Protocol, Stream, async_trait};

use crate::protocol::{self, HEAD_WAIT_MAX, Refusal, Request, Response};
use crate::rate::{Rate, RateLimit};
use crate::{LedgerClient, LedgerError};

/// How long a caller that opened a stream may take to send its request.
pub const REQUEST_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves any [`LedgerClient`], usually a [`Validator`](crate::Validator), to other nodes.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use remuda_chain::{LedgerService, Validator};
/// # fn example(validator: Validator, endpoint: remuda_net::Endpoint) {
/// let service = LedgerService::new(Arc::new(validator));
/// endpoint.serve(vec![(LedgerService::PROTOCOL, Arc::new(service))]);
/// # }
/// ```
#[derive(Debug)]
pub struct LedgerService {
    ledger: Arc<dyn LedgerClient>,
    limit: RateLimit,
}

impl LedgerService {
    /// What it is called and how long its frames are.
    pub const PROTOCOL: Protocol =
        Protocol { alpn: protocol::ALPN, frame_bytes_max: protocol::FRAME_BYTES_MAX };

    /// A server with the default [`Rate`].
    #[must_use]
    pub fn new(ledger: Arc<dyn LedgerClient>) -> Self {
        Self::with_rate(ledger, Rate::default())
    }

    /// A server that lets each node ask at `rate`.
    #[must_use]
    pub fn with_rate(ledger: Arc<dyn LedgerClient>, rate: Rate) -> Self {
        Self { ledger, limit: RateLimit::new(rate) }
    }

    /// Reads the request; `None` when the caller left without one.
    async fn receive(&self, stream: &mut Stream) -> Result<Option<Request>, LedgerError> {
        let request = stream.reader.receive_within(REQUEST_READ_TIMEOUT).await;
        let request = request.map_err(LedgerError::protocol)?;
        let passed = self.limit.pass(stream.connection.remote(), Instant::now());
        passed.map_err(|retry_after| LedgerError::Overloaded { retry_after })?;
        Ok(request)
    }

    async fn answer(&self, request: Request) -> Result<Response, LedgerError> {
        Ok(match request {
            Request::Submit(transaction) => {
                Response::Included(self.ledger.submit(*transaction).await?)
            }
            Request::Query(query) => Response::Answer(self.ledger.query(query).await?),
            Request::Blocks { from, limit } => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                Response::Blocks(self.ledger.blocks(from, limit).await?)
            }
            Request::Network => Response::Network(self.ledger.network().await?),
            Request::Lookup(digest) => Response::Found(self.ledger.lookup(digest).await?),
            Request::NextHead { after, wait_ms } => {
                let wait = Duration::from_millis(wait_ms.into()).min(HEAD_WAIT_MAX);
                Response::Head(self.ledger.next_head(after, wait).await?)
            }
            Request::Advance { until } => Response::Head(self.ledger.advance(until).await?),
        })
    }
}

fn refused(error: LedgerError) -> Response {
    Response::Refused(Refusal::from(error))
}

#[async_trait]
impl Handler for LedgerService {
    async fn handle(&self, mut stream: Stream) {
        let response = match self.receive(&mut stream).await {
            Ok(Some(request)) => self.answer(request).await.unwrap_or_else(refused),
            Ok(None) => return,
            Err(error) => refused(error),
        };
        let mut sent = stream.writer.send(&response).await;
        if matches!(sent, Err(FrameError::TooLarge { .. })) {
            let error = LedgerError::protocol("the answer does not fit in a frame; ask for less");
            sent = stream.writer.send(&refused(error)).await;
        }
        if let Err(error) = sent {
            tracing::debug!(%error, "an answer could not be sent");
        }
        stream.writer.finish();
    }
}
