//! The JSON that goes to the server and comes back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use remuda_types::Seed;
use remuda_types::job::{
    Chat, Constraint, Generate, LogprobEntry, Message, Millionths, Prompt, Role, Sampling, TokenId,
    TokenLogprob, Tool, ToolChoice,
};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::invalid;
use crate::EngineError;

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<WireMessage<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<WirePrompt<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    max_tokens: u32,
    n: u16,
    seed: u64,
    temperature: f64,
    top_p: f64,
    #[serde(skip_serializing_if = "is_zero")]
    top_k: u32,
    #[serde(skip_serializing_if = "is_zero_f64")]
    min_p: f64,
    #[serde(skip_serializing_if = "is_zero_f64")]
    frequency_penalty: f64,
    #[serde(skip_serializing_if = "is_zero_f64")]
    presence_penalty: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    repetition_penalty: Option<f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    logit_bias: BTreeMap<TokenId, f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<WireLogprobs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<WireTool<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continuous_usage_stats: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WirePrompt<'a> {
    Text(&'a str),
    Tokens(&'a [TokenId]),
}

/// A flag for chats, a number for completions.
#[derive(Serialize)]
#[serde(untagged)]
enum WireLogprobs {
    Flag(bool),
    Top(u8),
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: Role,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
struct WireTool<'a> {
    r#type: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Box<RawValue>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format {
    JsonObject,
    JsonSchema { json_schema: NamedSchema },
}

#[derive(Serialize)]
struct NamedSchema {
    name: &'static str,
    strict: bool,
    schema: Box<RawValue>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero_f64(number: &f64) -> bool {
    *number == 0.0
}

/// The path below the interface's root, and the body, of a generation.
pub(super) fn generation(
    model: &str,
    job: &Generate,
    seed: &Seed,
    continuous_usage: bool,
) -> Result<(&'static str, Vec<u8>), EngineError> {
    let mut request = sampled(model, job, seed, continuous_usage);
    request.response_format = format(&job.constraint)?;
    let path = match &job.prompt {
        Prompt::Chat(chat) => {
            request.logprobs = job.logprobs.map(|_| WireLogprobs::Flag(true));
            request.top_logprobs = job.logprobs;
            converse(&mut request, chat)?;
            "/chat/completions"
        }
        Prompt::Text(text) => {
            request.prompt = Some(WirePrompt::Text(text));
            "/completions"
        }
        Prompt::Tokens(tokens) => {
            request.prompt = Some(WirePrompt::Tokens(tokens));
            "/completions"
        }
    };
    Ok((path, body(&request)?))
}

fn body(request: &impl Serialize) -> Result<Vec<u8>, EngineError> {
    serde_json::to_vec(request).map_err(|error| EngineError::Failed(format!("request: {error}")))
}

fn sampled<'a>(
    model: &'a str,
    job: &'a Generate,
    seed: &Seed,
    continuous_usage_stats: bool,
) -> Request<'a> {
    let sampling: &Sampling = &job.sampling;
    let repetition = sampling.repetition_penalty;
    let bias = sampling.logit_bias.iter().map(|(token, bias)| (*token, bias.to_f64()));
    Request {
        model,
        messages: None,
        prompt: None,
        stream: true,
        stream_options: StreamOptions { include_usage: true, continuous_usage_stats },
        max_tokens: job.max_output,
        n: job.choices,
        seed: seed_number(seed),
        temperature: sampling.temperature.to_f64(),
        top_p: sampling.top_p.to_f64(),
        top_k: sampling.top_k,
        min_p: sampling.min_p.to_f64(),
        frequency_penalty: sampling.frequency_penalty.to_f64(),
        presence_penalty: sampling.presence_penalty.to_f64(),
        repetition_penalty: (repetition != Millionths::ONE).then(|| repetition.to_f64()),
        logit_bias: bias.collect(),
        stop: &job.stop,
        logprobs: job.logprobs.map(WireLogprobs::Top),
        top_logprobs: None,
        response_format: None,
        tools: None,
        tool_choice: None,
    }
}

/// The seed's first 63 bits: servers take a number that is not negative.
fn seed_number(seed: &Seed) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&seed.0.0[..8]);
    u64::from_le_bytes(bytes) >> 1
}

fn raw(parameter: &str, text: &str) -> Result<Box<RawValue>, EngineError> {
    RawValue::from_string(text.trim().to_owned())
        .map_err(|error| invalid(parameter, format!("the schema is no JSON: {error}")))
}

fn format(constraint: &Constraint) -> Result<Option<Format>, EngineError> {
    match constraint {
        Constraint::None => Ok(None),
        Constraint::JsonObject => Ok(Some(Format::JsonObject)),
        Constraint::JsonSchema(text) => {
            let schema = raw("response_format", text)?;
            let json_schema = NamedSchema { name: "answer", strict: true, schema };
            Ok(Some(Format::JsonSchema { json_schema }))
        }
        Constraint::Lark(_) | Constraint::Regex(_) => {
            let reason = "this engine takes JSON schemas, and no grammars or regular expressions";
            Err(invalid("response_format", reason.to_owned()))
        }
    }
}

fn converse<'a>(request: &mut Request<'a>, chat: &'a Chat) -> Result<(), EngineError> {
    request.messages = Some(chat.messages.iter().map(message).collect());
    if chat.tools.is_empty() {
        return Ok(());
    }
    request.tools = Some(chat.tools.iter().map(tool).collect::<Result<_, _>>()?);
    request.tool_choice = Some(match &chat.tool_choice {
        ToolChoice::None => "none".into(),
        ToolChoice::Auto => "auto".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => {
            serde_json::json!({"type": "function", "function": {"name": name}})
        }
    });
    Ok(())
}

