//! The events of `/v1/completions`.

use bytes::BytesMut;
use remuda_client::JobReport;
use remuda_types::StopReason;
use remuda_types::job::Delta;

use super::{EventWriter, failure, head, tail};
use crate::job::{Envelope, finish_reason};
use crate::json::{Sink as _, push};
use crate::openai::completions::CompletionLogprobs;
use crate::openai::error::ApiError;

/// Writes chunks of a text completion.
#[derive(Debug)]
pub(crate) struct CompletionWriter {
    head: Vec<u8>,
    prefix: Vec<u8>,
    /// Where each choice's next token begins, in characters; empty without log probabilities.
    offsets: Vec<usize>,
    include_usage: bool,
}

impl CompletionWriter {
    pub(crate) fn new(
        envelope: &Envelope,
        choices: u16,
        logprobs: bool,
        include_usage: bool,
    ) -> Self {
        let head = head("cmpl-", "text_completion", envelope);
        let mut prefix = head.clone();
        if include_usage {
            prefix.raw(b"\"usage\":null,");
        }
        prefix.raw(b"\"choices\":[{\"index\":");
        let offsets = vec![0; if logprobs { usize::from(choices) } else { 0 }];
        Self { head, prefix, offsets, include_usage }
    }
}

impl EventWriter for CompletionWriter {
    fn begin(&mut self, _: &mut BytesMut) {}

    fn output(&mut self, out: &mut BytesMut, delta: Delta) {
        let offset = self.offsets.get_mut(usize::from(delta.choice));
        let offset = offset.filter(|_| !delta.logprobs.is_empty());
        if delta.text.is_empty() && offset.is_none() {
            return;
        }
        out.raw(&self.prefix);
        push(out, &delta.choice);
        out.raw(b",\"text\":");
        push(out, &delta.text);
        out.raw(b",\"logprobs\":");
        match offset {
            None => out.raw(b"null"),
            Some(offset) => {
                let (logprobs, next) = CompletionLogprobs::of(&delta.logprobs, *offset);
                *offset = next;
                push(out, &logprobs);
            }
        }
        out.raw(b",\"finish_reason\":null}]}\n\n");
    }

    fn choice_done(&mut self, out: &mut BytesMut, choice: u16, stop: StopReason) {
        out.raw(&self.prefix);
        push(out, &choice);
        out.raw(b",\"text\":\"\",\"logprobs\":null,\"finish_reason\":");
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
