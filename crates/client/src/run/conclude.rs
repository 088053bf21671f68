//! What an ended attempt leaves behind: a payment, a receipt, and what was learnt of the
//! provider.

use remuda_net::protocol::job::{Refusal, RefusalCode};
use remuda_types::{FinalReceipt, Receipt, Signed};

use super::attempt::{End, Next, is_about_channel};
use super::choose::Target;
use super::driver::{Bill, Driver, Halt, Obstacle, Tried};
use super::line::Line;
use super::meter::Ended;
use crate::RunError;

/// How often a provider is asked again at once, with another channel or with the payer's leave.
const SECOND_TRIES_MAX: u32 = 2;

/// Whether the stream can still carry a voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Alive,
    Dead,
}

impl Driver {
    pub(super) async fn conclude(
        &mut self,
        mut line: Line,
        target: &Target,
        end: End,
    ) -> Result<Next, Halt> {
        match end {
            End::Finished(receipt) => return self.finished(line, target, *receipt).await,
            End::Refused(refusal) => return self.refused(&line, target, refusal),
            End::Withdrawn => return Ok(Next::Gone),
            End::Disputed => {
                self.pay_received(&mut line, target, Stream::Alive).await;
                line.lease.retire();
                self.second_try(target, "channel_disputed");
            }
            End::Failed(refusal) => {
                self.pay_received(&mut line, target, Stream::Alive).await;
                self.failed(&line, target, refusal)?;
            }
            End::Lost(reason) => {
                self.pay_received(&mut line, target, Stream::Dead).await;
                // Others on the same connection find out for themselves; the last one closes it.
                if self.shared.providers.in_flight(target.node()) <= 1 {
                    line.stream.connection.close(reason);
                }
                line.in_flight.failed();
                self.give_up_on(target, reason, format!("a provider was lost ({reason})"));
            }
            End::Cheated(reason) => {
                // Whoever breaks the rules may not read this stream any more either.
                self.pay_received(&mut line, target, Stream::Dead).await;
                self.caught(&line, target, reason);
            }
        }
        Ok(self.next(&line))
    }

    /// What follows an attempt that did not end as it should.
    fn next(&self, line: &Line) -> Next {
        if line.is_cancelled() || self.feed.is_gone() {
            return Next::Gone;
        }
        // All that was asked for is here; only the provider's last words are missing.
        if self.transcript.is_complete() { Next::Done } else { Next::Again }
    }

    async fn finished(
        &mut self,
        mut line: Line,
        target: &Target,
        receipt: Signed<Receipt>,
    ) -> Result<Next, Halt> {
        let complete = self.transcript.is_complete();
        let ended = Ended { cancelled: line.is_cancelled(), complete };
        if let Err(lie) = line.meter.check_final(&line.agreed, &receipt, ended) {
            tracing::warn!(provider = target.node().short(), %lie, "a receipt is refused");
            self.pay_received(&mut line, target, Stream::Alive).await;
            self.caught(&line, target, "false_receipt");
            return Ok(self.next(&line));
        }
        line.in_flight.succeeded();
        let (voucher, sent) = line.pay(&self.job.payer, Some(receipt.body.id())).await;
        match sent {
            Ok(()) => line.stream.writer.finish(),
            Err(_) => self.shared.settler.deliver(target.address().clone(), voucher.clone()),
        }
        let (usage, amount) = (line.meter.usage(), line.meter.amount());
        let receipt = Some(FinalReceipt { receipt, voucher });
        self.bills.push(Bill { usage, amount, receipt });
        Ok(if complete { Next::Done } else { Next::Gone })
    }

    /// Pays exactly for what was received, and keeps the provider's last honest receipt for it.
    async fn pay_received(&mut self, line: &mut Line, target: &Target, stream: Stream) {
        if !line.meter.has_delivered() {
            return;
        }
        let receipt = match line.meter.take_running(&line.agreed) {
            Ok(receipt) => receipt,
            Err(lie) => {
                tracing::warn!(provider = target.node().short(), %lie, "a running receipt lies");
                line.in_flight.cheated();
                None
            }
        };
        let id = receipt.as_ref().map(|receipt| receipt.body.id());
        let (voucher, delivered) = match stream {
            Stream::Alive => {
                let (voucher, sent) = line.pay(&self.job.payer, id).await;
                line.stream.writer.finish();
                (voucher, sent.is_ok())
            }
            Stream::Dead => (line.lease.promise(&self.job.payer, id), false),
        };
        if !delivered {
            self.shared.settler.deliver(target.address().clone(), voucher.clone());
        }
        let (usage, amount) = (line.meter.usage(), line.meter.amount());
        let receipt = receipt.map(|receipt| FinalReceipt { receipt, voucher });
        self.bills.push(Bill { usage, amount, receipt });
    }

    fn caught(&mut self, line: &Line, target: &Target, reason: &'static str) {
        tracing::warn!(provider = target.node().short(), reason, "a provider cheated");
        line.in_flight.cheated();
        self.failures += 1;
        self.tried.push(Tried { node: target.node(), later: false });
        self.broke = Some((target.node(), reason));
        self.obstacle = Some(Obstacle::Broken(format!("a provider cheated ({reason})")));
    }

