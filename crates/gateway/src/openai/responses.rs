//! `/v1/responses`, without memory: what a request does not bring, the model does not know.

use remuda_types::job::{Chat, Constraint, Generate, JobInput, Message, Prompt, Role, ToolCall};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::chat::{TextContent, role, top_count};
use super::error::ApiError;
use super::parameters::{MaxPrice, constraint, max_output, model, refuse, with_sampling};
use super::tools::{FunctionDefinition, ToolChoiceParameter, choice, functions, unsupported};
use super::{Defaults, StreamOptions, Translated};

with_sampling! {
    /// A request for `/v1/responses`. Fields that are not here are ignored.
    #[derive(Clone, Debug, Deserialize, ToSchema)]
    pub struct ResponseRequest {
        /// The model by its public name.
        pub model: String,
        /// A string, or a list of messages, function calls and their outputs.
        #[schema(value_type = Object)]
        pub input: InputParameter,
        /// What the model is told before the input.
        pub instructions: Option<String>,
        /// The most output tokens.
        pub max_output_tokens: Option<i64>,
        /// The functions that the model may call.
        pub tools: Option<Vec<ResponseTool>>,
        /// `none`, `auto`, `required`, or an object that names a function.
        #[schema(value_type = Option<Object>)]
        pub tool_choice: Option<ToolChoiceParameter>,
        /// What the output must look like.
        pub text: Option<TextParameter>,
        /// Extension: equal seeds give equal draws.
        pub seed: Option<i64>,
        /// How many alternatives are reported beside each token, up to 20.
        pub top_logprobs: Option<i64>,
        /// Whether to send the answer piece by piece.
        pub stream: Option<bool>,
        /// Not supported: nothing is stored here. Send the conversation in `input`.
        pub previous_response_id: Option<String>,
        /// Not supported: nothing is stored here.
        #[schema(ignore)]
        pub conversation: Option<de::IgnoredAny>,
        /// Not supported when true.
        pub background: Option<bool>,
        /// Extension: the most that the caller pays.
        pub max_price: Option<MaxPrice>,
    }
}

impl ResponseRequest {
    /// What the request means to the network.
    ///
    /// # Errors
    /// The first parameter that is refused.
    pub fn translate(mut self, defaults: Defaults) -> Result<Translated, ApiError> {
        if self.previous_response_id.is_some() {
            let reason = "previous_response_id: this gateway stores no responses; send the \
                          conversation in `input`";
            return Err(ApiError::parameter("previous_response_id", reason));
        }
        refuse("conversation", self.conversation.as_ref())?;
        refuse("background", self.background.filter(|background| *background).as_ref())?;
        let sampling = self.sampling().translate()?;
        let tools =
            functions(self.tools.unwrap_or_default().into_iter().map(ResponseTool::function))?;
        let tool_choice = choice(self.tool_choice, &tools)?;
        let messages = messages(self.instructions, self.input)?;
        let limit = self.max_output_tokens;
        let generate = Generate {
            prompt: Prompt::Chat(Chat { messages, tools, tool_choice }),
            choices: 1,
            max_output: max_output("max_output_tokens", limit, defaults.max_output)?,
            sampling,
            stop: Vec::new(),
            constraint: match self.text.and_then(|text| text.format) {
                None => Constraint::None,
                Some(format) => constraint("text.format", &format.kind, format.schema.as_deref())?,
            },
            logprobs: match self.top_logprobs {
                None | Some(0) => None,
                Some(top) => Some(top_count("top_logprobs", top)?),
            },
        };
        let input = JobInput::Generate(generate);
        input.validate()?;
        Ok(Translated {
            model: model(self.model)?,
            input,
            seed: self.seed,
            max_price: self.max_price.map(Into::into),
            stream: self.stream.unwrap_or(false).then(StreamOptions::default),
        })
    }
}

/// How the text of a response looks.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct TextParameter {
    /// The format.
    pub format: Option<TextFormat>,
}

/// A format and its schema, side by side.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct TextFormat {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The schema, for `json_schema`.
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Box<RawValue>>,
}

/// A function that the model may call, in the shape of `/v1/responses`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ResponseTool {
    /// `function`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name: letters, digits, `_` and `-`.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments.
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Box<RawValue>>,
}

impl ResponseTool {
    fn function(self) -> Result<FunctionDefinition, ApiError> {
        match self {
            Self { kind, name: Some(name), description, parameters } if kind == "function" => {
                Ok(FunctionDefinition { name, description, parameters })
            }
            Self { kind, .. } => Err(unsupported(&kind)),
        }
    }
}

/// The input: a string, or items.
#[derive(Clone, Debug)]
pub struct InputParameter(Vec<InputItem>);

/// One item of the input: a message, a function call, or a call's output.
#[derive(Clone, Debug, Default, Deserialize)]
struct InputItem {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    content: Option<TextContent>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    output: Option<TextContent>,
}

impl<'de> Deserialize<'de> for InputParameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Input;

        impl<'de> Visitor<'de> for Input {
            type Value = InputParameter;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of items")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let content = Some(TextContent(text.to_owned()));
                let role = Some("user".to_owned());
                Ok(InputParameter(vec![InputItem { role, content, ..InputItem::default() }]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(InputParameter(items))
            }
        }

        deserializer.deserialize_any(Input)
    }
}

fn messages(instructions: Option<String>, input: InputParameter) -> Result<Vec<Message>, ApiError> {
    if input.0.is_empty() {
        return Err(ApiError::parameter("input", "input: must not be empty"));
    }
    let mut messages = Vec::with_capacity(input.0.len() + 1);
    messages.extend(instructions.map(|text| said(Role::System, text)));
    for (index, item) in input.0.into_iter().enumerate() {
        item.append_to(&mut messages, index)?;
    }
    Ok(messages)
}

