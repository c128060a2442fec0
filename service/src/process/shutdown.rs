//! Turns SIGTERM and SIGINT into an orderly stop: the first signal drains, the second ends the process.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels `token` at the first SIGTERM or SIGINT; the second one ends the process with exit code 130.
///
/// # Errors
/// Returns the system's error if the process may not listen for signals.
pub(super) fn on_signal(token: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if token.is_cancelled() {
                tracing::warn!(signal = name, "second {name}: leaving at once");
                std::process::exit(130);
            }
            tracing::info!(signal = name, "{name} received: stopping after the work in hand");
            token.cancel();
        }
    });
    Ok(())
}
