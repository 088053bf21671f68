//! The parent's book of running jobs: what to tell the worker, and who waits for what.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use parking_lot::Mutex;
use remuda_types::Load;
use tokio::sync::{Notify, mpsc, oneshot};

use super::frame::{EVENTS_AHEAD_MAX, FromWorker, Pulse, ToWorker};
use super::{WorkerError, WorkerStatus};
use crate::{EngineError, EngineEvent, EngineJob, ServedModel};

/// After so many events read, the worker gets credit for as many more.
const CREDIT_STEP: u32 = EVENTS_AHEAD_MAX / 2;
/// The most bytes of a job's input: what fits in a frame with room for the rest.
const INPUT_BYTES_MAX: usize = super::frame::FRAME_BYTES_MAX - (64 << 10);

type Item = Result<EngineEvent, EngineError>;
type Accepted = oneshot::Sender<Result<(), EngineError>>;

/// See the module.
pub(super) struct Desk {
    inner: Mutex<Inner>,
    /// Something is to be told to the worker.
    told: Notify,
    jobs_max: usize,
    slots: u16,
}

#[derive(Default)]
struct Inner {
    models: Vec<ServedModel>,
    status: WorkerStatus,
    load: Load,
    next: u64,
    jobs: HashMap<u64, Entry>,
    // What the writer has not yet taken. Bounded: starts by `jobs_max`, credits and
    // cancellations by the jobs that were running.
    starts: VecDeque<(u64, EngineJob)>,
    credits: BTreeMap<u64, u32>,
    cancels: Vec<u64>,
}

struct Entry {
    accepted: Option<Accepted>,
    events: mpsc::Sender<Item>,
}

impl Desk {
    pub(super) fn new(queue: u16, slots: u16) -> Self {
        // Cancelled jobs may still be ending in the worker, so the worker's own count decides;
        // this bound only keeps the book finite.
        let jobs_max = 4 * (usize::from(queue) + usize::from(slots)) + 16;
        Self { inner: Mutex::default(), told: Notify::new(), jobs_max, slots }
    }

    pub(super) fn models(&self) -> Vec<ServedModel> {
        self.inner.lock().models.clone()
    }

    pub(super) fn status(&self) -> WorkerStatus {
        self.inner.lock().status
    }

    /// What the worker said last; no slots while it is away.
    pub(super) fn load(&self) -> Load {
        self.inner.lock().load
    }

    /// Registers a job, to be told to the worker.
    pub(super) fn open(
        self: &Arc<Self>,
        work: EngineJob,
    ) -> Result<(oneshot::Receiver<Result<(), EngineError>>, JobStream), EngineError> {
        refuse_too_long(&work)?;
        let mut inner = self.inner.lock();
        if !inner.status.running {
            return Err(EngineError::Failed("the engine worker is starting; try again".into()));
        }
        if inner.jobs.len() >= self.jobs_max {
            return Err(EngineError::Overloaded);
        }
        let job = inner.next;
        inner.next += 1;
        let (accepted, acceptance) = oneshot::channel();
        // One more than the credit: room for the last error.
        let (events, receiver) = mpsc::channel(EVENTS_AHEAD_MAX as usize + 1);
        inner.jobs.insert(job, Entry { accepted: Some(accepted), events });
        inner.starts.push_back((job, work));
        self.told.notify_one();
        Ok((acceptance, JobStream { desk: Arc::clone(self), job, receiver, read: 0 }))
    }

    /// The next thing to tell the worker.
    pub(super) async fn next_message(&self) -> ToWorker {
        loop {
            let told = self.told.notified();
            if let Some(message) = self.inner.lock().take_message() {
                return message;
            }
            told.await;
        }
    }

    /// The worker is ready.
    pub(super) fn ready(&self, process: Option<u32>, models: Vec<ServedModel>) {
        let mut inner = self.inner.lock();
        inner.models = models;
        inner.load = Load { slots: u32::from(self.slots), ..Load::default() };
        inner.status.running = true;
        inner.status.process = process;
    }

    pub(super) fn restarting(&self) {
        self.inner.lock().status.restarts += 1;
    }

