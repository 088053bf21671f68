//! The provider's side of the control socket.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Command, LINE_BYTES_MAX, Reply, SOCKET_NAME};
use crate::error::StartError;
use crate::provider::Provider;

/// How long a caller may take for a whole exchange.
const EXCHANGE_WAIT: Duration = Duration::from_secs(30);
/// The most callers at once.
const CALLERS_MAX: usize = 16;
/// How long to rest when the system has no more sockets to give.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// The bound socket; its file is removed when this is dropped.
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

/// Binds the control socket in `home`, open to its owner only. The file that a killed
/// provider left behind is replaced: the till's lock has shown that none runs.
pub(crate) fn listen(home: &Path) -> Result<Socket, StartError> {
    let path = home.join(SOCKET_NAME);
    let bound = bind(&path);
    let listener = bound
        .map_err(|error| StartError::Control { path: path.clone(), reason: error.to_string() })?;
    Ok(Socket { listener, path })
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Socket {
    /// Answers callers until the task is ended.
    pub(crate) async fn serve(self, provider: Provider) {
        let callers = Arc::new(Semaphore::new(CALLERS_MAX));
        loop {
            let Ok(permit) = Arc::clone(&callers).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = provider.stopped() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            };
            let provider = provider.clone();
            tokio::spawn(async move {
                let _ = timeout(EXCHANGE_WAIT, answer(stream, provider)).await;
                drop(permit);
            });
        }
    }
}

async fn answer(stream: UnixStream, provider: Provider) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LINE_BYTES_MAX as u64));
    reader.read_line(&mut line).await?;
    let reply = match serde_json::from_str(&line) {
        Ok(command) => obey(command, &provider).await,
        Err(error) => Reply::Error {
            code: "control_command".to_owned(),
            message: format!("one of status, pause, resume, drain, stop is understood: {error}"),
        },
    };
    let mut text = serde_json::to_string(&reply).map_err(io::Error::other)?;
    text.push('\n');
    writer.write_all(text.as_bytes()).await
}

async fn obey(command: Command, provider: &Provider) -> Reply {
    match command {
        Command::Status => {}
        Command::Pause => provider.pause().await,
        Command::Resume => provider.resume().await,
        Command::Drain => provider.drain().await,
        Command::Stop => provider.request_stop(),
    }
    Reply::Status(Box::new(provider.status()))
}
