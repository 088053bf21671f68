//! When a role stops: on Ctrl-C, on SIGTERM, or when its supervisor is gone.

use anyhow::Result;
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

/// Waits until standard input ends: the supervisor that held it is gone. A thread of its own
/// reads, because the runtime waits for its own blocking reads when it shuts down.
async fn stdin_ended() {
    let (sender, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = sender.send(());
    });
    let _ = ended.await;
}
