//! `/v1/chat/completions`: a conversation becomes a job, a job becomes an answer.

use remuda_types::job::{Chat, Constraint, Generate, JobInput, Message, Prompt, Role};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use super::parameters::{
    MaxPrice, OneOrMany, ResponseFormat, StreamParameters, choices, max_output, model, refuse,
    stream_options, with_sampling,
};
use super::tools::{ChatToolCall, ToolChoiceParameter, ToolDefinition, chat_tools, choice};
use super::{Defaults, Translated};

with_sampling! {
    /// A request for `/v1/chat/completions`. Fields that are not here are ignored.
    #[derive(Clone, Debug, Deserialize, ToSchema)]
    pub struct ChatRequest {
        /// The model by its public name.
        pub model: String,
        /// The conversation so far.
        pub messages: Vec<ChatMessage>,
        /// How many independent answers, 1 to 16.
        pub n: Option<i64>,
        /// The most output tokens of each answer.
        pub max_completion_tokens: Option<i64>,
        /// The older name of `max_completion_tokens`.
        pub max_tokens: Option<i64>,
        /// Texts that end an answer: one, or a list.
        #[schema(value_type = Option<Vec<String>>)]
        pub stop: Option<OneOrMany<String>>,
        /// Equal seeds give equal draws.
        pub seed: Option<i64>,
        /// Whether to report each token's log probability.
        pub logprobs: Option<bool>,
        /// How many alternatives are reported beside each token, up to 20.
        pub top_logprobs: Option<i64>,
        /// What the output must look like.
        pub response_format: Option<ResponseFormat>,
        /// The functions that the model may call.
        pub tools: Option<Vec<ToolDefinition>>,
        /// `none`, `auto`, `required`, or an object that names a function.
        #[schema(value_type = Option<Object>)]
        pub tool_choice: Option<ToolChoiceParameter>,
        /// Accepted for compatibility; the model decides how many calls it makes.
        pub parallel_tool_calls: Option<bool>,
        /// Whether to send the answer piece by piece.
        pub stream: Option<bool>,
        /// How a stream is wanted.
        pub stream_options: Option<StreamParameters>,
        /// Extension: the most that the caller pays.
        pub max_price: Option<MaxPrice>,
        /// Not supported: use `tools`.
        #[schema(ignore)]
        pub functions: Option<de::IgnoredAny>,
        /// Not supported.
        #[schema(ignore)]
        pub audio: Option<de::IgnoredAny>,
    }
}

impl ChatRequest {
    /// What the request means to the network.
    ///
    /// # Errors
    /// The first parameter that is refused.
    pub fn translate(mut self, defaults: Defaults) -> Result<Translated, ApiError> {
        refuse("functions", self.functions.as_ref())?;
        refuse("audio", self.audio.as_ref())?;
        let sampling = self.sampling().translate()?;
        let tools = chat_tools(self.tools.unwrap_or_default())?;
        let tool_choice = choice(self.tool_choice, &tools)?;
        let generate = Generate {
            prompt: Prompt::Chat(Chat { messages: messages(self.messages)?, tools, tool_choice }),
            choices: choices(self.n)?,
            max_output: match self.max_completion_tokens {
                None => max_output("max_tokens", self.max_tokens, defaults.max_output)?,
                limit => max_output("max_completion_tokens", limit, defaults.max_output)?,
            },
            sampling,
            stop: self.stop.unwrap_or_default().0,
            constraint: match &self.response_format {
                None => Constraint::None,
                Some(format) => format.translate()?,
            },
            logprobs: logprobs(self.logprobs, self.top_logprobs)?,
        };
        let input = JobInput::Generate(generate);
        input.validate()?;
        Ok(Translated {
            model: model(self.model)?,
            input,
            seed: self.seed,
            max_price: self.max_price.map(Into::into),
            stream: stream_options(self.stream, self.stream_options)?,
        })
    }
}

fn logprobs(wanted: Option<bool>, top: Option<i64>) -> Result<Option<u8>, ApiError> {
    match (wanted.unwrap_or(false), top) {
        (false, Some(1..)) => {
            Err(ApiError::parameter("top_logprobs", "top_logprobs: needs `logprobs` to be true"))
        }
        (false, _) => Ok(None),
        (true, top) => top_count("top_logprobs", top.unwrap_or(0)).map(Some),
    }
}

