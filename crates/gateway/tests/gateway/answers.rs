//! Answers, whole and streamed, against golden files and the documented types.

use remuda_gateway::openai::chat::{ChatCompletion, ChatCompletionChunk};
use remuda_gateway::openai::completions::Completion;
use remuda_gateway::openai::responses::Response;
use remuda_types::job::JobInput;
use remuda_types::{JobId, ReceiptId};

use crate::support::{Reply, World, order, receipt};

/// Replaces what a clock decides.
fn without_time(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\"created") {
        let (before, found) = rest.split_at(at);
        let (name, value) = found.split_once(':').unwrap();
        out.push_str(before);
        out.push_str(name);
        out.push_str(":0");
        rest = value.trim_start_matches(|c: char| c.is_ascii_digit());
        // `response.created` is a name, not a time.
        if rest.len() == value.len() {
            out.pop();
        }
    }
    out + rest
}

/// Compares with `tests/golden/NAME`; `REMUDA_UPDATE_SNAPSHOTS=1` writes it anew.
fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = without_time(text);
    if std::env::var_os("REMUDA_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, expected, "{name}");
}

fn chat(model: &str, more: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]{more}}}"#)
}

const TOOLS: &str = r#","tools":[{"type":"function","function":{"name":"look"}}]"#;

async fn stream(world: &World, path: &str, name: &str, body: &str) -> Reply {
    let reply = world.post(path, body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(reply.header("x-remuda-order"), Some(order().to_string().as_str()));
    let job = JobId::derive(&order()).to_string();
    assert_eq!(reply.header("x-remuda-receipt"), Some(job.as_str()));
    golden(name, &reply.body);
    reply
}

fn data(reply: &Reply) -> impl Iterator<Item = &str> {
    let lines = reply.body.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|data| *data != "[DONE]" && !data.starts_with("{\"error\""))
}

#[tokio::test]
async fn chat_streams_are_openai_s() {
    let world = World::new().await;
    let path = "/v1/chat/completions";
    let cases = [
        ("text", r#","stream":true"#),
        ("two", r#","stream":true,"n":2,"stream_options":{"include_usage":true}"#),
        ("tools", &format!(r#","stream":true{TOOLS}"#)),
        ("logprobs", r#","stream":true,"logprobs":true,"top_logprobs":2"#),
        ("breaks", r#","stream":true"#),
    ];
    for (model, more) in cases {
        let reply = stream(&world, path, &format!("chat-{model}.sse"), &chat(model, more)).await;
        for chunk in data(&reply) {
            let chunk: ChatCompletionChunk = serde_json::from_str(chunk).unwrap();
            assert_eq!(chunk.object, "chat.completion.chunk");
        }
        assert_eq!(reply.body.ends_with("data: [DONE]\n\n"), model != "breaks");
    }
}

#[tokio::test]
async fn completion_streams_are_openai_s() {
    let world = World::new().await;
    let cases = [
        ("text", r#","stream":true,"stream_options":{"include_usage":true}"#),
        ("logprobs", r#","stream":true,"logprobs":2"#),
    ];
    for (model, more) in cases {
        let body = format!(r#"{{"model":"{model}","prompt":"hi"{more}}}"#);
        let name = format!("completions-{model}.sse");
        let reply = stream(&world, "/v1/completions", &name, &body).await;
        for chunk in data(&reply) {
            let chunk: Completion = serde_json::from_str(chunk).unwrap();
            assert_eq!(chunk.object, "text_completion");
        }
    }
}

#[tokio::test]
async fn response_streams_are_openai_s() {
    let world = World::new().await;
    for model in ["text", "tools", "logprobs", "empty", "breaks"] {
        let tools = r#","tools":[{"type":"function","name":"look","parameters":{}}]"#;
        let body = format!(r#"{{"model":"{model}","input":"hi","stream":true{tools}}}"#);
        let reply = stream(&world, "/v1/responses", &format!("responses-{model}.sse"), &body).await;
        for (number, event) in data(&reply).enumerate() {
            let event: serde_json::Value = serde_json::from_str(event).unwrap();
            assert_eq!(event["sequence_number"], number);
        }
    }
}

#[tokio::test]
async fn whole_answers_are_openai_s() {
    let world = World::new().await;
    let id = receipt(JobId::derive(&order())).receipt.body.id();
    let cases = [
        ("text", "", "chat-text.json"),
        ("two", r#","n":2"#, "chat-two.json"),
        ("tools", TOOLS, "chat-tools.json"),
        ("logprobs", r#","logprobs":true,"top_logprobs":2"#, "chat-logprobs.json"),
    ];
    for (model, more, name) in cases {
        let reply = world.post("/v1/chat/completions", &chat(model, more)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let named: ReceiptId = reply.header("x-remuda-receipt").unwrap().parse().unwrap();
        assert_eq!(named, id);
        assert!(reply.header("x-request-id").unwrap().starts_with("req_"));
        serde_json::from_str::<ChatCompletion>(&reply.body).unwrap();
        golden(name, &reply.body);
    }
    let body = r#"{"model":"logprobs","prompt":[1,2],"logprobs":2}"#;
    let reply = world.post("/v1/completions", body).await;
    serde_json::from_str::<Completion>(&reply.body).unwrap();
    golden("completions-logprobs.json", &reply.body);
    for model in ["text", "tools"] {
        let reply =
            world.post("/v1/responses", &format!(r#"{{"model":"{model}","input":"hi"}}"#)).await;
        let response: Response = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(response.status, "completed");
        golden(&format!("responses-{model}.json"), &reply.body);
    }
}

#[tokio::test]
async fn embeddings_come_in_both_encodings() {
    let world = World::new().await;
    let body = |more: &str| format!(r#"{{"model":"embed","input":["a","b"]{more}}}"#);
    let floats = world.post("/v1/embeddings", &body("")).await.json();
    assert_eq!(floats["data"][0]["embedding"], serde_json::json!([0.5, -1.0]));
    assert_eq!(floats["data"][1]["index"], 1);
    assert_eq!(floats["usage"]["prompt_tokens"], 5);
    let packed = world.post("/v1/embeddings", &body(r#","encoding_format":"base64""#)).await;
    // 0.5 and −1.0 as little-endian floats.
    assert_eq!(packed.json()["data"][0]["embedding"], "AAAAPwAAgL8=");
}

#[tokio::test]
async fn a_job_means_what_the_request_said() {
    let world = World::new().await;
    let more = r#","seed":-5,"stop":["x"],"max_tokens":9,"temperature":0.25,
        "max_price":{"input":3,"output":4}"#;
    world.post("/v1/chat/completions", &chat("text", more)).await;
    let seen = world.seen.requests.lock().pop().unwrap();
    let JobInput::Generate(generate) = seen.input else { panic!("{:?}", seen.input) };
    assert_eq!(seen.seed, Some(-5));
    assert_eq!((seen.max_price.input, seen.max_price.output), (3, 4));
    assert_eq!(generate.stop, ["x"]);
    assert_eq!((generate.max_output, generate.choices), (9, 1));
    assert_eq!(generate.sampling.temperature.0, 250_000);
    assert_eq!(seen.payer.to_api_key(), crate::support::api_key());
}
