//! Any OpenAI-compatible server as an engine.
//!
//! Units are the server's own count of tokens where it gives one (`usage`), and otherwise
//! one unit a piece of its stream. Input is announced before the server has counted it,
//! unless it counts all along ([`UpstreamConfig::continuous_usage`]): then it is estimated,
//! at [`BYTES_PER_UNIT`].
//!
//! Such a server shows no tokens. To resume, the job runs again from its start with the same
//! seed; what the client has is compared, and only the rest given out. A server that answers
//! differently cannot resume.

mod run;
mod sse;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use remuda_types::job::{Embed, Generate, JobInput, JobKind, Prompt, Resume};
use remuda_types::{Load, ManifestHash, Seed};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use tokio::time::timeout;

pub use self::sse::{EVENT_BYTES_MAX, EventTooLong, SseParser};

use self::run::Run;
use self::wire::{Embeddings, ErrorBody, Models, WireError};
use crate::{Engine, EngineError, EngineEvent, EngineJob, EngineStream, ServedModel};

/// Bytes of input that are estimated to be one unit.
pub const BYTES_PER_UNIT: u64 = 4;
/// The most bytes of one answer.
pub const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// The most bytes of an answer that is an error, or a list of models.
const SMALL_BYTES_MAX: u64 = 1 << 20;
/// Idle connections that are kept.
const IDLE_CONNECTIONS_MAX: usize = 64;

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
    client: Client,
    active: Arc<AtomicU32>,
}

impl UpstreamEngine {
    /// Prepares connections; contacts nobody yet. Proxies named by the environment are not
    /// used, and redirections are not followed.
    ///
    /// # Errors
    /// [`EngineError::InvalidInput`] for an address or a key that cannot be used.
    pub fn new(config: UpstreamConfig) -> Result<Self, EngineError> {
        let is_tls = config.base_url.starts_with("https://");
        if !is_tls && !config.base_url.starts_with("http://") {
            let reason = "must begin with http:// or https://".to_owned();
            return Err(invalid("base_url", reason));
        }
        // Fails when a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .default_headers(headers(config.api_key.as_deref())?)
            .connect_timeout(config.connect_timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true);
        if !is_tls {
            // Without TLS there are no certificates to look for.
            builder = builder.tls_certs_only([]).http1_only();
        }
        let client = builder.build().map_err(|error| invalid("base_url", error.to_string()))?;
        Ok(Self { config, client, active: Arc::default() })
    }

    /// Asks the server for its models: the names, whether or not ours is among them.
    ///
    /// # Errors
    /// [`EngineError::Failed`] when it cannot be reached or answers garbage.
    pub async fn probe(&self) -> Result<Vec<String>, EngineError> {
        let request = self.client.get(format!("{}/models", self.config.base_url));
        let response = self.answer(request).await?;
        let bytes = read(response, self.config.idle_timeout, SMALL_BYTES_MAX).await?;
        let models: Models = garbled(serde_json::from_slice(&bytes))?;
        Ok(models.data.into_iter().map(|model| model.id).collect())
    }

    async fn generate(
        &self,
        job: &EngineJob,
        input: &Generate,
        slot: Slot,
    ) -> Result<EngineStream, EngineError> {
        let UpstreamConfig { model, continuous_usage, idle_timeout, .. } = &self.config;
        let (path, body) = wire::generation(model, input, &job.seed, *continuous_usage)?;
        let response = self.post(path, body).await?;
        if !has_content_type(&response, "text/event-stream") {
            let reason = "the server's answer is no event stream";
            return Err(EngineError::Failed(reason.to_owned()));
        }
        let mut run = Run::new(input, job.seed, &job.resume, estimate(input));
        if !continuous_usage {
            run.prepare();
        }
        let reader = Reader {
            run,
            response,
            parser: SseParser::default(),
            bytes: 0,
            idle_timeout: *idle_timeout,
            _slot: slot,
        };
        Ok(Box::pin(stream::unfold(Some(Box::new(reader)), |reader| async move {
            let mut reader = reader?;
            match reader.next().await.transpose()? {
                Ok(event) => Some((Ok(event), Some(reader))),
                Err(error) => Some((Err(error), None)),
            }
        })))
    }

