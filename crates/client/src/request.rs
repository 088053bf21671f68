//! What goes into the client and what comes out of it.

use std::sync::Arc;

use remuda_market::Explanation;
use remuda_types::job::{Delta, JobInput, JobKind};
use remuda_types::{
    Credits, FinalReceipt, JobId, ManifestHash, NodeId, OrderId, Price, SecretKey, StopReason,
    Usage,
};

/// A job to run.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// Who pays: a session key, or an account's own key. It is held for as long as the job
    /// runs, and is neither stored nor logged.
    pub payer: Arc<SecretKey>,
    /// The model by its public name.
    pub model: String,
    /// The work.
    pub input: JobInput,
    /// The caller's seed; without one, the seed is bound to the ledger's beacon.
    pub seed: Option<i64>,
    /// The most that the buyer pays.
    pub max_price: Price,
    /// The exact model, where the caller insists on one.
    pub manifest: Option<ManifestHash>,
}

/// What happens in a job, in its order.
#[derive(Clone, Debug, PartialEq)]
pub enum JobEvent {
    /// The input is understood. Comes first, and once.
    Prepared {
        /// Units of input.
        units_in: u64,
        /// Of those, units that were in a cache.
        units_cached: u64,
    },
    /// A piece of output. Over all attempts there is no gap and no repeat.
    Output(Delta),
    /// One choice ended.
    ChoiceDone {
        /// Which.
        choice: u16,
        /// Why.
        stop: StopReason,
    },
    /// The vectors of an embedding job.
    Embeddings(Vec<Vec<f32>>),
    /// Another provider continues the job. The output goes on where it was.
    FailedOver {
        /// Who broke off.
        from: NodeId,
        /// Who continues.
        to: NodeId,
        /// Why, as a stable code.
        reason: &'static str,
    },
    /// The job ended. Comes last.
    Finished(JobReport),
}

/// The account of an ended job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobReport {
    /// The order.
    pub order: OrderId,
    /// The job.
    pub job: JobId,
    /// The model by its public name.
    pub model: String,
    /// Exactly which model ran.
    pub manifest: ManifestHash,
    /// The totals over all paid attempts.
    pub usage: Usage,
    /// The bill: what all attempts together cost.
    pub amount: Credits,
    /// One for each paid attempt whose provider had signed for what it delivered.
    pub receipts: Vec<FinalReceipt>,
    /// Whether the job came to its natural end.
    pub complete: bool,
    /// Who fit, and why the others did not, when the job was first matched.
    pub explanation: Explanation,
}

/// A model that is served now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSummary {
    /// The public name.
    pub name: String,
    /// Exactly which model.
    pub manifest: ManifestHash,
    /// The kinds of jobs served with it.
    pub kinds: Vec<JobKind>,
    /// The largest context that anybody serves, in model tokens.
    pub context: u32,
    /// The cheapest asking price.
    pub price: Price,
    /// How many providers serve it now.
    pub providers: u32,
}
