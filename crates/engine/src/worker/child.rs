//! The worker's side: it loads one model, runs jobs, and ends when its parent does.

use std::collections::HashMap;
use std::io::{self, Read};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::frame::{self, EVENTS_AHEAD_MAX, FromWorker, PREAMBLE, Pulse, ToWorker};
use crate::{Engine, EngineError, EngineJob, EngineStream, ModelSpec};

/// How often the worker says that it lives.
pub(super) const PULSE_EVERY: Duration = Duration::from_millis(250);
/// Frames that may wait for the pipe, in each direction.
const FRAMES_WAITING_MAX: usize = 256;

/// An engine that a worker can run.
pub trait WorkerModel: Engine {
    /// How far its computation is. `memory_bytes` is filled in by the worker.
    fn pulse(&self) -> Pulse;
}

/// Loads a model in the worker; the error is a sentence for people.
pub type Loader = fn(&ModelSpec) -> Result<Arc<dyn WorkerModel>, String>;

/// Runs a worker on standard input and output until its parent closes the pipe.
pub fn serve(load: Loader) -> ExitCode {
    match Worker::begin(load) {
        Ok(worker) => worker.run(),
        Err(error) => {
            tracing::error!(%error, "the engine worker cannot start");
            ExitCode::FAILURE
        }
    }
}

struct Worker {
    runtime: tokio::runtime::Runtime,
    model: Arc<dyn WorkerModel>,
    output: mpsc::Sender<FromWorker>,
    input: mpsc::Receiver<ToWorker>,
}

impl Worker {
    fn begin(load: Loader) -> Result<Self, frame::FrameError> {
        let mut pipe = claim_output()?;
        io::Write::write_all(&mut pipe, PREAMBLE)?;
        let Some(ToWorker::Load(spec)) = frame::read(&mut io::stdin().lock())? else {
            return Err(frame::FrameError::Malformed("the first frame was not `Load`".into()));
        };
        // From here on the parent's end is noticed, also while native code loads the model.
        let input = read_input();
        let model = match load(&spec) {
            Ok(model) => model,
            Err(reason) => {
                frame::write(&mut pipe, &FromWorker::LoadFailed(reason.clone()))?;
                return Err(frame::FrameError::Malformed(reason));
            }
        };
        frame::write(&mut pipe, &FromWorker::Loaded(model.models()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, model, output: write_output(pipe), input })
    }

    fn run(self) -> ExitCode {
        let Self { runtime, model, output, input } = self;
        runtime.block_on(async {
            tokio::spawn(beat(Arc::clone(&model), output.clone()));
            Jobs { model, output, running: HashMap::new() }.run(input).await;
        });
        ExitCode::SUCCESS
    }
}

struct Running {
    credit: Arc<Semaphore>,
    cancel: CancellationToken,
}

struct Jobs {
    model: Arc<dyn WorkerModel>,
    output: mpsc::Sender<FromWorker>,
    running: HashMap<u64, Running>,
}

impl Jobs {
    async fn run(mut self, mut input: mpsc::Receiver<ToWorker>) {
        while let Some(message) = input.recv().await {
            // A job that has ended leaves its entry behind; its count is bounded by admission.
            self.running.retain(|_, running| !running.cancel.is_cancelled());
            match message {
                ToWorker::Load(_) => tracing::warn!("a second model was offered and ignored"),
                ToWorker::Start { job, work } => self.start(job, work),
                ToWorker::Credit { job, events } => {
                    if let Some(running) = self.running.get(&job) {
                        running.credit.add_permits(events.min(EVENTS_AHEAD_MAX) as usize);
                    }
                }
                ToWorker::Cancel { job } => {
                    if let Some(running) = self.running.remove(&job) {
                        running.cancel.cancel();
                    }
                }
            }
        }
    }

    fn start(&mut self, job: u64, work: EngineJob) {
        let credit = Arc::new(Semaphore::new(EVENTS_AHEAD_MAX as usize));
        let cancel = CancellationToken::new();
        let (model, output) = (Arc::clone(&self.model), self.output.clone());
        let (job_credit, job_cancel) = (Arc::clone(&credit), cancel.clone());
        tokio::spawn(async move {
            let work = run_job(model, job, work, &job_credit, &output);
            if let Some(last) = job_cancel.run_until_cancelled(work).await {
                let _ = output.send(last).await;
            }
            job_cancel.cancel();
        });
        self.running.insert(job, Running { credit, cancel });
    }
}