/// A number of alternatives beside each token; the job's own bound is checked later.
pub(super) fn top_count(name: &'static str, top: i64) -> Result<u8, ApiError> {
    u8::try_from(top).map_err(|_| ApiError::parameter(name, format!("{name}: out of range")))
}

/// One message of a conversation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ChatMessage {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: String,
    /// The text: a string, or a list of parts of type `text`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub content: Option<TextContent>,
    /// The speaker's name.
    pub name: Option<String>,
    /// Calls that the assistant made.
    pub tool_calls: Option<Vec<ChatToolCall>>,
    /// Which call a tool's message answers.
    pub tool_call_id: Option<String>,
}

fn messages(messages: Vec<ChatMessage>) -> Result<Vec<Message>, ApiError> {
    if messages.is_empty() {
        return Err(ApiError::parameter("messages", "messages: must have at least one"));
    }
    messages.into_iter().enumerate().map(|(index, message)| message.translate(index)).collect()
}

impl ChatMessage {
    fn translate(self, index: usize) -> Result<Message, ApiError> {
        let refused = |field: &str, reason: &str| {
            let path = format!("messages[{index}].{field}");
            Err(ApiError::parameter(path.clone(), format!("{path}: {reason}")))
        };
        let Some(role) = role(&self.role) else {
            return refused("role", "must be system, developer, user, assistant or tool");
        };
        let tool_calls: Vec<_> =
            self.tool_calls.unwrap_or_default().into_iter().map(Into::into).collect();
        if self.content.is_none() && tool_calls.is_empty() && role != Role::Assistant {
            return refused("content", "must be a string or a list of text parts");
        }
        if role != Role::Assistant && !tool_calls.is_empty() {
            return refused("tool_calls", "only the assistant calls tools");
        }
        if role == Role::Tool && self.tool_call_id.is_none() {
            return refused("tool_call_id", "must name the call that this message answers");
        }
        Ok(Message {
            role,
            content: self.content.map(|content| content.0).unwrap_or_default(),
            name: self.name,
            tool_calls,
            tool_call_id: self.tool_call_id,
        })
    }
}

/// A speaker by OpenAI's names.
pub(super) fn role(name: &str) -> Option<Role> {
    match name {
        "system" | "developer" => Some(Role::System),
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        "tool" => Some(Role::Tool),
        _ => None,
    }
}

/// Text, written as a string or as a list of parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextContent(pub String);

#[derive(Deserialize)]
struct ContentPart {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

impl<'de> Deserialize<'de> for TextContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Content;

        impl<'de> Visitor<'de> for Content {
            type Value = TextContent;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of text parts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextContent(text.to_owned()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(TextContent(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let mut all = String::new();
                while let Some(part) = parts.next_element::<ContentPart>()? {
                    let text = text_of(part).map_err(de::Error::custom)?;
                    if !all.is_empty() {
                        all.push('\n');
                    }
                    all.push_str(&text);
                }
                Ok(TextContent(all))
            }
        }

        deserializer.deserialize_any(Content)
    }
}

fn text_of(part: ContentPart) -> Result<String, String> {
    match (part.kind.as_str(), part.text) {
        ("text" | "input_text" | "output_text", Some(text)) => Ok(text),
        ("text" | "input_text" | "output_text", None) => Err("the part has no text".to_owned()),
        (kind, _) => {
            let kind: String = kind.chars().take(32).collect();
            Err(format!("parts of type `{kind}` are not supported, only text"))
        }
    }
}

/// The answer of `/v1/chat/completions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatCompletion {
    /// The answer's name, made from the job's.
    pub id: String,
    /// `chat.completion`.
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model by its public name.
    pub model: String,
    /// The answers.
    pub choices: Vec<ChatChoice>,
    /// What was measured.
    pub usage: Usage,
    /// The beginning of the model manifest's digest.
    pub system_fingerprint: Option<String>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatChoice {
    /// Which.
    pub index: u16,
    /// The text and the calls.
    pub message: AnswerMessage,
    /// One entry a token, when asked for.
    pub logprobs: Option<ChatLogprobs>,
    /// `stop`, `length` or `tool_calls`.
    pub finish_reason: String,
}

/// What the model said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnswerMessage {
    /// `assistant`.
    pub role: String,
    /// The text; none when only tools were called.
    pub content: Option<String>,
    /// Always none; some clients expect the field.
    pub refusal: Option<String>,
    /// The calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ChatToolCall>,
}

