//! A provider that follows a script.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use remuda_chain::{LedgerClientExt as _, Signer, Validator};
use remuda_ledger::{Action, Channel};
use remuda_net::protocol::job::{
    self, ClientFrame, Open, ProviderFrame, Refusal, RefusalCode, UNPAID_WINDOW,
};
use remuda_net::{Endpoint, Handler, Protocol, Stream, async_trait};
use remuda_types::job::{Delta, JobInput, JobKind, OutputHasher};
use remuda_types::{
    Announcement, ChannelId, Credits, DeviceClass, FinalReceipt, Load, ModelOffer, NetworkId,
    NodeId, ProviderState, Receipt, SecretKey, Signed, StopReason, Usage, Voucher,
};
use tokio::time::timeout;

use super::{CONTEXT, MODEL, PRICE, UNITS_IN, endpoint, manifest};

const HEARTBEAT: Duration = Duration::from_millis(50);
const FOREVER: Duration = Duration::from_secs(60);

/// What a provider does with one job.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Honest,
    /// Takes so long for each piece.
    Slow(Duration),
    /// Takes so long to understand the input, with heartbeats.
    SlowPrepare(Duration),
    Refuse(RefusalCode),
    /// Accepts nothing and says nothing.
    Silent,
    /// After so many pieces: breaks the connection.
    Die(u32),
    /// After so many pieces: falls silent.
    Stall(u32),
    /// After so many pieces: says that it failed.
    Fail(u32, RefusalCode),
    /// After so many pieces: bytes that are no frame.
    Garbage(u32),
    /// After so many pieces: ends the stream without a word.
    End(u32),
    /// Delivers everything, then signs a receipt that lies.
    Lie(fn(&mut Receipt)),
    /// Delivers everything, then shows a receipt that another key signed.
    Forge,
    /// Pieces that claim more units than they hold tokens.
    Pad,
    /// Claims an absurd number of input units.
    PadInput,
    /// Accepts with a voucher that the payer did not sign.
    ForgeVoucher,
    /// Shows the running receipt of one piece again with the next, and dies.
    ReplayAndDie(u32),
}

/// The piece that every honest provider delivers at a position.
pub fn piece(choice: u16, at: u32) -> (u32, String) {
    let token = (u32::from(choice) * 7_919 + at * 104_729) % 50_000;
    (token, format!("{choice}:{at}:{token} "))
}

#[derive(Default)]
struct Books {
    best: HashMap<ChannelId, Signed<Voucher>>,
    ended: HashMap<ChannelId, Credits>,
    opened: Vec<Open>,
    finals: Vec<FinalReceipt>,
    cancelled: u32,
    faults: Vec<String>,
}

struct Inner {
    key: SecretKey,
    endpoint: Endpoint,
    ledger: Arc<Validator>,
    network: NetworkId,
    script: Mutex<VecDeque<Act>>,
    books: Mutex<Books>,
}

#[derive(Clone)]
pub struct FakeProvider(Arc<Inner>);

impl FakeProvider {
    pub async fn start(ledger: Arc<Validator>, network: NetworkId, script: &[Act]) -> Self {
        let key = SecretKey::generate();
        let endpoint = endpoint(key.clone()).await;
        let script = Mutex::new(script.iter().copied().collect());
        let books = Mutex::default();
        let it = Self(Arc::new(Inner { key, endpoint, ledger, network, script, books }));
        let protocol = Protocol { alpn: job::ALPN, frame_bytes_max: job::FRAME_BYTES_MAX };
        it.0.endpoint.serve(vec![(protocol, Arc::new(it.clone()))]);
        it
    }

    pub fn key(&self) -> &SecretKey {
        &self.0.key
    }

    pub fn node(&self) -> NodeId {
        self.0.key.public()
    }

