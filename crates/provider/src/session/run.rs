//! A job that was admitted: output out, vouchers in, until one side ends it.
//!
//! One task does it all. It always listens to the client while it waits for something else,
//! and shows that it lives when it has sent nothing for [`HEARTBEAT`].

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use remuda_engine::{Engine, EngineError, EngineEvent, EngineJob, EngineStream};
use remuda_net::protocol::job::{ClientFrame, Open, ProviderFrame, Refusal, RefusalCode};
use remuda_net::{FrameError, FrameReader, FrameWriter, Stream};
use remuda_types::{ReceiptId, Signed, StopReason, Voucher};
use tokio::time::{Instant, timeout_at};

use super::admission::{Admitted, choices, renew};
use super::meter::{Meter, Sides};
use super::settle::take;
use super::{flush, refusal, refuse};
use crate::catalogue::Seat;
use crate::shared::Shared;
use crate::till::Tab;

/// After how long without a frame a heartbeat is sent.
const HEARTBEAT: Duration = Duration::from_millis(50);
/// How long the client may take for the voucher that ends a job.
const FINAL_VOUCHER_WAIT: Duration = Duration::from_secs(3);
/// The most vouchers of one stream that change nothing.
const USELESS_VOUCHERS_MAX: u32 = 256;
/// How often a job that waits for a top-up asks the ledger.
const TOP_UP_LOOK: Duration = Duration::from_millis(500);

/// The most events that travel together when the engine has many ready.
const TOGETHER_MAX: u32 = 32;

/// Why a job ended before its engine was done.
enum End {
    /// The client withdrew, and may still read.
    Cancelled,
    /// The client is gone.
    Gone,
    /// Something broke.
    Failed(Refusal),
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        if error.is_violation() {
            return Self::Failed(refusal(RefusalCode::Protocol, error.to_string()));
        }
        Self::Gone
    }
}

/// Runs an admitted job to its end.
pub(super) async fn run(shared: &Shared, stream: Stream, open: Open, admitted: Admitted) {
    let sides = Sides {
        network: admitted.network,
        provider: shared.node,
        payer: admitted.account.payer,
        device: shared.device.clone(),
        numerics: admitted.model.numerics,
    };
    let choices = usize::from(choices(&open.input));
    let mut session = Session {
        shared,
        reader: stream.reader,
        client: Line { writer: stream.writer, queued: false, sent_at: Instant::now() },
        tab: shared.till.tab(admitted.account),
        meter: Meter::new(&open, sides),
        useless_vouchers: 0,
        done: Vec::with_capacity(choices),
        choices,
    };
    shared.note_change();
    session.serve(admitted.seat, open).await;
    shared.note_change();
}

/// The sending side, and when it last sent.
struct Line {
    writer: FrameWriter,
    queued: bool,
    sent_at: Instant,
}

impl Line {
    async fn send(&mut self, frame: &ProviderFrame) -> Result<(), FrameError> {
        self.queue(frame)?;
        self.flush().await
    }

    fn queue(&mut self, frame: &ProviderFrame) -> Result<(), FrameError> {
        self.writer.queue(frame)?;
        self.queued = true;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), FrameError> {
        if std::mem::take(&mut self.queued) {
            flush(&mut self.writer).await?;
            self.sent_at = Instant::now();
        }
        Ok(())
    }
}

struct Session<'a> {
    shared: &'a Shared,
    reader: FrameReader,
    client: Line,
    tab: Tab,
    meter: Meter,
    useless_vouchers: u32,
    /// How the choices that ended did so.
    done: Vec<StopReason>,
    choices: usize,
}

