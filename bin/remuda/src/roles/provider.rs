//! The provider: engines, models, and the role itself.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use remuda_chain::LedgerClient;
use remuda_engine::upstream::{UpstreamConfig, UpstreamEngine};
use remuda_engine::worker::{WorkerConfig, WorkerEngine};
use remuda_engine::{Engine, ModelSpec};
use remuda_models::{MODEL_PROTOCOL, Manifest, ModelServer, ModelStore};
use remuda_net::Endpoint;
use remuda_provider::{OfferedModel, Parts, Provider, ProviderConfig, hardware};
use remuda_types::{AccountId, NodeAddress, Price};

use crate::catalog;
use crate::cli::ProviderRunArgs;
use crate::config;
use crate::exit::{Exit, coded};
use crate::home::Home;
use crate::output::Output;

/// Jobs that an upstream server is given at once.
const UPSTREAM_SLOTS: u32 = 64;

/// What a provider is to sell, from settings and arguments.
#[derive(Clone, Debug)]
pub(crate) struct Selling {
    /// A name for people.
    pub(crate) name: String,
    /// The models to serve.
    pub(crate) models: Vec<String>,
    /// The asking price.
    pub(crate) price: Price,
    /// The account that earns.
    pub(crate) reward: AccountId,
    /// The engine's bounds.
    pub(crate) engine: config::Provider,
    /// An OpenAI-compatible server to serve through, and the context it gives a job.
    pub(crate) upstream: Option<(String, u32)>,
}

impl Selling {
    /// Settings, overridden by arguments.
    pub(crate) fn new(
        home: &Home,
        settings: &config::Provider,
        args: &ProviderRunArgs,
    ) -> Result<Self> {
        let mut engine = settings.clone();
        engine.threads = args.threads.unwrap_or(engine.threads);
        engine.slots = args.slots.unwrap_or(engine.slots);
        let asked = !args.models.is_empty();
        let reward = match args.reward {
            Some(account) => account,
            None => home.wallet()?.public().into(),
        };
        Ok(Self {
            name: if engine.name.is_empty() { machine_name() } else { engine.name.clone() },
            models: if asked { args.models.clone() } else { engine.models.clone() },
            price: Price {
                input: args.input_price.unwrap_or(engine.input_price),
                output: args.output_price.unwrap_or(engine.output_price),
            },
            reward,
            upstream: args.upstream.clone().map(|url| (url, args.upstream_context)),
            engine,
        })
    }
}

fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().chars().take(40).collect()
}

/// The engines of what is sold, and what they offer.
#[derive(Debug)]
pub(crate) struct Stock {
    /// What runs jobs.
    pub(crate) engines: Vec<Arc<dyn Engine>>,
    /// What is offered.
    pub(crate) offers: Vec<OfferedModel>,
    /// The models that lie here as files.
    pub(crate) files: Vec<(Manifest, PathBuf)>,
}

/// Fetches the models if they are not here, and starts an engine for each.
pub(crate) async fn stock(home: &Home, selling: &Selling, output: Output) -> Result<Stock> {
    let mut stock = Stock { engines: Vec::new(), offers: Vec::new(), files: Vec::new() };
    for name in &selling.models {
        let (engine, offer) = match &selling.upstream {
            Some((url, context)) => upstream(name, url, *context, selling.price)?,
            None => {
                let (engine, offer, file) = bundled(home, name, selling, output).await?;
                stock.files.push(file);
                (engine, offer)
            }
        };
        stock.engines.push(engine);
        stock.offers.push(offer);
    }
    Ok(stock)
}

async fn bundled(
    home: &Home,
    name: &str,
    selling: &Selling,
    output: Output,
) -> Result<(Arc<dyn Engine>, OfferedModel, (Manifest, PathBuf))> {
    let (manifest, path) = catalog::ensure(home, name, output).await?;
    let settings = &selling.engine;
    let mut spec = ModelSpec::new(manifest.hash(), path.clone());
    spec.kinds = manifest.kinds.clone();
    spec.slots = u16::try_from(settings.slots.clamp(1, 256)).unwrap_or(ModelSpec::SLOTS);
    spec.threads = u16::try_from(settings.threads).ok().filter(|threads| *threads > 0);
    spec.gpu_layers = settings.gpu_layers;
    if settings.context > 0 {
        spec.context = settings.context;
    }
    let program = std::env::current_exe()?;
    let args = vec![OsString::from("engine-worker")];
    let engine = WorkerEngine::spawn(WorkerConfig::new(program, args, spec))
        .await
        .map_err(|error| coded(Exit::Failed, format!("the engine does not start: {error}")))?;
    let offer =
        OfferedModel { name: name.to_owned(), manifest: manifest.hash(), price: selling.price };
    Ok((Arc::new(engine), offer, (manifest, path)))
}

fn upstream(
    name: &str,
    url: &str,
    context: u32,
    price: Price,
) -> Result<(Arc<dyn Engine>, OfferedModel)> {
    let manifest = catalog::upstream_manifest(name);
    let mut config = UpstreamConfig::new(url, name, manifest);
    config.context = context;
    config.slots = UPSTREAM_SLOTS;
    config.api_key = std::env::var("REMUDA_UPSTREAM_KEY").ok();
    let engine = UpstreamEngine::new(config)
        .map_err(|error| coded(Exit::Failed, format!("the upstream is not usable: {error}")))?;
    let offer = OfferedModel { name: name.to_owned(), manifest, price };
    Ok((Arc::new(engine), offer))
}

/// Starts selling through `endpoint`.
pub(crate) async fn start(
    home: &Home,
    role: &str,
    endpoint: Endpoint,
    ledger: Arc<dyn LedgerClient>,
    indexers: Vec<NodeAddress>,
    selling: &Selling,
    stock: Stock,
) -> Result<Provider> {
    let folder = home.folder(role)?;
    let device = hardware::detect(&folder).device_class();
    let mut config = ProviderConfig::new(folder, home.node_key(role)?, selling.reward, device);
    config.name = selling.name.clone();
    config.indexers = indexers;
    let server = ModelServer::new(ModelStore::open(home.models())?);
    let parts = Parts {
        endpoint,
        ledger,
        engines: stock.engines,
        models: stock.offers,
        protocols: vec![(MODEL_PROTOCOL, Arc::new(server))],
    };
    Provider::start(config, parts)
        .await
        .map_err(|error| coded(Exit::Failed, format!("the provider does not start: {error}")))
}
