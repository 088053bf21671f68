//! A ledger, a provider and a client on loopback.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use remuda_chain::{LedgerClient, LedgerClientExt as _, Signer, Validator, ValidatorConfig};
use remuda_engine::{Engine, EngineError, EngineEvent, EngineJob, EngineStream, ServedModel};
use remuda_ledger::{Action, Genesis, GenesisAccount, Parameters};
use remuda_net::protocol::job::{
    ALPN, ClientFrame, FRAME_BYTES_MAX, Open, ProviderFrame, Refusal, RefusalCode,
};
use remuda_net::{Connection, Endpoint, EndpointConfig, Stream};
use remuda_provider::{Limits, OfferedModel, Parts, Provider, ProviderConfig};
use remuda_types::job::{Constraint, Delta, Generate, JobInput, JobKind, Prompt, Resume, Sampling};
use remuda_types::{
    ChannelId, ChannelUse, Credits, DeviceClass, Hash, JobId, Load, ManifestHash, NodeId, OrderId,
    Price, Receipt, SecretKey, Seed, SeedSource, Signed, StopReason, Tokens, Voucher,
};
use tokio::sync::Semaphore;

/// One micro-dollar a unit of input, a hundred a unit of output.
pub(crate) const PRICE: Price = Price { input: 1_000_000, output: 100_000_000 };
pub(crate) const PROMPT: &str = "hello";
pub(crate) const MANIFEST: ManifestHash = ManifestHash(Hash([7; 32]));
pub(crate) const DEPOSIT: Credits = Credits(20_000);
const HOUR_MS: u64 = 3_600_000;
/// Far beyond what anything here takes: a wait that ends so has failed.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Text that follows from the seed. The gate, if any, lets one token pass a permit.
#[derive(Debug)]
pub(crate) struct TextEngine {
    pub(crate) slots: u32,
    pub(crate) gate: Option<Arc<Semaphore>>,
    /// One permit for each job stream that was dropped or ended.
    pub(crate) ended: Arc<Semaphore>,
}

impl TextEngine {
    pub(crate) fn new() -> Self {
        Self { slots: 4, gate: None, ended: Arc::new(Semaphore::new(0)) }
    }
}

struct Running {
    seed: Seed,
    position: u32,
    end: u32,
    step: u8,
    gate: Option<Arc<Semaphore>>,
    ended: Arc<Semaphore>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ended.add_permits(1);
    }
}

impl Running {
    async fn next(mut self) -> Option<(Result<EngineEvent, EngineError>, Self)> {
        let event = match self.step {
            0 => {
                self.step = 1;
                EngineEvent::Prepared { units_in: PROMPT.len() as u64, units_cached: 0 }
            }
            1 if self.position < self.end => {
                if let Some(gate) = &self.gate {
                    gate.acquire().await.ok()?.forget();
                }
                self.position += 1;
                EngineEvent::Output(token(&self.seed, self.position))
            }
            1 => {
                self.step = 2;
                EngineEvent::ChoiceDone { choice: 0, stop: StopReason::Length }
            }
            _ => return None,
        };
        Some((Ok(event), self))
    }
}

/// The token at a position.
pub(crate) fn token(seed: &Seed, position: u32) -> Delta {
    let bytes = [&seed.0.0[..], &position.to_le_bytes()].concat();
    let token = u32::from(Hash::derive("test", &bytes).0[0]);
    Delta { tokens: vec![token], units: 1, text: format!("{token} "), ..Delta::default() }
}

#[async_trait]
impl Engine for TextEngine {
    fn models(&self) -> Vec<ServedModel> {
        let numerics = Some("test".to_owned());
        vec![ServedModel {
            manifest: MANIFEST,
            kinds: vec![JobKind::Generate],
            context: 4096,
            numerics,
        }]
    }

    fn load(&self) -> Load {
        Load { slots: self.slots, ..Load::default() }
    }

    async fn start(&self, job: EngineJob) -> Result<EngineStream, EngineError> {
        let JobInput::Generate(generate) = job.input else { unreachable!("not offered") };
        let position = job.resume.choices.first().map_or(0, |choice| choice.units);
        let running = Running {
            seed: job.seed,
            position,
            end: generate.max_output,
            step: 0,
            gate: self.gate.clone(),
            ended: Arc::clone(&self.ended),
        };
        Ok(Box::pin(stream::unfold(running, Running::next)))
    }
}

/// Everything a test needs.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ledger: Validator,
    pub(crate) payer: SecretKey,
    pub(crate) node: SecretKey,
    pub(crate) reward: SecretKey,
    pub(crate) caller: Endpoint,
    pub(crate) signer: Signer,
    nonce: AtomicU64,
}

