//! `/v1/completions`: raw text or raw tokens are continued.

use std::collections::BTreeMap;

use remuda_types::job::{Constraint, Generate, JobInput, Prompt, TokenId, TokenLogprob};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::chat::{Bill, Usage, top_count};
use super::error::ApiError;
use super::parameters::{
    MaxPrice, OneOrMany, ResponseFormat, StreamParameters, choices, max_output, model, refuse,
    stream_options, with_sampling,
};
use super::{Defaults, Translated};

with_sampling! {
    /// A request for `/v1/completions`. Fields that are not here are ignored.
    #[derive(Clone, Debug, Deserialize, ToSchema)]
    pub struct CompletionRequest {
        /// The model by its public name.
        pub model: String,
        /// A string, or a list of token numbers.
        #[schema(value_type = String)]
        pub prompt: PromptParameter,
        /// How many independent answers, 1 to 16.
        pub n: Option<i64>,
        /// As `n`: the best of more than are returned is not supported.
        pub best_of: Option<i64>,
        /// The most output tokens of each answer.
        pub max_tokens: Option<i64>,
        /// Texts that end an answer: one, or a list.
        #[schema(value_type = Option<Vec<String>>)]
        pub stop: Option<OneOrMany<String>>,
        /// Equal seeds give equal draws.
        pub seed: Option<i64>,
        /// How many alternatives are reported beside each token.
        pub logprobs: Option<i64>,
        /// Not supported when true.
        pub echo: Option<bool>,
        /// Not supported.
        pub suffix: Option<String>,
        /// Extension: what the output must look like.
        pub response_format: Option<ResponseFormat>,
        /// Whether to send the answer piece by piece.
        pub stream: Option<bool>,
        /// How a stream is wanted.
        pub stream_options: Option<StreamParameters>,
        /// Extension: the most that the caller pays.
        pub max_price: Option<MaxPrice>,
    }
}

impl CompletionRequest {
    /// What the request means to the network.
    ///
    /// # Errors
    /// The first parameter that is refused.
    pub fn translate(mut self, defaults: Defaults) -> Result<Translated, ApiError> {
        refuse("echo", self.echo.filter(|echo| *echo).as_ref())?;
        refuse("suffix", self.suffix.as_ref().filter(|suffix| !suffix.is_empty()))?;
        let count = choices(self.n)?;
        if self.best_of.is_some_and(|best| best != i64::from(count)) {
            return Err(ApiError::parameter("best_of", "best_of: must equal `n`"));
        }
        let sampling = self.sampling().translate()?;
        let generate = Generate {
            prompt: self.prompt.0,
            choices: count,
            max_output: max_output("max_tokens", self.max_tokens, defaults.max_output)?,
            sampling,
            stop: self.stop.unwrap_or_default().0,
            constraint: match &self.response_format {
                None => Constraint::None,
                Some(format) => format.translate()?,
            },
            logprobs: self.logprobs.map(|top| top_count("logprobs", top)).transpose()?,
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

/// A prompt: a string, a list of one string, a list of tokens, or a list of one such list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptParameter(pub Prompt);

#[derive(Debug)]
enum Element {
    Token(TokenId),
    Text(String),
    Tokens(Vec<TokenId>),
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string, a token number or a list of token numbers")
    }

    fn visit_u64<E: de::Error>(self, token: u64) -> Result<Element, E> {
        TokenId::try_from(token)
            .map(Element::Token)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(token), &"a token number"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Element, E> {
        Ok(Element::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Element, A::Error> {
        let mut tokens = Vec::new();
        while let Some(token) = list.next_element()? {
            tokens.push(token);
        }
        Ok(Element::Tokens(tokens))
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

impl<'de> Deserialize<'de> for PromptParameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl<'de> Visitor<'de> for Whole {
            type Value = Prompt;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of token numbers")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Prompt, E> {
                Ok(Prompt::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Prompt, A::Error> {
                let first = list.next_element::<Element>()?;
                match first {
                    None => Err(de::Error::custom("the prompt is empty")),
                    Some(Element::Token(token)) => {
                        let mut tokens = vec![token];
                        while let Some(token) = list.next_element()? {
                            tokens.push(token);
                        }
                        Ok(Prompt::Tokens(tokens))
                    }
                    Some(_) if list.next_element::<de::IgnoredAny>()?.is_some() => {
                        Err(de::Error::custom("several prompts in one request are not supported"))
                    }
                    Some(Element::Text(text)) => Ok(Prompt::Text(text)),
                    Some(Element::Tokens(tokens)) => Ok(Prompt::Tokens(tokens)),
                }
            }
        }

        deserializer.deserialize_any(Whole).map(PromptParameter)
    }
}

/// The answer of `/v1/completions`, and each piece of a streamed one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Completion {
    /// The answer's name, made from the job's.
    pub id: String,
    /// `text_completion`.
    pub object: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The model by its public name.
    pub model: String,
    /// The answers.
    pub choices: Vec<CompletionChoice>,
    /// What was measured.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// The beginning of the model manifest's digest.
    pub system_fingerprint: Option<String>,
    /// In the chunk that reports usage: receipts and the bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remuda: Option<Bill>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionChoice {
    /// Which.
    pub index: u16,
    /// The text.
    pub text: String,
    /// One entry a token, when asked for.
    pub logprobs: Option<CompletionLogprobs>,
    /// `stop` or `length`.
    pub finish_reason: Option<String>,
}

/// Log probabilities in the older shape: parallel lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletionLogprobs {
    /// The tokens' texts.
    pub tokens: Vec<String>,
    /// The natural logarithms of their probabilities.
    pub token_logprobs: Vec<f64>,
    /// The likeliest tokens of each position.
    pub top_logprobs: Vec<BTreeMap<String, f64>>,
    /// Where each token begins in the answer, in characters.
    pub text_offset: Vec<usize>,
}

impl CompletionLogprobs {
    /// The tokens' log probabilities; the first one begins at character `offset`. Returns
    /// where the next one begins.
    #[must_use]
    pub fn of(tokens: &[TokenLogprob], mut offset: usize) -> (Self, usize) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut all = Self::default();
        for token in tokens {
            let piece = text(&token.chosen.bytes);
            all.text_offset.push(offset);
            offset += piece.chars().count();
            all.tokens.push(piece);
            all.token_logprobs.push(token.chosen.logprob.to_f64());
            let top = token.top.iter().map(|entry| (text(&entry.bytes), entry.logprob.to_f64()));
            all.top_logprobs.push(top.collect());
        }
        (all, offset)
    }
}