    pub fn announcement(&self, sequence: u64) -> Announcement {
        let offer = ModelOffer {
            name: MODEL.into(),
            manifest: manifest(),
            kinds: vec![JobKind::Generate, JobKind::Embed],
            context: CONTEXT,
            price: PRICE,
            numerics: Some("test".into()),
        };
        Announcement {
            address: self.0.endpoint.address(),
            sequence,
            announced_at: 0,
            models: vec![offer],
            load: Load { active: 0, queued: 0, slots: 8 },
            state: ProviderState::Ready,
            device: DeviceClass("test".into()),
            software: "test".into(),
        }
    }

    pub fn add(&self, act: Act) {
        self.0.script.lock().push_back(act);
    }

    pub fn opened(&self) -> Vec<Open> {
        self.0.books.lock().opened.clone()
    }

    pub fn finals(&self) -> Vec<FinalReceipt> {
        self.0.books.lock().finals.clone()
    }

    pub fn cancelled(&self) -> u32 {
        self.0.books.lock().cancelled
    }

    pub fn faults(&self) -> Vec<String> {
        self.0.books.lock().faults.clone()
    }

    /// The sum of the best vouchers of all channels.
    pub fn promised(&self) -> u64 {
        self.0.books.lock().best.values().map(|it| it.body.cumulative.0).sum()
    }

    /// Forgets all vouchers and earnings, as if its disk were gone.
    pub fn lose_books(&self) {
        let mut books = self.0.books.lock();
        books.best.clear();
        books.ended.clear();
    }

    pub async fn redeem(&self, signer: &Signer) {
        let vouchers: Vec<_> = self.0.books.lock().best.values().cloned().collect();
        if !vouchers.is_empty() {
            signer.send(Action::Redeem { vouchers }).await.unwrap();
        }
    }

    fn fault(&self, fault: impl Into<String>) {
        self.0.books.lock().faults.push(fault.into());
    }

    /// Takes in a voucher; anything that a client must not send is noted.
    fn take(&self, channel: &Channel, voucher: Signed<Voucher>) {
        let body = &voucher.body;
        if body.channel != channel.id || voucher.verify_by(&channel.payer).is_err() {
            return self.fault("a forged voucher");
        }
        if body.cumulative > channel.deposit {
            return self.fault("a voucher beyond the deposit");
        }
        let mut books = self.0.books.lock();
        match books.best.get(&channel.id) {
            Some(best) if best.body.sequence == body.sequence && *best != voucher => {
                books.faults.push("two vouchers with one number".into());
            }
            Some(best) if best.body.cumulative > body.cumulative => {}
            _ => drop(books.best.insert(channel.id, voucher)),
        }
    }

    async fn channel(&self, id: ChannelId) -> Option<Channel> {
        let channel = self.0.ledger.channel(id).await.unwrap();
        channel.filter(|it| it.provider == self.node())
    }

    async fn settle(&self, mut stream: Stream, voucher: Signed<Voucher>) {
        let Some(channel) = self.channel(voucher.body.channel).await else { return };
        self.take(&channel, voucher);
        let best = self.0.books.lock().best.get(&channel.id).cloned();
        if let Some(best) = best {
            let _ = stream.writer.send(&ProviderFrame::Settled(best)).await;
            stream.writer.finish();
        }
    }

    async fn serve(&self, stream: Stream, open: Open) {
        self.0.books.lock().opened.push(open.clone());
        let act = self.0.script.lock().pop_front().unwrap_or(Act::Honest);
        let channel = self.channel(open.channel).await;
        let mut session = Session::new(self.clone(), stream, open, act, channel);
        let ended = session.run().await;
        session.close(ended).await;
    }
}

#[async_trait]
impl Handler for FakeProvider {
    async fn handle(&self, mut stream: Stream) {
        match stream.reader.receive().await {
            Ok(Some(ClientFrame::Open(open))) => self.serve(stream, *open).await,
            Ok(Some(ClientFrame::Settle(voucher))) => self.settle(stream, voucher).await,
            other => self.fault(format!("a stream began with {other:?}")),
        }
    }
}

