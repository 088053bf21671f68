//! The events of `/v1/responses`: named, numbered, and with every part both piece by piece
//! and whole.

use bytes::BytesMut;
use remuda_client::JobReport;
use remuda_types::StopReason;
use remuda_types::job::{Delta, ToolCallDelta};
use serde::Serialize;

use super::EventWriter;
use crate::answer::{
    call_item_name, ended_response, failed_response, message_item, message_name, output_text,
    running_response,
};
use crate::job::Envelope;
use crate::json::{Sink as _, push};
use crate::openai::chat::ChatTokenLogprob;
use crate::openai::error::ApiError;
use crate::openai::responses::{OutputItem, Response, ResponseError};

/// Writes the events of a response.
#[derive(Debug)]
pub(crate) struct ResponseWriter {
    envelope: Envelope,
    sequence: u64,
    /// What is complete.
    done: Vec<OutputItem>,
    open: Open,
    stop: Option<StopReason>,
}

/// What is being written.
#[derive(Debug, Default)]
enum Open {
    #[default]
    Nothing,
    Message(String, Vec<ChatTokenLogprob>),
    Call(Call),
}

#[derive(Debug)]
struct Call {
    index: u16,
    call_id: String,
    name: String,
    arguments: String,
}

impl Call {
    fn item(self, envelope: &Envelope, status: &str) -> OutputItem {
        OutputItem::FunctionCall {
            id: call_item_name(&envelope.name, self.index),
            call_id: self.call_id,
            name: self.name,
            arguments: self.arguments,
            status: status.to_owned(),
        }
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    response: &'a Response,
}

#[derive(Serialize)]
struct Item<'a> {
    output_index: usize,
    item: &'a OutputItem,
}

#[derive(Serialize)]
struct Part<'a, P: Serialize> {
    item_id: &'a str,
    output_index: usize,
    content_index: usize,
    part: &'a P,
}

#[derive(Serialize)]
struct TextDelta<'a> {
    item_id: &'a str,
    output_index: usize,
    content_index: usize,
    delta: &'a str,
    logprobs: &'a [ChatTokenLogprob],
}

#[derive(Serialize)]
struct TextDone<'a> {
    item_id: &'a str,
    output_index: usize,
    content_index: usize,
    text: &'a str,
    logprobs: &'a [ChatTokenLogprob],
}

#[derive(Serialize)]
struct ArgumentsDelta<'a> {
    item_id: &'a str,
    output_index: usize,
    delta: &'a str,
}

#[derive(Serialize)]
struct ArgumentsDone<'a> {
    item_id: &'a str,
    output_index: usize,
    name: &'a str,
    arguments: &'a str,
}

impl ResponseWriter {
    pub(crate) const fn new(envelope: Envelope) -> Self {
        Self { envelope, sequence: 0, done: Vec::new(), open: Open::Nothing, stop: None }
    }

    fn emit<T: Serialize>(&mut self, out: &mut BytesMut, kind: &str, fields: &T) {
        #[derive(Serialize)]
        struct Event<'a, T> {
            #[serde(rename = "type")]
            kind: &'a str,
            sequence_number: u64,
            #[serde(flatten)]
            fields: &'a T,
        }

