//! The progress of a run while it goes on.

use crate::voters::outcome::Outcome;

/// The stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// The target is being checked.
    #[default]
    Preparing,
    /// The viewers are being opened.
    Admitting,
    /// Load is sent, but not measured yet.
    WarmUp,
    /// Load is sent and measured.
    Load,
    /// The load has ended, and acknowledged ballots are still being counted.
    Draining,
    /// All ballots are counted, and nothing more should follow.
    Settling,
}

impl Stage {
    /// Returns the name of the stage in the live view.
    pub fn label(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Admitting => "viewers coming in",
            Self::WarmUp => "warm-up",
            Self::Load => "load",
            Self::Draining => "draining",
            Self::Settling => "settling",
        }
    }
}

/// The figures of a run at one moment.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The stage of the run.
    pub stage: Stage,
    /// The time since the start of the load, in seconds.
    pub seconds: f64,
    /// The length of the load in seconds, with the warm-up.
    pub load_seconds: f64,
    /// Voters per second who were due, since the last look.
    pub intended_per_second: f64,
    /// Voters per second who have started, since the last look.
    pub sent_per_second: f64,
    /// Ballots per second that were acknowledged, since the last look.
    pub acknowledged_per_second: f64,
    /// The p50, p90, p99 and maximum of the latency since the start, in µs.
    pub quantiles_us: [u64; 4],
    /// Acknowledged ballots so far.
    pub acknowledged: u64,
    /// Refused ballots so far.
    pub refused: u64,
    /// Ballots so far whose outcome is unknown.
    pub indeterminate: u64,
    /// Requests with a wrong outcome, without the warm-up.
    pub errors: u64,
    /// Requests so far by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Voters who are due but have not finished.
    pub in_flight: u64,
    /// Voters of this run who are counted, and the number that is expected.
    pub counted: Option<(u64, u64)>,
    /// Lag and pending entries, from the metrics.
    pub backlog: Option<u64>,
    /// Viewers whose stream is open, and the number that was requested.
    pub viewers: Option<(u64, u64)>,
    /// Frames per second over all viewers, since the last look.
    pub frames_per_second: f64,
}
