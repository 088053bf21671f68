//! The ledger as sessions see it: with a time limit, and a bound on questions at once.

use std::sync::Arc;
use std::time::Duration;

use remuda_chain::{LedgerClient, LedgerClientExt, LedgerError};
use remuda_ledger::{Channel, Provider};
use remuda_types::{ChannelId, NetworkId, NodeId};
use tokio::sync::Semaphore;

/// How long a question may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(3);
/// The most questions at once: strangers can make us ask.
const QUERIES_MAX: usize = 32;

/// The ledger, bounded.
pub(crate) struct LedgerView {
    ledger: Arc<dyn LedgerClient>,
    permits: Semaphore,
}

impl LedgerView {
    pub(crate) fn new(ledger: Arc<dyn LedgerClient>) -> Self {
        Self { ledger, permits: Semaphore::new(QUERIES_MAX) }
    }

    /// A channel that is open.
    pub(crate) async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, LedgerError> {
        self.ask(self.ledger.channel(id)).await
    }

    /// All channels toward `node`.
    pub(crate) async fn channels(&self, node: NodeId) -> Result<Vec<Channel>, LedgerError> {
        self.ask(self.ledger.channels_of_provider(node)).await
    }

    /// The registration of `node`.
    pub(crate) async fn provider(&self, node: NodeId) -> Result<Option<Provider>, LedgerError> {
        self.ask(self.ledger.provider(node)).await
    }

    /// The network.
    pub(crate) async fn network(&self) -> Result<NetworkId, LedgerError> {
        self.ask(self.ledger.network()).await
    }

    async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        let bounded = async {
            let _permit = self.permits.acquire().await;
            question.await
        };
        let answer = tokio::time::timeout(QUERY_TIMEOUT, bounded).await;
        answer.unwrap_or(Err(LedgerError::Timeout { after: QUERY_TIMEOUT }))
    }
}