/// How a session ended.
enum Ended {
    Whole,
    Cancelled,
    /// Nothing more is to be said.
    Gone,
}

struct Session {
    provider: FakeProvider,
    stream: Stream,
    open: Open,
    act: Act,
    channel: Option<Channel>,
    hasher: OutputHasher,
    usage: Usage,
    amount: Credits,
    replay: Option<Box<Signed<Receipt>>>,
    sent: u32,
}

/// The client is gone or the script says so.
struct Over(Ended);

impl Session {
    fn new(
        provider: FakeProvider,
        stream: Stream,
        open: Open,
        act: Act,
        channel: Option<Channel>,
    ) -> Self {
        let choices = match &open.input {
            JobInput::Generate(it) => it.choices,
            JobInput::Embed(_) => 1,
        };
        Self {
            provider,
            stream,
            usage: Usage { units_resumed: open.resume.units(), ..Usage::default() },
            open,
            act,
            channel,
            hasher: OutputHasher::new(choices),
            amount: Credits::ZERO,
            replay: None,
            sent: 0,
        }
    }

    async fn run(&mut self) -> Ended {
        match self.work().await {
            Ok(()) => Ended::Whole,
            Err(Over(ended)) => ended,
        }
    }

    async fn send(&mut self, frame: &ProviderFrame) -> Result<(), Over> {
        self.stream.writer.send(frame).await.map_err(|_| Over(Ended::Gone))
    }

    async fn refuse(&mut self, code: RefusalCode) -> Over {
        let refusal = Refusal { code, message: "because the test says so".into() };
        let _ = self.send(&ProviderFrame::Refused(refusal)).await;
        self.stream.writer.finish();
        Over(Ended::Gone)
    }

    async fn work(&mut self) -> Result<(), Over> {
        match self.act {
            Act::Refuse(code) => return Err(self.refuse(code).await),
            Act::Silent => {
                tokio::time::sleep(FOREVER).await;
                return Err(Over(Ended::Gone));
            }
            _ => {}
        }
        if self.channel.is_none() {
            return Err(self.refuse(RefusalCode::UnknownChannel).await);
        }
        self.accept().await?;
        if let Act::SlowPrepare(wait) = self.act {
            self.idle(wait).await?;
        }
        let units_in = if matches!(self.act, Act::PadInput) { 1_000_000 } else { UNITS_IN };
        self.send(&ProviderFrame::Prepared { units_in, units_cached: 0 }).await?;
        match self.open.input.clone() {
            JobInput::Generate(it) => self.generate(it.choices, it.max_output).await,
            JobInput::Embed(it) => self.embed(it.inputs.len()).await,
        }
    }

    async fn accept(&mut self) -> Result<(), Over> {
        let id = self.open.channel;
        let (mut voucher, earned) = {
            let books = self.provider.0.books.lock();
            let ended = books.ended.get(&id).copied().unwrap_or_default();
            (books.best.get(&id).cloned(), ended)
        };
        if matches!(self.act, Act::ForgeVoucher) {
            let cumulative = Credits(1_000_000);
            let body = Voucher { channel: id, sequence: u64::MAX, cumulative, receipt: None };
            voucher = Some(Signed::sign(body, self.provider.key()));
        }
        self.send(&ProviderFrame::Accepted { voucher, earned }).await
    }

    async fn generate(&mut self, choices: u16, max_output: u32) -> Result<(), Over> {
        for choice in 0..choices {
            let resume = self.open.resume.choices.get(usize::from(choice)).cloned();
            let resume = resume.unwrap_or_default();
            self.check_resume(choice, &resume);
            if resume.finished.is_some() {
                continue;
            }
            for at in resume.units..max_output {
                self.misbehave().await?;
                self.output(choice, at).await?;
                self.room().await?;
            }
            let stop = StopReason::Length;
            self.send(&ProviderFrame::ChoiceDone { choice, stop }).await?;
        }
        Ok(())
    }