impl Session<'_> {
    /// From acceptance to the last voucher.
    async fn serve(&mut self, seat: Seat, open: Open) {
        let job = EngineJob {
            manifest: open.manifest,
            seed: open.seed,
            input: open.input,
            resume: open.resume,
        };
        let finished = job.resume.choices.iter().filter_map(|choice| choice.finished);
        self.done.extend(finished);
        let ended = match self.start(seat.engine().as_ref(), job).await {
            Ok(Some(events)) => self.work(events).await,
            Ok(None) => return,
            Err(end) => Err(end),
        };
        // The engine's stream is gone by now; the place is free before the voucher comes.
        drop(seat);
        self.shared.note_change();
        self.end(ended).await;
    }

    /// Accepts the job and starts the engine. When the engine refuses within a heartbeat's
    /// time the job is refused, and `None` returned.
    async fn start(
        &mut self,
        engine: &dyn Engine,
        job: EngineJob,
    ) -> Result<Option<EngineStream>, End> {
        if !self.tab.has_room(self.shared.limits.window) {
            self.accept()?;
            self.deliver().await?;
            self.room().await?;
            return self.attend(engine.start(job)).await?.map(Some).map_err(broken);
        }
        let mut start = engine.start(job);
        match tokio::time::timeout(HEARTBEAT, &mut start).await {
            Ok(Ok(events)) => {
                self.accept()?;
                Ok(Some(events))
            }
            Ok(Err(error)) => {
                self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                refuse(&mut self.client.writer, engine_refusal(&error)).await;
                Ok(None)
            }
            Err(_) => {
                self.accept()?;
                self.deliver().await?;
                self.attend(start).await?.map(Some).map_err(broken)
            }
        }
    }

    fn accept(&mut self) -> Result<(), End> {
        let voucher = self.tab.account.voucher();
        let earned = self.tab.account.balance().ended;
        Ok(self.client.queue(&ProviderFrame::Accepted { voucher, earned })?)
    }

    /// Streams until the engine is done. Dropping out of it drops the engine's stream, which
    /// cancels the work.
    ///
    /// What the engine has ready is sent together; with nothing ready, what there is is sent.
    async fn work(&mut self, mut events: EngineStream) -> Result<(), End> {
        let mut together = 0;
        loop {
            if !self.tab.has_room(self.shared.limits.window) {
                self.deliver().await?;
                self.room().await?;
            }
            let ready = if together < TOGETHER_MAX { events.next().now_or_never() } else { None };
            together = if ready.is_some() { together + 1 } else { 0 };
            let next = match ready {
                Some(next) => next,
                None => {
                    self.deliver().await?;
                    self.attend(events.next()).await?
                }
            };
            match next {
                Some(Ok(event)) => self.event(event)?,
                Some(Err(error)) => return Err(broken(error)),
                None => return self.whole(),
            }
        }
    }

    /// Whether the engine delivered all that it should before its stream ended.
    fn whole(&self) -> Result<(), End> {
        if self.done.len() >= self.choices {
            return Ok(());
        }
        Err(broken(EngineError::Failed("it ended before the job was done".to_owned())))
    }

    /// Meters an event, and queues its frame.
    fn event(&mut self, event: EngineEvent) -> Result<(), End> {
        let frame = match event {
            EngineEvent::Output(delta) => {
                let amount = self.meter.output(&delta).map_err(overflow)?;
                self.tab.set(amount).map_err(overflow)?;
                let receipt = self.meter.running(&self.tab, &self.shared.key);
                ProviderFrame::Output { delta, receipt }
            }
            EngineEvent::Prepared { units_in, units_cached } => {
                self.meter.prepared(units_in, units_cached);
                ProviderFrame::Prepared { units_in, units_cached }
            }
            EngineEvent::ChoiceDone { choice, stop } => {
                self.done.push(stop);
                ProviderFrame::ChoiceDone { choice, stop }
            }
            EngineEvent::Embeddings(vectors) => {
                let amount = self.meter.vectors(&vectors).map_err(overflow)?;
                self.tab.set(amount).map_err(overflow)?;
                self.done.push(StopReason::Stop);
                ProviderFrame::Embeddings(vectors)
            }
        };
        Ok(self.client.queue(&frame)?)
    }

    /// Sends all that is queued.
    async fn deliver(&mut self) -> Result<(), End> {
        Ok(self.client.flush().await?)
    }

    /// Waits until enough is paid to go on.
    async fn room(&mut self) -> Result<(), End> {
        let limits = &self.shared.limits;
        let account = std::sync::Arc::clone(&self.tab.account);
        let mut end = Instant::now() + limits.unpaid_after;
        let mut vouchered = account.balance().vouchered;
        loop {
            let mut changed = pin!(account.changed.notified());
            changed.as_mut().enable();
            let balance = account.balance();
            if balance.has_room(limits.window) {
                return Ok(());
            }
            if balance.vouchered > vouchered {
                vouchered = balance.vouchered;
                end = Instant::now() + limits.unpaid_after;
            }
            if Instant::now() >= end {
                return Err(End::Failed(unpaid(balance.owed() >= balance.deposit)));
            }
            let look = end.min(Instant::now() + TOP_UP_LOOK);
            let waited = self.attend(timeout_at(look, changed)).await?;
            if waited.is_err() && balance.owed() >= balance.deposit {
                self.attend(renew(self.shared, &account)).await?;
            }
        }
    }

    /// Waits for `work`, listening to the client and showing life meanwhile.
    async fn attend<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        let mut work = pin!(work);
        let mut beat = pin!(tokio::time::sleep_until(self.client.sent_at + HEARTBEAT));
        loop {
            tokio::select! {
                biased;
                frame = self.reader.receive::<ClientFrame>() => self.heard(frame?).await?,
                () = self.shared.cut.cancelled() => return Err(End::Failed(cut())),
                value = &mut work => return Ok(value),
                () = &mut beat => {
                    self.client.send(&ProviderFrame::Heartbeat).await?;
                    beat.as_mut().reset(self.client.sent_at + HEARTBEAT);
                }
            }
        }
    }

    /// What the client says while the job runs.
    async fn heard(&mut self, frame: Option<ClientFrame>) -> Result<(), End> {
        match frame {
            Some(ClientFrame::Voucher(voucher)) => {
                self.paid(voucher).await.map(drop).map_err(End::Failed)
            }
            Some(ClientFrame::Cancel) | None => Err(End::Cancelled),
            Some(_) => {
                let reason = "only Voucher and Cancel may follow Open";
                Err(End::Failed(refusal(RefusalCode::Protocol, reason)))
            }
        }
    }

    async fn paid(&mut self, voucher: Signed<Voucher>) -> Result<(), Refusal> {
        if take(self.shared, &self.tab.account, voucher).await? {
            self.shared.note_vouchered();
            return Ok(());
        }
        self.useless_vouchers += 1;
        if self.useless_vouchers > USELESS_VOUCHERS_MAX {
            let reason = "too many vouchers that promise nothing new";
            return Err(refusal(RefusalCode::Protocol, reason));
        }
        Ok(())
    }

    /// The last frames of a job.
    async fn end(&mut self, ended: Result<(), End>) {
        self.tab.end();
        let counters = &self.shared.counters;
        match ended {
            Ok(()) => {
                counters.finished.fetch_add(1, Ordering::Relaxed);
                self.finish(stop_of(&self.done)).await;
            }
            Err(End::Cancelled) => {
                counters.cancelled.fetch_add(1, Ordering::Relaxed);
                self.finish(StopReason::Cancelled).await;
            }
            Err(End::Gone) => {
                counters.cancelled.fetch_add(1, Ordering::Relaxed);
            }
            Err(End::Failed(reason)) => {
                counters.failed.fetch_add(1, Ordering::Relaxed);
                self.fail(reason).await;
            }
        }
    }

    async fn finish(&mut self, stop: StopReason) {
        let receipt = self.meter.sign(stop, &self.tab, &self.shared.key);
        let id = receipt.body.id();
        if self.client.send(&ProviderFrame::Finished(Box::new(receipt))).await.is_ok() {
            self.last_voucher(Some(id)).await;
            // Only now: the end of the stream tells the client that its voucher was taken.
            self.client.writer.finish();
        }
    }

    /// States what was delivered, if no receipt does yet, then says what broke.
    async fn fail(&mut self, reason: Refusal) {
        tracing::debug!(channel = %self.meter.channel(), code = ?reason.code, "a job failed");
        if self.meter.unsigned() {
            let receipt = self.meter.sign(StopReason::Partial, &self.tab, &self.shared.key);
            let receipt = Some(Box::new(receipt));
            let last = ProviderFrame::Output { delta: Default::default(), receipt };
            if self.client.send(&last).await.is_err() {
                return;
            }
        }
        let forged = reason.code == RefusalCode::BadVoucher;
        if self.client.send(&ProviderFrame::Failed(reason)).await.is_ok() {
            if self.meter.delivered() && !forged {
                self.last_voucher(None).await;
            }
            self.client.writer.finish();
        }
    }

    /// Waits a little for the voucher that acknowledges the receipt, or that pays all.
    async fn last_voucher(&mut self, receipt: Option<ReceiptId>) {
        let end = Instant::now() + FINAL_VOUCHER_WAIT;
        while let Ok(Ok(Some(frame))) = timeout_at(end, self.reader.receive()).await {
            match frame {
                ClientFrame::Voucher(voucher) => {
                    let last = receipt.is_some() && voucher.body.receipt == receipt;
                    if self.paid(voucher).await.is_err() || last {
                        return;
                    }
                }
                // It crossed with the receipt.
                ClientFrame::Cancel => {}
                _ => return,
            }
        }
    }
}

