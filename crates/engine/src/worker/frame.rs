//! What parent and worker say to each other: a preamble, then frames.
//!
//! A frame is a `u32` little-endian length and strict borsh. The preamble lets the parent
//! skip what some library printed before the worker had claimed its standard output.

use std::io::{self, Read, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::Load;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{EngineError, EngineEvent, EngineJob, ModelSpec, ServedModel};

/// The largest frame, in bytes: a job with its prompt, or the vectors of one embedding job.
pub const FRAME_BYTES_MAX: usize = 32 << 20;
/// Events that a worker may send for one job before it is given credit for more.
pub const EVENTS_AHEAD_MAX: u32 = 64;
/// What a worker writes first; it changes with every change of the frames.
pub const PREAMBLE: &[u8; 16] = b"\nremuda-worker1\n";
/// Bytes that may come before the preamble.
pub const STRAY_BYTES_MAX: usize = 64 << 10;

/// What the parent says.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub enum ToWorker {
    /// First, once: load this model.
    Load(ModelSpec),
    /// Run a job.
    Start {
        /// The name under which both sides speak of it.
        job: u64,
        /// The work.
        work: EngineJob,
    },
    /// The reader took in events: this many more may be sent.
    Credit {
        /// Which job.
        job: u64,
        /// How many.
        events: u32,
    },
    /// Nobody reads this job any more.
    Cancel {
        /// Which job.
        job: u64,
    },
}

/// What the worker says.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub enum FromWorker {
    /// The model is loaded.
    Loaded(Vec<ServedModel>),
    /// The model cannot be loaded; the worker ends.
    LoadFailed(String),
    /// The job has started.
    Accepted {
        /// Which job.
        job: u64,
    },
    /// The job reports.
    Event {
        /// Which job.
        job: u64,
        /// What.
        event: EngineEvent,
    },
    /// The job ended, or could not start, with an error.
    Failed {
        /// Which job.
        job: u64,
        /// Why.
        error: EngineError,
    },
    /// The job ended well.
    Ended {
        /// Which job.
        job: u64,
    },
    /// The worker lives. Sent several times a second.
    Pulse(Pulse),
}

/// How a worker fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Pulse {
    /// How busy it is.
    pub load: Load,
    /// Steps of computation since it started.
    pub steps: u64,
    /// Whether a step is running.
    pub stepping: bool,
    /// Resident memory of the process in bytes; 0 where the system does not tell.
    pub memory_bytes: u64,
}

/// Why a frame cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The pipe broke.
    #[error("the pipe between node and worker broke: {0}")]
    Io(#[from] io::Error),
    /// The other side wrote something else than the preamble.
    #[error("no worker answered: is the program `remuda engine-worker` of this version?")]
    Preamble,
    /// The frame is longer than allowed.
    #[error("a frame of {bytes} bytes exceeds the limit of {FRAME_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The frame's body is not what its type prescribes.
    #[error("a malformed frame: {0}")]
    Malformed(String),
}

/// The bytes of a frame.
///
/// # Errors
/// A message that is too long or holds a NaN.
pub fn encode<T: BorshSerialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; 4];
    message.serialize(&mut bytes).map_err(|error| FrameError::Malformed(error.to_string()))?;
    let length = bytes.len() - 4;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: length });
    }
    // The limit is far below 4 GiB.
    let length = u32::try_from(length).map_err(|_| FrameError::TooLong { bytes: length })?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Reads a frame's body.
///
/// # Errors
/// Bytes that are not exactly one message.
pub fn decode<T: BorshDeserialize>(body: &[u8]) -> Result<T, FrameError> {
    borsh::from_slice(body).map_err(|error| FrameError::Malformed(error.to_string()))
}

fn body_length(header: [u8; 4]) -> Result<usize, FrameError> {
    let bytes = u32::from_le_bytes(header) as usize;
    if bytes > FRAME_BYTES_MAX { Err(FrameError::TooLong { bytes }) } else { Ok(bytes) }
}

