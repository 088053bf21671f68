//! A model in a process of its own: when native code crashes or hangs, its jobs fail with an
//! error that a retry can cure, the process is started anew, and the node lives.
//!
//! The parent holds a [`WorkerEngine`]; the child runs [`main`]. They speak length-prefixed
//! frames ([`frame`]) over the child's standard input and output. The child ends when its
//! input closes, so even `kill -9` of the parent leaves no orphan.

mod child;
mod desk;
pub mod frame;
mod supervisor;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use remuda_types::Load;
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use child::{Loader, WorkerModel, serve};
pub use frame::{FrameError, Pulse};

pub use crate::ModelSpec;
use crate::{Engine, EngineError, EngineJob, EngineStream, ServedModel};
use desk::Desk;

/// Runs the worker: what `remuda engine-worker` calls. Returns when it cannot start; else it
/// ends the process when its parent closes the pipe.
#[cfg(feature = "llm")]
#[must_use]
pub fn main() -> std::process::ExitCode {
    serve(|spec| match crate::llm::LlamaEngine::load(spec) {
        Ok(engine) => Ok(Arc::new(engine)),
        Err(error) => Err(error.to_string()),
    })
}

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to its environment.
    pub env: Vec<(OsString, OsString)>,
    /// The model that it loads.
    pub model: ModelSpec,
    /// How long loading may take.
    pub load_timeout: Duration,
    /// How long a worker may stay silent, or one step of computation may last, before the
    /// worker counts as hung.
    pub hang_after: Duration,
}

impl WorkerConfig {
    /// The default of [`WorkerConfig::load_timeout`].
    pub const LOAD_TIMEOUT: Duration = Duration::from_secs(600);
    /// The default of [`WorkerConfig::hang_after`].
    pub const HANG_AFTER: Duration = Duration::from_secs(60);

    /// Runs `program` with `args` on `model`, with default bounds.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, args: Vec<OsString>, model: ModelSpec) -> Self {
        Self {
            program: program.into(),
            args,
            env: Vec::new(),
            model,
            load_timeout: Self::LOAD_TIMEOUT,
            hang_after: Self::HANG_AFTER,
        }
    }
}

/// Why a worker does not run (any more).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The process cannot be started.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// Which program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The model cannot be loaded.
    #[error("the model cannot be loaded: {0}")]
    Load(String),
    /// Loading took too long.
    #[error("the model was not loaded within {} s", .0.as_secs())]
    LoadTimeout(Duration),
    /// What the worker wrote is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The worker broke the rules of the conversation.
    #[error("the worker {0}")]
    Protocol(&'static str),
    /// The worker stopped working.
    #[error("the worker made no progress for {} s", .0.as_secs())]
    Hung(Duration),
    /// The process ended.
    #[error("the worker process ended: {0}")]
    Exited(String),
}

impl WorkerError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Spawn { .. } => "worker_spawn",
            Self::Load(_) => "worker_load",
            Self::LoadTimeout(_) => "worker_load_timeout",
            Self::Frame(_) => "worker_frame",
            Self::Protocol(_) => "worker_protocol",
            Self::Hung(_) => "worker_hung",
            Self::Exited(_) => "worker_exited",
        }
    }

    /// Whether starting the worker again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::Spawn { .. } | Self::Load(_))
    }
}

/// How the worker fares, for people and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Whether it takes jobs now.
    pub running: bool,
    /// The process, while one runs.
    pub process: Option<u32>,
    /// Resident memory of the process in bytes; 0 while unknown.
    pub memory_bytes: u64,
    /// How often it was started again.
    pub restarts: u64,
}

/// The parent's side of a worker process. Dropping it kills the process and fails its jobs.
pub struct WorkerEngine {
    desk: Arc<Desk>,
    supervisor: JoinHandle<()>,
}

impl fmt::Debug for WorkerEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerEngine").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl WorkerEngine {
    /// Starts the worker and waits until its model is loaded. From then on the worker is
    /// started again whenever it ends.
    ///
    /// # Errors
    /// Whatever keeps the first start from succeeding.
    pub async fn spawn(config: WorkerConfig) -> Result<Self, WorkerError> {
        let desk = Arc::new(Desk::new(config.model.queue, config.model.slots));
        let (ready, loaded) = oneshot::channel();
        let task = supervisor::supervise(config, Arc::clone(&desk), ready);
        let engine = Self { desk, supervisor: tokio::spawn(task) };
        match loaded.await {
            Ok(first) => first.map(|()| engine),
            Err(_) => Err(WorkerError::Protocol("supervisor ended")),
        }
    }

    /// How the worker fares.
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        self.desk.status()
    }
}

impl Drop for WorkerEngine {
    fn drop(&mut self) {
        // Dropping the task drops the child's handle, which kills the process.
        self.supervisor.abort();
        self.desk.close("the engine was stopped");
    }
}

#[async_trait]
impl Engine for WorkerEngine {
    fn models(&self) -> Vec<ServedModel> {
        self.desk.models()
    }

    fn load(&self) -> Load {
        self.desk.load()
    }

    async fn start(&self, job: EngineJob) -> Result<EngineStream, EngineError> {
        let (accepted, stream) = self.desk.open(job)?;
        match accepted.await {
            Ok(Ok(())) => Ok(Box::pin(stream)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EngineError::Failed("the engine worker ended; try again".into())),
        }
    }
}
