//! `/v1/models`: what is offered now.

use remuda_client::ModelSummary;
use remuda_types::job::JobKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameters::MaxPrice;

/// The answer of `/v1/models`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelList {
    /// `list`.
    pub object: String,
    /// The models that providers offer now.
    pub data: Vec<ModelObject>,
}

/// A model that providers offer now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelObject {
    /// The public name, for `model` in requests.
    pub id: String,
    /// `model`.
    pub object: String,
    /// Always 0: a model is named by its manifest, not by a date.
    pub created: u64,
    /// `remuda`: the network.
    pub owned_by: String,
    /// What the network says about it.
    pub remuda: ModelDetails,
}

/// What the network says about a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelDetails {
    /// The digest of its manifest: exactly which weights, tokenizer and template.
    pub manifest: String,
    /// `generate`, `embed`.
    pub kinds: Vec<String>,
    /// The largest context that anybody serves, in model tokens.
    pub context: u32,
    /// The cheapest asking price.
    pub price: ModelPrice,
    /// How many providers serve it now.
    pub providers: u32,
}

/// A price, in micro-dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelPrice {
    /// Micro-dollars per million input tokens.
    pub input: u64,
    /// Micro-dollars per million output tokens.
    pub output: u64,
}

impl From<ModelPrice> for MaxPrice {
    fn from(price: ModelPrice) -> Self {
        Self { input: price.input, output: price.output }
    }
}

impl From<&ModelSummary> for ModelObject {
    fn from(model: &ModelSummary) -> Self {
        let kind = |kind: &JobKind| match kind {
            JobKind::Generate => "generate".to_owned(),
            JobKind::Embed => "embed".to_owned(),
        };
        Self {
            id: model.name.clone(),
            object: "model".to_owned(),
            created: 0,
            owned_by: "remuda".to_owned(),
            remuda: ModelDetails {
                manifest: model.manifest.to_string(),
                kinds: model.kinds.iter().map(kind).collect(),
                context: model.context,
                price: ModelPrice { input: model.price.input, output: model.price.output },
                providers: model.providers,
            },
        }
    }
}

impl ModelList {
    /// The list of `models`.
    #[must_use]
    pub fn of(models: &[ModelSummary]) -> Self {
        Self { object: "list".to_owned(), data: models.iter().map(Into::into).collect() }
    }
}
