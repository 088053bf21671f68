//! A scripted network, a ledger that only has a head, and a plain HTTP client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use remuda_chain::{Found, Included, LedgerClient, LedgerError};
use remuda_client::{JobEvent, JobReport, ModelSummary, RunError, RunRequest};
use remuda_gateway::{Backend, Figures, Gateway, GatewayConfig, Run};
use remuda_ledger::{Answer, Block, Header, Query, SignedTransaction};
use remuda_market::Explanation;
use remuda_types::job::{
    Delta, JobInput, JobKind, LogprobEntry, Millionths, TokenLogprob, ToolCallDelta,
};
use remuda_types::{
    ChannelId, Credits, DeviceClass, FinalReceipt, Hash, Height, JobId, ManifestHash, NetworkId,
    OrderId, Price, Receipt, SecretKey, Seed, SeedSource, Signed, StopReason, Usage, Voucher,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// The most that a test waits for something that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the scripted network saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: Mutex<Vec<RunRequest>>,
    pub(crate) running: AtomicUsize,
    pub(crate) dropped: Notify,
}

/// A network whose behaviour is the model's name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(pub(crate) Arc<Seen>);

pub(crate) fn order() -> OrderId {
    OrderId(Hash([7; 32]))
}

pub(crate) fn explanation() -> Explanation {
    Explanation { considered: 3, fit: 0, ..Explanation::default() }
}

fn text(choice: u16, text: &str) -> JobEvent {
    let tokens = vec![1];
    JobEvent::Output(Delta { choice, tokens, units: 1, text: text.into(), ..Delta::default() })
}

fn done(choice: u16, stop: StopReason) -> JobEvent {
    JobEvent::ChoiceDone { choice, stop }
}

fn logprob() -> JobEvent {
    let entry = |bytes: &[u8], logprob| LogprobEntry {
        token: 1,
        bytes: bytes.to_vec(),
        logprob: Millionths(logprob),
    };
    let top = vec![entry(b"Hi", -100_000), entry(b"\xe2", -2_500_000)];
    let logprobs = vec![TokenLogprob { chosen: entry(b"Hi", -100_000), top }];
    JobEvent::Output(Delta { units: 1, text: "Hi".into(), logprobs, ..Delta::default() })
}

fn call(index: u16, first: Option<(&str, &str)>, arguments: &str) -> JobEvent {
    let tool_calls = vec![ToolCallDelta {
        index,
        id: first.map(|(id, _)| id.into()),
        name: first.map(|(_, name)| name.into()),
        arguments: arguments.into(),
    }];
    JobEvent::Output(Delta { units: 1, tool_calls, ..Delta::default() })
}

fn script(model: &str) -> Vec<JobEvent> {
    let prepared = JobEvent::Prepared { units_in: 5, units_cached: 2 };
    let mut events = vec![prepared];
    events.extend(match model {
        "two" => vec![
            text(1, "B"),
            text(0, "A"),
            done(1, StopReason::Length),
            text(0, "a"),
            done(0, StopReason::Stop),
        ],
        "tools" => vec![
            call(0, Some(("call_1", "look")), ""),
            call(0, None, "{\"x\":"),
            call(0, None, "1}"),
            call(1, Some(("call_2", "jump")), "{}"),
            done(0, StopReason::ToolCalls),
        ],
        "logprobs" => vec![logprob(), done(0, StopReason::Length)],
        "embed" => vec![JobEvent::Embeddings(vec![vec![0.5, -1.0], vec![2.0, 0.25]])],
        "empty" => vec![done(0, StopReason::Stop)],
        _ => {
            vec![text(0, "Hel"), text(0, ""), text(0, "lo \"q\"\n\u{1}"), done(0, StopReason::Stop)]
        }
    });
    events
}

