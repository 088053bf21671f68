//! A small real network: an embedded ledger, a list of providers, and providers that follow a
//! script. They speak the real protocol over real connections and keep their own books.
#![allow(unreachable_pub, missing_debug_implementations, clippy::unwrap_used)]

pub mod provider;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use remuda_chain::{LedgerClient, LedgerClientExt as _, Signer, Validator, ValidatorConfig};
use remuda_client::{Client, ClientConfig, JobEvent, JobReport, JobRun, RunError, RunRequest};
use remuda_ledger::{Action, Genesis, GenesisAccount, Parameters};
use remuda_net::protocol::index::{self, Listing, Liveness, Request, Response};
use remuda_net::{Endpoint, EndpointConfig, Handler, Protocol, Stream, async_trait};
use remuda_types::job::{Constraint, Generate, JobInput, Prompt, Sampling};
use remuda_types::{AccountId, Credits, ManifestHash, NetworkId, Price, SecretKey, Signed, Tokens};
use tempfile::TempDir;

pub use provider::{Act, FakeProvider};

pub const MODEL: &str = "test-model";
/// High prices, so that single units are visible: 2 micro-dollars in, 5 out.
pub const PRICE: Price = Price { input: 2_000_000, output: 5_000_000 };
pub const UNITS_IN: u64 = 10;
pub const CONTEXT: u32 = 4096;
/// All credits of the buyer's account.
pub const CREDITS: Credits = Credits(50_000_000);

pub fn manifest() -> ManifestHash {
    ManifestHash(remuda_types::Hash::of_content(b"the model"))
}

pub async fn endpoint(key: SecretKey) -> Endpoint {
    let bind = "127.0.0.1:0".parse().unwrap();
    Endpoint::bind(EndpointConfig::new(key, bind)).await.unwrap()
}

/// The list that the client reads.
#[derive(Clone, Default)]
struct List(Arc<Mutex<Vec<Listing>>>);

#[async_trait]
impl Handler for List {
    async fn handle(&self, mut stream: Stream) {
        if let Ok(Some(Request::List)) = stream.reader.receive().await {
            let list = self.0.lock().clone();
            let _ = stream.writer.send(&Response::Listings(list)).await;
            stream.writer.finish();
        }
    }
}

pub struct Network {
    pub ledger: Arc<Validator>,
    pub id: NetworkId,
    pub account: SecretKey,
    pub node: SecretKey,
    pub reports: Arc<Mutex<Vec<JobReport>>>,
    list: List,
    indexer: Endpoint,
    _folder: TempDir,
}

