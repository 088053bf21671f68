//! One attempt: one provider, one stream, from the opening message to whatever ends it.

use remuda_net::protocol::job::{
    ALPN, ClientFrame, FRAME_BYTES_MAX, ProviderFrame, Refusal, RefusalCode,
};
use remuda_net::{Connection, FrameError};
use remuda_types::job::Delta;
use remuda_types::{Credits, Receipt, Signed, Voucher};

use super::choose::Target;
use super::driver::{Driver, Halt, Obstacle, Tried};
use super::job::blank;
use super::line::{Line, Phase, Wake};
use super::meter::{Agreed, Meter};
use crate::channels::{Adoption, Lease};
use crate::{JobEvent, RunError};

/// After so many heartbeats without output, all that is owed is promised: the provider may
/// count a little more than we do, and wait.
const BEATS_UNPAID_MAX: u32 = 3;

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Everything that was asked for is here.
    Done,
    /// The caller is gone.
    Gone,
    /// Somebody else is to be tried.
    Again,
}

/// How the talk with a provider ended.
#[derive(Debug)]
pub(super) enum End {
    Finished(Box<Signed<Receipt>>),
    Refused(Refusal),
    Failed(Refusal),
    /// The stream or connection broke, or the provider fell silent.
    Lost(&'static str),
    /// The provider broke the rules.
    Cheated(&'static str),
    /// The provider's books of the channel are too far from ours.
    Disputed,
    /// The caller went away before the job was accepted.
    Withdrawn,
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        if error.is_violation() { Self::Cheated("malformed_frame") } else { Self::Lost("lost") }
    }
}

impl Driver {
    pub(super) async fn attempt(&mut self, target: &Target) -> Result<Next, Halt> {
        let began = std::time::Instant::now();
        self.opens += 1;
        let in_flight = self.shared.providers.begin(target.node());
        let (lease, connection) = tokio::join!(self.lease(target), self.dial(target));
        tracing::debug!(elapsed = ?began.elapsed(), "leased and dialled");
        let lease = match lease {
            Ok(lease) => lease,
            Err(RunError::LedgerUnreachable { reason }) => {
                self.obstacle = Some(Obstacle::Ledger(reason));
                self.tried.push(Tried { node: target.node(), later: true });
                return Ok(Next::Again);
            }
            Err(error) => return Err(error.into()),
        };
        let opened = match connection {
            Ok(connection) => connection.open(FRAME_BYTES_MAX).await.map_err(|it| it.to_string()),
            Err(reason) => Err(reason),
        };
        let stream = match opened {
            Ok(stream) => stream,
            Err(reason) => {
                in_flight.failed();
                self.give_up_on(target, "unreachable", reason);
                return Ok(Next::Again);
            }
        };
        let (agreed, meter) = self.agree(target, &lease, stream.connection.stable_id());
        let config = &self.shared.config;
        let mut line = Line::new(config, stream, agreed, meter, lease, in_flight);
        let ended = self.talk(&mut line, target).await;
        self.conclude(line, target, ended).await
    }

    async fn lease(&self, target: &Target) -> Result<Lease, RunError> {
        let worst = self.worst_case(target);
        self.shared.channels.lease(&self.job.payer, target.node(), worst).await
    }

    /// The most that an attempt of `target` may still cost.
    pub(super) fn worst_case(&self, target: &Target) -> Credits {
        let resumed = (!self.transcript.is_fresh()).then(|| self.transcript.resume().units());
        self.job.worst_case(target.offer(), resumed)
    }

    async fn dial(&self, target: &Target) -> Result<Connection, String> {
        let dialling = self.shared.endpoint.connect(target.address(), ALPN);
        match tokio::time::timeout(self.shared.config.dial, dialling).await {
            Ok(dialled) => dialled.map_err(|error| error.to_string()),
            Err(_) => Err("it did not answer in time".into()),
        }
    }