/// A receipt that both sides signed.
pub(crate) fn receipt(job: JobId) -> FinalReceipt {
    let (provider, payer) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
    let price = Price { input: 1_000_000, output: 2_000_000 };
    let usage = Usage { units_in: 5, units_cached: 2, units_out: 3, units_resumed: 0 };
    let amount = price.cost(5, 3).unwrap();
    let receipt = Receipt {
        network: NetworkId(Hash([1; 32])),
        job,
        attempt: 0,
        kind: JobKind::Generate,
        manifest: ManifestHash(Hash([0xab; 32])),
        input: Hash([3; 32]),
        seed: Seed(Hash([4; 32])),
        seed_source: SeedSource::Caller(1),
        output: Hash([5; 32]),
        usage,
        stop: StopReason::Stop,
        fingerprint: None,
        started_at: 1,
        finished_at: 2,
        device: DeviceClass("test".into()),
        numerics: None,
        price,
        amount,
        channel: ChannelId(Hash([6; 32])),
        sequence: 1,
        cumulative: amount,
        provider: provider.public(),
        payer: payer.public(),
    };
    let receipt = Signed::sign(receipt, &provider);
    let id = Some(receipt.body.id());
    let voucher =
        Voucher { channel: ChannelId(Hash([6; 32])), sequence: 1, cumulative: amount, receipt: id };
    FinalReceipt { receipt, voucher: Signed::sign(voucher, &payer) }
}

fn report(model: &str, job: JobId) -> JobReport {
    let receipt = receipt(job);
    JobReport {
        order: order(),
        job,
        model: model.into(),
        manifest: ManifestHash(Hash([0xab; 32])),
        usage: receipt.receipt.body.usage,
        amount: Credits(11),
        receipts: vec![receipt],
        complete: true,
        explanation: explanation(),
    }
}

/// A scripted job.
#[derive(Debug)]
pub(crate) struct ScriptRun {
    model: String,
    events: std::vec::IntoIter<Result<JobEvent, RunError>>,
    seen: Arc<Seen>,
}

impl Drop for ScriptRun {
    fn drop(&mut self) {
        self.seen.running.fetch_sub(1, Ordering::SeqCst);
        self.seen.dropped.notify_one();
    }
}

impl Run for ScriptRun {
    fn order(&self) -> OrderId {
        order()
    }

    fn job(&self) -> JobId {
        JobId::derive(&order())
    }

    async fn next(&mut self) -> Option<Result<JobEvent, RunError>> {
        match self.events.next() {
            None if self.model == "silent" => std::future::pending().await,
            event => event,
        }
    }
}

impl Backend for Script {
    type Run = ScriptRun;

    async fn run(&self, request: RunRequest) -> Result<ScriptRun, RunError> {
        let model = request.model.clone();
        let embeds = matches!(request.input, JobInput::Embed(_));
        self.0.requests.lock().push(request);
        let reason = "scripted".to_owned();
        match model.as_str() {
            "nobody" => return Err(RunError::NoProvider(Box::new(explanation()))),
            "poor" => {
                let (needed, left) = (Credits(9), Credits(1));
                return Err(RunError::Exhausted { needed, left });
            }
            "expired" => return Err(RunError::SessionExpired),
            "stranger" => return Err(RunError::SessionUnknown),
            "busy" => {
                return Err(RunError::Overloaded { retry_after: Duration::from_millis(250) });
            }
            "long" => return Err(RunError::ContextExceeded { reason }),
            "away" => return Err(RunError::LedgerUnreachable { reason }),
            "missing" => return Err(RunError::UnknownModel { model }),
            _ => {}
        }
        assert_eq!(embeds, model == "embed");
        let mut events: Vec<_> = script(&model).into_iter().map(Ok).collect();
        match model.as_str() {
            "silent" => {}
            "breaks" => {
                events.pop();
                events.push(Err(RunError::Interrupted { reason }));
            }
            _ => {
                let report = report(&model, JobId::derive(&order()));
                events.push(Ok(JobEvent::Finished(report)));
            }
        }
        self.0.running.fetch_add(1, Ordering::SeqCst);
        Ok(ScriptRun { model, events: events.into_iter(), seen: self.0.clone() })
    }

