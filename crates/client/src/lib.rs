//! Runs jobs on the network: finds a provider, pays it through a channel, streams what it
//! sends, and continues elsewhere when it dies, stalls or cheats.
//!
//! It does not speak HTTP (that is `gateway`) and keeps no secret: the payer's key lives in
//! the request that brought it.

mod config;
mod error;
mod request;

pub use config::{ClientConfig, DepositPolicy, ReportHook, RestPolicy};
pub use error::RunError;
pub use request::{JobEvent, JobReport, ModelSummary, RunRequest};

use remuda_market::Explanation;
use remuda_types::{JobId, OrderId};

/// Runs jobs on the network. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Client {}

impl Client {
    /// Runs a job. Returns once a provider accepted it and understood its input.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn run(&self, request: RunRequest) -> Result<JobRun, RunError> {
        let _ = request;
        Err(RunError::Closed)
    }

    /// The models that are served now.
    pub async fn models(&self) -> Vec<ModelSummary> {
        Vec::new()
    }

    /// Why providers did or did not fit a recent order.
    #[must_use]
    pub fn explain(&self, order: &OrderId) -> Option<Explanation> {
        let _ = order;
        None
    }

    /// Ends background work. Vouchers that could not be delivered get one last chance.
    pub async fn close(&self) {}
}

/// A running job. Dropping it cancels the job, and pays for what was delivered.
#[derive(Debug)]
pub struct JobRun {
    /// The order.
    pub order: OrderId,
    /// The job.
    pub job: JobId,
}

impl JobRun {
    /// The next event. The first is [`JobEvent::Prepared`]; after [`JobEvent::Finished`] or an
    /// error there is nothing more. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<JobEvent, RunError>> {
        None
    }
}
