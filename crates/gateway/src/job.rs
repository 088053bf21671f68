//! Jobs as the gateway runs them: errors in OpenAI's words, and answers gathered whole.

use std::time::Duration;

use remuda_client::{JobEvent, JobReport, RunError};
use remuda_types::job::{Delta, TokenLogprob, ToolCall};
use remuda_types::{JobId, ManifestHash, OrderId, StopReason};

use crate::Run;
use crate::config::ANSWER_BYTES_MAX;
use crate::openai::error::ApiError;
use crate::record::Record;

/// How many digits of the job's name make an answer's name.
const NAME_DIGITS: usize = 32;

/// How many digits of a manifest's digest make a fingerprint.
const FINGERPRINT_DIGITS: usize = 12;

/// What all pieces of an answer say about it.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    /// The beginning of the job's name.
    pub(crate) name: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// The model by its public name.
    pub(crate) model: String,
    /// Which weights, where only one manifest has this name.
    pub(crate) fingerprint: Option<String>,
}

impl Envelope {
    pub(crate) fn new(job: &JobId, model: String, manifest: Option<&ManifestHash>) -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let mut name = job.to_string();
        name.truncate(NAME_DIGITS);
        Self {
            name,
            created: since.unwrap_or(Duration::ZERO).as_secs(),
            model,
            fingerprint: manifest.map(fingerprint),
        }
    }
}

/// The beginning of a manifest's digest.
pub(crate) fn fingerprint(manifest: &ManifestHash) -> String {
    let mut text = format!("fp_{manifest}");
    text.truncate("fp_".len() + FINGERPRINT_DIGITS);
    text
}

/// Why a job did not start or did not end, in OpenAI's words.
pub(crate) fn api_error(error: RunError, order: Option<OrderId>) -> ApiError {
    let reason = error.to_string();
    match error {
        RunError::UnknownModel { model } => ApiError::ModelNotFound(model),
        RunError::NoProvider(explanation) => {
            let sentence = format!("no provider fits this order: {}", explanation.sentence());
            ApiError::NoProvider { sentence, order }
        }
        RunError::Exhausted { .. } => ApiError::InsufficientQuota(reason),
        RunError::SessionExpired => ApiError::KeyExpired,
        RunError::SessionUnknown => ApiError::UnknownSession,
        RunError::Overloaded { retry_after } => {
            let reason = "every provider that fits is full".to_owned();
            ApiError::Overloaded { reason, retry_after }
        }
        RunError::InvalidInput { parameter: Some(parameter), reason } => {
            ApiError::parameter(parameter.clone(), format!("{parameter}: {reason}"))
        }
        RunError::InvalidInput { parameter: None, reason } => ApiError::parameter("input", reason),
        RunError::ContextExceeded { .. } => ApiError::ContextExceeded(reason),
        other => ApiError::Upstream { code: other.code(), reason, order },
    }
}

/// What a job that ended without a report is called.
pub(crate) fn broken(order: OrderId) -> ApiError {
    let reason = "the job ended without a report; try again".to_owned();
    ApiError::Upstream { code: "interrupted", reason, order: Some(order) }
}

/// What a job that takes too long is called.
pub(crate) fn too_long(limit: Duration, order: OrderId) -> ApiError {
    let reason = format!(
        "the job took longer than {} s: ask for less output, or stream and reconnect",
        limit.as_secs()
    );
    ApiError::Upstream { code: "timeout", reason, order: Some(order) }
}

/// One choice, whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) text: String,
    pub(crate) tool_calls: Vec<ToolCall>,
    pub(crate) logprobs: Vec<TokenLogprob>,
    pub(crate) stop: Option<StopReason>,
}

impl Choice {
    /// Takes in a piece, and says how many bytes it brought.
    pub(crate) fn append(&mut self, delta: Delta) -> usize {
        let mut bytes = delta.text.len();
        // The first piece is the whole text as long as no other comes.
        if self.text.is_empty() {
            self.text = delta.text;
        } else {
            self.text.push_str(&delta.text);
        }
        self.logprobs.extend(delta.logprobs);
        for part in delta.tool_calls {
            bytes += part.arguments.len();
            let index = usize::from(part.index);
            // A call begins after the one before it; an index beyond that is not followed.
            if index == self.tool_calls.len() {
                let (id, name) = (String::new(), String::new());
                self.tool_calls.push(ToolCall { id, name, arguments: String::new() });
            }
            let Some(call) = self.tool_calls.get_mut(index) else { continue };
            part.id.into_iter().for_each(|id| call.id = id);
            part.name.into_iter().for_each(|name| call.name = name);
            call.arguments.push_str(&part.arguments);
        }
        bytes
    }
}

/// What a job gave, whole.
#[derive(Clone, Debug)]
pub(crate) struct Gathered {
    pub(crate) choices: Vec<Choice>,
    pub(crate) vectors: Vec<Vec<f32>>,
    pub(crate) report: JobReport,
}

/// Runs a job to its end.
///
/// # Errors
/// What the job ended with instead.
pub(crate) async fn gather<R: Run>(
    mut run: R,
    choices: u16,
    record: &mut Record,
) -> Result<Gathered, ApiError> {
    let order = run.order();
    let mut choices = vec![Choice::default(); usize::from(choices)];
    let (mut vectors, mut bytes) = (Vec::new(), 0);
    while let Some(event) = run.next().await {
        let event = event.map_err(|error| api_error(error, Some(order)))?;
        record.observe(&event);
        match event {
            JobEvent::Output(delta) => {
                let choice = choices.get_mut(usize::from(delta.choice));
                bytes += choice.map_or(0, |choice| choice.append(delta));
            }
            JobEvent::ChoiceDone { choice, stop } => {
                choices.get_mut(usize::from(choice)).into_iter().for_each(|choice| {
                    choice.stop = Some(stop);
                });
            }
            JobEvent::Embeddings(all) => vectors = all,
            JobEvent::Finished(report) => return Ok(Gathered { choices, vectors, report }),
            JobEvent::Prepared { .. } | JobEvent::FailedOver { .. } => {}
        }
        if bytes > ANSWER_BYTES_MAX {
            let reason = format!("the answer has more than {ANSWER_BYTES_MAX} bytes: stream it");
            return Err(ApiError::Upstream {
                code: "answer_too_large",
                reason,
                order: Some(order),
            });
        }
    }
    Err(broken(order))
}

/// Why a choice ended, by OpenAI's names.
pub(crate) const fn finish_reason(stop: Option<StopReason>) -> &'static str {
    match stop {
        Some(StopReason::Length) => "length",
        Some(StopReason::ToolCalls) => "tool_calls",
        _ => "stop",
    }
}
