//! One job of a provider that follows a script.

use std::time::Duration;

use remuda_ledger::Channel;
use remuda_net::Stream;
use remuda_net::protocol::job::{
    ClientFrame, Open, ProviderFrame, Refusal, RefusalCode, UNPAID_WINDOW,
};
use remuda_types::job::{Delta, JobInput, OutputHasher, ResumeChoice};
use remuda_types::{
    Credits, DeviceClass, FinalReceipt, Receipt, SecretKey, Signed, StopReason, Usage, Voucher,
};
use tokio::time::timeout;

use super::super::UNITS_IN;
use super::{Act, FakeProvider, piece};

const HEARTBEAT: Duration = Duration::from_millis(50);
const FOREVER: Duration = Duration::from_secs(60);

/// How a session ended.
pub(super) enum Ended {
    Whole,
    Cancelled,
    /// Nothing more is to be said.
    Gone,
}

pub(super) struct Session {
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
    pub(super) fn new(
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

    pub(super) async fn run(&mut self) -> Ended {
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
    fn check_resume(&self, choice: u16, resume: &ResumeChoice) {
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

    pub(super) async fn close(&mut self, ended: Ended) {
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
