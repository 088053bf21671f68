//! A bidirectional stream of frames, and the exchange of one question for one answer.

use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::{Buf, Bytes, BytesMut};
use iroh::endpoint::{ReadError, RecvStream, SendStream, VarInt, WriteError};
use thiserror::Error;
use tokio::time::timeout;

use crate::frame::{self, FrameError};
use crate::{Connection, OPEN_TIMEOUT};

/// How long a send may wait for the other side to take bytes.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// The most pieces of a stream that one read takes.
const READ_PIECES: usize = 32;

/// A receive buffer larger than this is given back when it runs empty, in bytes.
const BUFFER_KEPT_BYTES: usize = 64 << 10;

/// The stream code for "you broke the protocol".
const CODE_VIOLATION: u32 = 1;
/// The stream code for "I dropped this stream in the middle of a frame".
const CODE_ABANDONED: u32 = 2;

/// One bidirectional stream. Dropping it ends both directions: what was sent still arrives,
/// what the other side sends is refused.
#[derive(Debug)]
pub struct Stream {
    /// The connection that carries it.
    pub connection: Connection,
    /// The sending half.
    pub writer: FrameWriter,
    /// The receiving half.
    pub reader: FrameReader,
}

impl Stream {
    pub(crate) fn new(
        connection: Connection,
        halves: (SendStream, RecvStream),
        frame_bytes_max: usize,
    ) -> Self {
        let writer = FrameWriter::new(halves.0, frame_bytes_max);
        let reader = FrameReader::new(halves.1, frame_bytes_max);
        Self { connection, writer, reader }
    }
}

/// Sends frames.
#[derive(Debug)]
pub struct FrameWriter {
    stream: SendStream,
    frame_bytes_max: usize,
    /// Frames that were queued.
    buffer: Vec<u8>,
    /// A send was dropped in the middle: what follows could not be understood.
    broken: bool,
}

impl FrameWriter {
    fn new(stream: SendStream, frame_bytes_max: usize) -> Self {
        Self { stream, frame_bytes_max, buffer: Vec::new(), broken: false }
    }

    /// Sends one message, and what was queued before it, with one write. Waits while the other
    /// side does not read.
    ///
    /// Not cancel-safe: a dropped send may leave half a frame, so the stream is then reset.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] before anything is sent, [`FrameError::Timeout`] after
    /// [`SEND_TIMEOUT`], [`FrameError::StreamClosed`] or [`FrameError::ConnectionClosed`].
    pub async fn send<T: BorshSerialize + ?Sized>(
        &mut self,
        message: &T,
    ) -> Result<(), FrameError> {
        self.queue(message)?;
        self.flush().await
    }

    /// Keeps one message for the next [`FrameWriter::send`] or [`FrameWriter::flush`]: frames
    /// that are ready together travel together. The caller bounds how many.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] or [`FrameError::StreamClosed`].
    pub fn queue<T: BorshSerialize + ?Sized>(&mut self, message: &T) -> Result<(), FrameError> {
        if self.broken {
            return Err(FrameError::StreamClosed);
        }
        frame::append(message, self.frame_bytes_max, &mut self.buffer)
    }

    /// Sends what was queued. Not cancel-safe, as [`FrameWriter::send`].
    ///
    /// # Errors
    /// As [`FrameWriter::send`].
    pub async fn flush(&mut self) -> Result<(), FrameError> {
        if self.broken {
            return Err(FrameError::StreamClosed);
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.broken = true;
        match timeout(SEND_TIMEOUT, self.stream.write_all(&self.buffer)).await {
            Ok(sent) => sent.map_err(|error| write_error(&error))?,
            Err(_) => return Err(FrameError::Timeout { after: SEND_TIMEOUT }),
        }
        self.buffer.clear();
        self.broken = false;
        Ok(())
    }

    /// Says that nothing more will be sent; what was sent still arrives, what is only queued
    /// does not.
    pub fn finish(&mut self) {
        // It fails only when the stream is closed already.
        let _ = self.stream.finish();
    }

    /// Waits until the other side has taken everything, or given up the stream. Call after
    /// [`FrameWriter::finish`] when the connection may be closed next.
    pub async fn delivered(&mut self) {
        let _ = timeout(SEND_TIMEOUT, self.stream.stopped()).await;
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        if self.broken {
            let _ = self.stream.reset(VarInt::from_u32(CODE_ABANDONED));
        }
    }
}

/// Receives frames.
#[derive(Debug)]
pub struct FrameReader {
    stream: RecvStream,
    frame_bytes_max: usize,
    buffer: BytesMut,
    /// The first error, which every later receive repeats.
    failed: Option<FrameError>,
}

impl FrameReader {
    fn new(stream: RecvStream, frame_bytes_max: usize) -> Self {
        Self { stream, frame_bytes_max, buffer: BytesMut::new(), failed: None }
    }