/// Log probabilities of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatLogprobs {
    /// One entry a token.
    pub content: Vec<ChatTokenLogprob>,
    /// Always none; some clients expect the field.
    pub refusal: Option<Vec<ChatTokenLogprob>>,
}

/// A token, its log probability and its likeliest alternatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatTokenLogprob {
    /// The token's text; bytes that are part of a character show as U+FFFD.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// The token's bytes.
    pub bytes: Option<Vec<u8>>,
    /// The likeliest tokens, likeliest first.
    pub top_logprobs: Vec<TopLogprob>,
}

/// A token and its log probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TopLogprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
    /// The token's bytes.
    pub bytes: Option<Vec<u8>>,
}

impl From<&remuda_types::job::TokenLogprob> for ChatTokenLogprob {
    fn from(token: &remuda_types::job::TokenLogprob) -> Self {
        let TopLogprob { token: text, logprob, bytes } = (&token.chosen).into();
        let top_logprobs = token.top.iter().map(Into::into).collect();
        Self { token: text, logprob, bytes, top_logprobs }
    }
}

impl From<&remuda_types::job::LogprobEntry> for TopLogprob {
    fn from(entry: &remuda_types::job::LogprobEntry) -> Self {
        Self {
            token: String::from_utf8_lossy(&entry.bytes).into_owned(),
            logprob: entry.logprob.to_f64(),
            bytes: Some(entry.bytes.clone()),
        }
    }
}

/// What was measured, in model tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Tokens of input.
    pub prompt_tokens: u64,
    /// Tokens of output, over all choices.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// More about the input.
    pub prompt_tokens_details: PromptTokensDetails,
}

/// More about the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromptTokensDetails {
    /// Of the input, tokens that were in a cache.
    pub cached_tokens: u64,
}

impl From<&remuda_types::Usage> for Usage {
    fn from(usage: &remuda_types::Usage) -> Self {
        Self {
            prompt_tokens: usage.units_in,
            completion_tokens: usage.units_out,
            total_tokens: usage.units_in.saturating_add(usage.units_out),
            prompt_tokens_details: PromptTokensDetails { cached_tokens: usage.units_cached },
        }
    }
}

/// A piece of a streamed answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChatCompletionChunk {
    /// The answer's name, the same in all its pieces.
    pub id: String,
    /// `chat.completion.chunk`.
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model by its public name.
    pub model: String,
    /// The beginning of the model manifest's digest.
    pub system_fingerprint: Option<String>,
    /// One choice's piece; none in the chunk that reports usage.
    pub choices: Vec<ChunkChoice>,
    /// In the last chunk, when asked for.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// In the chunk that reports usage: receipts and the bill.
    #[serde(default)]
    pub remuda: Option<Bill>,
}

/// One choice's piece.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChunkChoice {
    /// Which.
    pub index: u16,
    /// What is new.
    pub delta: ChunkDelta,
    /// One entry a token, when asked for.
    #[serde(default)]
    pub logprobs: Option<ChatLogprobs>,
    /// Why the choice ended, in its last piece.
    pub finish_reason: Option<String>,
}

/// What is new.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChunkDelta {
    /// `assistant`, in the first piece.
    #[serde(default)]
    pub role: Option<String>,
    /// The next text.
    #[serde(default)]
    pub content: Option<String>,
    /// The next parts of tool calls.
    #[serde(default)]
    pub tool_calls: Vec<ToolCallChunk>,
}

/// The next part of a tool call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolCallChunk {
    /// Which call.
    pub index: u16,
    /// Its name, in its first part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `function`, in its first part.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The function and the next arguments.
    pub function: FunctionChunk,
}

/// A function and the next part of its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FunctionChunk {
    /// The function, in the call's first part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The next part of the arguments' JSON text.
    pub arguments: String,
}

/// The receipts of a job, and its bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bill {
    /// The order.
    pub order: String,
    /// The job.
    pub job: String,
    /// One receipt a paid attempt.
    pub receipts: Vec<String>,
    /// What all attempts together cost, in micro-dollars.
    pub amount_micro_dollars: u64,
}

impl From<&remuda_client::JobReport> for Bill {
    fn from(report: &remuda_client::JobReport) -> Self {
        let id = |receipt: &remuda_types::FinalReceipt| receipt.receipt.body.id().to_string();
        Self {
            order: report.order.to_string(),
            job: report.job.to_string(),
            receipts: report.receipts.iter().map(id).collect(),
            amount_micro_dollars: report.amount.0,
        }
    }
}
