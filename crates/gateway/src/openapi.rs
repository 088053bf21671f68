//! The OpenAPI document. `openapi.json` beside the manifest is its committed snapshot; the
//! test `openapi` compares both.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::handlers;
use crate::openai::chat::ChatCompletionChunk;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Remuda gateway",
        description = "OpenAI-compatible HTTP for buyers. Every answer is served by a provider \
            of the network, paid by vouchers and receipted.",
    ),
    paths(
        handlers::chat,
        handlers::completions,
        handlers::responses,
        handlers::embeddings,
        handlers::models,
        handlers::model,
        handlers::receipt,
        handlers::explain,
        handlers::healthz,
        handlers::readyz,
        handlers::metrics,
        handlers::openapi,
    ),
    components(schemas(
        ChatCompletionChunk,
        handlers::ReceiptDocument,
        handlers::ExplainDocument,
        handlers::Readiness,
    )),
    modifiers(&ApiKey)
)]
struct Document;

struct ApiKey;

impl Modify for ApiKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", scheme);
    }
}

/// The OpenAPI document of the gateway, as JSON.
#[must_use]
pub fn document() -> String {
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