    /// The resume point must be exactly what was said before.
    fn check_resume(&self, choice: u16, resume: &remuda_types::job::ResumeChoice) {
        let said: Vec<_> = (0..resume.units).map(|at| piece(choice, at)).collect();
        let tokens: Vec<u32> = said.iter().map(|it| it.0).collect();
        let text: String = said.into_iter().map(|it| it.1).collect();
        if resume.tokens != tokens || resume.text != text {
            self.provider.fault(format!("a wrong resume point: {resume:?}"));
        }
    }

    async fn embed(&mut self, inputs: usize) -> Result<(), Over> {
        self.misbehave().await?;
        let vectors = vec![vec![0.5, -0.25]; inputs];
        self.hasher.update_vectors(&vectors);
        self.deliver();
        self.send(&ProviderFrame::Embeddings(vectors)).await
    }

    fn deliver(&mut self) {
        let fresh = self.open.resume.is_fresh();
        self.usage.units_in = if fresh { UNITS_IN } else { 0 };
        let cost = self.open.price.cost(self.usage.units_in, self.usage.units_out);
        self.amount = cost.unwrap();
        self.sent += 1;
    }

    async fn output(&mut self, choice: u16, at: u32) -> Result<(), Over> {
        let (token, text) = piece(choice, at);
        let units = if matches!(self.act, Act::Pad) { 2 } else { 1 };
        let tokens = vec![token];
        let delta = Delta { choice, tokens, units, text, ..Delta::default() };
        self.hasher.update(&delta);
        self.usage.units_out += u64::from(units);
        self.deliver();
        let receipt = match (self.act, self.replay.take()) {
            (Act::ReplayAndDie(_), Some(old)) => old,
            _ => Box::new(self.receipt(StopReason::Partial)),
        };
        self.replay = Some(receipt.clone());
        self.send(&ProviderFrame::Output { delta, receipt: Some(receipt) }).await?;
        match self.act {
            Act::Slow(wait) => self.idle(wait).await,
            _ => self.idle(Duration::ZERO).await,
        }
    }

    /// What the script says for this point.
    async fn misbehave(&mut self) -> Result<(), Over> {
        let due = |after: u32| self.sent == after;
        match self.act {
            Act::Die(after) | Act::ReplayAndDie(after) if due(after) => {
                // What was sent is on its way before the connection goes.
                tokio::time::sleep(Duration::from_millis(50)).await;
                self.stream.connection.close("died");
            }
            Act::Stall(after) if due(after) => tokio::time::sleep(FOREVER).await,
            Act::Garbage(after) if due(after) => {
                let _ = self.stream.writer.send(&[0xff_u8; 100]).await;
                tokio::time::sleep(FOREVER).await;
            }
            Act::End(after) if due(after) => self.stream.writer.finish(),
            Act::Fail(after, code) if due(after) => {
                let refusal = Refusal { code, message: "because the test says so".into() };
                self.send(&ProviderFrame::Failed(refusal)).await?;
                self.stream.writer.finish();
                self.last_voucher(None).await;
            }
            _ => return Ok(()),
        }
        Err(Over(Ended::Gone))
    }

