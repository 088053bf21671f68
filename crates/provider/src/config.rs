//! What an operator decides, and what a provider is given to work with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use remuda_chain::LedgerClient;
use remuda_engine::Engine;
use remuda_net::protocol::job::UNPAID_WINDOW;
use remuda_net::{Endpoint, Handler, Protocol};
use remuda_types::{AccountId, Credits, DeviceClass, ManifestHash, NodeAddress, Price, SecretKey};

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Where this provider keeps its till (`provider.redb`) and its control socket.
    pub home: PathBuf,
    /// The node key; the endpoint must have been bound with the same.
    pub key: SecretKey,
    /// The account that earns. Not the node key's, so that a lost node key loses no earnings.
    pub reward: AccountId,
    /// A name for people, at most 64 bytes.
    pub name: String,
    /// Where to announce.
    pub indexers: Vec<NodeAddress>,
    /// The class of the fastest device, as receipts and announcements state it.
    pub device: DeviceClass,
    /// The software, for people: name and version.
    pub software: String,
    /// Limits of money and time.
    pub limits: Limits,
}

impl ProviderConfig {
    /// A configuration with default limits, no indexer and the device class `device`.
    #[must_use]
    pub fn new(home: PathBuf, key: SecretKey, reward: AccountId, device: DeviceClass) -> Self {
        Self {
            home,
            key,
            reward,
            name: String::new(),
            indexers: Vec::new(),
            device,
            software: concat!("remuda/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: Limits::default(),
        }
    }
}

/// Limits of money and time that an operator may move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A job pauses while more than this is unpaid on its channel.
    pub window: Credits,
    /// A paused job fails when no voucher came for this long.
    pub unpaid_after: Duration,
    /// Jobs that may wait in each engine beyond its slots.
    pub queue: u32,
    /// Redeem as soon as this much is vouchered and not redeemed.
    pub redeem_threshold: Credits,
    /// Redeem at least this often when anything is vouchered.
    pub redeem_every: Duration,
    /// How often the ledger is asked about this provider's channels.
    pub watch_every: Duration,
    /// A channel that ends within this time is redeemed, and takes no new job.
    pub channel_margin: Duration,
    /// A channel unused for this long is closed, so that the buyer has the rest back.
    pub idle_close: Duration,
    /// How long draining and stopping wait for running jobs.
    pub drain_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: UNPAID_WINDOW,
            unpaid_after: Duration::from_secs(10),
            queue: 16,
            redeem_threshold: Credits(100_000),
            redeem_every: Duration::from_secs(60),
            watch_every: Duration::from_secs(5),
            channel_margin: Duration::from_secs(30),
            idle_close: Duration::from_secs(15 * 60),
            drain_wait: Duration::from_secs(30),
        }
    }
}

/// A model that the operator offers: an engine must serve its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedModel {
    /// The public name, as buyers write it.
    pub name: String,
    /// Exactly which model.
    pub manifest: ManifestHash,
    /// The asking price.
    pub price: Price,
}

/// What a provider works with.
pub struct Parts {
    /// The node's endpoint. The provider serves jobs on it, beside what others serve there;
    /// the caller closes it.
    pub endpoint: Endpoint,
    /// The ledger.
    pub ledger: Arc<dyn LedgerClient>,
    /// What runs jobs. For a model served by several, the least loaded runs the job.
    pub engines: Vec<Arc<dyn Engine>>,
    /// What is offered.
    pub models: Vec<OfferedModel>,
    /// Protocols to serve beside jobs: model files to peers, say.
    pub protocols: Vec<(Protocol, Arc<dyn Handler>)>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("engines", &self.engines)
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}
