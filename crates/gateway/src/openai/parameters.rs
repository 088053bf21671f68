//! Parameters that several endpoints share, and their bounds.

use std::collections::BTreeMap;

use remuda_types::Price;
use remuda_types::job::{Constraint, Millionths, Sampling};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::StreamOptions;
use super::error::ApiError;

/// The longest name of a model that is looked up, in bytes.
pub const MODEL_NAME_BYTES_MAX: usize = 256;

/// How tokens are drawn: OpenAI's parameters and the customary extensions.
#[derive(Clone, Debug, Default)]
pub struct SamplingParameters {
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) frequency_penalty: Option<f64>,
    pub(crate) presence_penalty: Option<f64>,
    pub(crate) logit_bias: Option<BTreeMap<u32, f64>>,
    pub(crate) top_k: Option<i64>,
    pub(crate) min_p: Option<f64>,
    pub(crate) repetition_penalty: Option<f64>,
}

/// Adds the sampling parameters to a request. (`serde(flatten)` would do the same, but copies
/// every field through a tree and forgets where an error was.)
macro_rules! with_sampling {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// 0 takes the likeliest token; up to 2. Default 1.
            pub temperature: Option<f64>,
            /// Keep the smallest set of tokens with this much probability. Default 1: all.
            pub top_p: Option<f64>,
            /// Lowers a token by each earlier occurrence, −2 to 2.
            pub frequency_penalty: Option<f64>,
            /// Lowers a token once it occurred, −2 to 2.
            pub presence_penalty: Option<f64>,
            /// Added to the logits of tokens (by number), −100 to 100.
            pub logit_bias: Option<std::collections::BTreeMap<u32, f64>>,
            /// Extension: keep the `top_k` likeliest tokens; 0 is off.
            pub top_k: Option<i64>,
            /// Extension: drop tokens with less than this share of the likeliest one's
            /// probability; 0 is off.
            pub min_p: Option<f64>,
            /// Extension: divides the logits of tokens seen before; 1 is off.
            pub repetition_penalty: Option<f64>,
        }

        impl $name {
            fn sampling(&mut self) -> $crate::openai::parameters::SamplingParameters {
                $crate::openai::parameters::SamplingParameters {
                    temperature: self.temperature,
                    top_p: self.top_p,
                    frequency_penalty: self.frequency_penalty,
                    presence_penalty: self.presence_penalty,
                    logit_bias: self.logit_bias.take(),
                    top_k: self.top_k,
                    min_p: self.min_p,
                    repetition_penalty: self.repetition_penalty,
                }
            }
        }
    };
}

pub(crate) use with_sampling;

impl SamplingParameters {
    /// The parameters in fixed point.
    ///
    /// # Errors
    /// The name of the first that is not a number in its range.
    pub fn translate(&self) -> Result<Sampling, ApiError> {
        let standard = Sampling::default();
        let number = |name: &'static str, value: Option<f64>, unset: Millionths| match value {
            None => Ok(unset),
            Some(value) => millionths(name, value),
        };
        let bias = self.logit_bias.iter().flatten();
        let bias = bias.map(|(token, value)| Ok((*token, millionths("logit_bias", *value)?)));
        Ok(Sampling {
            logit_bias: bias.collect::<Result<_, ApiError>>()?,
            repetition_penalty: number(
                "repetition_penalty",
                self.repetition_penalty,
                standard.repetition_penalty,
            )?,
            frequency_penalty: number(
                "frequency_penalty",
                self.frequency_penalty,
                standard.frequency_penalty,
            )?,
            presence_penalty: number(
                "presence_penalty",
                self.presence_penalty,
                standard.presence_penalty,
            )?,
            temperature: number("temperature", self.temperature, standard.temperature)?,
            top_k: top_k(self.top_k)?,
            top_p: number("top_p", self.top_p, standard.top_p)?,
            min_p: number("min_p", self.min_p, standard.min_p)?,
        })
    }
}

fn millionths(name: &'static str, value: f64) -> Result<Millionths, ApiError> {
    Millionths::from_f64(value)
        .ok_or_else(|| ApiError::parameter(name, format!("{name}: not a number in range")))
}

/// −1 and 0 both mean "off" in the wild.
fn top_k(value: Option<i64>) -> Result<u32, ApiError> {
    match value {
        None | Some(-1) => Ok(0),
        Some(value) => u32::try_from(value)
            .map_err(|_| ApiError::parameter("top_k", "top_k: must be 0 (off) or more")),
    }
}

/// `stream_options`.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
pub struct StreamParameters {
    /// Whether a last chunk reports usage.
    pub include_usage: Option<bool>,
}

