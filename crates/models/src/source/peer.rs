//! A node that serves `remuda/model/1`.

use std::time::Duration;

use remuda_net::FrameError;
use remuda_types::NodeAddress;

use super::{Job, SourceError};
use crate::protocol::{MODEL_PROTOCOL, Request, Response};

/// How long a peer may send nothing.
const STALL: Duration = Duration::from_secs(15);

/// Downloads the rest of the file.
pub(super) async fn fetch(job: &mut Job<'_>, peer: &NodeAddress) -> Result<(), SourceError> {
    let endpoint = job.context.endpoint.as_ref().ok_or(SourceError::NoPeers)?;
    let connected = endpoint.connect(peer, MODEL_PROTOCOL.alpn).await;
    let connection = connected.map_err(|error| SourceError::Broken(error.to_string()))?;
    let opened = connection.open(MODEL_PROTOCOL.frame_bytes_max).await;
    let mut stream = opened.map_err(broken)?;
    let (blake3, offset) = (job.manifest.blake3, job.part.bytes());
    stream.writer.send(&Request::From { blake3, offset }).await.map_err(broken)?;
    let expected = job.part.whole();
    loop {
        match stream.reader.receive_within::<Response>(STALL).await.map_err(broken)? {
            Some(Response::Start { bytes }) if bytes == expected => {}
            Some(Response::Start { .. }) => return Err(SourceError::WrongLength { expected }),
            Some(Response::Data(bytes)) => job.append(&bytes).await?,
            Some(Response::Refused(refusal)) => return Err(SourceError::Refused(refusal)),
            None if job.part.bytes() < expected => {
                return Err(SourceError::Broken("the peer stopped early".to_owned()));
            }
            None => return Ok(()),
        }
        if job.part.bytes() == expected {
            return Ok(());
        }
    }
}

// Used as a function value, which takes errors by value.
#[allow(clippy::needless_pass_by_value)]
fn broken(error: FrameError) -> SourceError {
    match error {
        FrameError::Timeout { after } => SourceError::Stalled(after),
        other => SourceError::Broken(other.to_string()),
    }
}
