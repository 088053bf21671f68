//! What a job is given and what it gives back, independent of engine and transport.
//!
//! Sampling parameters are fixed-point, so that a job has one encoding, its digest is
//! well defined and no NaN can travel.

mod output;

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::output::{Delta, LogprobEntry, OutputHasher, TokenLogprob, ToolCallDelta};
use crate::{Canonical, Hash, StopReason};

/// A model token's number in its vocabulary.
pub type TokenId = u32;

/// The kind of work, which decides what a unit is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Text from a language model. Units are model tokens, in and out.
    Generate,
    /// Embedding vectors. Units are model tokens, in only.
    Embed,
}

/// The input of a job: what its commitment hides and its receipt binds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub enum JobInput {
    /// Generate text.
    Generate(Generate),
    /// Embed texts.
    Embed(Embed),
}

impl Canonical for JobInput {
    const DOMAIN: &'static str = "remuda/job-input/1";
}

impl JobInput {
    /// The kind of work.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Generate(_) => JobKind::Generate,
            Self::Embed(_) => JobKind::Embed,
        }
    }

    /// The salted commitment that a receipt carries: it binds the input and reveals nothing.
    #[must_use]
    pub fn commit(&self, salt: &[u8; 32]) -> Hash {
        commit_input(&self.to_canonical(), salt)
    }

    /// Checks every bound that does not depend on the model.
    ///
    /// # Errors
    /// [`InvalidJob`] names the first parameter that is out of bounds.
    pub fn validate(&self) -> Result<(), InvalidJob> {
        match self {
            Self::Generate(generate) => generate.validate(),
            Self::Embed(embed) => embed.validate(),
        }
    }
}

/// The salted commitment to an input's canonical bytes.
#[must_use]
pub fn commit_input(canonical: &[u8], salt: &[u8; 32]) -> Hash {
    Hash::derive("remuda/input-commitment/1", &[&salt[..], canonical].concat())
}

/// A parameter outside its bounds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{parameter}: {reason}")]
pub struct InvalidJob {
    /// The parameter, by the name that OpenAI's interface gives it.
    pub parameter: &'static str,
    /// What would be accepted.
    pub reason: String,
}

impl InvalidJob {
    fn new(parameter: &'static str, reason: impl Into<String>) -> Self {
        Self { parameter, reason: reason.into() }
    }
}

/// The most choices of one job.
pub const CHOICES_MAX: u16 = 16;
/// The most stop strings of one job.
pub const STOPS_MAX: usize = 16;
/// The longest stop string, in bytes.
pub const STOP_BYTES_MAX: usize = 256;
/// The most alternatives reported beside each token.
pub const TOP_LOGPROBS_MAX: u8 = 20;
/// The most biased tokens.
pub const LOGIT_BIAS_MAX: usize = 1024;
/// The most texts embedded by one job.
pub const EMBED_INPUTS_MAX: usize = 256;

/// A decimal number in millionths: exact, ordered, never NaN.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct Millionths(pub i32);

impl Millionths {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(1_000_000);

    /// The nearest value to `number`; `None` when it is not finite or beyond ±2000.
    #[must_use]
    pub fn from_f64(number: f64) -> Option<Self> {
        let scaled = (number * 1e6).round();
        // In this range the conversion is exact.
        #[expect(clippy::cast_possible_truncation)]
        (scaled.is_finite() && scaled.abs() <= 2e9).then_some(Self(scaled as i32))
    }

    /// The value as a float, for arithmetic on logits.
    #[must_use]
    pub fn to_f32(self) -> f32 {
        #[expect(clippy::cast_possible_truncation)]
        let value = self.to_f64() as f32;
        value
    }

    /// The value as a double.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

/// A text generation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Generate {
    /// What to continue or answer.
    pub prompt: Prompt,
    /// How many independent answers, 1 to [`CHOICES_MAX`]. Choice `i` samples with the
    /// job's seed and its own index.
    pub choices: u16,
    /// The most output tokens of each choice.
    pub max_output: u32,
    /// How a token is drawn.
    pub sampling: Sampling,
    /// Texts that end a choice; they are not part of the output.
    pub stop: Vec<String>,
    /// What the output must conform to.
    pub constraint: Constraint,
    /// `Some(k)`: report each token's log probability and the `k` likeliest alternatives.
    pub logprobs: Option<u8>,
}

impl Generate {
    fn validate(&self) -> Result<(), InvalidJob> {
        if self.choices == 0 || self.choices > CHOICES_MAX {
            return Err(InvalidJob::new("n", format!("must be from 1 to {CHOICES_MAX}")));
        }
        if self.max_output == 0 {
            return Err(InvalidJob::new("max_completion_tokens", "must be at least 1"));
        }
        if self.stop.len() > STOPS_MAX {
            return Err(InvalidJob::new("stop", format!("at most {STOPS_MAX} strings")));
        }
        if self.stop.iter().any(|stop| stop.is_empty() || stop.len() > STOP_BYTES_MAX) {
            let reason = format!("each string must have 1 to {STOP_BYTES_MAX} bytes");
            return Err(InvalidJob::new("stop", reason));
        }
        if self.logprobs.is_some_and(|top| top > TOP_LOGPROBS_MAX) {
            let reason = format!("at most {TOP_LOGPROBS_MAX}");
            return Err(InvalidJob::new("top_logprobs", reason));
        }
        self.sampling.validate()
    }
}

/// What a model is asked to continue or answer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub enum Prompt {
    /// A conversation, rendered with the model's own template.
    Chat(Chat),
    /// Raw text.
    Text(String),
    /// Raw model tokens.
    Tokens(Vec<TokenId>),
}