/// Whether to stream, and how.
///
/// # Errors
/// Options without a stream.
pub fn stream_options(
    stream: Option<bool>,
    options: Option<StreamParameters>,
) -> Result<Option<StreamOptions>, ApiError> {
    match (stream.unwrap_or(false), options) {
        (false, Some(_)) => Err(ApiError::parameter(
            "stream_options",
            "stream_options: only allowed when `stream` is true",
        )),
        (false, None) => Ok(None),
        (true, options) => {
            let include_usage = options.and_then(|options| options.include_usage).unwrap_or(false);
            Ok(Some(StreamOptions { include_usage }))
        }
    }
}

/// The most that the caller pays, in micro-dollars per million tokens.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub struct MaxPrice {
    /// Micro-dollars per million input tokens.
    pub input: u64,
    /// Micro-dollars per million output tokens.
    pub output: u64,
}

impl From<MaxPrice> for Price {
    fn from(price: MaxPrice) -> Self {
        Self { input: price.input, output: price.output }
    }
}

/// A number of choices.
///
/// # Errors
/// More than a job can have; the job's own bound is checked later.
pub fn choices(n: Option<i64>) -> Result<u16, ApiError> {
    u16::try_from(n.unwrap_or(1)).map_err(|_| ApiError::parameter("n", "n: out of range"))
}

/// A limit of output tokens.
///
/// # Errors
/// A limit below 1, or beyond what a job can have.
pub fn max_output(name: &'static str, limit: Option<i64>, unset: u32) -> Result<u32, ApiError> {
    let Some(limit) = limit else { return Ok(unset) };
    u32::try_from(limit)
        .ok()
        .filter(|limit| *limit > 0)
        .ok_or_else(|| ApiError::parameter(name, format!("{name}: must be at least 1")))
}

/// A model's name.
///
/// # Errors
/// An empty or very long one.
pub fn model(name: String) -> Result<String, ApiError> {
    if name.is_empty() || name.len() > MODEL_NAME_BYTES_MAX {
        let reason = format!("model: must have 1 to {MODEL_NAME_BYTES_MAX} bytes");
        return Err(ApiError::parameter("model", reason));
    }
    Ok(name)
}

/// Refuses a parameter that would change the answer and is not supported.
///
/// # Errors
/// When it is set.
pub fn refuse<T>(name: &'static str, value: Option<&T>) -> Result<(), ApiError> {
    match value {
        None => Ok(()),
        Some(_) => Err(ApiError::parameter(name, format!("{name}: not supported here"))),
    }
}

/// One value or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de> Deserialize<'de> for OneOrMany<String> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings;

        impl<'de> Visitor<'de> for Strings {
            type Value = OneOrMany<String>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(OneOrMany(vec![text]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut strings = Vec::new();
                while let Some(text) = list.next_element()? {
                    strings.push(text);
                }
                Ok(OneOrMany(strings))
            }
        }

        deserializer.deserialize_any(Strings)
    }
}

/// What the output must look like, in the shape of `/v1/chat/completions`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ResponseFormat {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The schema, for `json_schema`.
    pub json_schema: Option<SchemaFormat>,
}

/// A named JSON schema.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct SchemaFormat {
    /// Its name, for people.
    pub name: Option<String>,
    /// The schema itself.
    #[schema(value_type = Object)]
    pub schema: Option<Box<RawValue>>,
}

impl ResponseFormat {
    /// The format as a constraint.
    ///
    /// # Errors
    /// An unknown format, or a schema that is missing or no JSON object.
    pub fn translate(&self) -> Result<Constraint, ApiError> {
        let schema = self.json_schema.as_ref().and_then(|format| format.schema.as_deref());
        constraint("response_format", &self.kind, schema)
    }
}

/// A format and its schema as a constraint; `parameter` names it in errors.
///
/// # Errors
/// An unknown format, or a schema that is missing or no JSON object.
pub fn constraint(
    parameter: &'static str,
    kind: &str,
    schema: Option<&RawValue>,
) -> Result<Constraint, ApiError> {
    match (kind, schema) {
        ("text", _) => Ok(Constraint::None),
        ("json_object", _) => Ok(Constraint::JsonObject),
        ("json_schema", Some(schema)) => {
            schema_text(parameter, schema.get()).map(Constraint::JsonSchema)
        }
        ("json_schema", None) => {
            Err(ApiError::parameter(parameter, format!("{parameter}: the schema is missing")))
        }
        _ => Err(ApiError::parameter(
            parameter,
            format!("{parameter}: the type must be text, json_object or json_schema"),
        )),
    }
}

/// A schema's text, once it is known to be an object that a parser can take in.
///
/// # Errors
/// What is no object, or nested deeper than a parser follows.
pub fn schema_text(parameter: &'static str, text: &str) -> Result<String, ApiError> {
    // The raw text was skimmed, not parsed: a reader with a depth limit has to accept it.
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let reason = format!("{parameter}: the schema must be a JSON object: {error}");
            Err(ApiError::parameter(parameter, reason))
        }
    }
}
