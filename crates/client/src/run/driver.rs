//! The loop over attempts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use remuda_market::Explanation;
use remuda_types::{Credits, FinalReceipt, NodeId, Usage};

use super::attempt::Next;
use super::feed::Feed;
use super::job::Job;
use super::standby::Standby;
use super::transcript::Transcript;
use crate::client::Shared;
use crate::{JobEvent, JobReport, RunError};

/// Why the loop stops before the job's end.
#[derive(Debug)]
pub(super) enum Halt {
    /// The caller is gone.
    Gone,
    /// The job cannot go on.
    Error(RunError),
}

impl From<RunError> for Halt {
    fn from(error: RunError) -> Self {
        Self::Error(error)
    }
}

/// What was paid to one provider.
#[derive(Debug)]
pub(super) struct Bill {
    pub(super) usage: Usage,
    pub(super) amount: Credits,
    pub(super) receipt: Option<FinalReceipt>,
}

/// What stood in the way last: it names the error when nobody is left to try.
#[derive(Clone, Debug)]
pub(super) enum Obstacle {
    Overloaded,
    Ledger(String),
    Context(String),
    Broken(String),
}

/// A provider that is not asked again for this job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    pub(super) node: NodeId,
    /// It may be asked again after a pause.
    pub(super) later: bool,
}

pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) feed: Arc<Feed>,
    pub(super) job: Job,
    pub(super) transcript: Transcript,
    pub(super) bills: Vec<Bill>,
    pub(super) tried: Vec<Tried>,
    /// Who was made ready to go on, should the provider at work be lost.
    pub(super) standby: Option<Standby>,
    pub(super) failures: u16,
    pub(super) opens: u16,
    /// Set once the caller has seen an event.
    pub(super) announced: bool,
    /// Who broke off, and why, since the caller saw the last event.
    pub(super) broke: Option<(NodeId, &'static str)>,
    pub(super) obstacle: Option<Obstacle>,
    /// Set when the channel could not be filled up: the error if it runs dry.
    pub(super) exhausted: Option<RunError>,
    /// How often a provider was asked again at once.
    pub(super) second_tries: u32,
    /// Since when nobody could be tried.
    pub(super) idle_since: Option<Instant>,
    /// The numerics of the engine that began.
    pub(super) numerics: Option<String>,
    pub(super) explanation: Option<Explanation>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, feed: Arc<Feed>, job: Job) -> Self {
        Self {
            transcript: Transcript::new(job.input()),
            shared,
            feed,
            job,
            bills: Vec::new(),
            tried: Vec::new(),
            standby: None,
            failures: 0,
            opens: 0,
            announced: false,
            broke: None,
            obstacle: None,
            exhausted: None,
            second_tries: 0,
            idle_since: None,
            numerics: None,
            explanation: None,
        }
    }

    /// Runs the job to its end, whatever it is.
    pub(super) async fn drive(mut self) {
        let ended = self.run().await;
        let complete = ended.is_ok();
        let error = match ended {
            Ok(()) | Err(Halt::Gone) => None,
            Err(Halt::Error(error)) => Some(error),
        };
        let Self { shared, feed, .. } = &self;
        let (shared, feed) = (Arc::clone(shared), Arc::clone(feed));
        let paid = !self.bills.is_empty();
        let report = self.report(complete);
        if complete && !feed.is_gone() {
            feed.leave(Ok(JobEvent::Finished(report)));
            return;
        }
        if paid {
            shared.report(report);
        }
        if let Some(error) = error {
            feed.leave(Err(error));
        }
    }

    async fn run(&mut self) -> Result<(), Halt> {
        self.shared.check_open()?;
        self.shared.channels.check_payer(self.job.payer.public()).await?;
        let head = self.shared.heads.head().await?;
        self.job.bind(&head);
        if self.job.order.manifest.is_none() {
            self.job.order.manifest = self.shared.registry.manifest(&self.job.order.model);
        }
        loop {
            let target = self.choose().await?;
            match self.attempt(&target).await? {
                Next::Done => return Ok(()),
                Next::Gone => return Err(Halt::Gone),
                Next::Again => self.check_bounds()?,
            }
        }
    }

    fn check_bounds(&self) -> Result<(), Halt> {
        let config = &self.shared.config;
        if self.feed.is_gone() {
            return Err(Halt::Gone);
        }
        if self.failures >= config.failures_max || self.opens >= config.opens_max {
            return Err(self.given_up().into());
        }
        Ok(())
    }

    /// The error that names what stood in the way.
    pub(super) fn given_up(&self) -> RunError {
        let retry_after = Duration::from_secs(1);
        match &self.obstacle {
            Some(Obstacle::Overloaded) => RunError::Overloaded { retry_after },
            Some(Obstacle::Ledger(reason)) => {
                RunError::LedgerUnreachable { reason: reason.clone() }
            }
            Some(Obstacle::Context(reason)) => RunError::ContextExceeded { reason: reason.clone() },
            Some(Obstacle::Broken(reason)) => RunError::Interrupted { reason: reason.clone() },
            None => RunError::Interrupted { reason: "nobody is left to try".into() },
        }
    }

    /// Waits, unless the caller goes away.
    pub(super) async fn pause(&self, wait: Duration) -> Result<(), Halt> {
        tokio::select! {
            biased;
            () = self.feed.gone() => Err(Halt::Gone),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    fn report(self, complete: bool) -> JobReport {
        let mut usage = Usage::default();
        let mut amount = Credits::ZERO;
        let mut receipts = Vec::with_capacity(self.bills.len());
        for bill in self.bills {
            usage.units_in += bill.usage.units_in;
            usage.units_cached += bill.usage.units_cached;
            usage.units_out += bill.usage.units_out;
            // Each amount was covered by a deposit: their sum cannot leave the type.
            amount = amount.add(bill.amount).unwrap_or(amount);
            receipts.extend(bill.receipt);
        }
        JobReport {
            order: self.job.order.id,
            job: self.job.id,
            model: self.job.order.model,
            manifest: self.job.open.manifest,
            usage,
            amount,
            receipts,
            complete,
            explanation: self.explanation.unwrap_or_default(),
        }
    }
}
