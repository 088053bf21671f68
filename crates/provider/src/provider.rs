//! The running role.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remuda_chain::{LedgerClient, Signer};
use remuda_net::protocol::job;
use remuda_net::{Handler, Protocol};
use remuda_types::{NetworkId, ProviderState};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Catalogue;
use crate::config::{Parts, ProviderConfig};
use crate::error::StartError;
use crate::ledger_view::LedgerView;
use crate::session::JobHandler;
use crate::shared::{Counters, Peers, Shared};
use crate::status::ProviderStatus;
use crate::till::Till;
use crate::{announce, control, redeem};

/// The longest name, in bytes: the ledger's own bound.
const NAME_BYTES_MAX: usize = 64;
/// How long a start waits for the ledger before it goes on without.
const NETWORK_WAIT: Duration = Duration::from_secs(5);
/// How often waiting for running jobs looks again.
const JOBS_LOOK: Duration = Duration::from_millis(20);
/// How long running jobs have to end once they are cut.
const CUT_WAIT: Duration = Duration::from_secs(3);
/// How long each background task has to end.
const TASK_WAIT: Duration = Duration::from_secs(5);

/// A node that sells. Cloning gives another handle to the same one; it runs until
/// [`Provider::shutdown`].
#[derive(Clone)]
pub struct Provider {
    shared: Arc<Shared>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("node", &self.shared.node).finish_non_exhaustive()
    }
}

impl Provider {
    /// Opens the till, serves jobs, and starts the tasks that register, announce and redeem.
    /// Neither the ledger nor an indexer needs to answer for that: both are tried again.
    ///
    /// # Errors
    /// [`StartError`]: nothing was started then.
    pub async fn start(config: ProviderConfig, mut parts: Parts) -> Result<Self, StartError> {
        check(&config, &parts)?;
        let till = Till::open(&config.home).await?;
        let network = learn_network(&parts.ledger, &till).await?;
        let socket = control::listen(&config.home)?;
        let reward = config.reward;
        let protocols = std::mem::take(&mut parts.protocols);
        let shared = Arc::new(share(config, parts, till, network)?);
        serve(&shared, protocols);
        let tasks = vec![
            tokio::spawn(redeem::register(Arc::clone(&shared), reward)),
            tokio::spawn(redeem::run(Arc::clone(&shared))),
            tokio::spawn(announce::run(Arc::clone(&shared))),
        ];
        let provider = Self { shared, tasks: Arc::new(Mutex::new(tasks)) };
        let task = tokio::spawn(socket.serve(provider.clone()));
        provider.tasks.lock().push(task);
        Ok(provider)
    }

    /// Takes no new jobs; running ones end normally. Stays so after a restart.
    pub async fn pause(&self) {
        self.set_state(ProviderState::Paused).await;
    }

    /// Takes jobs again, after a pause or a drain.
    pub async fn resume(&self) {
        self.set_state(ProviderState::Ready).await;
    }

    /// Takes no new jobs and says that it leaves; running jobs end normally. A restart ends
    /// the drain. See [`Provider::drained`].
    pub async fn drain(&self) {
        self.set_state(ProviderState::Draining).await;
    }