pub(crate) fn limits() -> Limits {
    Limits {
        unpaid_after: Duration::from_millis(400),
        watch_every: Duration::from_millis(100),
        redeem_threshold: Credits(u64::MAX),
        redeem_every: Duration::from_secs(3600),
        drain_wait: Duration::from_secs(5),
        queue: 0,
        ..Limits::default()
    }
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub(crate) async fn endpoint(key: SecretKey) -> Endpoint {
    Endpoint::bind(EndpointConfig::new(key, "127.0.0.1:0".parse().unwrap())).await.unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let payer = key(1);
        let account = GenesisAccount {
            account: payer.public().into(),
            tokens: Tokens(0),
            credits: Credits(1_000_000),
        };
        let genesis = Genesis {
            name: "test".into(),
            time: 0,
            grantor: key(9).public(),
            accounts: vec![account],
            roles: std::collections::BTreeMap::new(),
            parameters: Parameters::default(),
            economy: remuda_ledger::Economy::default(),
        };
        let config = ValidatorConfig::new(folder.path().join("ledger.redb"), genesis);
        let ledger = Validator::open(config).await.unwrap();
        let signer = Signer::new(Arc::new(ledger.clone()), payer.clone());
        Self {
            ledger,
            payer,
            node: key(2),
            reward: key(3),
            caller: endpoint(key(4)).await,
            signer,
            folder,
            nonce: AtomicU64::new(0),
        }
    }

    /// Forgets all connections: the next life of a provider listens elsewhere.
    pub(crate) async fn reconnect(&mut self) {
        self.caller.close().await;
        self.caller = endpoint(key(4)).await;
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("provider")
    }

    pub(crate) async fn provider(&self, engine: TextEngine, limits: Limits) -> Provider {
        let ledger = Arc::new(self.ledger.clone());
        start(&self.home(), &self.node, &self.reward, ledger, engine, limits).await
    }

    pub(crate) async fn channel(&self, deposit: Credits) -> ChannelId {
        let mut nonce = [0; 32];
        let number = self.nonce.fetch_add(1, Ordering::Relaxed);
        nonce[..8].copy_from_slice(&number.to_le_bytes());
        let provider = self.node.public();
        let open = Action::OpenChannel {
            nonce,
            provider,
            client: self.caller.node(),
            deposit,
            expires_at: now_ms() + HOUR_MS,
        };
        self.signer.send(open).await.unwrap();
        ChannelId::derive(&self.payer.public(), &provider, &nonce)
    }

    pub(crate) async fn earned(&self) -> Credits {
        self.ledger.account(self.reward.public().into()).await.unwrap().earned
    }

    pub(crate) async fn connect(&self, provider: &Provider) -> Connection {
        self.caller.connect(&provider.status().address, ALPN).await.unwrap()
    }

    pub(crate) async fn stream(&self, provider: &Provider) -> Stream {
        self.connect(provider).await.open(FRAME_BYTES_MAX).await.unwrap()
    }

    /// A fresh job of `tokens` output tokens.
    pub(crate) fn open(&self, channel: ChannelId, tokens: u32) -> Open {
        let leave = ChannelUse { channel, client: self.caller.node() };
        Open {
            job: JobId::derive(&OrderId(Hash([5; 32]))),
            attempt: 0,
            manifest: MANIFEST,
            price: PRICE,
            channel,
            channel_use: Some(Signed::sign(leave, &self.payer)),
            seed: Seed::from_caller(11),
            seed_source: SeedSource::Caller(11),
            salt: [6; 32],
            input: input(tokens),
            resume: Resume::default(),
        }
    }

    pub(crate) fn voucher(&self, channel: ChannelId, cumulative: u64) -> Signed<Voucher> {
        let voucher = Voucher {
            channel,
            sequence: cumulative,
            cumulative: Credits(cumulative),
            receipt: None,
        };
        Signed::sign(voucher, &self.payer)
    }

    /// Opens a job.
    pub(crate) async fn begin(&self, provider: &Provider, open: Open) -> Job {
        let mut stream = self.stream(provider).await;
        stream.writer.send(&ClientFrame::Open(Box::new(open))).await.unwrap();
        Job { stream }
    }

    /// A whole job that is paid; returns its receipt.
    pub(crate) async fn paid_job(&self, provider: &Provider, channel: ChannelId) -> Receipt {
        let mut job = self.begin(provider, self.open(channel, 3)).await;
        job.accepted().await;
        let receipt = job.finished().await.1;
        self.acknowledge(&mut job, &receipt).await;
        receipt.body
    }

    /// Pays for all that the receipt states.
    pub(crate) async fn acknowledge(&self, job: &mut Job, receipt: &Signed<Receipt>) {
        let voucher = Voucher {
            channel: receipt.body.channel,
            sequence: receipt.body.sequence,
            cumulative: receipt.body.cumulative,
            receipt: Some(receipt.body.id()),
        };
        job.say(&ClientFrame::Voucher(Signed::sign(voucher, &self.payer))).await;
        job.closed().await;
    }
}

