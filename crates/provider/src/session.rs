//! One stream of `remuda/job/1`: a job from its opening to its last voucher, or a late voucher.

mod admission;
mod meter;
mod run;
mod settle;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use remuda_net::protocol::job::{ClientFrame, Open, ProviderFrame, Refusal, RefusalCode};
use remuda_net::{FrameError, FrameWriter, Handler, Stream};

use crate::shared::Shared;

/// How long a caller may take to send its first frame.
const OPEN_WAIT: Duration = Duration::from_secs(10);
/// How long a client may read nothing before it counts as gone.
const STALLED_WAIT: Duration = Duration::from_secs(10);
/// The longest message of a refusal, in bytes: the protocol's bound.
const MESSAGE_BYTES_MAX: usize = 500;

/// Serves jobs.
pub(crate) struct JobHandler {
    shared: Arc<Shared>,
}

impl JobHandler {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

#[async_trait]
impl Handler for JobHandler {
    async fn handle(&self, mut stream: Stream) {
        self.shared.peers.seen(&stream.connection);
        match stream.reader.receive_within(OPEN_WAIT).await {
            Ok(Some(ClientFrame::Open(open))) => job(&self.shared, stream, *open).await,
            Ok(Some(ClientFrame::Settle(voucher))) => {
                settle::serve(&self.shared, stream, voucher).await;
            }
            Ok(Some(_)) => self.refuse(stream, "the first frame must be Open or Settle").await,
            Err(error) if error.is_violation() || error == FrameError::Truncated => {
                self.refuse(stream, &error.to_string()).await;
            }
            Err(FrameError::Timeout { .. }) => self.refuse(stream, "no first frame came").await,
            Ok(None) | Err(_) => {}
        }
    }
}

impl JobHandler {
    async fn refuse(&self, mut stream: Stream, message: &str) {
        self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
        refuse(&mut stream.writer, refusal(RefusalCode::Protocol, message)).await;
    }
}

async fn job(shared: &Arc<Shared>, mut stream: Stream, open: Open) {
    match admission::admit(shared, &stream.connection, &open).await {
        Ok(admitted) => Box::pin(run::run(shared, stream, open, admitted)).await,
        Err(reason) => {
            tracing::debug!(job = %open.job, code = ?reason.code, "a job was refused");
            shared.counters.refused.fetch_add(1, Ordering::Relaxed);
            refuse(&mut stream.writer, reason).await;
        }
    }
}

/// A refusal with a message of bounded length.
fn refusal(code: RefusalCode, message: impl Into<String>) -> Refusal {
    let mut message = message.into();
    if message.len() > MESSAGE_BYTES_MAX {
        let cut = (0..=MESSAGE_BYTES_MAX).rev().find(|cut| message.is_char_boundary(*cut));
        message.truncate(cut.unwrap_or(0));
    }
    Refusal { code, message }
}

async fn refuse(writer: &mut FrameWriter, reason: Refusal) {
    send(writer, &ProviderFrame::Refused(reason)).await.ok();
    writer.finish();
}

/// Sends, unless the client reads nothing for too long.
async fn send(writer: &mut FrameWriter, frame: &ProviderFrame) -> Result<(), FrameError> {
    writer.queue(frame)?;
    flush(writer).await
}

/// Sends what was queued, unless the client reads nothing for too long.
async fn flush(writer: &mut FrameWriter) -> Result<(), FrameError> {
    let sent = tokio::time::timeout(STALLED_WAIT, writer.flush()).await;
    sent.unwrap_or(Err(FrameError::Timeout { after: STALLED_WAIT }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_cut_between_characters() {
        let long = "ä".repeat(MESSAGE_BYTES_MAX);
        let cut = refusal(RefusalCode::Protocol, format!("x{long}")).message;
        assert_eq!(cut.len(), MESSAGE_BYTES_MAX - 1);
        assert!(cut.starts_with("xä"));
    }
}
