//! Server-sent events: one future writes a whole stream into a buffer that the connection
//! empties. There is no task and no channel a stream: what is ready together is sent
//! together, a slow reader slows the job down, and a reader that goes away drops it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use crate::config::STREAM_BUFFER_BYTES;

/// What is sent when there was nothing to say: a comment, which clients skip.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// Room for the first pieces of a stream.
const BUFFER_BYTES: usize = 2 << 10;

/// The buffer between the future that writes a stream and the connection that sends it.
#[derive(Clone, Debug)]
pub(crate) struct Pipe(Arc<Mutex<BytesMut>>);

impl Pipe {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(BytesMut::with_capacity(BUFFER_BYTES))))
    }

    /// Lets `write` append.
    pub(crate) fn write(&self, write: impl FnOnce(&mut BytesMut)) {
        write(&mut self.0.lock());
    }

    /// Whether so much waits that it should be sent before more is written.
    pub(crate) fn is_full(&self) -> bool {
        self.0.lock().len() >= STREAM_BUFFER_BYTES
    }

    fn take(&self) -> Option<Bytes> {
        let mut buffer = self.0.lock();
        // The connection returns the memory when it has sent it; `reserve` finds it again.
        (!buffer.is_empty()).then(|| buffer.split().freeze())
    }
}

/// The body of a streamed answer.
pub(crate) struct EventStream {
    writer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pipe: Pipe,
    tick: Pin<Box<Sleep>>,
    interval: Duration,
    silent: bool,
}

impl EventStream {
    /// A stream of what `writer` puts into `pipe`; after each `interval` of silence a comment.
    pub(crate) fn new(
        pipe: Pipe,
        interval: Duration,
        writer: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let tick = Box::pin(tokio::time::sleep(interval));
        Self { writer: Some(Box::pin(writer)), pipe, tick, interval, silent: true }
    }

    /// The next bytes; `None` at the end.
    pub(crate) fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(writer) = &mut self.writer
            && writer.as_mut().poll(context).is_ready()
        {
            self.writer = None;
        }
        if let Some(bytes) = self.pipe.take() {
            self.silent = false;
            return Poll::Ready(Some(bytes));
        }
        if self.writer.is_none() {
            return Poll::Ready(None);
        }
        while self.tick.as_mut().poll(context).is_ready() {
            self.tick.as_mut().reset(Instant::now() + self.interval);
            if std::mem::replace(&mut self.silent, true) {
                return Poll::Ready(Some(Bytes::from_static(KEEP_ALIVE)));
            }
        }
        Poll::Pending
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("ended", &self.writer.is_none()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(stream: &mut EventStream) -> Option<Bytes> {
        std::future::poll_fn(|context| stream.poll_bytes(context)).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_together_is_sent_together() {
        let pipe = Pipe::new();
        let inner = pipe.clone();
        let mut stream = EventStream::new(pipe, Duration::from_secs(10), async move {
            inner.write(|out| out.extend_from_slice(b"a"));
            inner.write(|out| out.extend_from_slice(b"b"));
            tokio::time::sleep(Duration::from_secs(25)).await;
            inner.write(|out| out.extend_from_slice(b"c"));
        });
        assert_eq!(next(&mut stream).await.as_deref(), Some(&b"ab"[..]));
        // The first tick finds that something was sent; the second one does not.
        assert_eq!(next(&mut stream).await.as_deref(), Some(KEEP_ALIVE));
        assert_eq!(next(&mut stream).await.as_deref(), Some(&b"c"[..]));
        assert_eq!(next(&mut stream).await, None);
    }
}