    /// The next message; `None` when the other side has cleanly finished.
    ///
    /// Cancel-safe: a dropped receive loses nothing. Waits as long as the connection lives; use
    /// [`FrameReader::receive_within`] where the other side owes an answer.
    ///
    /// # Errors
    /// Any [`FrameError`]. The stream is refused from then on, and each later call repeats it.
    pub async fn receive<T: BorshDeserialize>(&mut self) -> Result<Option<T>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.next().await {
            Ok(message) => Ok(message),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// The next message, if it comes within `wait`.
    ///
    /// # Errors
    /// [`FrameError::Timeout`], after which receiving may go on; else as
    /// [`FrameReader::receive`].
    pub async fn receive_within<T: BorshDeserialize>(
        &mut self,
        wait: Duration,
    ) -> Result<Option<T>, FrameError> {
        match timeout(wait, self.receive()).await {
            Ok(received) => received,
            Err(_) => Err(FrameError::Timeout { after: wait }),
        }
    }

    async fn next<T: BorshDeserialize>(&mut self) -> Result<Option<T>, FrameError> {
        loop {
            let wanted = frame::measure(&self.buffer, self.frame_bytes_max)?;
            if wanted.is_some_and(|total| self.buffer.len() >= total) {
                return self.take().map(Some);
            }
            if !self.fill().await? {
                let clean = self.buffer.is_empty();
                return if clean { Ok(None) } else { Err(FrameError::Truncated) };
            }
        }
    }

    /// Decodes the complete frame at the front of the buffer.
    fn take<T: BorshDeserialize>(&mut self) -> Result<T, FrameError> {
        let (message, total) = frame::decode(&self.buffer, self.frame_bytes_max)?;
        self.buffer.advance(total);
        if self.buffer.is_empty() && self.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.buffer = BytesMut::new();
        }
        Ok(message)
    }

    /// Takes what has arrived; false at the end of the stream.
    async fn fill(&mut self) -> Result<bool, FrameError> {
        const EMPTY: Bytes = Bytes::new();
        let mut pieces = [EMPTY; READ_PIECES];
        let read = self.stream.read_many_chunks(&mut pieces).await;
        let Some(count) = read.map_err(|error| read_error(&error))? else { return Ok(false) };
        for piece in &pieces[..count] {
            self.buffer.extend_from_slice(piece);
        }
        Ok(true)
    }

    fn fail(&mut self, error: FrameError) -> FrameError {
        if error.is_violation() {
            let _ = self.stream.stop(VarInt::from_u32(CODE_VIOLATION));
            self.buffer = BytesMut::new();
        }
        self.failed = Some(error.clone());
        error
    }
}

fn read_error(error: &ReadError) -> FrameError {
    match error {
        ReadError::ConnectionLost(lost) => {
            FrameError::ConnectionClosed { reason: lost.to_string() }
        }
        _ => FrameError::StreamClosed,
    }
}

fn write_error(error: &WriteError) -> FrameError {
    match error {
        WriteError::ConnectionLost(lost) => {
            FrameError::ConnectionClosed { reason: lost.to_string() }
        }
        _ => FrameError::StreamClosed,
    }
}

/// Why a question got no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The stream failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The other side ended the stream without an answer.
    #[error("the other side ended the stream without an answer")]
    NoAnswer,
    /// The answer did not come in time.
    #[error("no answer came within {after:?}; ask again, or elsewhere")]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
}

impl RequestError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Frame(error) => error.code(),
            Self::NoAnswer => "no_answer",
            Self::Timeout { .. } => "request_timeout",
        }
    }

    /// Whether asking again may help. The question may have been acted upon all the same.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Frame(error) => error.is_retryable(),
            Self::NoAnswer | Self::Timeout { .. } => true,
        }
    }
}

/// Asks one question on a stream of its own, and waits at most `wait` for the answer.
///
/// # Errors
/// [`RequestError`]; whether the other side acted on the question is then unknown.
pub async fn request<Q, A>(
    connection: &Connection,
    frame_bytes_max: usize,
    question: &Q,
    wait: Duration,
) -> Result<A, RequestError>
where
    Q: BorshSerialize + ?Sized,
    A: BorshDeserialize,
{
    let exchange = async {
        let mut stream = connection.open_within(frame_bytes_max, wait.min(OPEN_TIMEOUT)).await?;
        stream.writer.send(question).await?;
        stream.writer.finish();
        stream.reader.receive().await?.ok_or(RequestError::NoAnswer)
    };
    timeout(wait, exchange).await.unwrap_or(Err(RequestError::Timeout { after: wait }))
}