fn said(role: Role, content: String) -> Message {
    Message { role, content, name: None, tool_calls: Vec::new(), tool_call_id: None }
}

impl InputItem {
    fn append_to(self, messages: &mut Vec<Message>, index: usize) -> Result<(), ApiError> {
        let refused = |reason: &str| {
            ApiError::parameter(format!("input[{index}]"), format!("input[{index}]: {reason}"))
        };
        match self.kind.as_deref() {
            None | Some("message") => {
                let role = self.role.as_deref().and_then(role).filter(|role| *role != Role::Tool);
                let role = role.ok_or_else(|| {
                    refused("the role must be system, developer, user or assistant")
                })?;
                let content = self.content.ok_or_else(|| refused("has no content"))?;
                messages.push(said(role, content.0));
            }
            Some("function_call") => {
                let (Some(id), Some(name), Some(arguments)) =
                    (self.call_id, self.name, self.arguments)
                else {
                    return Err(refused("needs call_id, name and arguments"));
                };
                push_call(messages, ToolCall { id, name, arguments });
            }
            Some("function_call_output") => {
                let (Some(id), Some(output)) = (self.call_id, self.output) else {
                    return Err(refused("needs call_id and output"));
                };
                let tool_call_id = Some(id);
                messages.push(Message { tool_call_id, ..said(Role::Tool, output.0) });
            }
            // What a model thought before is not shown to it again.
            Some("reasoning") => {}
            Some(_) => return Err(refused("is of a type that is not supported")),
        }
        Ok(())
    }
}

/// Calls that follow each other, or a text of the assistant, are one message.
fn push_call(messages: &mut Vec<Message>, call: ToolCall) {
    match messages.last_mut() {
        Some(last) if last.role == Role::Assistant => last.tool_calls.push(call),
        _ => {
            let message = said(Role::Assistant, String::new());
            messages.push(Message { tool_calls: vec![call], ..message });
        }
    }
}

/// The answer of `/v1/responses`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Response {
    /// The answer's name, made from the job's.
    pub id: String,
    /// `response`.
    pub object: String,
    /// Seconds since 1970.
    pub created_at: u64,
    /// `in_progress`, `completed`, `incomplete` or `failed`.
    pub status: String,
    /// Why it failed.
    pub error: Option<ResponseError>,
    /// Why it is incomplete.
    pub incomplete_details: Option<IncompleteDetails>,
    /// Always none: instructions are not repeated.
    pub instructions: Option<String>,
    /// Always none; some clients expect the field.
    pub metadata: Option<ResponseError>,
    /// The model by its public name.
    pub model: String,
    /// What the model said and called.
    pub output: Vec<OutputItem>,
    /// Always true; some clients expect the field.
    pub parallel_tool_calls: bool,
    /// Always none: nothing is stored here.
    pub previous_response_id: Option<String>,
    /// Always false: nothing is stored here.
    pub store: bool,
    /// Always `auto`; some clients expect the field.
    pub tool_choice: String,
    /// Always empty: tools are not repeated.
    pub tools: Vec<String>,
    /// What was measured; none while it runs.
    pub usage: Option<ResponseUsage>,
    /// Receipts and the bill; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remuda: Option<super::chat::Bill>,
}

/// Why a response failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResponseError {
    /// The stable name, for programs.
    pub code: String,
    /// What happened and what helps, for people.
    pub message: String,
}

/// Why a response is incomplete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IncompleteDetails {
    /// `max_output_tokens`.
    pub reason: String,
}

/// What the model said, or called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutputItem {
    /// A text.
    Message {
        /// Its name.
        id: String,
        /// `assistant`.
        role: String,
        /// `in_progress` or `completed`.
        status: String,
        /// The text.
        content: Vec<OutputText>,
    },
    /// A call.
    FunctionCall {
        /// Its name as an item.
        id: String,
        /// Its name, by which its output refers to it.
        call_id: String,
        /// The function.
        name: String,
        /// Its arguments, as JSON text.
        arguments: String,
        /// `in_progress` or `completed`.
        status: String,
    },
}

/// A text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutputText {
    /// `output_text`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text itself.
    pub text: String,
    /// Always empty; some clients expect the field.
    pub annotations: Vec<String>,
    /// One entry a token, when asked for.
    pub logprobs: Vec<super::chat::ChatTokenLogprob>,
}

/// What was measured, in model tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResponseUsage {
    /// Tokens of input.
    pub input_tokens: u64,
    /// More about the input.
    pub input_tokens_details: InputTokensDetails,
    /// Tokens of output.
    pub output_tokens: u64,
    /// More about the output.
    pub output_tokens_details: OutputTokensDetails,
    /// Both.
    pub total_tokens: u64,
}

/// More about the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InputTokensDetails {
    /// Of the input, tokens that were in a cache.
    pub cached_tokens: u64,
}

/// More about the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputTokensDetails {
    /// Always 0: thinking is not told apart.
    pub reasoning_tokens: u64,
}

impl From<&remuda_types::Usage> for ResponseUsage {
    fn from(usage: &remuda_types::Usage) -> Self {
        Self {
            input_tokens: usage.units_in,
            input_tokens_details: InputTokensDetails { cached_tokens: usage.units_cached },
            output_tokens: usage.units_out,
            output_tokens_details: OutputTokensDetails { reasoning_tokens: 0 },
            total_tokens: usage.units_in.saturating_add(usage.units_out),
        }
    }
}