/// Reads one frame, blocking; `None` at the end of the pipe.
pub(super) fn read<T: BorshDeserialize>(pipe: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut header = [0; 4];
    match pipe.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut body = vec![0; body_length(header)?];
    pipe.read_exact(&mut body)?;
    decode(&body).map(Some)
}

/// Writes one frame, blocking, and flushes it.
pub(super) fn write<T: BorshSerialize>(
    pipe: &mut impl Write,
    message: &T,
) -> Result<(), FrameError> {
    pipe.write_all(&encode(message)?)?;
    Ok(pipe.flush()?)
}

/// Reads one frame; the end of the pipe is an error, since a worker never ends it by itself.
pub(super) async fn receive<T: BorshDeserialize>(
    pipe: &mut (impl AsyncRead + Unpin),
) -> Result<T, FrameError> {
    let mut header = [0; 4];
    pipe.read_exact(&mut header).await?;
    let mut body = vec![0; body_length(header)?];
    pipe.read_exact(&mut body).await?;
    decode(&body)
}

/// Skips to the end of the preamble.
pub(super) async fn skip_to_preamble(
    pipe: &mut (impl AsyncRead + Unpin),
) -> Result<(), FrameError> {
    let mut seen = Vec::with_capacity(PREAMBLE.len());
    while seen.len() < STRAY_BYTES_MAX {
        let byte = pipe.read_u8().await.map_err(|_| FrameError::Preamble)?;
        seen.push(byte);
        if seen.ends_with(PREAMBLE) {
            return Ok(());
        }
    }
    Err(FrameError::Preamble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives_the_pipe() {
        let bytes = encode(&ToWorker::Credit { job: 7, events: 3 }).unwrap();
        let read: ToWorker = read(&mut bytes.as_slice()).unwrap().unwrap();
        assert!(matches!(read, ToWorker::Credit { job: 7, events: 3 }));
    }

    #[test]
    fn golden_bytes() {
        let bytes = encode(&ToWorker::Cancel { job: 0x0102 }).unwrap();
        assert_eq!(bytes, [9, 0, 0, 0, 3, 2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn absurd_lengths_and_bodies_are_typed_errors() {
        let long = read::<FromWorker>(&mut [0xff; 8].as_slice());
        assert!(matches!(long, Err(FrameError::TooLong { .. })));
        let unknown = read::<FromWorker>(&mut [1, 0, 0, 0, 99].as_slice());
        assert!(matches!(unknown, Err(FrameError::Malformed(_))));
        let trailing = read::<FromWorker>(&mut [2, 0, 0, 0, 5, 5].as_slice());
        assert!(matches!(trailing, Err(FrameError::Malformed(_))));
        let truncated = read::<FromWorker>(&mut [9, 0, 0, 0, 3].as_slice());
        assert!(matches!(truncated, Err(FrameError::Io(_))));
        assert!(matches!(read::<FromWorker>(&mut [].as_slice()), Ok(None)));
    }

    #[test]
    fn a_vector_with_nan_does_not_travel() {
        let event = EngineEvent::Embeddings(vec![vec![f32::NAN]]);
        let sent = encode(&FromWorker::Event { job: 1, event });
        assert!(matches!(sent, Err(FrameError::Malformed(_))));
    }

    #[tokio::test]
    async fn stray_output_before_the_preamble_is_skipped() {
        let mut bytes = b"running 1 test\n".to_vec();
        bytes.extend_from_slice(PREAMBLE);
        bytes.push(42);
        let mut pipe = bytes.as_slice();
        skip_to_preamble(&mut pipe).await.unwrap();
        assert_eq!(pipe, [42]);
    }

    #[tokio::test]
    async fn endless_noise_is_not_a_worker() {
        let noise = vec![b'x'; STRAY_BYTES_MAX + 1];
        let found = skip_to_preamble(&mut noise.as_slice()).await;
        assert!(matches!(found, Err(FrameError::Preamble)));
    }
}
