//! The network as the gateway needs it. [`remuda_client::Client`] is the one that sells real
//! work; tests script another.

use std::future::Future;

use remuda_client::{Client, JobEvent, JobRun, ModelSummary, RunError, RunRequest};
use remuda_market::Explanation;
use remuda_types::{JobId, OrderId};

/// Something that runs jobs. Cloned handles share everything.
pub trait Backend: Clone + Send + Sync + 'static {
    /// A running job. Dropping it cancels the job.
    type Run: Run;

    /// Runs a job. Returns once a provider accepted it and understood its input.
    fn run(&self, request: RunRequest) -> impl Future<Output = Result<Self::Run, RunError>> + Send;

    /// The models that are served now.
    fn models(&self) -> impl Future<Output = Vec<ModelSummary>> + Send;

    /// Why providers did or did not fit a recent order.
    fn explain(&self, order: &OrderId) -> Option<Explanation>;

    /// What the network's state is, in numbers.
    fn figures(&self) -> Figures;
}

/// What the network's state is, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Providers that are known, whatever they offer.
    pub providers: usize,
    /// Channels with a voucher that could not be delivered yet.
    pub undelivered_vouchers: usize,
}

/// A running job.
pub trait Run: Send + 'static {
    /// The order.
    fn order(&self) -> OrderId;

    /// The job.
    fn job(&self) -> JobId;

    /// The next event; see [`JobRun::next`].
    fn next(&mut self) -> impl Future<Output = Option<Result<JobEvent, RunError>>> + Send;
}

impl Backend for Client {
    type Run = JobRun;

    fn run(&self, request: RunRequest) -> impl Future<Output = Result<JobRun, RunError>> + Send {
        Self::run(self, request)
    }

    fn models(&self) -> impl Future<Output = Vec<ModelSummary>> + Send {
        Self::models(self)
    }

    fn explain(&self, order: &OrderId) -> Option<Explanation> {
        Self::explain(self, order)
    }

    fn figures(&self) -> Figures {
        Figures {
            providers: self.providers_known(),
            undelivered_vouchers: self.undelivered_vouchers(),
        }
    }
}

impl Run for JobRun {
    fn order(&self) -> OrderId {
        self.order
    }

    fn job(&self) -> JobId {
        self.job
    }

    fn next(&mut self) -> impl Future<Output = Option<Result<JobEvent, RunError>>> + Send {
        Self::next(self)
    }
}
