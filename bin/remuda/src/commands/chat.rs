//! `remuda chat`: ask a model, watch the answer come.

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::ChatArgs;
use crate::exit::{Exit, coded};
use crate::gateway_api::GatewayApi;
use crate::output::{Output, piece};

/// What `--json` prints.
#[derive(Default, Serialize)]
struct Answer {
    content: String,
    finish_reason: Option<String>,
    usage: Value,
    receipt: Option<String>,
    order: Option<String>,
}

/// Asks, and prints the answer as it comes.
pub(crate) async fn run(
    gateway: &GatewayApi,
    model: &str,
    args: &ChatArgs,
    output: Output,
) -> Result<()> {
    let stream = gateway.stream("chat/completions", &request(model, args)).await?;
    let mut answer = Answer {
        receipt: stream.header("x-remuda-receipt"),
        order: stream.header("x-remuda-order"),
        ..Answer::default()
    };
    stream
        .for_each(|event| {
            let text = take_event(&mut answer, &event)?;
            if output == Output::Text {
                piece(&text);
            }
            Ok(())
        })
        .await?;
    output.result(&answer, String::new);
    if let Some(id) = &answer.receipt {
        output.note(&format!("receipt {id}"));
    }
    Ok(())
}

fn request(model: &str, args: &ChatArgs) -> Value {
    let mut messages = Vec::new();
    if let Some(system) = &args.system {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.push(json!({ "role": "user", "content": args.prompt }));
    let mut body = json!({
        "model": model,
        "messages": messages,
        "max_completion_tokens": args.max_tokens,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    if let Some(seed) = args.seed {
        body["seed"] = seed.into();
    }
    if let Some(temperature) = args.temperature {
        body["temperature"] = temperature.into();
    }
    body
}

/// Takes an event into the answer and returns its text.
fn take_event(answer: &mut Answer, event: &Value) -> Result<String> {
    if let Some(message) = event["error"]["message"].as_str() {
        return Err(coded(Exit::Unavailable, message));
    }
    if !event["usage"].is_null() {
        answer.usage = event["usage"].clone();
    }
    let choice = &event["choices"][0];
    if let Some(reason) = choice["finish_reason"].as_str() {
        answer.finish_reason = Some(reason.to_owned());
    }
    let text = choice["delta"]["content"].as_str().unwrap_or_default().to_owned();
    answer.content.push_str(&text);
    Ok(text)
}