    async fn models(&self) -> Vec<ModelSummary> {
        let model = |name: &str| ModelSummary {
            name: name.to_owned(),
            manifest: ManifestHash(Hash([0xab; 32])),
            kinds: vec![JobKind::Generate],
            context: 2_048,
            price: Price { input: 10, output: 20 },
            providers: 2,
        };
        vec![model("text"), model("org/two")]
    }

    fn explain(&self, wanted: &OrderId) -> Option<Explanation> {
        (*wanted == order()).then(explanation)
    }

    fn figures(&self) -> Figures {
        Figures { providers: 3, undelivered_vouchers: 1 }
    }
}

/// A ledger that only has a head, or is away.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) away: bool,
}

impl Ledger {
    fn unreachable<T>() -> Result<T, LedgerError> {
        Err(LedgerError::Unreachable { reason: "scripted".into() })
    }
}

#[async_trait]
impl LedgerClient for Ledger {
    async fn submit(&self, _: SignedTransaction) -> Result<Included, LedgerError> {
        Self::unreachable()
    }

    async fn query(&self, query: Query) -> Result<Answer, LedgerError> {
        match query {
            Query::Head if !self.away => Ok(Answer::Head(Header {
                network: NetworkId(Hash([1; 32])),
                height: 1,
                time: 1,
                parent: Hash::default(),
                transactions: Hash::default(),
                state: Hash::default(),
                outcomes: Hash::default(),
                beacon: Hash::default(),
            })),
            _ => Self::unreachable(),
        }
    }

    async fn network(&self) -> Result<NetworkId, LedgerError> {
        Self::unreachable()
    }

    async fn blocks(&self, _: Height, _: usize) -> Result<Vec<Block>, LedgerError> {
        Self::unreachable()
    }

    async fn lookup(&self, _: Hash) -> Result<Option<Found>, LedgerError> {
        Self::unreachable()
    }

    async fn next_head(&self, _: Height, _: Duration) -> Result<Header, LedgerError> {
        Self::unreachable()
    }
}

/// A gateway, what its network saw, and its folder.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) seen: Arc<Seen>,
    pub(crate) home: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, false).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut GatewayConfig), away: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = GatewayConfig::new(listen, home.path().to_owned());
        change(&mut config);
        let script = Script::default();
        let seen = script.0.clone();
        let ledger = Arc::new(Ledger { away });
        let gateway = Gateway::start(config, script, ledger).await.unwrap();
        Self { gateway, seen, home }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.gateway.local_addr()).await.unwrap()
    }

    /// Sends raw bytes, and reads until the gateway closes.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        Reply::parse(&read_to_end(&mut stream).await)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        let key = api_key();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             connection: close\r\n\r\n"
        );
        self.raw(head.as_bytes()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        self.raw(post(path, body).as_bytes()).await
    }
}

pub(crate) fn api_key() -> String {
    SecretKey::from_seed([9; 32]).to_api_key()
}

/// A request that closes its connection.
pub(crate) fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        api_key(),
        body.len()
    )
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut reply = Self { status, headers, body: body.to_owned() };
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = dechunk(body);
        }
        reply
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status, code and parameter of an error.
    pub(crate) fn error(&self) -> (u16, String, Option<String>) {
        let error = &self.json()["error"];
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(!error["type"].as_str().unwrap().is_empty());
        let param = error["param"].as_str().map(ToOwned::to_owned);
        (self.status, error["code"].as_str().unwrap().to_owned(), param)
    }
}

fn dechunk(mut rest: &str) -> String {
    let mut all = String::new();
    while let Some((size, tail)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        all.push_str(&tail[..size]);
        rest = &tail[size + 2..];
    }
    all
}
