//! The events of `/v1/chat/completions`.

use bytes::BytesMut;
use remuda_client::JobReport;
use remuda_types::StopReason;
use remuda_types::job::{Delta, ToolCallDelta};

use super::{EventWriter, failure, head, tail};
use crate::job::{Envelope, finish_reason};
use crate::json::{Sink as _, push};
use crate::openai::chat::{ChatLogprobs, FunctionChunk, ToolCallChunk};
use crate::openai::error::ApiError;

/// Writes chunks of a chat completion.
#[derive(Debug)]
pub(crate) struct ChatWriter {
    head: Vec<u8>,
    prefix: Vec<u8>,
    choices: u16,
    logprobs: bool,
    include_usage: bool,
}

impl ChatWriter {
    pub(crate) fn new(
        envelope: &Envelope,
        choices: u16,
        logprobs: bool,
        include_usage: bool,
    ) -> Self {
        let head = head("chatcmpl-", "chat.completion.chunk", envelope);
        let mut prefix = head.clone();
        if include_usage {
            prefix.raw(b"\"usage\":null,");
        }
        prefix.raw(b"\"choices\":[{\"index\":");
        Self { head, prefix, choices, logprobs, include_usage }
    }

    fn begin_chunk(&self, out: &mut BytesMut, choice: u16) {
        out.raw(&self.prefix);
        push(out, &choice);
        out.raw(b",\"delta\":{");
    }
}

fn tool_call(part: ToolCallDelta) -> ToolCallChunk {
    ToolCallChunk {
        index: part.index,
        kind: part.id.is_some().then(crate::openai::tools::function_kind),
        id: part.id,
        function: FunctionChunk { name: part.name, arguments: part.arguments },
    }
}

impl EventWriter for ChatWriter {
    fn begin(&mut self, out: &mut BytesMut) {
        for choice in 0..self.choices {
            self.begin_chunk(out, choice);
            out.raw(b"\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},");
            out.raw(b"\"logprobs\":null,\"finish_reason\":null}]}\n\n");
        }
    }

    fn output(&mut self, out: &mut BytesMut, delta: Delta) {
        let with_logprobs = self.logprobs && !delta.logprobs.is_empty();
        // Tokens whose text is not certain yet say nothing.
        if delta.text.is_empty() && delta.tool_calls.is_empty() && !with_logprobs {
            return;
        }
        self.begin_chunk(out, delta.choice);
        let calls = !delta.tool_calls.is_empty();
        if !delta.text.is_empty() || !calls {
            out.raw(b"\"content\":");
            push(out, &delta.text);
            out.raw(if calls { b"," } else { b"" });
        }
        if calls {
            out.raw(b"\"tool_calls\":");
            let parts: Vec<_> = delta.tool_calls.into_iter().map(tool_call).collect();
            push(out, &parts);
        }
        out.raw(b"},\"logprobs\":");
        if with_logprobs {
            let content = delta.logprobs.iter().map(Into::into).collect();
            push(out, &ChatLogprobs { content, refusal: None });
        } else {
            out.raw(b"null");
        }
        out.raw(b",\"finish_reason\":null}]}\n\n");
    }

    fn choice_done(&mut self, out: &mut BytesMut, choice: u16, stop: StopReason) {
        self.begin_chunk(out, choice);
        out.raw(b"},\"logprobs\":null,\"finish_reason\":");
        push(out, finish_reason(Some(stop)));
        out.raw(b"}]}\n\n");
    }

    fn finish(&mut self, out: &mut BytesMut, report: &JobReport) {
        tail(out, &self.head, report, self.include_usage);
    }

    fn fail(&mut self, out: &mut BytesMut, error: &ApiError) {
        failure(out, error);
    }
}
