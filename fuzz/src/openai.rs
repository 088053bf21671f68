//! Requests in OpenAI's JSON: each becomes a job within its bounds, or a typed error.

use remuda_gateway::json::parse;
use remuda_gateway::openai::chat::ChatRequest;
use remuda_gateway::openai::completions::CompletionRequest;
use remuda_gateway::openai::embeddings::EmbeddingRequest;
use remuda_gateway::openai::error::ApiError;
use remuda_gateway::openai::responses::ResponseRequest;
use remuda_gateway::openai::{Defaults, Translated};
use remuda_types::Canonical;
use remuda_types::job::JobInput;

const DEFAULTS: Defaults = Defaults { max_output: 77 };

fn check(translated: Result<Translated, ApiError>) {
    match translated {
        Ok(translated) => {
            assert_eq!(translated.input.validate(), Ok(()));
            let bytes = translated.input.to_canonical();
            assert_eq!(JobInput::from_canonical(&bytes), Ok(translated.input));
        }
        Err(error) => {
            assert!(error.status().is_client_error(), "{error}: the caller is at fault");
            assert!(!error.is_retryable(), "{error}: the same request fails again");
        }
    }
}

/// `/v1/chat/completions`.
pub fn openai_chat(bytes: &[u8]) {
    check(parse::<ChatRequest>(bytes).and_then(|request| request.translate(DEFAULTS)));
}

/// `/v1/completions`.
pub fn openai_completions(bytes: &[u8]) {
    check(parse::<CompletionRequest>(bytes).and_then(|request| request.translate(DEFAULTS)));
}

/// `/v1/responses`.
pub fn openai_responses(bytes: &[u8]) {
    check(parse::<ResponseRequest>(bytes).and_then(|request| request.translate(DEFAULTS)));
}

/// `/v1/embeddings`.
pub fn openai_embeddings(bytes: &[u8]) {
    let request = parse::<EmbeddingRequest>(bytes);
    check(request.and_then(|request| request.translate().map(|(translated, _)| translated)));
}