    async fn embed(&self, input: &Embed) -> Result<EngineStream, EngineError> {
        let body = wire::embedding(&self.config.model, &input.inputs)?;
        let response = self.post("/embeddings", body).await?;
        let bytes = read(response, self.config.idle_timeout, ANSWER_BYTES_MAX).await?;
        let events = embedded(&bytes, input)?.map(Ok);
        Ok(Box::pin(stream::iter(events)))
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<Response, EngineError> {
        let request = self.client.post(format!("{}{path}", self.config.base_url));
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.answer(request.body(body)).await
    }

    /// Sends a request; an answer other than success becomes an error.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Response, EngineError> {
        let idle = self.config.idle_timeout;
        let response = timeout(idle, request.send()).await.map_err(|_| silent(idle))?;
        let response = response.map_err(|error| {
            EngineError::Failed(format!("the server cannot be reached: {}", causes(&error)))
        })?;
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(self.refusal(status, response).await),
        }
    }

    async fn refusal(&self, status: StatusCode, response: Response) -> EngineError {
        let body = read(response, self.config.idle_timeout, SMALL_BYTES_MAX).await;
        let said = body.ok().and_then(|body| serde_json::from_slice::<ErrorBody>(&body).ok());
        let (message, param, code) = match said.map(|body| body.error) {
            Some(WireError::Shaped { message, param, code }) => (message, param, code),
            Some(WireError::Text(message)) => (message, None, None),
            None => (String::new(), None, None),
        };
        let message = short(&message);
        match status.as_u16() {
            400 | 413 | 422 if code == Some("context_length_exceeded".into()) => {
                let context = self.config.context.into();
                EngineError::ContextExceeded { units_in: context + 1, context }
            }
            400 | 413 | 422 => invalid(&param.unwrap_or_else(|| "messages".into()), message),
            401 | 403 => EngineError::Failed(format!(
                "the server refuses our key ({status}): check the engine's api_key"
            )),
            404 => EngineError::UnknownModel(self.config.manifest),
            408 | 429 | 503 => EngineError::Overloaded,
            _ => EngineError::Failed(format!("the server answered {status}: {message}")),
        }
    }

    fn take_slot(&self) -> Result<Slot, EngineError> {
        let slots = self.config.slots;
        let taken = self.active.fetch_update(Ordering::AcqRel, Ordering::Acquire, |active| {
            (active < slots).then_some(active + 1)
        });
        taken.map(|_| Slot(Arc::clone(&self.active))).map_err(|_| EngineError::Overloaded)
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
        let active = self.active.load(Ordering::Acquire);
        Load { active, queued: 0, slots: self.config.slots }
    }

    async fn start(&self, job: EngineJob) -> Result<EngineStream, EngineError> {
        if job.manifest != self.config.manifest {
            return Err(EngineError::UnknownModel(job.manifest));
        }
        if !self.config.kinds.contains(&job.input.kind()) {
            return Err(invalid("model", "does not do this kind of work here".to_owned()));
        }
        let slot = self.take_slot()?;
        match &job.input {
            JobInput::Generate(input) => self.generate(&job, input, slot).await,
            JobInput::Embed(input) => self.embed(input).await,
        }
    }
}

