//! What all requests share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use remuda_chain::{LedgerClient, LedgerClientExt};
use remuda_market::Explanation;
use remuda_types::{Hash, OrderId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::catalog::Catalog;
use crate::config::READINESS_TIMEOUT;
use crate::metrics::Metrics;
use crate::openai::Defaults;
use crate::openai::error::ApiError;
use crate::{Backend, GatewayConfig, Receipts};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App<B> {
    pub(crate) backend: B,
    pub(crate) ledger: Arc<dyn LedgerClient>,
    pub(crate) receipts: Receipts,
    pub(crate) config: GatewayConfig,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) catalog: Catalog,
    pub(crate) refused: Refused,
    pub(crate) openapi: Bytes,
    slots: Arc<Semaphore>,
}

impl<B: Backend> App<B> {
    pub(crate) fn new(
        config: GatewayConfig,
        backend: B,
        ledger: Arc<dyn LedgerClient>,
        receipts: Receipts,
    ) -> Self {
        Self {
            backend,
            ledger,
            receipts,
            metrics: Arc::new(Metrics::new()),
            catalog: Catalog::default(),
            refused: Refused::default(),
            openapi: crate::openapi::document().into(),
            slots: Arc::new(Semaphore::new(config.in_flight_max)),
            config,
        }
    }

    /// Room for one generation.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] when there is none.
    pub(crate) fn slot(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        self.slots.clone().try_acquire_owned().map_err(|_| ApiError::Overloaded {
            reason: "this gateway serves as many requests as it may".to_owned(),
            retry_after: RETRY_AFTER,
        })
    }

    pub(crate) const fn defaults(&self) -> Defaults {
        Defaults { max_output: self.config.max_output_default }
    }

    /// What keeps the gateway from serving; empty when nothing does.
    pub(crate) async fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        match tokio::time::timeout(READINESS_TIMEOUT, self.ledger.head()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => troubles.push(format!("ledger: {error}")),
            Err(_) => troubles.push("ledger: does not answer".to_owned()),
        }
        if self.catalog.models(&self.backend).await.is_empty() {
            troubles.push("models: no indexer lists a provider that offers any".to_owned());
        }
        troubles.extend(self.receipts.failing().map(|reason| format!("receipts: {reason}")));
        troubles
    }
}

/// When a client should come back to a full gateway.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The most refused orders that are explained later.
const REFUSED_MAX: usize = 1_024;

/// Why recent orders were refused: such an order never had a job to carry its explanation.
#[derive(Debug, Default)]
pub(crate) struct Refused(Mutex<VecDeque<(OrderId, Explanation)>>);

impl Refused {
    /// Names a refused order and remembers why.
    pub(crate) fn put(&self, explanation: Explanation) -> OrderId {
        let order = OrderId(Hash(rand::random()));
        let mut refused = self.0.lock();
        if refused.len() >= REFUSED_MAX {
            refused.pop_front();
        }
        refused.push_back((order, explanation));
        order
    }

    pub(crate) fn get(&self, order: &OrderId) -> Option<Explanation> {
        let refused = self.0.lock();
        refused.iter().find(|(found, _)| found == order).map(|(_, why)| why.clone())
    }
}
