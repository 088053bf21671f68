//! Whole answers, as OpenAI writes them.

use remuda_client::JobReport;
use remuda_types::StopReason;

use crate::job::{Choice, Envelope, Gathered, fingerprint, finish_reason};
use crate::openai::chat::{AnswerMessage, Bill, ChatChoice, ChatCompletion, ChatLogprobs};
use crate::openai::completions::{Completion, CompletionChoice, CompletionLogprobs};
use crate::openai::responses::{
    IncompleteDetails, OutputItem, OutputText, Response, ResponseError,
};

/// The answer of `/v1/chat/completions`.
pub(crate) fn chat(envelope: Envelope, gathered: Gathered, logprobs: bool) -> ChatCompletion {
    let choices = gathered.choices.into_iter().enumerate();
    ChatCompletion {
        id: format!("chatcmpl-{}", envelope.name),
        object: "chat.completion".to_owned(),
        created: envelope.created,
        model: envelope.model,
        choices: choices.map(|(index, choice)| chat_choice(index, choice, logprobs)).collect(),
        usage: (&gathered.report.usage).into(),
        system_fingerprint: Some(fingerprint(&gathered.report.manifest)),
    }
}

fn chat_choice(index: usize, choice: Choice, logprobs: bool) -> ChatChoice {
    let content = Some(choice.text).filter(|text| !text.is_empty() || choice.tool_calls.is_empty());
    ChatChoice {
        index: number(index),
        message: AnswerMessage {
            role: "assistant".to_owned(),
            content,
            refusal: None,
            tool_calls: choice.tool_calls.into_iter().map(Into::into).collect(),
        },
        logprobs: logprobs.then(|| ChatLogprobs {
            content: choice.logprobs.iter().map(Into::into).collect(),
            refusal: None,
        }),
        finish_reason: finish_reason(choice.stop).to_owned(),
    }
}

/// A job has at most [`remuda_types::job::CHOICES_MAX`] choices, which fits.
fn number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// The answer of `/v1/completions`.
pub(crate) fn completion(envelope: Envelope, gathered: Gathered, logprobs: bool) -> Completion {
    let choice = |(index, choice): (usize, Choice)| CompletionChoice {
        index: number(index),
        text: choice.text,
        logprobs: logprobs.then(|| CompletionLogprobs::of(&choice.logprobs, 0).0),
        finish_reason: Some(finish_reason(choice.stop).to_owned()),
    };
    Completion {
        id: format!("cmpl-{}", envelope.name),
        object: "text_completion".to_owned(),
        created: envelope.created,
        model: envelope.model,
        choices: gathered.choices.into_iter().enumerate().map(choice).collect(),
        usage: Some((&gathered.report.usage).into()),
        system_fingerprint: Some(fingerprint(&gathered.report.manifest)),
        remuda: None,
    }
}

/// The answer of `/v1/responses`.
pub(crate) fn response(envelope: &Envelope, gathered: Gathered) -> Response {
    let choice = gathered.choices.into_iter().next().unwrap_or_default();
    let mut output = Vec::new();
    if !choice.text.is_empty() || choice.tool_calls.is_empty() {
        let logprobs = choice.logprobs.iter().map(Into::into).collect();
        output.push(message_item(&envelope.name, 0, output_text(choice.text, logprobs)));
    }
    for (index, call) in choice.tool_calls.into_iter().enumerate() {
        output.push(OutputItem::FunctionCall {
            id: call_item_name(&envelope.name, number(index)),
            call_id: call.id,
            name: call.name,
            arguments: call.arguments,
            status: "completed".to_owned(),
        });
    }
    ended_response(envelope, output, choice.stop, &gathered.report)
}

/// The name of a message as the item `index` of a response.
pub(crate) fn message_name(name: &str, index: usize) -> String {
    format!("msg_{name}_{index}")
}

/// The name of a call as an item of a response.
pub(crate) fn call_item_name(name: &str, index: u16) -> String {
    format!("fc_{name}_{index}")
}

/// A text of a response.
pub(crate) fn output_text(
    text: String,
    logprobs: Vec<crate::openai::chat::ChatTokenLogprob>,
) -> OutputText {
    OutputText { kind: "output_text".to_owned(), text, annotations: Vec::new(), logprobs }
}

/// The complete message of a response.
pub(crate) fn message_item(name: &str, index: usize, text: OutputText) -> OutputItem {
    OutputItem::Message {
        id: message_name(name, index),
        role: "assistant".to_owned(),
        status: "completed".to_owned(),
        content: vec![text],
    }
}

/// A response that runs.
pub(crate) fn running_response(envelope: &Envelope) -> Response {
    Response {
        id: format!("resp_{}", envelope.name),
        object: "response".to_owned(),
        created_at: envelope.created,
        status: "in_progress".to_owned(),
        error: None,
        incomplete_details: None,
        instructions: None,
        metadata: None,
        model: envelope.model.clone(),
        output: Vec::new(),
        parallel_tool_calls: true,
        previous_response_id: None,
        store: false,
        tool_choice: "auto".to_owned(),
        tools: Vec::new(),
        usage: None,
        remuda: None,
    }
}

/// A response that ended.
pub(crate) fn ended_response(
    envelope: &Envelope,
    output: Vec<OutputItem>,
    stop: Option<StopReason>,
    report: &JobReport,
) -> Response {
    let cut = stop == Some(StopReason::Length);
    let incomplete = IncompleteDetails { reason: "max_output_tokens".to_owned() };
    Response {
        status: if cut { "incomplete" } else { "completed" }.to_owned(),
        incomplete_details: cut.then_some(incomplete),
        output,
        usage: Some((&report.usage).into()),
        remuda: Some(Bill::from(report)),
        ..running_response(envelope)
    }
}

/// A response that broke.
pub(crate) fn failed_response(
    envelope: &Envelope,
    output: Vec<OutputItem>,
    error: ResponseError,
) -> Response {
    let status = "failed".to_owned();
    Response { status, output, error: Some(error), ..running_response(envelope) }
}