    /// Fills in the opening message, and what a receipt will have to repeat.
    fn agree(&mut self, target: &Target, lease: &Lease, connection: usize) -> (Agreed, Meter) {
        let resume = self.transcript.resume();
        let resumed = (!resume.is_fresh()).then(|| resume.units());
        let choices = self.job.choices();
        let leave = lease.leave(connection, &self.job.payer);
        let (id, kind) = (self.job.id, self.job.input().kind());
        let open = &mut self.job.open;
        // Attempts are numbered from 0; `opens` has counted this one already.
        open.attempt = self.opens - 1;
        open.manifest = target.offer().manifest;
        open.price = target.offer().price;
        open.channel = lease.channel();
        open.channel_use = leave;
        open.resume = resume;
        let agreed = Agreed {
            network: self.job.network,
            job: id,
            attempt: open.attempt,
            kind,
            manifest: open.manifest,
            input: self.job.commitment,
            seed: open.seed,
            seed_source: open.seed_source,
            price: open.price,
            channel: open.channel,
            provider: target.node(),
            payer: self.job.payer.public(),
        };
        (agreed, Meter::new(open.price, choices, resumed))
    }

    /// Talks until something ends it.
    async fn talk(&mut self, line: &mut Line, target: &Target) -> End {
        if let Err(error) = self.send_open(line).await {
            return error.into();
        }
        loop {
            let end = match line.wake(&self.feed).await {
                Wake::Frame(Ok(Some(frame))) => self.hear(line, target, frame).await,
                Wake::Frame(Ok(None)) => Err(End::Lost("ended_early")),
                Wake::Frame(Err(error)) => Err(error.into()),
                Wake::Gone => withdraw(line).await,
                Wake::Uneasy => {
                    self.stand_by(target);
                    Ok(())
                }
                Wake::Stalled => Err(End::Lost("stalled")),
                Wake::Vanished => Err(End::Lost("vanished")),
            };
            if let Err(end) = end {
                return end;
            }
        }
    }

    async fn send_open(&mut self, line: &mut Line) -> Result<(), FrameError> {
        // The message owns its content only while it is sent; the next attempt needs it again.
        let open = std::mem::replace(&mut self.job.open, Box::new(blank()));
        let frame = ClientFrame::Open(open);
        let sent = line.stream.writer.send(&frame).await;
        if let ClientFrame::Open(open) = frame {
            self.job.open = open;
        }
        sent
    }

    async fn hear(
        &mut self,
        line: &mut Line,
        target: &Target,
        frame: ProviderFrame,
    ) -> Result<(), End> {
        match (line.phase, frame) {
            (Phase::Opening, ProviderFrame::Refused(refusal)) => Err(End::Refused(refusal)),
            (Phase::Opening, ProviderFrame::Accepted { voucher, earned }) => {
                self.accepted(line, voucher.as_ref(), earned)
            }
            (_, ProviderFrame::Heartbeat) => self.beat(line).await,
            (Phase::Opening, _) => Err(End::Cheated("out_of_order")),
            (_, ProviderFrame::Failed(refusal)) => Err(End::Failed(refusal)),
            // A job without any output may end right after its acceptance.
            (_, ProviderFrame::Finished(receipt)) => Err(End::Finished(receipt)),
            (Phase::Preparing, ProviderFrame::Prepared { units_in, units_cached }) => {
                self.prepared(line, target, units_in, units_cached).await
            }
            (Phase::Running, ProviderFrame::Output { delta, receipt }) => {
                self.output(line, target, delta, receipt).await
            }
            (Phase::Running, ProviderFrame::ChoiceDone { choice, stop }) => {
                let taken = self.transcript.choice_done(choice, stop);
                taken.map_err(|_| End::Cheated("bad_output"))?;
                self.feed.hand_over(Ok(JobEvent::ChoiceDone { choice, stop })).await;
                Ok(())
            }
            (Phase::Running, ProviderFrame::Embeddings(vectors)) => {
                self.transcript.vectors(&vectors).map_err(|_| End::Cheated("bad_output"))?;
                let amount = line.meter.vectors(&vectors);
                self.metered(line, target, amount).await?;
                self.feed.hand_over(Ok(JobEvent::Embeddings(vectors))).await;
                Ok(())
            }
            // Before `Prepared`, a failing provider may send an empty piece with its receipt.
            (Phase::Preparing, ProviderFrame::Output { delta, .. }) if is_empty(&delta) => Ok(()),
            _ => Err(End::Cheated("out_of_order")),
        }
    }

    fn accepted(
        &self,
        line: &mut Line,
        voucher: Option<&Signed<Voucher>>,
        earned: Credits,
    ) -> Result<(), End> {
        line.lease.leave_seen(line.stream.connection.stable_id());
        line.enter(Phase::Preparing);
        match line.lease.adopt(voucher, earned, &line.agreed.payer) {
            Ok(Adoption::Agreed) => Ok(()),
            Ok(Adoption::Disputed) => Err(End::Disputed),
            Err(_) => Err(End::Cheated("forged_voucher")),
        }
    }