    /// Waits until no job runs, at most [`crate::Limits::drain_wait`]. Says whether none does.
    pub async fn drained(&self) -> bool {
        self.jobs_end(self.shared.limits.drain_wait).await
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> ProviderStatus {
        let shared = &self.shared;
        let indexers = u32::try_from(shared.indexers.len()).unwrap_or(u32::MAX);
        ProviderStatus {
            node: shared.node,
            name: shared.name.clone(),
            address: shared.endpoint.address(),
            state: shared.state(),
            device: shared.device.clone(),
            models: shared.catalogue.models(),
            load: shared.catalogue.load(),
            jobs: shared.counters.read(),
            earnings: shared.till.earnings(),
            connections: shared.peers.count(),
            registered: shared.registered.load(Ordering::Relaxed),
            indexers: (shared.heard_by.load(Ordering::Relaxed), indexers),
            uptime_ms: u64::try_from(shared.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Returns when a `stop` came through the control socket: the caller then calls
    /// [`Provider::shutdown`].
    pub async fn stop_requested(&self) {
        self.shared.stop_requested.cancelled().await;
    }

    /// Returns when this provider ends.
    pub(crate) async fn stopped(&self) {
        self.shared.stop.cancelled().await;
    }

    pub(crate) fn request_stop(&self) {
        self.shared.stop_requested.cancel();
    }

    /// Ends it: no new jobs, a bounded wait for running ones, the rest cut, vouchers
    /// redeemed, indexers told. The endpoint stays open, the caller closes it.
    pub async fn shutdown(&self) {
        let shared = &self.shared;
        shared.state.send_replace(ProviderState::Draining);
        shared.note_change();
        self.jobs_end(shared.limits.drain_wait).await;
        shared.cut.cancel();
        self.jobs_end(CUT_WAIT).await;
        shared.stop.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for mut task in tasks {
            if tokio::time::timeout(TASK_WAIT, &mut task).await.is_err() {
                task.abort();
            }
        }
        shared.till.close().await;
    }

    async fn set_state(&self, state: ProviderState) {
        self.shared.state.send_replace(state);
        self.shared.note_change();
        self.shared.till.set_paused(state == ProviderState::Paused).await;
    }

    async fn jobs_end(&self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        while self.shared.catalogue.jobs() > 0 || self.shared.till.has_jobs() {
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(JOBS_LOOK).await;
        }
        true
    }
}

fn check(config: &ProviderConfig, parts: &Parts) -> Result<(), StartError> {
    if parts.endpoint.node() != config.key.public() {
        return Err(StartError::OtherKey);
    }
    let bytes = config.name.len();
    if bytes > NAME_BYTES_MAX {
        return Err(StartError::NameTooLong { bytes, max: NAME_BYTES_MAX });
    }
    Ok(())
}

/// The network, from the ledger or from an earlier life; `None` when neither knows.
async fn learn_network(
    ledger: &Arc<dyn LedgerClient>,
    till: &Till,
) -> Result<Option<NetworkId>, StartError> {
    match tokio::time::timeout(NETWORK_WAIT, ledger.network()).await {
        Ok(Ok(network)) => till.bind_network(network).await.map(|()| Some(network)),
        _ => Ok(till.network()),
    }
}

fn share(
    config: ProviderConfig,
    parts: Parts,
    till: Till,
    network: Option<NetworkId>,
) -> Result<Shared, StartError> {
    let catalogue = Catalogue::new(parts.engines, parts.models, config.limits.queue)?;
    let state = if till.paused() { ProviderState::Paused } else { ProviderState::Ready };
    let node = config.key.public();
    Ok(Shared {
        node,
        signer: Signer::new(Arc::clone(&parts.ledger), config.key.clone()),
        key: Arc::new(config.key),
        name: if config.name.is_empty() { node.short() } else { config.name },
        device: config.device,
        software: config.software,
        limits: config.limits,
        endpoint: parts.endpoint,
        indexers: config.indexers,
        catalogue,
        till,
        ledger: LedgerView::new(parts.ledger),
        network: network.map_or_else(OnceLock::new, OnceLock::from),
        state: watch::Sender::new(state),
        changes: watch::Sender::new(0),
        redeem_due: Notify::new(),
        cut: CancellationToken::new(),
        stop: CancellationToken::new(),
        stop_requested: CancellationToken::new(),
        registered: AtomicBool::new(false),
        heard_by: AtomicU32::new(0),
        counters: Counters::default(),
        peers: Peers::default(),
        started: Instant::now(),
    })
}

fn serve(shared: &Arc<Shared>, mut protocols: Vec<(Protocol, Arc<dyn Handler>)>) {
    let protocol = Protocol { alpn: job::ALPN, frame_bytes_max: job::FRAME_BYTES_MAX };
    let handler = JobHandler::new(Arc::clone(shared));
    protocols.push((protocol, Arc::new(handler)));
    shared.endpoint.serve(protocols);
}
