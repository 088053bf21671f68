//! The pure translation: whatever is sent becomes a job within its bounds, or a typed error.

use proptest::prelude::*;
use remuda_gateway::json::parse;
use remuda_gateway::openai::chat::ChatRequest;
use remuda_gateway::openai::completions::CompletionRequest;
use remuda_gateway::openai::embeddings::EmbeddingRequest;
use remuda_gateway::openai::error::ApiError;
use remuda_gateway::openai::responses::ResponseRequest;
use remuda_gateway::openai::{Defaults, Translated};
use remuda_types::Canonical;
use remuda_types::job::{Chat, Constraint, Generate, JobInput, Prompt, Role, ToolChoice};
use serde_json::{Map, Value, json};

const DEFAULTS: Defaults = Defaults { max_output: 77 };

fn translate(endpoint: &str, body: &[u8]) -> Result<Translated, ApiError> {
    match endpoint {
        "chat" => parse::<ChatRequest>(body)?.translate(DEFAULTS),
        "completions" => parse::<CompletionRequest>(body)?.translate(DEFAULTS),
        "responses" => parse::<ResponseRequest>(body)?.translate(DEFAULTS),
        _ => Ok(parse::<EmbeddingRequest>(body)?.translate()?.0),
    }
}

fn generate(endpoint: &str, body: &Value) -> Generate {
    match translate(endpoint, body.to_string().as_bytes()).unwrap().input {
        JobInput::Generate(generate) => generate,
        JobInput::Embed(embed) => panic!("{embed:?}"),
    }
}

fn chat(generate: Generate) -> Chat {
    match generate.prompt {
        Prompt::Chat(chat) => chat,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_chat_request_is_understood() {
    let body = json!({
        "model": "m", "unknown": {"is": ["ignored"]}, "user": "me", "n": 2,
        "messages": [
            {"role": "developer", "content": "be brief"},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "1"}],
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {
            "type": "json_schema", "json_schema": {"name": "s", "schema": {"a": 1}}},
        "logit_bias": {"5": -100}, "logprobs": true, "top_logprobs": 3,
        "max_completion_tokens": 4, "max_tokens": 9, "top_k": -1,
    });
    let generate = generate("chat", &body);
    assert_eq!((generate.choices, generate.max_output, generate.logprobs), (2, 4, Some(3)));
    assert_eq!(generate.constraint, Constraint::JsonSchema(r#"{"a":1}"#.into()));
    assert_eq!(generate.sampling.logit_bias[&5].0, -100_000_000);
    let chat = chat(generate);
    assert_eq!(chat.tool_choice, ToolChoice::Named("f".into()));
    assert_eq!(chat.tools[0].parameters, r#"{"type":"object"}"#);
    let roles: Vec<_> = chat.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool]);
    assert_eq!(chat.messages[1].content, "a\nb");
    assert_eq!(chat.messages[2].tool_calls[0].id, "c");
}

#[test]
fn a_response_request_is_a_conversation() {
    let body = json!({
        "model": "m", "instructions": "be brief", "max_output_tokens": 3,
        "text": {"format": {"type": "json_schema", "name": "s", "schema": {}}},
        "tools": [{"type": "function", "name": "f"}],
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "reasoning", "summary": []},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "1"}],
    });
    let generate = generate("responses", &body);
    assert_eq!(generate.max_output, 3);
    assert_eq!(generate.constraint, Constraint::JsonSchema("{}".into()));
    let chat = chat(generate);
    let roles: Vec<_> = chat.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool]);
    assert_eq!(chat.messages[3].tool_call_id.as_deref(), Some("c"));
    assert_eq!(chat.tool_choice, ToolChoice::Auto);
}

#[test]
fn prompts_are_text_or_tokens() {
    let prompt =
        |prompt: Value| generate("completions", &json!({"model": "m", "prompt": prompt})).prompt;
    assert_eq!(prompt(json!("a")), Prompt::Text("a".into()));
    assert_eq!(prompt(json!(["a"])), Prompt::Text("a".into()));
    assert_eq!(prompt(json!([1, 2])), Prompt::Tokens(vec![1, 2]));
    assert_eq!(prompt(json!([[1, 2]])), Prompt::Tokens(vec![1, 2]));
}

/// Every file `ENDPOINT-….json` is a request; one with `refused` in its name is an error.
#[test]
fn the_corpus_is_understood() {
    let folder = format!("{}/tests/corpus", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let endpoint = name.split('-').next().unwrap();
        let translated = translate(endpoint, &std::fs::read(&path).unwrap());
        assert_eq!(translated.is_err(), name.contains("refused"), "{name}: {translated:?}");
        count += 1;
    }
    assert!(count >= 12, "{count}");
}

/// Any JSON, but often with the names that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z]{0,6}|\\PC{0,6}".prop_map(Value::from),
        proptest::sample::select(&["user", "tool", "text", "function", "json_schema", "auto"][..])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((any_name(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    let names = &[
        "model",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "tools",
        "function",
        "name",
        "parameters",
        "tool_choice",
        "response_format",
        "json_schema",
        "schema",
        "stop",
        "n",
        "temperature",
        "logit_bias",
        "seed",
        "stream",
        "stream_options",
        "prompt",
        "input",
        "logprobs",
        "top_logprobs",
        "max_tokens",
        "call_id",
        "arguments",
        "output",
        "format",
    ][..];
    prop_oneof![4 => proptest::sample::select(names).prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

/// A request that is fine but for some fields.
fn nearly(fields: Vec<(String, Value)>) -> Value {
    let mut object = Map::new();
    object.insert("model".into(), "m".into());
    object.insert("messages".into(), json!([{"role": "user", "content": "hi"}]));
    object.insert("prompt".into(), "hi".into());
    object.insert("input".into(), "hi".into());
    object.extend(fields);
    Value::Object(object)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_a_valid_job_or_a_typed_error(
        fields in proptest::collection::vec((any_name(), any_json()), 0..4),
        whole in any_json(),
    ) {
        for body in [nearly(fields), whole] {
            for endpoint in ["chat", "completions", "responses", "embeddings"] {
                match translate(endpoint, body.to_string().as_bytes()) {
                    Ok(translated) => {
                        prop_assert!(translated.input.validate().is_ok());
                        let bytes = translated.input.to_canonical();
                        prop_assert_eq!(JobInput::from_canonical(&bytes), Ok(translated.input));
                    }
                    Err(error) => {
                        prop_assert!(error.status().is_client_error());
                        prop_assert!(!error.is_retryable());
                    }
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_a_typed_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for endpoint in ["chat", "completions", "responses", "embeddings"] {
            let error = translate(endpoint, &bytes).unwrap_err();
            prop_assert_eq!(error.status().as_u16(), 400);
        }
    }
}
