//! Ends a run early.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How a run is ended before its time.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Ends the load; what was acknowledged is still waited for and audited.
    pub load: CancellationToken,
    /// Ends that wait, too; the audit is then void.
    pub wait: CancellationToken,
}

/// How often the run looks at itself.
pub(crate) const TICK: Duration = Duration::from_millis(250);