    /// Waits for `wait`, listens, and shows life.
    async fn idle(&mut self, wait: Duration) -> Result<(), Over> {
        let end = tokio::time::Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            match timeout(left.min(HEARTBEAT), self.stream.reader.receive()).await {
                Ok(frame) => self.hear(frame.ok().flatten())?,
                Err(_) if left <= HEARTBEAT => return Ok(()),
                Err(_) => self.send(&ProviderFrame::Heartbeat).await?,
            }
        }
    }

    fn hear(&mut self, frame: Option<ClientFrame>) -> Result<(), Over> {
        match frame {
            Some(ClientFrame::Voucher(voucher)) => {
                if let Some(channel) = &self.channel {
                    self.provider.take(channel, voucher);
                }
                Ok(())
            }
            Some(ClientFrame::Cancel) => Err(Over(Ended::Cancelled)),
            _ => Err(Over(Ended::Gone)),
        }
    }

    fn unpaid(&self) -> Credits {
        let books = self.provider.0.books.lock();
        let id = self.open.channel;
        let ended = books.ended.get(&id).copied().unwrap_or_default();
        let promised = books.best.get(&id).map_or(Credits::ZERO, |it| it.body.cumulative);
        ended.add(self.amount).unwrap().excess_over(promised)
    }

    /// Pauses, with heartbeats, while the window is full.
    async fn room(&mut self) -> Result<(), Over> {
        for _ in 0..100 {
            if self.unpaid() <= UNPAID_WINDOW {
                return Ok(());
            }
            self.renew().await;
            self.idle(HEARTBEAT).await?;
        }
        self.provider.fault("nobody paid");
        Err(Over(Ended::Gone))
    }

    /// The channel may have been topped up.
    async fn renew(&mut self) {
        self.channel = self.provider.channel(self.open.channel).await;
    }

    fn receipt(&self, stop: StopReason) -> Signed<Receipt> {
        Signed::sign(self.statement(stop), self.provider.key())
    }

    fn statement(&self, stop: StopReason) -> Receipt {
        let open = &self.open;
        Receipt {
            network: self.provider.0.network,
            job: open.job,
            attempt: open.attempt,
            kind: open.input.kind(),
            manifest: open.manifest,
            input: open.input.commit(&open.salt),
            seed: open.seed,
            seed_source: open.seed_source,
            output: self.hasher.digest(),
            usage: self.usage,
            stop,
            fingerprint: None,
            started_at: 1,
            finished_at: 2,
            device: DeviceClass("test".into()),
            numerics: Some("test".into()),
            price: open.price,
            amount: self.amount,
            channel: open.channel,
            sequence: 1,
            cumulative: self.amount,
            provider: self.provider.node(),
            payer: self.channel.as_ref().unwrap().payer,
        }
    }

    async fn close(&mut self, ended: Ended) {
        {
            let mut books = self.provider.0.books.lock();
            let sum = books.ended.entry(self.open.channel).or_default();
            *sum = sum.add(self.amount).unwrap();
            books.cancelled += u32::from(matches!(ended, Ended::Cancelled));
        }
        let stop = match ended {
            Ended::Whole => StopReason::Length,
            Ended::Cancelled => StopReason::Cancelled,
            Ended::Gone => return,
        };
        let mut statement = self.statement(stop);
        if let Act::Lie(lie) = self.act {
            lie(&mut statement);
        }
        let forger = SecretKey::from_seed([13; 32]);
        let key = if matches!(self.act, Act::Forge) { &forger } else { self.provider.key() };
        let receipt = Signed::sign(statement, key);
        if self.send(&ProviderFrame::Finished(Box::new(receipt.clone()))).await.is_ok() {
            self.stream.writer.finish();
            self.last_voucher(Some(receipt)).await;
        }
    }

    async fn last_voucher(&mut self, receipt: Option<Signed<Receipt>>) {
        self.renew().await;
        let wait = Duration::from_secs(3);
        while let Ok(Ok(Some(frame))) = timeout(wait, self.stream.reader.receive()).await {
            let ClientFrame::Voucher(voucher) = frame else { continue };
            let Some(channel) = &self.channel else { return };
            self.provider.take(channel, voucher.clone());
            if let Some(receipt) = &receipt
                && voucher.body.receipt == Some(receipt.body.id())
            {
                let receipt = receipt.clone();
                let it = FinalReceipt { receipt, voucher };
                self.provider.0.books.lock().finals.push(it);
            }
        }
    }
}
