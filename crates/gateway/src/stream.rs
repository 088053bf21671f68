//! Streamed answers: what is constant in a stream is written once, and each piece adds only
//! what is new.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod responses;

use std::time::Duration;

use bytes::BytesMut;
use remuda_client::{JobEvent, JobReport};
use remuda_types::StopReason;
use remuda_types::job::Delta;
use tokio::sync::OwnedSemaphorePermit;

use crate::job::{Envelope, api_error, broken, too_long};
use crate::json::{Sink as _, push};
use crate::metrics::Ending;
use crate::openai::chat::Bill;
use crate::openai::error::ApiError;
use crate::record::Record;
use crate::sse::Pipe;
use crate::{ReceiptRecord, Receipts, Run};

/// Writes the events of one stream.
pub(crate) trait EventWriter: Send + 'static {
    /// The first events.
    fn begin(&mut self, out: &mut BytesMut);
    /// A piece of output.
    fn output(&mut self, out: &mut BytesMut, delta: Delta);
    /// A choice ended.
    fn choice_done(&mut self, out: &mut BytesMut, choice: u16, stop: StopReason);
    /// The last events.
    fn finish(&mut self, out: &mut BytesMut, report: &JobReport);
    /// The last events of a job that broke.
    fn fail(&mut self, out: &mut BytesMut, error: &ApiError);
}

/// What a stream holds while it runs.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) pipe: Pipe,
    pub(crate) record: Record,
    pub(crate) receipts: Receipts,
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) time_max: Duration,
}

/// Writes a whole stream.
pub(crate) async fn drive<R: Run, W: EventWriter>(mut run: R, mut writer: W, mut held: Held) {
    let (order, time_max) = (run.order(), held.time_max);
    let pumped = pump(&mut run, &mut writer, &mut held);
    let ended = match tokio::time::timeout(time_max, pumped).await {
        Ok(ended) => ended,
        Err(_) => Err(too_long(time_max, order)),
    };
    match ended {
        Ok(()) => held.record.answered(200),
        Err(error) => {
            held.record.failed(Ending::Broken, error.code());
            held.pipe.write(|out| writer.fail(out, &error));
        }
    }
    drop(held.permit);
}

async fn pump<R: Run, W: EventWriter>(
    run: &mut R,
    writer: &mut W,
    held: &mut Held,
) -> Result<(), ApiError> {
    let order = run.order();
    held.pipe.write(|out| writer.begin(out));
    while let Some(event) = run.next().await {
        let event = event.map_err(|error| api_error(error, Some(order)))?;
        held.record.observe(&event);
        match event {
            JobEvent::Output(delta) => held.pipe.write(|out| writer.output(out, delta)),
            JobEvent::ChoiceDone { choice, stop } => {
                held.pipe.write(|out| writer.choice_done(out, choice, stop));
            }
            JobEvent::Finished(report) => {
                held.receipts.put(ReceiptRecord::from(&report));
                held.pipe.write(|out| writer.finish(out, &report));
                return Ok(());
            }
            JobEvent::Prepared { .. } | JobEvent::Embeddings(_) | JobEvent::FailedOver { .. } => {}
        }
        if held.pipe.is_full() {
            // Lets the connection send: it polls again when the socket took the bytes.
            tokio::task::yield_now().await;
        }
    }
    Err(broken(order))
}

/// The beginning that all pieces of a stream share, up to where they differ.
fn head(prefix: &str, object: &str, envelope: &Envelope) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.raw(b"data: {\"id\":\"");
    out.raw(prefix.as_bytes());
    out.raw(envelope.name.as_bytes());
    out.raw(b"\",\"object\":\"");
    out.raw(object.as_bytes());
    out.raw(b"\",\"created\":");
    push(&mut out, &envelope.created);
    out.raw(b",\"model\":");
    push(&mut out, &envelope.model);
    out.raw(b",\"system_fingerprint\":");
    push(&mut out, &envelope.fingerprint);
    out.raw(b",");
    out
}

/// The end of the streams that OpenAI ends with a word: usage where it was asked for, then
/// receipts and bill in a comment, which every client skips, then the word.
fn tail(out: &mut BytesMut, head: &[u8], report: &JobReport, include_usage: bool) {
    let bill = Bill::from(report);
    if include_usage {
        out.raw(head);
        out.raw(b"\"choices\":[],\"usage\":");
        push(out, &crate::openai::chat::Usage::from(&report.usage));
        out.raw(b",\"remuda\":");
        push(out, &bill);
        out.raw(b"}\n\n");
    }
    out.raw(b": remuda ");
    push(out, &bill);
    out.raw(b"\n\ndata: [DONE]\n\n");
}

/// An error in the middle of a stream.
fn failure(out: &mut BytesMut, error: &ApiError) {
    out.raw(b"data: ");
    push(out, &error.body());
    out.raw(b"\n\n");
}
