//! The time since the start of the load, in whole microseconds.
//!
//! Invariant: all threads of a run measure from the same instant.

use std::time::{Duration, Instant};

/// The clock of a run, which all threads share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Returns a clock that starts `ahead` from now, so that all threads are ready at the start.
    pub(crate) fn starting_in(ahead: Duration) -> Self {
        Self { start: Instant::now() + ahead }
    }

    /// Returns the microseconds since the start; 0 before it.
    pub(crate) fn now_us(self) -> u64 {
        micros(Instant::now().saturating_duration_since(self.start))
    }

    /// Returns the instant that lies `us` after the start.
    pub(crate) fn instant(self, us: u64) -> Instant {
        self.start + Duration::from_micros(us)
    }

    /// Returns the time from now until `us`; zero if that has passed.
    pub(crate) fn until(self, us: u64) -> Duration {
        (self.start + Duration::from_micros(us)).saturating_duration_since(Instant::now())
    }
}

/// Converts a duration to whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Returns the current time as RFC 3339 in UTC, to the millisecond.
pub(crate) fn utc_now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
