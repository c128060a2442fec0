//! What a run looks like while it is under way.

use crate::voters::outcome::Outcome;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Looking at the target.
    #[default]
    Preparing,
    /// Viewers are coming in.
    Admitting,
    /// Load that does not count.
    WarmUp,
    /// The load.
    Load,
    /// Waiting until all that was acknowledged is counted.
    Draining,
    /// Looking whether anything more is counted.
    Settling,
}

impl Stage {
    /// What the live view calls it.
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

/// A look at a run under way.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Where it stands.
    pub stage: Stage,
    /// Since the start of the load, s.
    pub seconds: f64,
    /// Length of the load, warm-up included, s.
    pub load_seconds: f64,
    /// Rates since the last look, per second.
    pub intended_per_second: f64,
    /// See `intended_per_second`.
    pub sent_per_second: f64,
    /// See `intended_per_second`.
    pub acknowledged_per_second: f64,
    /// Quantiles since the start: p50, p90, p99, max, µs.
    pub quantiles_us: [u64; 4],
    /// Ballots so far.
    pub acknowledged: u64,
    /// Ballots so far.
    pub refused: u64,
    /// Ballots so far.
    pub indeterminate: u64,
    /// Requests that ended as they should not, warm-up left out.
    pub errors: u64,
    /// Requests of ballots so far, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Voters due but not through.
    pub in_flight: u64,
    /// Voters of this run counted, and expected to be.
    pub counted: Option<(u64, u64)>,
    /// Lag and pending entries.
    pub backlog: Option<u64>,
    /// Viewers' streams open, and asked for.
    pub viewers: Option<(u64, u64)>,
    /// Frames since the last look, per second.
    pub frames_per_second: f64,
}
