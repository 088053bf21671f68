//! One supervised process: started, waited for, restarted with backoff, stopped.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout};

use super::plan::Role;
use crate::exit::{Exit, coded};

/// How long a role may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// How long a role may take to stop before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(35);
/// The pause before the first restart; it doubles with each death that follows soon.
const RESTART_AFTER: Duration = Duration::from_millis(500);
/// The longest pause before a restart.
const RESTART_AFTER_MAX: Duration = Duration::from_secs(30);
/// A role that lived this long starts again with the shortest pause.
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// A supervised process.
#[derive(Debug)]
pub(super) struct Child {
    role: Role,
    process: tokio::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Held open: the role stops when it closes, so none outlives the supervisor.
    _stdin: Option<ChildStdin>,
    started: Instant,
    pause: Duration,
    restart_at: Option<Instant>,
}

impl Child {
    /// Starts the process.
    pub(super) fn spawn(role: Role) -> Result<Self> {
        let (process, lines, stdin) = start(&role)?;
        Ok(Self {
            role,
            process,
            lines,
            _stdin: stdin,
            started: Instant::now(),
            pause: RESTART_AFTER,
            restart_at: None,
        })
    }

    /// The role's name.
    pub(super) fn name(&self) -> &str {
        &self.role.name
    }

    /// The process's number while it runs.
    pub(super) fn process(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits for the line by which a role says that it is ready.
    pub(super) async fn wait_ready(&mut self) -> Result<()> {
        let line = timeout(READY_WITHIN, self.lines.next_line()).await;
        match line {
            Ok(Ok(Some(text))) if text.contains("\"ready\"") => Ok(()),
            _ => {
                let log = self.role.home.join("log");
                let tail = tail_of(&fs::read_to_string(&log).unwrap_or_default());
                let message = format!(
                    "{} did not start; its log {} ends:\n{tail}",
                    self.role.name,
                    log.display()
                );
                Err(coded(Exit::Local, message))
            }
        }
    }

    /// Whether the process died since the last look; then its restart is planned.
    pub(super) fn died(&mut self) -> Result<bool> {
        if self.restart_at.is_some() || self.process.try_wait()?.is_none() {
            return Ok(false);
        }
        if self.started.elapsed() > STEADY_AFTER {
            self.pause = RESTART_AFTER;
        }
        self.restart_at = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(RESTART_AFTER_MAX);
        Ok(true)
    }

    /// Whether a planned restart is due.
    pub(super) fn restart_due(&self) -> bool {
        self.restart_at.is_some_and(|due| due <= Instant::now())
    }

    /// Starts the process again.
    pub(super) fn respawn(&mut self) -> Result<()> {
        let (process, lines, stdin) = start(&self.role)?;
        self.process = process;
        self.lines = lines;
        self._stdin = stdin;
        self.started = Instant::now();
        self.restart_at = None;
        Ok(())
    }

    /// Asks the process to stop, and kills it when it does not.
    pub(super) async fn stop(&mut self) {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            let _ = kill_process(id, Signal::TERM);
            if timeout(STOP_WITHIN, self.process.wait()).await.is_err() {
                let _ = self.process.kill().await;
            }
        }
    }
}

type Started = (tokio::process::Child, Lines<BufReader<ChildStdout>>, Option<ChildStdin>);

fn start(role: &Role) -> Result<Started> {
    fs::create_dir_all(&role.home)?;
    let log = File::options().create(true).append(true).open(role.home.join("log"))?;
    let mut process = Command::new(std::env::current_exe()?)
        .args(&role.args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", role.name))?;
    let stdin = process.stdin.take();
    let stdout = process.stdout.take().context("the process has no standard output")?;
    Ok((process, BufReader::new(stdout).lines(), stdin))
}

fn tail_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
