//! The signals that end a run early.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Signals that end a run early.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Ends the load. Ballots that were acknowledged are still waited for and audited.
    pub load: CancellationToken,
    /// Ends the wait for the count, too. The audit is then void.
    pub wait: CancellationToken,
}

/// The pause between two updates of the progress.
pub(crate) const TICK: Duration = Duration::from_millis(250);
