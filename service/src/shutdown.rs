//! How a service stops: SIGTERM or SIGINT once to drain, twice to leave at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Has the first SIGTERM or SIGINT cancel `token`; the second ends the process with 130.
///
/// # Errors
/// When the process may not listen for signals.
pub fn on_signal(token: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if token.is_cancelled() {
                tracing::warn!(signal = name, "second signal: leaving at once");
                std::process::exit(130);
            }
            tracing::info!(signal = name, "stopping: no new work, finishing what is under way");
            token.cancel();
        }
    });
    Ok(())
}
