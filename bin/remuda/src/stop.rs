//! When a role stops: on Ctrl-C, on SIGTERM, or when its supervisor is gone.

use anyhow::Result;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

/// Waits until the role should stop.
pub(crate) async fn requested(exit_with_stdin: bool) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_ended(), if exit_with_stdin => {}
    }
    Ok(())
}

/// Waits until standard input ends: the supervisor that held it is gone.
async fn stdin_ended() {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 64];
    while !matches!(stdin.read(&mut buffer).await, Ok(0) | Err(_)) {}
}
