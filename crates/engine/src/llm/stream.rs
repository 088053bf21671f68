//! Between the scheduler's thread and a job's reader: admission, gauges, a bounded channel.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::task::{Context, Poll};

use futures_util::Stream;
use remuda_types::Load;
use remuda_types::job::CHOICES_MAX;
use tokio::sync::mpsc;

use super::scheduler::{Command, Commands};
use crate::{EngineError, EngineEvent, ModelSpec};

/// The most events of one step of a job: two of each choice, and its beginning and end.
const STEP_EVENTS_MAX: usize = 2 * CHOICES_MAX as usize + 2;
/// Events that wait for a slow reader before its job pauses.
const EVENTS_WAITING_MAX: usize = 32;

/// What is counted across threads.
#[derive(Debug)]
pub(super) struct Gauges {
    pub(super) active: AtomicU32,
    pub(super) queued: AtomicU32,
    pub(super) steps: AtomicU64,
    pub(super) stepping: AtomicBool,
    admitted: Arc<AtomicU32>,
    admitted_max: u32,
    slots: u32,
}

impl Gauges {
    pub(super) fn new(spec: &ModelSpec) -> Self {
        Self {
            active: AtomicU32::new(0),
            queued: AtomicU32::new(0),
            steps: AtomicU64::new(0),
            stepping: AtomicBool::new(false),
            admitted: Arc::default(),
            admitted_max: u32::from(spec.slots) + u32::from(spec.queue),
            slots: u32::from(spec.slots),
        }
    }

    pub(super) fn load(&self) -> Load {
        Load {
            active: self.active.load(Relaxed),
            queued: self.queued.load(Relaxed),
            slots: self.slots,
        }
    }

    /// Takes a place among the running and waiting jobs, given back when dropped.
    pub(super) fn admit(&self) -> Result<Admission, EngineError> {
        let admission = Admission(Arc::clone(&self.admitted));
        if self.admitted.fetch_add(1, SeqCst) >= self.admitted_max {
            return Err(EngineError::Overloaded);
        }
        Ok(admission)
    }
}

/// A job's place.
#[derive(Debug)]
pub(super) struct Admission(Arc<AtomicU32>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// `None` marks the clean end: a channel that just closes means that the scheduler died.
type Item = Option<Result<EngineEvent, EngineError>>;

/// The scheduler's end.
#[derive(Debug)]
pub(super) struct Reporter {
    sender: mpsc::Sender<Item>,
    paused: Arc<AtomicBool>,
}

impl Reporter {
    /// Both ends. The reader wakes the scheduler through `commands`, if there are any.
    pub(super) fn new(commands: Option<Commands>) -> (Self, JobStream) {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX + STEP_EVENTS_MAX);
        let paused = Arc::new(AtomicBool::new(false));
        let stream = JobStream { receiver, paused: Arc::clone(&paused), commands, ended: false };
        (Self { sender, paused }, stream)
    }

    /// Whether a whole step's events have room. If not, the reader will wake the scheduler.
    pub(super) fn is_ready(&self) -> bool {
        if self.has_room() {
            return true;
        }
        self.paused.store(true, SeqCst);
        // The reader may have made room before it saw the flag.
        self.has_room()
    }

    fn has_room(&self) -> bool {
        self.sender.capacity() >= STEP_EVENTS_MAX
    }

    /// Whether nobody reads any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    /// There is room, by `is_ready`; a reader that is gone is noticed by `is_abandoned`.
    pub(super) fn event(&self, event: EngineEvent) {
        let _ = self.sender.try_send(Some(Ok(event)));
    }

    pub(super) fn fail(&self, error: EngineError) {
        let _ = self.sender.try_send(Some(Err(error)));
        self.end();
    }

    pub(super) fn end(&self) {
        let _ = self.sender.try_send(None);
    }
}

/// The reader's end. Dropping it cancels the job.
#[derive(Debug)]
pub(super) struct JobStream {
    receiver: mpsc::Receiver<Item>,
    paused: Arc<AtomicBool>,
    commands: Option<Commands>,
    ended: bool,
}

impl JobStream {
    fn wake(&self) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(Command::Wake);
        }
    }
}

impl Stream for JobStream {
    type Item = Result<EngineEvent, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(received) = self.receiver.poll_recv(context) else { return Poll::Pending };
        if self.receiver.capacity() >= STEP_EVENTS_MAX && self.paused.swap(false, SeqCst) {
            self.wake();
        }
        let item = match received {
            Some(item) => item,
            None => Some(Err(EngineError::Failed("the scheduler ended".into()))),
        };
        self.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }
}

impl Drop for JobStream {
    fn drop(&mut self) {
        self.receiver.close();
        if !self.ended {
            self.wake();
        }
    }
}
