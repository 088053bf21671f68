//! `/v1/embeddings`: texts become vectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remuda_types::job::{Embed, JobInput};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer, de};
use utoipa::ToSchema;

use super::Translated;
use super::error::ApiError;
use super::parameters::{MaxPrice, OneOrMany, model, refuse};

/// A request for `/v1/embeddings`. Fields that are not here are ignored.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct EmbeddingRequest {
    /// The model by its public name.
    pub model: String,
    /// The texts: one, or a list.
    #[schema(value_type = Vec<String>)]
    pub input: OneOrMany<String>,
    /// `float` or `base64`.
    pub encoding_format: Option<String>,
    /// Not supported: the model's own dimensions are returned.
    #[schema(ignore)]
    pub dimensions: Option<de::IgnoredAny>,
    /// Extension: the most that the caller pays.
    pub max_price: Option<MaxPrice>,
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A list of numbers.
    Float,
    /// Little-endian 32-bit floats in base64.
    Base64,
}

impl EmbeddingRequest {
    /// What the request means to the network, and how its answer is written.
    ///
    /// # Errors
    /// The first parameter that is refused.
    pub fn translate(self) -> Result<(Translated, Encoding), ApiError> {
        refuse("dimensions", self.dimensions.as_ref())?;
        let encoding = match self.encoding_format.as_deref() {
            None | Some("float") => Encoding::Float,
            Some("base64") => Encoding::Base64,
            Some(_) => {
                let reason = "encoding_format: must be float or base64";
                return Err(ApiError::parameter("encoding_format", reason));
            }
        };
        if self.input.0.iter().any(String::is_empty) {
            return Err(ApiError::parameter("input", "input: a text must not be empty"));
        }
        let input = JobInput::Embed(Embed { inputs: self.input.0 });
        input.validate()?;
        let max_price = self.max_price.map(Into::into);
        let model = model(self.model)?;
        Ok((Translated { model, input, seed: None, max_price, stream: None }, encoding))
    }
}

/// The answer of `/v1/embeddings`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EmbeddingList {
    /// `list`.
    pub object: String,
    /// The vectors, in the order of the texts.
    pub data: Vec<EmbeddingObject>,
    /// The model by its public name.
    pub model: String,
    /// What was measured.
    pub usage: EmbeddingUsage,
}

/// One vector.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EmbeddingObject {
    /// `embedding`.
    pub object: String,
    /// Which text.
    pub index: usize,
    /// The vector: numbers, or base64.
    #[schema(value_type = Vec<f32>)]
    pub embedding: Vector,
}

/// A vector and how it is written.
#[derive(Clone, Debug)]
pub struct Vector(pub Vec<f32>, pub Encoding);

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            Encoding::Float => {
                let mut list = serializer.serialize_seq(Some(self.0.len()))?;
                self.0.iter().try_for_each(|number| list.serialize_element(number))?;
                list.end()
            }
            Encoding::Base64 => {
                let bytes: Vec<u8> = self.0.iter().flat_map(|x| x.to_le_bytes()).collect();
                serializer.serialize_str(&STANDARD.encode(bytes))
            }
        }
    }
}

/// What was measured, in model tokens.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct EmbeddingUsage {
    /// Tokens of input.
    pub prompt_tokens: u64,
    /// The same.
    pub total_tokens: u64,
}

impl EmbeddingList {
    /// The answer for `vectors`.
    #[must_use]
    pub fn of(model: String, vectors: Vec<Vec<f32>>, encoding: Encoding, units_in: u64) -> Self {
        let object = |(index, vector)| EmbeddingObject {
            object: "embedding".to_owned(),
            index,
            embedding: Vector(vector, encoding),
        };
        Self {
            object: "list".to_owned(),
            data: vectors.into_iter().enumerate().map(object).collect(),
            model,
            usage: EmbeddingUsage { prompt_tokens: units_in, total_tokens: units_in },
        }
    }
}