/// Runs one job, and returns the frame that ends it.
async fn run_job(
    model: Arc<dyn WorkerModel>,
    job: u64,
    work: EngineJob,
    credit: &Semaphore,
    output: &mpsc::Sender<FromWorker>,
) -> FromWorker {
    let stream = match model.start(work).await {
        Ok(stream) => stream,
        Err(error) => return FromWorker::Failed { job, error },
    };
    if output.send(FromWorker::Accepted { job }).await.is_err() {
        return FromWorker::Ended { job };
    }
    match forward(stream, job, credit, output).await {
        Ok(()) => FromWorker::Ended { job },
        Err(error) => FromWorker::Failed { job, error },
    }
}

/// Passes on events as far as there is credit; without credit the engine's own buffer fills
/// and the engine pauses this job.
async fn forward(
    mut stream: EngineStream,
    job: u64,
    credit: &Semaphore,
    output: &mpsc::Sender<FromWorker>,
) -> Result<(), EngineError> {
    let gone = |_| EngineError::Failed("the worker is ending".into());
    loop {
        let permit = credit.acquire().await.map_err(|_| EngineError::Failed("closed".into()))?;
        permit.forget();
        let Some(event) = stream.next().await.transpose()? else { return Ok(()) };
        output.send(FromWorker::Event { job, event }).await.map_err(gone)?;
    }
}

async fn beat(model: Arc<dyn WorkerModel>, output: mpsc::Sender<FromWorker>) {
    let mut every = tokio::time::interval(PULSE_EVERY);
    loop {
        every.tick().await;
        let pulse = Pulse { memory_bytes: resident_bytes(), ..model.pulse() };
        if output.send(FromWorker::Pulse(pulse)).await.is_err() {
            return;
        }
    }
}

/// Reads frames on a thread of its own. When the parent goes, by whatever death, its end of
/// the pipe closes and this process ends at once, even in the middle of native code.
fn read_input() -> mpsc::Receiver<ToWorker> {
    let (sender, receiver) = mpsc::channel(FRAMES_WAITING_MAX);
    std::thread::spawn(move || {
        let mut pipe = io::BufReader::new(io::stdin());
        let ended = read_frames(&mut pipe, &sender);
        if let Err(error) = ended {
            tracing::error!(%error, "the engine worker ends");
        }
        end_now();
    });
    receiver
}

fn read_frames(
    pipe: &mut impl Read,
    sender: &mpsc::Sender<ToWorker>,
) -> Result<(), frame::FrameError> {
    while let Some(message) = frame::read(pipe)? {
        if sender.blocking_send(message).is_err() {
            break;
        }
    }
    Ok(())
}

/// Ends the process without running exit handlers, which native threads may not survive.
fn end_now() -> ! {
    #[cfg(unix)]
    {
        let me = rustix::process::getpid();
        let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
    }
    std::process::exit(0)
}

fn write_output(mut pipe: impl io::Write + Send + 'static) -> mpsc::Sender<FromWorker> {
    let (sender, mut receiver) = mpsc::channel(FRAMES_WAITING_MAX);
    std::thread::spawn(move || {
        while let Some(message) = receiver.blocking_recv() {
            if let Err(error) = write_or_fail(&mut pipe, &message) {
                tracing::error!(%error, "the engine worker cannot write");
                end_now();
            }
        }
    });
    sender
}

/// An event that cannot be encoded (a NaN) fails its job and not the worker.
fn write_or_fail(pipe: &mut impl io::Write, message: &FromWorker) -> Result<(), frame::FrameError> {
    match (frame::write(pipe, message), message) {
        (Err(error @ frame::FrameError::Malformed(_)), FromWorker::Event { job, .. }) => {
            let error = EngineError::Failed(error.to_string());
            frame::write(pipe, &FromWorker::Failed { job: *job, error })
        }
        (result, _) => result,
    }
}

/// Takes standard output for frames, and points file descriptor 1 at standard error, so that
/// no stray print of native code lands between frames.
#[cfg(unix)]
fn claim_output() -> io::Result<std::fs::File> {
    let pipe = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    Ok(std::fs::File::from(pipe))
}

#[cfg(not(unix))]
fn claim_output() -> io::Result<io::Stdout> {
    Ok(io::stdout())
}

/// Resident memory of this process.
fn resident_bytes() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let pages = std::fs::read_to_string("/proc/self/statm")
            .ok()
            .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
        pages.unwrap_or(0) * rustix::param::page_size() as u64
    }
    #[cfg(not(target_os = "linux"))]
    0
}