/// A conversation and the tools that the model may call.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Chat {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// The tools.
    pub tools: Vec<Tool>,
    /// Whether the model must, may or may not call one.
    pub tool_choice: ToolChoice,
}

/// Who speaks.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions of the application.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
    /// The speaker's name, where one was given.
    pub name: Option<String>,
    /// Calls that the assistant made in this message.
    pub tool_calls: Vec<ToolCall>,
    /// For a tool's message: which call it answers.
    pub tool_call_id: Option<String>,
}

/// A function that the model may call.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Tool {
    /// The function's name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments, as JSON text.
    pub parameters: String,
}

/// Whether the model must, may or may not call a tool.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub enum ToolChoice {
    /// No call.
    None,
    /// The model decides.
    Auto,
    /// At least one call.
    Required,
    /// A call of this function.
    Named(String),
}

/// A complete tool call.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ToolCall {
    /// The call's name, by which its result refers to it.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
}

/// How a token is drawn from the logits. The order of application is that of the fields.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Sampling {
    /// Added to the logits of single tokens, −100 to 100.
    pub logit_bias: BTreeMap<TokenId, Millionths>,
    /// Divides (or multiplies, below zero) the logits of tokens seen before; 1 is off.
    pub repetition_penalty: Millionths,
    /// Subtracted once for each earlier occurrence in the output, −2 to 2.
    pub frequency_penalty: Millionths,
    /// Subtracted when a token occurred in the output, −2 to 2.
    pub presence_penalty: Millionths,
    /// 0 takes the likeliest token; up to 2.
    pub temperature: Millionths,
    /// Keep the `top_k` likeliest tokens; 0 is off.
    pub top_k: u32,
    /// Keep the smallest set with this much probability; 1 is off.
    pub top_p: Millionths,
    /// Drop tokens with less than this share of the likeliest one's probability; 0 is off.
    pub min_p: Millionths,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            logit_bias: BTreeMap::new(),
            repetition_penalty: Millionths::ONE,
            frequency_penalty: Millionths::ZERO,
            presence_penalty: Millionths::ZERO,
            temperature: Millionths::ONE,
            top_k: 0,
            top_p: Millionths::ONE,
            min_p: Millionths::ZERO,
        }
    }
}

impl Sampling {
    fn validate(&self) -> Result<(), InvalidJob> {
        let bounds = [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("repetition_penalty", self.repetition_penalty, 0.01, 10.0),
        ];
        for (parameter, value, low, high) in bounds {
            if !(low..=high).contains(&value.to_f64()) {
                return Err(InvalidJob::new(parameter, format!("must be from {low} to {high}")));
            }
        }
        if self.logit_bias.len() > LOGIT_BIAS_MAX {
            return Err(InvalidJob::new("logit_bias", format!("at most {LOGIT_BIAS_MAX} tokens")));
        }
        if self.logit_bias.values().any(|bias| bias.0.unsigned_abs() > 100_000_000) {
            return Err(InvalidJob::new("logit_bias", "each value must be from -100 to 100"));
        }
        Ok(())
    }
}

/// What the output must conform to. A grammar decides which tokens are possible at each
/// step; the draw is made among those.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub enum Constraint {
    /// Nothing.
    None,
    /// Any JSON object.
    JsonObject,
    /// This JSON schema, as JSON text.
    JsonSchema(String),
    /// This grammar in Lark's notation.
    Lark(String),
    /// This regular expression.
    Regex(String),
}

/// Texts to embed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Embed {
    /// The texts, at most [`EMBED_INPUTS_MAX`].
    pub inputs: Vec<String>,
}

impl Embed {
    fn validate(&self) -> Result<(), InvalidJob> {
        if self.inputs.is_empty() || self.inputs.len() > EMBED_INPUTS_MAX {
            let reason = format!("must have 1 to {EMBED_INPUTS_MAX} texts");
            return Err(InvalidJob::new("input", reason));
        }
        Ok(())
    }
}

/// Where to continue a job that another provider began: one entry a choice.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct Resume {
    /// The choices in their order; empty when the job starts afresh.
    pub choices: Vec<ResumeChoice>,
}

impl Resume {
    /// Output units that exist already.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.choices.iter().map(|choice| u64::from(choice.units)).sum()
    }

    /// Whether the job starts afresh.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.choices.iter().all(|choice| choice.units == 0 && choice.finished.is_none())
    }
}

/// What exists already of one choice.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct ResumeChoice {
    /// The tokens drawn so far; empty with an engine that does not show them.
    pub tokens: Vec<TokenId>,
    /// The text that was delivered so far.
    pub text: String,
    /// Output units delivered so far.
    pub units: u32,
    /// Set when this choice had ended.
    pub finished: Option<StopReason>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millionths_refuse_what_is_not_a_number() {
        assert_eq!(Millionths::from_f64(0.7), Some(Millionths(700_000)));
        for absurd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(Millionths::from_f64(absurd), None);
        }
    }

    #[test]
    fn absurd_sampling_is_refused_by_name() {
        let mut sampling = Sampling { temperature: Millionths(2_000_001), ..Sampling::default() };
        assert_eq!(sampling.validate().map_err(|e| e.parameter), Err("temperature"));
        sampling = Sampling { top_p: Millionths(-1), ..Sampling::default() };
        assert_eq!(sampling.validate().map_err(|e| e.parameter), Err("top_p"));
        sampling =
            Sampling { logit_bias: [(1, Millionths(i32::MIN))].into(), ..Sampling::default() };
        assert_eq!(sampling.validate().map_err(|e| e.parameter), Err("logit_bias"));
        sampling = Sampling::default();
        assert_eq!(sampling.validate(), Ok(()));
    }
}
