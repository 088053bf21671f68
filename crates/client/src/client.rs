//! The client: what all its jobs share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use remuda_chain::LedgerClient;
use remuda_market::{Explanation, Liveness};
use remuda_net::Endpoint;
use remuda_types::{ManifestHash, ModelOffer, OrderId, ProviderState};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channels::ChannelPool;
use crate::explanations::Explanations;
use crate::head::Heads;
use crate::listings::{Entry, Listings};
use crate::providers::Providers;
use crate::registry::Registry;
use crate::settler::Settler;
use crate::{ClientConfig, JobReport, JobRun, ModelSummary, RunError, RunRequest};

/// How long closing waits for jobs whose callers are gone.
const CLOSE_WAIT: Duration = Duration::from_secs(3);

pub(crate) struct Shared {
    pub(crate) endpoint: Endpoint,
    pub(crate) config: ClientConfig,
    pub(crate) listings: Arc<Listings>,
    pub(crate) heads: Arc<Heads>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) channels: ChannelPool,
    pub(crate) providers: Arc<Providers>,
    pub(crate) settler: Arc<Settler>,
    pub(crate) explanations: Explanations,
    /// Jobs whose callers are gone.
    pub(crate) tasks: TaskTracker,
    closed: CancellationToken,
}

impl Shared {
    /// Gives a report to whoever keeps those that nobody waits for.
    pub(crate) fn report(&self, report: JobReport) {
        if let Some(hook) = &self.config.on_report {
            hook(report);
        }
    }

    /// # Errors
    /// [`RunError::Closed`].
    pub(crate) fn check_open(&self) -> Result<(), RunError> {
        if self.closed.is_cancelled() { Err(RunError::Closed) } else { Ok(()) }
    }
}

/// Runs jobs on the network. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// A client that dials from `endpoint` and pays by `ledger`. Contacts nobody yet.
    #[must_use]
    pub fn new(endpoint: Endpoint, ledger: Arc<dyn LedgerClient>, config: ClientConfig) -> Self {
        let (fresh, usable) = (config.listings_fresh, config.listings_usable);
        let indexers = config.indexers.clone();
        let node = endpoint.node();
        let shared = Shared {
            listings: Arc::new(Listings::new(endpoint.clone(), indexers, fresh, usable)),
            heads: Arc::new(Heads::new(Arc::clone(&ledger))),
            registry: Arc::new(Registry::new(Arc::clone(&ledger))),
            channels: ChannelPool::new(ledger, node, config.deposit, config.window),
            providers: Arc::new(Providers::new(config.rest)),
            settler: Arc::new(Settler::new(endpoint.clone())),
            explanations: Explanations::default(),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
            endpoint,
            config,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Runs a job. Returns once a provider accepted it and understood its input. Dropping the
    /// future, or the [`JobRun`], cancels the job.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn run(&self, request: RunRequest) -> Result<JobRun, RunError> {
        JobRun::start(&self.shared, request).await
    }

    /// The models that are served now, by name.
    pub async fn models(&self) -> Vec<ModelSummary> {
        let snapshot = self.shared.listings.get().await;
        let mut models: BTreeMap<(String, ManifestHash), ModelSummary> = BTreeMap::new();
        for entry in snapshot.iter().filter(|entry| serves(entry)) {
            for offer in &entry.announcement.models {
                let key = (offer.name.clone(), offer.manifest);
                let model = models.entry(key).or_insert_with(|| summary(offer));
                include(model, offer);
            }
        }
        let meant = |model: &ModelSummary| {
            let registered = self.shared.registry.manifest(&model.name);
            registered.is_none_or(|manifest| manifest == model.manifest)
        };
        models.into_values().filter(meant).collect()
    }

    /// Why providers did or did not fit a recent order.
    #[must_use]
    pub fn explain(&self, order: &OrderId) -> Option<Explanation> {
        self.shared.explanations.get(order)
    }

    /// How many providers are known, from the last list, without asking anybody.
    #[must_use]
    pub fn providers_known(&self) -> usize {
        self.shared.listings.known().len()
    }

    /// How many channels have a voucher that could not be delivered yet.
    #[must_use]
    pub fn undelivered_vouchers(&self) -> usize {
        self.shared.settler.len()
    }

    /// Takes no more jobs, lets those whose callers are gone settle, and gives undelivered
    /// vouchers one last chance.
    pub async fn close(&self) {
        self.shared.closed.cancel();
        self.shared.tasks.close();
        let _ = tokio::time::timeout(CLOSE_WAIT, self.shared.tasks.wait()).await;
        self.shared.settler.close().await;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.shared.endpoint)
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

fn serves(entry: &Entry) -> bool {
    entry.announcement.state == ProviderState::Ready && entry.liveness != Liveness::Lost
}

fn summary(offer: &ModelOffer) -> ModelSummary {
    ModelSummary {
        name: offer.name.clone(),
        manifest: offer.manifest,
        kinds: Vec::new(),
        context: 0,
        price: offer.price,
        providers: 0,
    }
}

fn include(model: &mut ModelSummary, offer: &ModelOffer) {
    for kind in &offer.kinds {
        if !model.kinds.contains(kind) {
            model.kinds.push(*kind);
        }
    }
    let (known, asked) = (model.price, offer.price);
    if (asked.output, asked.input) < (known.output, known.input) {
        model.price = asked;
    }
    model.context = model.context.max(offer.context);
    model.providers += 1;
}
