//! Language models on llama.cpp: continuous batching over sequences, in this process.
//!
//! One thread owns the model's context. Each step decodes one token of every running
//! sequence and a bounded piece of new prompts in one batch, draws the next tokens with
//! [`remuda_proof::sampling`], and reports them. Use it through
//! [`worker`](crate::worker), so that a crash of native code does not take the node down.
//!
//! On one build, decoding and recomputing give the same bits: flash attention is off, each
//! sequence has its own attention cache, and the build has llamafile's kernels off.
//! [`recompute()`] is the other half: one pass over given tokens.

mod choice;
mod embedder;
mod model;
mod native;
mod prepare;
mod recompute;
mod scheduler;
mod slots;
mod step;
mod stream;
mod threads;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use async_trait::async_trait;
use remuda_types::Load;
use remuda_types::job::{JobInput, JobKind, TokenId};

pub use model::{LoadError, Model};
pub use recompute::{TokenState, recompute};
pub use threads::free_threads;

use crate::worker::{Pulse, WorkerModel};
use crate::{Engine, EngineError, EngineJob, EngineStream, ModelSpec, ServedModel};
use embedder::Embedder;
use scheduler::{Command, Commands, Scheduler};
use stream::Gauges;

/// A token that was just drawn, and what it was drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// The key of the job's draws.
    pub seed: &'a remuda_types::Seed,
    /// Which choice of the job.
    pub choice: u16,
    /// The token's position in the choice's output.
    pub position: usize,
    /// The token.
    pub token: TokenId,
    /// The logits it was drawn from.
    pub logits: &'a [f32],
    /// The last hidden state of the same pass, after the final norm; with
    /// [`ModelSpec::hidden_states`] only.
    pub hidden: Option<&'a [f32]>,
}

/// Sees every drawn token, on the scheduler's thread: must be quick.
pub trait Observer: Send + Sync {
    /// A token was drawn.
    fn drawn(&self, drawn: Drawn<'_>);
}

/// A model with its scheduler. Dropping it ends the scheduler after its current step; jobs
/// that still run end with an error.
pub struct LlamaEngine {
    spec: ModelSpec,
    model: Arc<Model>,
    commands: Option<Commands>,
    embedder: Option<Embedder>,
    gauges: Arc<Gauges>,
}

impl fmt::Debug for LlamaEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlamaEngine").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl LlamaEngine {
    /// Loads the model and starts its scheduler. Blocks while the file is read.
    ///
    /// # Errors
    /// When the file is missing, is no model, or does not fit in memory.
    pub fn load(spec: &ModelSpec) -> Result<Self, LoadError> {
        Self::with_observer(spec, None)
    }

    /// As [`LlamaEngine::load`], with someone who sees every drawn token.
    ///
    /// # Errors
    /// As [`LlamaEngine::load`].
    pub fn with_observer(
        spec: &ModelSpec,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Self, LoadError> {
        Self::on(Arc::new(Model::load(spec)?), spec, observer)
    }

    /// Starts a scheduler on a model that is loaded already.
    ///
    /// # Errors
    /// When its context does not fit in memory.
    pub fn on(
        model: Arc<Model>,
        spec: &ModelSpec,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Self, LoadError> {
        let gauges = Arc::new(Gauges::new(spec));
        let mut engine = Self { spec: spec.clone(), model, commands: None, embedder: None, gauges };
        if spec.kinds.contains(&JobKind::Generate) {
            engine.commands = Some(engine.start_scheduler(observer)?);
        }
        if spec.kinds.contains(&JobKind::Embed) {
            let embedder = Embedder::start(&engine.model, spec, &engine.gauges)?;
            engine.embedder = Some(embedder);
        }
        Ok(engine)
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    fn start_scheduler(&self, observer: Option<Arc<dyn Observer>>) -> Result<Commands, LoadError> {
        let (model, gauges) = (Arc::clone(&self.model), Arc::clone(&self.gauges));
        let (scheduler, commands) = Scheduler::new(model, &self.spec, gauges, observer)?;
        let thread = thread::Builder::new().name("llm-scheduler".into());
        thread.spawn(move || scheduler.run()).map_err(LoadError::Thread)?;
        Ok(commands)
    }

    fn check(&self, job: &EngineJob) -> Result<(), EngineError> {
        if job.manifest != self.spec.manifest {
            return Err(EngineError::UnknownModel(job.manifest));
        }
        job.input.validate().map_err(|invalid| EngineError::InvalidInput {
            parameter: invalid.parameter.to_owned(),
            reason: invalid.reason,
        })
    }
}

impl Drop for LlamaEngine {
    fn drop(&mut self) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(Command::Stop);
        }
    }
}

fn unserved(kind: JobKind) -> EngineError {
    let reason = format!("this model is not served for jobs of the kind {kind:?}");
    EngineError::InvalidInput { parameter: "model".into(), reason }
}

#[async_trait]
impl Engine for LlamaEngine {
    fn models(&self) -> Vec<ServedModel> {
        vec![ServedModel {
            manifest: self.spec.manifest,
            kinds: self.spec.kinds.clone(),
            context: self.model.context(),
            numerics: self.model.numerics().map(str::to_owned),
        }]
    }

    fn load(&self) -> Load {
        self.gauges.load()
    }

    async fn start(&self, job: EngineJob) -> Result<EngineStream, EngineError> {
        self.check(&job)?;
        let admission = self.gauges.admit()?;
        match job.input {
            JobInput::Embed(embed) => {
                let embedder = self.embedder.as_ref().ok_or_else(|| unserved(JobKind::Embed))?;
                embedder.submit(&embed, admission)
            }
            JobInput::Generate(generate) => {
                let commands = self.commands.as_ref().ok_or_else(|| unserved(JobKind::Generate))?;
                // Rendering, tokenizing and compiling a grammar take their time: not on the
                // scheduler's thread and not on the runtime's.
                let (model, commands) = (Arc::clone(&self.model), commands.clone());
                tokio::task::spawn_blocking(move || {
                    let plan = prepare::plan(&model, job.seed, generate)?;
                    let choices = prepare::choices(&model, &plan, &job.resume)?;
                    scheduler::submit(&commands, plan, choices, admission)
                })
                .await
                .map_err(|error| EngineError::Failed(error.to_string()))?
            }
        }
    }
}

impl WorkerModel for LlamaEngine {
    fn pulse(&self) -> Pulse {
        Pulse {
            load: self.gauges.load(),
            steps: self.gauges.steps.load(Relaxed),
            stepping: self.gauges.stepping.load(Relaxed),
            memory_bytes: 0,
        }
    }
}