        out.raw(b"event: ");
        out.raw(kind.as_bytes());
        out.raw(b"\ndata: ");
        push(out, &Event { kind, sequence_number: self.sequence, fields });
        out.raw(b"\n\n");
        self.sequence += 1;
    }

    fn text(&mut self, out: &mut BytesMut, text: &str, logprobs: Vec<ChatTokenLogprob>) {
        if !matches!(self.open, Open::Message(..)) {
            self.close(out);
            self.open_message(out);
        }
        let item_id = message_name(&self.envelope.name, self.done.len());
        let (output_index, content_index) = (self.done.len(), 0);
        let delta = TextDelta {
            item_id: &item_id,
            output_index,
            content_index,
            delta: text,
            logprobs: &logprobs,
        };
        self.emit(out, "response.output_text.delta", &delta);
        if let Open::Message(whole, all) = &mut self.open {
            whole.push_str(text);
            all.extend(logprobs);
        }
    }

    fn open_message(&mut self, out: &mut BytesMut) {
        let id = message_name(&self.envelope.name, self.done.len());
        let item = OutputItem::Message {
            id: id.clone(),
            role: "assistant".to_owned(),
            status: "in_progress".to_owned(),
            content: Vec::new(),
        };
        let output_index = self.done.len();
        self.emit(out, "response.output_item.added", &Item { output_index, item: &item });
        let part = output_text(String::new(), Vec::new());
        let part = Part { item_id: &id, output_index, content_index: 0, part: &part };
        self.emit(out, "response.content_part.added", &part);
        self.open = Open::Message(String::new(), Vec::new());
    }

    fn call(&mut self, out: &mut BytesMut, part: &ToolCallDelta) {
        if !matches!(&self.open, Open::Call(call) if call.index == part.index) {
            self.close(out);
            self.open_call(out, part);
        }
        if part.arguments.is_empty() {
            return;
        }
        let item_id = call_item_name(&self.envelope.name, part.index);
        let output_index = self.done.len();
        let delta = ArgumentsDelta { item_id: &item_id, output_index, delta: &part.arguments };
        self.emit(out, "response.function_call_arguments.delta", &delta);
        if let Open::Call(call) = &mut self.open {
            call.arguments.push_str(&part.arguments);
        }
    }

    fn open_call(&mut self, out: &mut BytesMut, part: &ToolCallDelta) {
        let begun = || Call {
            index: part.index,
            call_id: part.id.clone().unwrap_or_default(),
            name: part.name.clone().unwrap_or_default(),
            arguments: String::new(),
        };
        let item = begun().item(&self.envelope, "in_progress");
        let output_index = self.done.len();
        self.emit(out, "response.output_item.added", &Item { output_index, item: &item });
        self.open = Open::Call(begun());
    }

    /// Completes what is being written.
    fn close(&mut self, out: &mut BytesMut) {
        let item = match std::mem::take(&mut self.open) {
            Open::Nothing => return,
            Open::Message(text, logprobs) => self.close_message(out, text, logprobs),
            Open::Call(call) => self.close_call(out, call),
        };
        let output_index = self.done.len();
        self.emit(out, "response.output_item.done", &Item { output_index, item: &item });
        self.done.push(item);
    }

    fn close_message(
        &mut self,
        out: &mut BytesMut,
        text: String,
        logprobs: Vec<ChatTokenLogprob>,
    ) -> OutputItem {
        let id = message_name(&self.envelope.name, self.done.len());
        let (item_id, output_index, content_index) = (id.as_str(), self.done.len(), 0);
        let done =
            TextDone { item_id, output_index, content_index, text: &text, logprobs: &logprobs };
        self.emit(out, "response.output_text.done", &done);
        let part = output_text(text, logprobs);
        let done = Part { item_id, output_index, content_index, part: &part };
        self.emit(out, "response.content_part.done", &done);
        message_item(&self.envelope.name, output_index, part)
    }

    fn close_call(&mut self, out: &mut BytesMut, call: Call) -> OutputItem {
        let item_id = call_item_name(&self.envelope.name, call.index);
        let output_index = self.done.len();
        let done = ArgumentsDone {
            item_id: &item_id,
            output_index,
            name: &call.name,
            arguments: &call.arguments,
        };
        self.emit(out, "response.function_call_arguments.done", &done);
        call.item(&self.envelope, "completed")
    }
}

impl EventWriter for ResponseWriter {
    fn begin(&mut self, out: &mut BytesMut) {
        let response = running_response(&self.envelope);
        self.emit(out, "response.created", &Whole { response: &response });
        self.emit(out, "response.in_progress", &Whole { response: &response });
    }

    fn output(&mut self, out: &mut BytesMut, delta: Delta) {
        if !delta.text.is_empty() || !delta.logprobs.is_empty() {
            let logprobs = delta.logprobs.iter().map(Into::into).collect();
            self.text(out, &delta.text, logprobs);
        }
        for part in &delta.tool_calls {
            self.call(out, part);
        }
    }

    fn choice_done(&mut self, out: &mut BytesMut, _: u16, stop: StopReason) {
        if self.done.is_empty() && matches!(self.open, Open::Nothing) {
            self.open_message(out);
        }
        self.close(out);
        self.stop = Some(stop);
    }

    fn finish(&mut self, out: &mut BytesMut, report: &JobReport) {
        self.close(out);
        let done = std::mem::take(&mut self.done);
        let response = ended_response(&self.envelope, done, self.stop, report);
        let cut = self.stop == Some(StopReason::Length);
        let kind = if cut { "response.incomplete" } else { "response.completed" };
        self.emit(out, kind, &Whole { response: &response });
    }

    fn fail(&mut self, out: &mut BytesMut, error: &ApiError) {
        let (code, message) = (error.code().to_owned(), error.to_string());
        let done = std::mem::take(&mut self.done);
        let response = failed_response(&self.envelope, done, ResponseError { code, message });
        self.emit(out, "response.failed", &Whole { response: &response });
        // OpenAI's clients raise what an event of this name says.
        self.emit(out, "error", &error.body());
    }
}
