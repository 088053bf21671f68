//! What runs a job. One trait, [`Engine`]: streaming, cancellable, metered. Behind it a
//! language model in a worker process ([`worker`], [`llm`]) or any OpenAI-compatible server
//! ([`upstream`]).

pub mod chat;
pub mod constraint;
#[cfg(feature = "llm")]
pub mod llm;
mod spec;
pub mod text;
pub mod upstream;
pub mod worker;

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use borsh::{BorshDeserialize, BorshSerialize};
use futures_util::Stream;
use remuda_types::job::{Delta, JobInput, JobKind, Resume};
use remuda_types::{ManifestHash, Seed, StopReason};
use thiserror::Error;

pub use spec::ModelSpec;

/// A job, as an engine sees it: no money, no network.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct EngineJob {
    /// The model.
    pub manifest: ManifestHash,
    /// The key of all draws.
    pub seed: Seed,
    /// The work.
    pub input: JobInput,
    /// Where to continue.
    pub resume: Resume,
}

/// What an engine reports while it works, in this order: `Prepared` once, then `Output` and
/// `ChoiceDone` for each choice (or `Embeddings` once); the stream ends after the last
/// choice is done, or with one error.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum EngineEvent {
    /// The input is understood.
    Prepared {
        /// Units of input.
        units_in: u64,
        /// Of those, units that were in a cache.
        units_cached: u64,
    },
    /// A piece of output.
    Output(Delta),
    /// A choice ended.
    ChoiceDone {
        /// Which.
        choice: u16,
        /// Why.
        stop: StopReason,
    },
    /// The vectors of an embedding job, one an input.
    Embeddings(Vec<Vec<f32>>),
}

/// Why an engine did not finish a job.
#[derive(Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize)]
#[non_exhaustive]
pub enum EngineError {
    /// The input breaks a rule of the model. Nobody will run it.
    #[error("{parameter}: {reason}")]
    InvalidInput {
        /// Which parameter, by the name that OpenAI's interface gives it.
        parameter: String,
        /// What would be accepted.
        reason: String,
    },
    /// Input and wanted output do not fit.
    #[error("the input has {units_in} tokens and the context {context}: shorten the input")]
    ContextExceeded {
        /// Tokens of input.
        units_in: u64,
        /// The model's context.
        context: u64,
    },
    /// The model is not loaded here.
    #[error("the model {0} is not served by this engine")]
    UnknownModel(ManifestHash),
    /// All slots and the queue are full.
    #[error("all slots and the queue are full; try again shortly")]
    Overloaded,
    /// The job cannot be continued from the given point.
    #[error("the job cannot be continued here: {0}")]
    CannotResume(String),
    /// The worker or server broke; another attempt may work.
    #[error("the engine failed: {0}")]
    Failed(String),
}

/// The events of one job. Dropping it cancels the job.
pub type EngineStream = Pin<Box<dyn Stream<Item = Result<EngineEvent, EngineError>> + Send>>;

/// One model that an engine serves.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ServedModel {
    /// Exactly which model.
    pub manifest: ManifestHash,
    /// The kinds of jobs.
    pub kinds: Vec<JobKind>,
    /// The largest context of one job, in model tokens.
    pub context: u32,
    /// See [`remuda_types::ModelOffer::numerics`].
    pub numerics: Option<String>,
}

/// Something that runs jobs.
#[async_trait]
pub trait Engine: Send + Sync + fmt::Debug + 'static {
    /// What it serves now. May change when a worker restarts.
    fn models(&self) -> Vec<ServedModel>;

    /// How busy it is.
    fn load(&self) -> remuda_types::Load;

    /// Starts a job. The job runs while the stream is polled or its buffer has room, and is
    /// cancelled when the stream is dropped.
    ///
    /// # Errors
    /// When the job cannot start at all; later failures come through the stream.
    async fn start(&self, job: EngineJob) -> Result<EngineStream, EngineError>;
}
