//! Tools that the model may call, their choice, and the calls themselves.

use remuda_types::job::{Tool, ToolCall, ToolChoice};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::error::ApiError;
use super::parameters::schema_text;

/// The most tools of one request.
pub const TOOLS_MAX: usize = 128;

/// The longest name of a function, in bytes.
pub const TOOL_NAME_BYTES_MAX: usize = 64;

/// What a function without declared parameters takes.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// A tool, in the shape of `/v1/chat/completions`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ToolDefinition {
    /// `function`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The function.
    pub function: Option<FunctionDefinition>,
}

/// A function that the model may call.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct FunctionDefinition {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments.
    #[schema(value_type = Object)]
    pub parameters: Option<Box<RawValue>>,
}

impl FunctionDefinition {
    fn translate(self) -> Result<Tool, ApiError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let length = self.name.len();
        if length == 0 || length > TOOL_NAME_BYTES_MAX || !self.name.bytes().all(allowed) {
            let reason =
                format!("tools: a name has 1 to {TOOL_NAME_BYTES_MAX} letters, digits, `_` or `-`");
            return Err(ApiError::parameter("tools", reason));
        }
        let parameters = match self.parameters.as_deref().map(RawValue::get) {
            None | Some("null") => NO_PARAMETERS.to_owned(),
            Some(text) => schema_text("tools", text)?,
        };
        Ok(Tool { name: self.name, description: self.description, parameters })
    }
}

/// The tools of a chat request.
///
/// # Errors
/// Too many, of another type, or with a name or schema that is refused.
pub fn chat_tools(definitions: Vec<ToolDefinition>) -> Result<Vec<Tool>, ApiError> {
    functions(definitions.into_iter().map(|tool| match tool {
        ToolDefinition { kind, function: Some(function) } if kind == "function" => Ok(function),
        ToolDefinition { kind, .. } => Err(unsupported(&kind)),
    }))
}

/// The refusal of a tool that is not a function.
pub(crate) fn unsupported(kind: &str) -> ApiError {
    let kind: String = kind.chars().take(TOOL_NAME_BYTES_MAX).collect();
    ApiError::parameter("tools", format!("tools: only functions are supported, not `{kind}`"))
}

/// Functions as the network's tools.
///
/// # Errors
/// The first that is refused, or too many.
pub(crate) fn functions(
    definitions: impl ExactSizeIterator<Item = Result<FunctionDefinition, ApiError>>,
) -> Result<Vec<Tool>, ApiError> {
    if definitions.len() > TOOLS_MAX {
        return Err(ApiError::parameter("tools", format!("tools: at most {TOOLS_MAX}")));
    }
    definitions.map(|definition| definition?.translate()).collect()
}

/// `tool_choice`: a word, or an object that names a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoiceParameter {
    /// `none`, `auto` or `required`.
    Word(String),
    /// The function of this name.
    Function(String),
}

#[derive(Default, Deserialize)]
struct NamedFunction {
    name: Option<String>,
}

impl<'de> Deserialize<'de> for ToolChoiceParameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Choice;

        impl<'de> Visitor<'de> for Choice {
            type Value = ToolChoiceParameter;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`none`, `auto`, `required` or an object that names a function")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
                Ok(ToolChoiceParameter::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // Chat nests the name in `function`; responses put it beside `type`.
                let mut name = None;
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "function" => {
                            name =
                                map.next_value::<Option<NamedFunction>>()?.unwrap_or_default().name;
                        }
                        "name" => name = map.next_value()?,
                        _ => {
                            map.next_value::<de::IgnoredAny>()?;
                        }
                    }
                }
                name.map(ToolChoiceParameter::Function)
                    .ok_or_else(|| de::Error::custom("only the choice of a function is supported"))
            }
        }

        deserializer.deserialize_any(Choice)
    }
}

/// Whether the model must, may or may not call one of `tools`.
///
/// # Errors
/// An unknown word, a function that is not among the tools, or a must without tools.
pub fn choice(
    parameter: Option<ToolChoiceParameter>,
    tools: &[Tool],
) -> Result<ToolChoice, ApiError> {
    let refused = |reason: &str| Err(ApiError::parameter("tool_choice", reason));
    match parameter {
        None if tools.is_empty() => Ok(ToolChoice::None),
        None => Ok(ToolChoice::Auto),
        Some(ToolChoiceParameter::Word(word)) => match word.as_str() {
            "none" => Ok(ToolChoice::None),
            "auto" if tools.is_empty() => Ok(ToolChoice::None),
            "auto" => Ok(ToolChoice::Auto),
            "required" if tools.is_empty() => refused("tool_choice: there are no tools"),
            "required" => Ok(ToolChoice::Required),
            _ => refused("tool_choice: must be none, auto, required or name a function"),
        },
        Some(ToolChoiceParameter::Function(name)) => {
            if tools.iter().any(|tool| tool.name == name) {
                Ok(ToolChoice::Named(name))
            } else {
                refused("tool_choice: names a function that is not among the tools")
            }
        }
    }
}

/// A complete tool call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatToolCall {
    /// Its name, by which the result refers to it.
    pub id: String,
    /// `function`.
    #[serde(rename = "type", default = "function_kind")]
    pub kind: String,
    /// What is called.
    pub function: FunctionCall,
}

/// A function and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FunctionCall {
    /// The function.
    pub name: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
}

pub(crate) fn function_kind() -> String {
    "function".to_owned()
}

impl From<ChatToolCall> for ToolCall {
    fn from(call: ChatToolCall) -> Self {
        Self { id: call.id, name: call.function.name, arguments: call.function.arguments }
    }
}

impl From<ToolCall> for ChatToolCall {
    fn from(call: ToolCall) -> Self {
        let function = FunctionCall { name: call.name, arguments: call.arguments };
        Self { id: call.id, kind: function_kind(), function }
    }
}
