//! Time since the start of the load, in whole microseconds.
//!
//! Invariant: every figure of one run, whichever thread took it, is measured from the same instant.

use std::time::{Duration, Instant};

/// The run's zero, shared by all threads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose zero is `ahead` from now, so that all threads are ready when it strikes.
    pub(crate) fn starting_in(ahead: Duration) -> Self {
        Self { start: Instant::now() + ahead }
    }

    /// Microseconds since the start; 0 before it.
    pub(crate) fn now_us(self) -> u64 {
        micros(Instant::now().saturating_duration_since(self.start))
    }

    /// How long from now until `us`; zero when it has passed.
    pub(crate) fn until(self, us: u64) -> Duration {
        (self.start + Duration::from_micros(us)).saturating_duration_since(Instant::now())
    }
}

/// Whole microseconds of a duration.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The present as RFC 3339 in UTC, to the millisecond.
pub(crate) fn utc_now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
