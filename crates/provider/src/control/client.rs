//! The CLI's side of the control socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Command, LINE_BYTES_MAX, Reply, SOCKET_NAME};

/// How long an answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Why a running provider did not answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// None runs in this home folder.
    #[error("no provider runs with {0}: start one with `remuda provider run`")]
    NotRunning(PathBuf),
    /// The socket belongs to another user.
    #[error("the provider's socket {0} belongs to another user; run this as that user")]
    NotAllowed(PathBuf),
    /// Reading or writing failed.
    #[error("talking to the provider failed: {0}")]
    Io(#[from] io::Error),
    /// There was no answer in time.
    #[error("the provider did not answer within {} s", ANSWER_WAIT.as_secs())]
    Timeout,
    /// The answer is not one.
    #[error("the provider's answer does not fit this program; upgrade the older one")]
    Protocol,
}

impl ControlError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotRunning(_) => "provider_not_running",
            Self::NotAllowed(_) => "provider_not_allowed",
            Self::Io(_) => "control_io",
            Self::Timeout => "control_timeout",
            Self::Protocol => "control_protocol",
        }
    }

    /// Whether the same command may work later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::NotRunning(_) | Self::Io(_) | Self::Timeout)
    }
}

/// Gives a command to the provider that runs in `home`; answers its state after it.
///
/// # Errors
/// [`ControlError`].
pub async fn ask(home: &Path, command: Command) -> Result<Reply, ControlError> {
    let path = home.join(SOCKET_NAME);
    let line = timeout(ANSWER_WAIT, exchange(&path, command));
    let line = line.await.map_err(|_| ControlError::Timeout)??;
    serde_json::from_str(&line).map_err(|_| ControlError::Protocol)
}

async fn exchange(path: &Path, command: Command) -> Result<String, ControlError> {
    let stream = UnixStream::connect(path).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ControlError::NotRunning(path.to_owned())
        }
        io::ErrorKind::PermissionDenied => ControlError::NotAllowed(path.to_owned()),
        _ => ControlError::Io(error),
    })?;
    let (reader, mut writer) = stream.into_split();
    let question = serde_json::to_string(&command).map_err(|_| ControlError::Protocol)?;
    writer.write_all(format!("{question}\n").as_bytes()).await?;
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LINE_BYTES_MAX as u64));
    reader.read_line(&mut line).await?;
    Ok(line)
}
