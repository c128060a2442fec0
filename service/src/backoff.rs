//! Computes how long to wait before trying a failed operation again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The longest wait before jitter: with it, a server that answers again is in use within a second.
const WAIT_MAX: Duration = Duration::from_millis(400);

/// An endless series of waits that doubles from 50 ms to 400 ms. Random jitter, of up to as much again, keeps
/// replicas from retrying at the same moment.
#[derive(Debug)]
pub struct Backoff(ExponentialBackoff);

impl Backoff {
    /// Starts from the shortest wait.
    pub fn new() -> Self {
        let waits = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(WAIT_MAX)
            .without_max_times()
            .with_jitter();
        Self(waits.build())
    }

    /// Returns the wait before the next attempt, and doubles the one after it.
    pub fn next_wait(&mut self) -> Duration {
        self.0.next().unwrap_or(WAIT_MAX)
    }

    /// Starts again from the shortest wait; call it after a success.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_never_end() {
        let mut backoff = Backoff::new();
        let first = backoff.next_wait();
        let waits: Vec<Duration> = (0..200).map(|_| backoff.next_wait()).collect();
        assert!(first >= Duration::from_millis(50) && first < Duration::from_millis(150));
        assert!(waits[100..].iter().all(|wait| *wait >= WAIT_MAX));
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(1)));
        backoff.reset();
        assert!(backoff.next_wait() < Duration::from_millis(150));
    }
}