impl Network {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let account = SecretKey::from_seed([42; 32]);
        let accounts = vec![GenesisAccount {
            account: AccountId::from(account.public()),
            tokens: Tokens::ZERO,
            credits: CREDITS,
        }];
        let genesis = Genesis {
            name: "test".into(),
            time: 1_000,
            grantor: account.public(),
            accounts,
            roles: std::collections::BTreeMap::new(),
            parameters: Parameters::default(),
            economy: remuda_ledger::Economy::default(),
        };
        let path = folder.path().join("ledger");
        let ledger = Validator::open(ValidatorConfig::new(path, genesis)).await.unwrap();
        let ledger = Arc::new(ledger);
        let (list, indexer) = (List::default(), endpoint(SecretKey::generate()).await);
        let protocol = Protocol { alpn: index::ALPN, frame_bytes_max: index::FRAME_BYTES_MAX };
        indexer.serve(vec![(protocol, Arc::new(list.clone()))]);
        let (id, node) = (ledger.network().await.unwrap(), SecretKey::generate());
        let reports = Arc::default();
        Self { ledger, id, account, node, reports, list, indexer, _folder: folder }
    }

    /// Starts a provider that does `script`, job by job, and is honest afterwards.
    pub async fn provider(&self, script: &[Act]) -> FakeProvider {
        let provider = FakeProvider::start(Arc::clone(&self.ledger), self.id, script).await;
        self.announce(&provider, 1);
        provider
    }

    pub fn announce(&self, provider: &FakeProvider, sequence: u64) {
        let announcement = Signed::sign(provider.announcement(sequence), provider.key());
        let mut list = self.list.0.lock();
        let node = provider.node();
        list.retain(|it| it.announcement.body.address.node != node);
        list.push(Listing { announcement, liveness: Liveness::Connected });
    }

    pub fn forget_all(&self) {
        self.list.0.lock().clear();
    }

    pub fn config(&self) -> ClientConfig {
        let reports = Arc::clone(&self.reports);
        ClientConfig {
            indexers: vec![self.indexer.address()],
            listings_fresh: Duration::from_millis(100),
            on_report: Some(Arc::new(move |report| reports.lock().push(report))),
            ..ClientConfig::default()
        }
    }

    /// A client that is known by the same node key in each of its lives.
    pub async fn client(&self) -> Client {
        self.client_with(self.config()).await
    }

    pub async fn client_with(&self, config: ClientConfig) -> Client {
        let endpoint = endpoint(self.node.clone()).await;
        Client::new(endpoint, self.ledger.clone(), config)
    }

    /// A new session key of the buyer's account.
    pub async fn session(&self, cap: u64, life: Duration) -> Arc<SecretKey> {
        let key = SecretKey::generate();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let expires_at = u64::try_from((now + life).as_millis()).unwrap();
        let action = Action::CreateSession { session: key.public(), cap: Credits(cap), expires_at };
        self.signer(&self.account).send(action).await.unwrap();
        Arc::new(key)
    }

    pub fn signer(&self, key: &SecretKey) -> Signer {
        Signer::new(self.ledger.clone(), key.clone())
    }

    pub fn request(&self, units: u32) -> RunRequest {
        RunRequest {
            payer: Arc::new(self.account.clone()),
            model: MODEL.into(),
            input: generate(1, units),
            seed: Some(7),
            max_price: PRICE,
            manifest: None,
        }
    }

    /// Lets each provider redeem all it holds; then checks the ledger's sums to the last unit,
    /// and that each provider earned exactly what `bills` says.
    pub async fn settle(&self, bills: &[(&FakeProvider, u64)]) {
        for (provider, bill) in bills {
            provider.redeem(&self.signer(provider.key())).await;
            assert_eq!(provider.faults(), Vec::<String>::new());
            let earned = self.ledger.account(AccountId::from(provider.node())).await.unwrap();
            assert_eq!(earned.earned, Credits(*bill), "what a provider earned");
        }
        let supply = self.ledger.supply().await.unwrap();
        let total: u64 = bills.iter().map(|(_, bill)| bill).sum();
        assert_eq!(supply.earned, Credits(total));
        let sum = supply.credits.add(supply.locked).unwrap().add(supply.earned).unwrap();
        assert_eq!(sum, supply.granted);
        assert_eq!(supply.granted, CREDITS);
    }
}

pub fn generate(choices: u16, max_output: u32) -> JobInput {
    JobInput::Generate(Generate {
        prompt: Prompt::Text("Once upon a time".into()),
        choices,
        max_output,
        sampling: Sampling::default(),
        stop: Vec::new(),
        constraint: Constraint::None,
        logprobs: None,
    })
}

/// What any honest provider says with the given seed.
pub fn expected_text(units: u32) -> String {
    (0..units).map(|at| provider::piece(0, at).1).collect()
}

/// What a job costs that nobody interrupted.
pub fn bill(units_out: u32) -> u64 {
    PRICE.cost(UNITS_IN, units_out.into()).unwrap().0
}

/// Everything that came out of a job.
#[derive(Debug, Default)]
pub struct Outcome {
    pub text: String,
    pub prepared: u32,
    pub failovers: Vec<&'static str>,
    pub report: Option<JobReport>,
    pub error: Option<RunError>,
}

impl Outcome {
    pub fn report(&self) -> &JobReport {
        match &self.report {
            Some(report) => report,
            None => panic!("the job did not finish: {self:?}"),
        }
    }
}

pub async fn collect(run: &mut JobRun) -> Outcome {
    let mut outcome = Outcome::default();
    while let Some(event) = run.next().await {
        match event {
            Ok(JobEvent::Prepared { .. }) => outcome.prepared += 1,
            Ok(JobEvent::Output(delta)) => outcome.text.push_str(&delta.text),
            Ok(JobEvent::FailedOver { reason, .. }) => outcome.failovers.push(reason),
            Ok(JobEvent::Finished(report)) => outcome.report = Some(report),
            Ok(_) => {}
            Err(error) => outcome.error = Some(error),
        }
    }
    outcome
}

pub async fn run(client: &Client, request: RunRequest) -> Outcome {
    match client.run(request).await {
        Ok(mut run) => collect(&mut run).await,
        Err(error) => Outcome { error: Some(error), ..Outcome::default() },
    }
}

/// Polls until `done`, at most for ten seconds.
pub async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never happened: {what}");
}
