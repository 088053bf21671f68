//! Starts the worker, watches it, and starts it again.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::desk::Desk;
use super::frame::{self, FromWorker, ToWorker};
use super::{WorkerConfig, WorkerError};

/// The pause before the first restart; doubled with each failure in a row.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// The longest pause before a restart.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A worker that lived this long had no failure in a row with the next.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);
/// How long a worker whose pipe broke may take to tell its exit status.
const EXIT_STATUS_WAIT: Duration = Duration::from_secs(1);

type Ready = oneshot::Sender<Result<(), WorkerError>>;

/// Runs workers one after the other until the task is dropped. The first one's fate goes to
/// `ready`; if it never came up, supervision ends.
pub(super) async fn supervise(config: WorkerConfig, desk: Arc<Desk>, ready: Ready) {
    let mut ready = Some(ready);
    let mut backoff = BACKOFF_MIN;
    loop {
        let begun = Instant::now();
        let error = match Running::begin(&config, &desk).await {
            Ok(running) => {
                if let Some(ready) = ready.take() {
                    let _ = ready.send(Ok(()));
                }
                running.watch(&config, &desk).await
            }
            Err(error) => error,
        };
        if let Some(ready) = ready.take() {
            let _ = ready.send(Err(error));
            return;
        }
        tracing::error!(code = error.code(), %error, "the engine worker ended; starting it again");
        desk.close(&format!("{error}; try again"));
        if begun.elapsed() >= HEALTHY_AFTER {
            backoff = BACKOFF_MIN;
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
        desk.restarting();
    }
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Running {
    async fn begin(config: &WorkerConfig, desk: &Desk) -> Result<Self, WorkerError> {
        let mut running = Self::spawn(config)?;
        let loading = tokio::time::timeout(config.load_timeout, running.load(config));
        let models = loading.await.map_err(|_| WorkerError::LoadTimeout(config.load_timeout))?;
        match models {
            Ok(models) => desk.ready(running.child.id(), models),
            Err(error) => return Err(running.explain(error).await),
        }
        Ok(running)
    }

    fn spawn(config: &WorkerConfig) -> Result<Self, WorkerError> {
        let failed = |source| WorkerError::Spawn { program: config.program.clone(), source };
        let mut child = Command::new(&config.program)
            .args(&config.args)
            .envs(config.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or(WorkerError::Protocol("has no pipes"))?;
        Ok(Self { child, input, output })
    }

    async fn load(
        &mut self,
        config: &WorkerConfig,
    ) -> Result<Vec<crate::ServedModel>, WorkerError> {
        send(&mut self.input, &ToWorker::Load(config.model.clone())).await?;
        frame::skip_to_preamble(&mut self.output).await?;
        match frame::receive(&mut self.output).await? {
            FromWorker::Loaded(models) => Ok(models),
            FromWorker::LoadFailed(reason) => Err(WorkerError::Load(reason)),
            _ => Err(WorkerError::Protocol("spoke before its model was loaded")),
        }
    }

    /// Serves until something breaks, kills the process and says what broke.
    async fn watch(mut self, config: &WorkerConfig, desk: &Desk) -> WorkerError {
        let (beat, beats) = watch::channel(frame::Pulse::default());
        let error = tokio::select! {
            error = read_loop(&mut self.output, desk, &beat) => error,
            error = write_loop(&mut self.input, desk) => error,
            error = watchdog(beats, config.hang_after) => error,
        };
        self.explain(error).await
    }

    /// A broken pipe is better explained by how the process ended.
    async fn explain(mut self, error: WorkerError) -> WorkerError {
        let broken = matches!(
            error,
            WorkerError::Frame(frame::FrameError::Io(_) | frame::FrameError::Preamble)
        );
        if broken
            && let Ok(Ok(status)) = tokio::time::timeout(EXIT_STATUS_WAIT, self.child.wait()).await
        {
            return WorkerError::Exited(status.to_string());
        }
        // Waiting for the kill keeps two workers from holding the model's memory at once.
        let _ = self.child.kill().await;
        error
    }
}

async fn send(input: &mut ChildStdin, message: &ToWorker) -> Result<(), WorkerError> {
    input.write_all(&frame::encode(message)?).await.map_err(frame::FrameError::Io)?;
    Ok(())
}

async fn read_loop(
    output: &mut ChildStdout,
    desk: &Desk,
    beat: &watch::Sender<frame::Pulse>,
) -> WorkerError {
    let mut output = tokio::io::BufReader::new(output);
    loop {
        let message = match frame::receive(&mut output).await {
            Ok(message) => message,
            Err(error) => return error.into(),
        };
        match desk.handle(message) {
            Ok(Some(pulse)) => drop(beat.send(pulse)),
            Ok(None) => {}
            Err(error) => return error,
        }
    }
}

async fn write_loop(input: &mut ChildStdin, desk: &Desk) -> WorkerError {
    loop {
        let message = desk.next_message().await;
        if let Err(error) = send(input, &message).await {
            return error;
        }
    }
}

/// Returns when no pulse came, or one step lasted, for `hang_after`.
async fn watchdog(mut beats: watch::Receiver<frame::Pulse>, hang_after: Duration) -> WorkerError {
    let mut progress = (0, Instant::now());
    loop {
        match tokio::time::timeout(hang_after, beats.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return WorkerError::Hung(hang_after),
        }
        let pulse = *beats.borrow_and_update();
        if !pulse.stepping || pulse.steps != progress.0 {
            progress = (pulse.steps, Instant::now());
        } else if progress.1.elapsed() >= hang_after {
            return WorkerError::Hung(hang_after);
        }
    }
}