/// How a job ended whose choices ended like this: a cut one tells most.
fn stop_of(done: &[StopReason]) -> StopReason {
    let order = [StopReason::Length, StopReason::ToolCalls];
    order.into_iter().find(|stop| done.contains(stop)).unwrap_or(StopReason::Stop)
}

fn unpaid(by_deposit: bool) -> Refusal {
    if by_deposit {
        let reason = "all that the channel holds is owed; top it up or open another";
        return refusal(RefusalCode::ChannelExhausted, reason);
    }
    refusal(RefusalCode::Unpaid, "the unpaid window is full and no voucher came")
}

fn cut() -> Refusal {
    refusal(RefusalCode::NotReady, "this provider stops; continue elsewhere")
}

// Used as a function value, which takes errors by value.
#[expect(clippy::needless_pass_by_value)]
fn broken(error: EngineError) -> End {
    End::Failed(engine_refusal(&error))
}

fn overflow(error: remuda_types::AmountError) -> End {
    End::Failed(refusal(RefusalCode::EngineFailed, error.to_string()))
}

fn engine_refusal(error: &EngineError) -> Refusal {
    let code = match error {
        EngineError::InvalidInput { .. } => RefusalCode::InvalidInput,
        EngineError::ContextExceeded { .. } => RefusalCode::ContextExceeded,
        EngineError::UnknownModel(_) => RefusalCode::UnknownModel,
        EngineError::Overloaded => RefusalCode::Overloaded,
        EngineError::CannotResume(_) => RefusalCode::CannotResume,
        _ => RefusalCode::EngineFailed,
    };
    refusal(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_choice_names_the_end_of_the_job() {
        use StopReason::{Length, Stop, ToolCalls};
        assert_eq!(stop_of(&[Stop, Length, ToolCalls]), Length);
        assert_eq!(stop_of(&[Stop, ToolCalls]), ToolCalls);
        assert_eq!(stop_of(&[Stop, Stop]), Stop);
        assert_eq!(stop_of(&[]), Stop);
    }
}
