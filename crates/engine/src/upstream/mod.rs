//! Any OpenAI-compatible server as an engine.

use std::time::Duration;

use async_trait::async_trait;
use remuda_types::job::JobKind;
use remuda_types::{Load, ManifestHash};

use crate::{Engine, EngineError, EngineJob, EngineStream, ServedModel};

/// How to reach the server, and as what its model is sold.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// The interface's root, with its version: `http://127.0.0.1:8000/v1`.
    pub base_url: String,
    /// Sent as a bearer token.
    pub api_key: Option<String>,
    /// The model's name at the server.
    pub model: String,
    /// The model, as the network knows it.
    pub manifest: ManifestHash,
    /// What is offered.
    pub kinds: Vec<JobKind>,
    /// The largest context of one job, in model tokens.
    pub context: u32,
    /// Jobs at once; more are refused as overload.
    pub slots: u32,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the server may be silent, before its answer and within it.
    pub idle_timeout: Duration,
    /// The server understands `stream_options.continuous_usage_stats` (vLLM, SGLang): input
    /// and output are metered exactly, piece by piece.
    pub continuous_usage: bool,
}

impl UpstreamConfig {
    /// Text generation on `model` at `base_url`, with the usual limits.
    #[must_use]
    pub fn new(base_url: &str, model: &str, manifest: ManifestHash) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            api_key: None,
            model: model.to_owned(),
            manifest,
            kinds: vec![JobKind::Generate],
            context: 8192,
            slots: 64,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            continuous_usage: false,
        }
    }
}

/// An OpenAI-compatible server as an engine.
#[derive(Debug)]
pub struct UpstreamEngine {
    config: UpstreamConfig,
}

impl UpstreamEngine {
    /// Prepares connections; contacts nobody yet.
    ///
    /// # Errors
    /// [`EngineError::InvalidInput`] for an address that is no HTTP address.
    pub fn new(config: UpstreamConfig) -> Result<Self, EngineError> {
        Ok(Self { config })
    }

    /// Asks the server for its models: the names, whether or not ours is among them.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when it cannot be reached or answers garbage.
    pub async fn probe(&self) -> Result<Vec<String>, EngineError> {
        Ok(vec![])
    }
}

#[async_trait]
impl Engine for UpstreamEngine {
    fn models(&self) -> Vec<ServedModel> {
        vec![ServedModel {
            manifest: self.config.manifest,
            kinds: self.config.kinds.clone(),
            context: self.config.context,
            numerics: None,
        }]
    }

    fn load(&self) -> Load {
        Load { active: 0, queued: 0, slots: self.config.slots }
    }

    async fn start(&self, job: EngineJob) -> Result<EngineStream, EngineError> {
        Err(EngineError::UnknownModel(job.manifest))
    }
}