fn message(message: &Message) -> WireMessage<'_> {
    let calls = message.tool_calls.iter().map(|call| {
        let function = serde_json::json!({"name": call.name, "arguments": call.arguments});
        serde_json::json!({"id": call.id, "type": "function", "function": function})
    });
    WireMessage {
        role: message.role,
        content: &message.content,
        name: message.name.as_deref(),
        tool_calls: calls.collect(),
        tool_call_id: message.tool_call_id.as_deref(),
    }
}

fn tool(tool: &Tool) -> Result<WireTool<'_>, EngineError> {
    let function = WireFunction {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters: raw("tools", &tool.parameters)?,
    };
    Ok(WireTool { r#type: "function", function })
}

/// The body of an embedding request.
pub(super) fn embedding(model: &str, inputs: &[String]) -> Result<Vec<u8>, EngineError> {
    #[derive(Serialize)]
    struct Embedding<'a> {
        model: &'a str,
        input: &'a [String],
        encoding_format: &'static str,
    }
    body(&Embedding { model, input: inputs, encoding_format: "float" })
}

/// Text that points into the JSON where it holds no escapes.
#[derive(Debug, Default)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// One event of a stream. What we do not use is not read.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) choices: Vec<ChunkChoice<'a>>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
    #[serde(default)]
    pub(super) error: Option<WireError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChunkChoice<'a> {
    #[serde(default)]
    pub(super) index: u16,
    #[serde(borrow, default)]
    pub(super) delta: Option<ChunkDelta<'a>>,
    #[serde(borrow, default)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Option<Text<'a>>,
    #[serde(default)]
    pub(super) logprobs: Option<Logprobs>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChunkDelta<'a> {
    #[serde(borrow, default)]
    pub(super) content: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<Vec<ChunkCall<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChunkCall<'a> {
    #[serde(default)]
    pub(super) index: u16,
    #[serde(borrow, default)]
    pub(super) function: Option<ChunkFunction<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChunkFunction<'a> {
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<Text<'a>>,
}

/// What the server counted.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    pub(super) prompt_tokens: u64,
    #[serde(default)]
    pub(super) completion_tokens: u64,
    #[serde(default)]
    pub(super) prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct PromptDetails {
    #[serde(default)]
    pub(super) cached_tokens: Option<u64>,
}

impl Usage {
    pub(super) fn cached(&self) -> u64 {
        let cached = self.prompt_tokens_details.and_then(|details| details.cached_tokens);
        cached.unwrap_or(0).min(self.prompt_tokens)
    }
}

/// An error in OpenAI's shape, or just a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum WireError {
    Shaped {
        #[serde(default)]
        message: String,
        #[serde(default)]
        param: Option<String>,
        #[serde(default)]
        code: Option<serde_json::Value>,
    },
    Text(String),
}

/// An answer that is an error.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: WireError,
}

/// Log probabilities: of chats in `content`, of completions in the other three.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Logprobs {
    #[serde(default)]
    content: Option<Vec<ContentLogprob>>,
    #[serde(default)]
    tokens: Option<Vec<String>>,
    #[serde(default)]
    token_logprobs: Option<Vec<Option<f64>>>,
    #[serde(default)]
    top_logprobs: Option<Vec<Option<BTreeMap<String, f64>>>>,
}

#[derive(Debug, Deserialize)]
struct ContentLogprob {
    #[serde(flatten)]
    chosen: WireLogprob,
    #[serde(default)]
    top_logprobs: Vec<WireLogprob>,
}

#[derive(Debug, Deserialize)]
struct WireLogprob {
    token: String,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    logprob: f64,
}

impl WireLogprob {
    fn entry(self) -> LogprobEntry {
        entry(self.bytes.unwrap_or_else(|| self.token.into_bytes()), self.logprob)
    }
}

fn entry(bytes: Vec<u8>, logprob: f64) -> LogprobEntry {
    const MIN: f64 = -2000.0;
    let logprob = Millionths::from_f64(logprob.clamp(MIN, 0.0));
    LogprobEntry { token: 0, bytes, logprob: logprob.unwrap_or(Millionths(-2_000_000_000)) }
}

impl Logprobs {
    /// One entry a token.
    pub(super) fn entries(self) -> Vec<TokenLogprob> {
        if let Some(content) = self.content {
            let one = |one: ContentLogprob| TokenLogprob {
                chosen: one.chosen.entry(),
                top: one.top_logprobs.into_iter().map(WireLogprob::entry).collect(),
            };
            return content.into_iter().map(one).collect();
        }
        let tokens = self.tokens.unwrap_or_default();
        let mut values = self.token_logprobs.unwrap_or_default().into_iter();
        let mut tops = self.top_logprobs.unwrap_or_default().into_iter();
        let one = |token: String| {
            let top = tops.next().flatten().unwrap_or_default();
            let mut top: Vec<LogprobEntry> =
                top.into_iter().map(|(token, value)| entry(token.into_bytes(), value)).collect();
            top.sort_by_key(|entry| std::cmp::Reverse(entry.logprob));
            let value = values.next().flatten().unwrap_or(0.0);
            TokenLogprob { chosen: entry(token.into_bytes(), value), top }
        };
        tokens.into_iter().map(one).collect()
    }
}

/// The answer to an embedding request.
#[derive(Debug, Deserialize)]
pub(super) struct Embeddings {
    pub(super) data: Vec<EmbeddingRow>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EmbeddingRow {
    #[serde(default)]
    pub(super) index: usize,
    pub(super) embedding: Vec<f32>,
}

/// The answer to a question for models.
#[derive(Debug, Deserialize)]
pub(super) struct Models {
    pub(super) data: Vec<ModelRow>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelRow {
    pub(super) id: String,
}