/// One of the jobs at once, as long as it is held.
#[derive(Debug)]
struct Slot(Arc<AtomicU32>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the answer to an embedding request says. Public for the fuzz targets only.
///
/// # Errors
/// [`EngineError::Failed`] when it is no answer to `input`.
#[doc(hidden)]
pub fn embedded(bytes: &[u8], input: &Embed) -> Result<[EngineEvent; 2], EngineError> {
    let mut answer: Embeddings = garbled(serde_json::from_slice(bytes))?;
    answer.data.sort_by_key(|row| row.index);
    let vectors: Vec<Vec<f32>> = answer.data.into_iter().map(|row| row.embedding).collect();
    let is_sound =
        |vector: &Vec<f32>| !vector.is_empty() && vector.iter().all(|number| number.is_finite());
    if vectors.len() != input.inputs.len() || !vectors.iter().all(is_sound) {
        let reason = "the server's vectors do not fit the inputs";
        return Err(EngineError::Failed(reason.to_owned()));
    }
    let length: usize = input.inputs.iter().map(String::len).sum();
    let usage = answer.usage.unwrap_or_default();
    let units_in = match usage.prompt_tokens {
        0 => units_of(length),
        counted => counted,
    };
    let prepared = EngineEvent::Prepared { units_in, units_cached: usage.cached() };
    Ok([prepared, EngineEvent::Embeddings(vectors)])
}

/// What the pieces of a server's whole answer to `job` become. For the fuzz targets only.
///
/// # Errors
/// As the stream of [`UpstreamEngine`].
#[doc(hidden)]
pub fn generated(
    job: &Generate,
    resume: &Resume,
    pieces: &[&[u8]],
) -> Result<Vec<EngineEvent>, EngineError> {
    let mut run = Run::new(job, Seed::from_caller(0), resume, estimate(job));
    let mut parser = SseParser::default();
    for piece in pieces {
        parser.push(piece, &mut |data: &[u8]| run.data(data))?;
    }
    parser.finish(&mut |data: &[u8]| run.data(data))?;
    run.end_of_stream()?;
    Ok(std::iter::from_fn(|| run.pop()).collect())
}

/// Reads one generation's stream. Dropping it closes the connection, which cancels.
struct Reader {
    run: Run,
    response: Response,
    parser: SseParser,
    bytes: u64,
    idle_timeout: Duration,
    _slot: Slot,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<EngineEvent>, EngineError> {
        loop {
            if let Some(event) = self.run.pop() {
                return Ok(Some(event));
            }
            if self.run.is_finished() {
                return Ok(None);
            }
            let Self { run, parser, .. } = self;
            let mut each = |data: &[u8]| run.data(data);
            match chunk(&mut self.response, self.idle_timeout).await? {
                Some(bytes) => {
                    self.bytes += bytes.len() as u64;
                    if self.bytes > ANSWER_BYTES_MAX {
                        return Err(too_long(ANSWER_BYTES_MAX));
                    }
                    parser.push(&bytes, &mut each)?;
                }
                None => {
                    parser.finish(&mut each)?;
                    self.run.end_of_stream()?;
                }
            }
        }
    }
}

/// The next bytes of an answer.
async fn chunk(response: &mut Response, idle: Duration) -> Result<Option<Bytes>, EngineError> {
    let chunk = timeout(idle, response.chunk()).await.map_err(|_| silent(idle))?;
    chunk.map_err(|error| EngineError::Failed(format!("the server broke off: {}", causes(&error))))
}

/// A whole answer of at most `bytes_max` bytes.
async fn read(
    mut response: Response,
    idle: Duration,
    bytes_max: u64,
) -> Result<Vec<u8>, EngineError> {
    if response.content_length().is_some_and(|length| length > bytes_max) {
        return Err(too_long(bytes_max));
    }
    let mut body = Vec::new();
    while let Some(bytes) = chunk(&mut response, idle).await? {
        if (body.len() + bytes.len()) as u64 > bytes_max {
            return Err(too_long(bytes_max));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

fn headers(api_key: Option<&str>) -> Result<HeaderMap, EngineError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = api_key {
        let value = HeaderValue::from_str(&format!("Bearer {key}"));
        let mut value =
            value.map_err(|_| invalid("api_key", "has characters beyond ASCII".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

fn has_content_type(response: &Response, wanted: &str) -> bool {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.to_ascii_lowercase().starts_with(wanted))
}

/// The input's size in units, by its bytes.
fn estimate(input: &Generate) -> u64 {
    match &input.prompt {
        Prompt::Tokens(tokens) => tokens.len() as u64,
        Prompt::Text(text) => units_of(text.len()),
        Prompt::Chat(chat) => {
            let messages = chat.messages.iter().map(|message| message.content.len());
            let tools = chat.tools.iter().map(|tool| tool.parameters.len());
            units_of(messages.chain(tools).sum())
        }
    }
}

const fn units_of(bytes: usize) -> u64 {
    let units = (bytes as u64).div_ceil(BYTES_PER_UNIT);
    if units == 0 { 1 } else { units }
}

fn invalid(parameter: &str, reason: String) -> EngineError {
    EngineError::InvalidInput { parameter: parameter.to_owned(), reason }
}

fn silent(idle: Duration) -> EngineError {
    EngineError::Failed(format!("the server was silent for {} ms", idle.as_millis()))
}

fn too_long(bytes_max: u64) -> EngineError {
    EngineError::Failed(format!("the server's answer is longer than {bytes_max} bytes"))
}

fn garbled<T>(parsed: Result<T, serde_json::Error>) -> Result<T, EngineError> {
    parsed.map_err(|error| EngineError::Failed(format!("the server's answer is garbled: {error}")))
}

/// An error with what caused it, without the address, which may hold a secret.
fn causes(error: &reqwest::Error) -> String {
    let mut source = std::error::Error::source(error);
    let mut text = String::new();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    if text.is_empty() && error.is_timeout() { "timed out".to_owned() } else { short(&text) }
}

/// What a server said, cut to a length that fits our own messages.
fn short(message: &str) -> String {
    const SHOWN: usize = 300;
    message.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests;