    /// The worker is away: every job fails, and a retry may work.
    pub(super) fn close(&self, reason: &str) {
        let mut inner = self.inner.lock();
        inner.status = WorkerStatus { restarts: inner.status.restarts, ..WorkerStatus::default() };
        inner.load = Load::default();
        inner.starts.clear();
        inner.credits.clear();
        inner.cancels.clear();
        for (_, mut entry) in inner.jobs.drain() {
            entry.fail(EngineError::Failed(reason.to_owned()));
        }
    }

    /// Takes in what the worker said; returns its pulse, if that is what it was.
    pub(super) fn handle(&self, message: FromWorker) -> Result<Option<Pulse>, WorkerError> {
        let mut inner = self.inner.lock();
        match message {
            FromWorker::Loaded(_) | FromWorker::LoadFailed(_) => {
                return Err(WorkerError::Protocol("loaded its model twice"));
            }
            FromWorker::Pulse(pulse) => {
                inner.load = pulse.load;
                inner.status.memory_bytes = pulse.memory_bytes;
                return Ok(Some(pulse));
            }
            FromWorker::Accepted { job } => {
                if let Some(accepted) = inner.jobs.get_mut(&job).and_then(|e| e.accepted.take()) {
                    // A caller that is gone has dropped its stream, which cancels.
                    let _ = accepted.send(Ok(()));
                }
            }
            FromWorker::Event { job, event } => {
                let Some(entry) = inner.jobs.get(&job) else { return Ok(None) };
                if let Err(mpsc::error::TrySendError::Full(_)) = entry.events.try_send(Ok(event)) {
                    return Err(WorkerError::Protocol("sent more events than it had credit for"));
                }
            }
            FromWorker::Failed { job, error } => {
                if let Some(mut entry) = inner.jobs.remove(&job) {
                    entry.fail(error);
                }
            }
            FromWorker::Ended { job } => drop(inner.jobs.remove(&job)),
        }
        Ok(None)
    }

    fn credit(&self, job: u64, events: u32) {
        let mut inner = self.inner.lock();
        if inner.jobs.contains_key(&job) {
            *inner.credits.entry(job).or_default() += events;
            self.told.notify_one();
        }
    }

    fn cancel(&self, job: u64) {
        let mut inner = self.inner.lock();
        inner.credits.remove(&job);
        if inner.jobs.remove(&job).is_none() {
            return;
        }
        let before = inner.starts.len();
        inner.starts.retain(|(waiting, _)| *waiting != job);
        if inner.starts.len() == before {
            inner.cancels.push(job);
            self.told.notify_one();
        }
    }
}

impl Inner {
    fn take_message(&mut self) -> Option<ToWorker> {
        if let Some(job) = self.cancels.pop() {
            return Some(ToWorker::Cancel { job });
        }
        if let Some((job, events)) = self.credits.pop_first() {
            return Some(ToWorker::Credit { job, events });
        }
        self.starts.pop_front().map(|(job, work)| ToWorker::Start { job, work })
    }
}

impl Entry {
    /// Tells whoever waits for the start, or else the reader.
    fn fail(&mut self, error: EngineError) {
        match self.accepted.take() {
            Some(accepted) => drop(accepted.send(Err(error))),
            // There is room: the channel has one place more than the worker has credit.
            None => drop(self.events.try_send(Err(error))),
        }
    }
}

fn refuse_too_long(work: &EngineJob) -> Result<(), EngineError> {
    let bytes = borsh::object_length(&work.input).unwrap_or(usize::MAX);
    let resumed = borsh::object_length(&work.resume).unwrap_or(usize::MAX);
    if bytes.saturating_add(resumed) > INPUT_BYTES_MAX {
        return Err(EngineError::InvalidInput {
            parameter: "input".into(),
            reason: format!("must have at most {INPUT_BYTES_MAX} bytes"),
        });
    }
    Ok(())
}

/// The events of one job; dropping it cancels the job.
pub(super) struct JobStream {
    desk: Arc<Desk>,
    job: u64,
    receiver: mpsc::Receiver<Item>,
    read: u32,
}

impl Stream for JobStream {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        let polled = self.receiver.poll_recv(context);
        if let Poll::Ready(Some(Ok(_))) = &polled {
            self.read += 1;
            if self.read == CREDIT_STEP {
                self.read = 0;
                self.desk.credit(self.job, CREDIT_STEP);
            }
        }
        polled
    }
}

impl Drop for JobStream {
    fn drop(&mut self) {
        self.desk.cancel(self.job);
    }
}