    /// A provider broke; it may be asked again after a pause.
    pub(super) fn give_up_on(&mut self, target: &Target, code: &'static str, reason: String) {
        tracing::debug!(provider = target.node().short(), code, reason, "an attempt broke");
        self.failures += 1;
        self.tried.push(Tried { node: target.node(), later: true });
        self.broke = Some((target.node(), code));
        self.obstacle = Some(Obstacle::Broken(reason));
    }

    /// The same provider is asked again at once, a few times.
    fn second_try(&mut self, target: &Target, reason: &'static str) {
        self.broke = Some((target.node(), reason));
        self.second_tries += 1;
        if self.second_tries > SECOND_TRIES_MAX {
            self.give_up_on(target, reason, format!("a provider refused the channel ({reason})"));
        }
    }

    /// The job was accepted and broke.
    fn failed(&mut self, line: &Line, target: &Target, refusal: Refusal) -> Result<(), Halt> {
        let Refusal { code, message } = refusal;
        if is_about_channel(code) {
            return self.channel_refused(line, target, code);
        }
        match code {
            // Nobody will run it: unless it ran already, when somebody lies.
            RefusalCode::InvalidInput if self.transcript.is_fresh() => Err(invalid(message)),
            RefusalCode::ContextExceeded if self.transcript.is_fresh() => {
                self.larger_context(target, message);
                Ok(())
            }
            RefusalCode::NotReady | RefusalCode::CannotResume => {
                line.in_flight.answered();
                self.give_up_on(target, code_name(code), message);
                Ok(())
            }
            _ => {
                line.in_flight.failed();
                self.give_up_on(target, code_name(code), message);
                Ok(())
            }
        }
    }

    /// The job was not accepted. Nothing is owed.
    fn refused(&mut self, line: &Line, target: &Target, refusal: Refusal) -> Result<Next, Halt> {
        let Refusal { code, message } = refusal;
        line.in_flight.answered();
        match code {
            RefusalCode::InvalidInput if self.transcript.is_fresh() => {
                return Err(invalid(message));
            }
            RefusalCode::ContextExceeded if self.transcript.is_fresh() => {
                self.larger_context(target, message);
            }
            RefusalCode::ChannelUse => {
                line.lease.leave_lost();
                self.second_try(target, code_name(code));
            }
            RefusalCode::Overloaded | RefusalCode::NotReady => {
                line.in_flight.pass_over();
                self.pass_over(target, Obstacle::Overloaded);
            }
            RefusalCode::LedgerUnreachable => self.pass_over(target, Obstacle::Ledger(message)),
            RefusalCode::UnknownModel | RefusalCode::PriceChanged | RefusalCode::CannotResume => {
                self.pass_over(target, Obstacle::Broken(message));
            }
            code if is_about_channel(code) => self.channel_refused(line, target, code)?,
            _ => {
                line.in_flight.failed();
                self.give_up_on(target, code_name(code), message);
            }
        }
        Ok(if self.feed.is_gone() { Next::Gone } else { Next::Again })
    }

    fn pass_over(&mut self, target: &Target, obstacle: Obstacle) {
        self.tried.push(Tried { node: target.node(), later: true });
        self.obstacle = Some(obstacle);
    }

    /// Only a provider with a larger context is of use.
    fn larger_context(&mut self, target: &Target, message: String) {
        let context = target.offer().context.saturating_add(1);
        self.job.order.context = self.job.order.context.max(context);
        self.obstacle = Some(Obstacle::Context(message));
    }

    /// Another channel is needed, if there is money for it.
    fn channel_refused(
        &mut self,
        line: &Line,
        target: &Target,
        code: RefusalCode,
    ) -> Result<(), Halt> {
        if code == RefusalCode::ChannelExhausted {
            if let Some(error) = self.exhausted.take() {
                return Err(error.into());
            }
            // Nobody works for less than a window, and that much could not be locked.
            let (needed, left) = (self.shared.config.window, line.lease.left());
            if left < needed {
                return Err(RunError::Exhausted { needed, left }.into());
            }
        }
        line.lease.retire();
        self.second_try(target, code_name(code));
        Ok(())
    }
}

fn invalid(reason: String) -> Halt {
    // Providers name the parameter in front of the reason.
    let named = reason.split_once(": ").filter(|(name, _)| !name.contains(' '));
    let (parameter, reason) = match named {
        Some((name, reason)) => (Some(name.to_owned()), reason.to_owned()),
        None => (None, reason),
    };
    RunError::InvalidInput { parameter, reason }.into()
}

const fn code_name(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::Overloaded => "overloaded",
        RefusalCode::NotReady => "not_ready",
        RefusalCode::UnknownModel => "unknown_model",
        RefusalCode::PriceChanged => "price_changed",
        RefusalCode::UnknownChannel => "unknown_channel",
        RefusalCode::ChannelExhausted => "channel_exhausted",
        RefusalCode::ChannelUse => "channel_use",
        RefusalCode::BadVoucher => "bad_voucher",
        RefusalCode::Unpaid => "unpaid",
        RefusalCode::InvalidInput => "invalid_input",
        RefusalCode::ContextExceeded => "context_exceeded",
        RefusalCode::CannotResume => "cannot_resume",
        RefusalCode::EngineFailed => "engine_failed",
        RefusalCode::LedgerUnreachable => "ledger_unreachable",
        RefusalCode::Protocol => "protocol",
        _ => "refused",
    }
}