    async fn prepared(
        &mut self,
        line: &mut Line,
        target: &Target,
        units_in: u64,
        units_cached: u64,
    ) -> Result<(), End> {
        // A provider may count the output that it replays as input; it is not paid for it.
        let replayed = self.job.open.resume.units();
        let honest = self.job.units_in_max(target.offer()) + replayed;
        if units_in > honest || units_cached > honest {
            return Err(End::Cheated("too_many_units_in"));
        }
        line.meter.prepared(units_in, units_cached);
        line.enter(Phase::Running);
        line.in_flight.answered();
        self.idle_since = None;
        if self.transcript.is_fresh() {
            self.numerics.clone_from(&target.offer().numerics);
        }
        let event = match self.broke.take() {
            _ if !std::mem::replace(&mut self.announced, true) => {
                JobEvent::Prepared { units_in, units_cached }
            }
            Some((from, reason)) => JobEvent::FailedOver { from, to: target.node(), reason },
            None => return Ok(()),
        };
        self.feed.hand_over(Ok(event)).await;
        Ok(())
    }

    async fn output(
        &mut self,
        line: &mut Line,
        target: &Target,
        delta: Delta,
        receipt: Option<Box<Signed<Receipt>>>,
    ) -> Result<(), End> {
        if is_empty(&delta) {
            // It only carries a receipt for what came before.
            receipt.into_iter().for_each(|receipt| line.meter.keep(receipt));
            return Ok(());
        }
        self.transcript.output(&delta).map_err(|_| End::Cheated("bad_output"))?;
        let amount = line.meter.output(&delta);
        receipt.into_iter().for_each(|receipt| line.meter.keep(receipt));
        self.metered(line, target, amount).await?;
        self.feed.hand_over(Ok(JobEvent::Output(delta))).await;
        Ok(())
    }

    /// Something was received: pays when half of the window is used, and makes sure that the
    /// channel does not run dry.
    async fn metered(
        &mut self,
        line: &mut Line,
        target: &Target,
        amount: Credits,
    ) -> Result<(), End> {
        let unpaid = line.lease.meter(amount);
        line.beats_unpaid = 0;
        let window = self.shared.config.window;
        if unpaid.0 >= window.0 / 2 {
            self.keep_filled(line, target).await;
            line.pay(&self.job.payer, None).await.1?;
        }
        Ok(())
    }

    /// Locks more when what is left may not do. If that fails the job goes on until the channel
    /// is empty.
    async fn keep_filled(&mut self, line: &mut Line, target: &Target) {
        let left = line.lease.left();
        let resumed = self.transcript.resume().units();
        let needed = self.job.worst_case(target.offer(), Some(resumed));
        if self.exhausted.is_some() || left >= needed || left >= self.shared.config.window {
            return;
        }
        let more = needed.excess_over(left);
        let extended = self.shared.channels.extend(&self.job.payer, &line.lease, more).await;
        line.pardon();
        self.exhausted = extended.err();
    }

    async fn beat(&self, line: &mut Line) -> Result<(), End> {
        line.beats_unpaid += 1;
        if line.beats_unpaid == BEATS_UNPAID_MAX && !line.lease.meter(line.meter.amount()).is_zero()
        {
            line.pay(&self.job.payer, None).await.1?;
        }
        Ok(())
    }
}

/// The caller is gone: a job that was accepted is cancelled, another is just dropped.
async fn withdraw(line: &mut Line) -> Result<(), End> {
    if line.phase == Phase::Opening {
        return Err(End::Withdrawn);
    }
    Ok(line.cancel().await?)
}

fn is_empty(delta: &Delta) -> bool {
    let Delta { choice: _, tokens, units, text, tool_calls, logprobs } = delta;
    *units == 0
        && tokens.is_empty()
        && text.is_empty()
        && tool_calls.is_empty()
        && logprobs.is_empty()
}

/// Whether a refusal says something about the channel rather than about the provider.
pub(super) const fn is_about_channel(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::UnknownChannel
            | RefusalCode::ChannelExhausted
            | RefusalCode::BadVoucher
            | RefusalCode::Unpaid
    )
}