pub(crate) async fn start(
    home: &Path,
    node: &SecretKey,
    reward: &SecretKey,
    ledger: Arc<dyn LedgerClient>,
    engine: TextEngine,
    limits: Limits,
) -> Provider {
    let device = DeviceClass("test-device".into());
    let account = reward.public().into();
    let mut config = ProviderConfig::new(home.to_owned(), node.clone(), account, device);
    config.limits = limits;
    let parts = Parts {
        endpoint: endpoint(node.clone()).await,
        ledger,
        engines: vec![Arc::new(engine)],
        models: vec![OfferedModel { name: "text".into(), manifest: MANIFEST, price: PRICE }],
        protocols: Vec::new(),
    };
    Provider::start(config, parts).await.unwrap()
}

pub(crate) fn input(tokens: u32) -> JobInput {
    JobInput::Generate(Generate {
        prompt: Prompt::Text(PROMPT.into()),
        choices: 1,
        max_output: tokens,
        sampling: Sampling::default(),
        stop: vec![],
        constraint: Constraint::None,
        logprobs: None,
    })
}

pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// The client's side of one stream.
pub(crate) struct Job {
    pub(crate) stream: Stream,
}

impl Job {
    pub(crate) async fn say(&mut self, frame: &ClientFrame) {
        self.stream.writer.send(frame).await.unwrap();
    }

    /// The next frame, heartbeats included; `None` at the end.
    pub(crate) async fn any(&mut self) -> Option<ProviderFrame> {
        let received = tokio::time::timeout(LONG, self.stream.reader.receive()).await;
        received.expect("the provider fell silent").unwrap_or(None)
    }

    /// The next frame that says something.
    pub(crate) async fn next(&mut self) -> Option<ProviderFrame> {
        loop {
            match self.any().await {
                Some(ProviderFrame::Heartbeat) => {}
                frame => return frame,
            }
        }
    }

    pub(crate) async fn accepted(&mut self) -> (Option<Signed<Voucher>>, Credits) {
        match self.next().await {
            Some(ProviderFrame::Accepted { voucher, earned }) => (voucher, earned),
            other => panic!("not accepted: {other:?}"),
        }
    }

    pub(crate) async fn refused(&mut self) -> RefusalCode {
        match self.next().await {
            Some(ProviderFrame::Refused(Refusal { code, message })) => {
                assert!(!message.is_empty());
                code
            }
            other => panic!("not refused: {other:?}"),
        }
    }

    /// All deltas until the job fails, and why.
    pub(crate) async fn failed(&mut self) -> (Vec<Delta>, RefusalCode) {
        let mut deltas = Vec::new();
        loop {
            match self.next().await {
                Some(ProviderFrame::Output { delta, .. }) => deltas.push(delta),
                Some(ProviderFrame::Failed(refusal)) => return (deltas, refusal.code),
                Some(ProviderFrame::Prepared { .. } | ProviderFrame::ChoiceDone { .. }) => {}
                other => panic!("not failed: {other:?}"),
            }
        }
    }

    /// All deltas until the final receipt.
    pub(crate) async fn finished(&mut self) -> (Vec<Delta>, Signed<Receipt>) {
        let mut deltas = Vec::new();
        loop {
            match self.next().await {
                Some(ProviderFrame::Output { delta, .. }) => deltas.push(delta),
                Some(ProviderFrame::Finished(receipt)) => return (deltas, *receipt),
                Some(ProviderFrame::Prepared { .. } | ProviderFrame::ChoiceDone { .. }) => {}
                other => panic!("not finished: {other:?}"),
            }
        }
    }

    /// Outputs until nothing but heartbeats comes.
    pub(crate) async fn until_paused(&mut self) -> usize {
        let (mut outputs, mut beats) = (0, 0);
        while beats < 3 {
            match self.any().await {
                Some(ProviderFrame::Output { .. }) => (outputs, beats) = (outputs + 1, 0),
                Some(ProviderFrame::Heartbeat) => beats += 1,
                Some(ProviderFrame::Prepared { .. }) => {}
                other => panic!("not paused: {other:?}"),
            }
        }
        outputs
    }

    /// Waits until the provider has ended the stream.
    pub(crate) async fn closed(&mut self) {
        assert_eq!(self.next().await, None);
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.expect("it never came to be");
}

/// Another node than the provider and the caller.
pub(crate) fn stranger() -> SecretKey {
    key(42)
}

/// The provider's name.
pub(crate) fn provider_node(world: &World) -> NodeId {
    world.node.public()
}
