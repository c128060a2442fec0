//! Keeps an event that may happen thousands of times a second from filling the log.

use std::time::Duration;

use tokio::time::Instant;

/// Lets the first event through, then at most one in each period, with the number of those held back.
#[derive(Debug)]
pub struct LogThrottle {
    period: Duration,
    last_logged: Option<Instant>,
    held_back: u64,
}

impl LogThrottle {
    /// Creates a throttle that lets one event through in each `period`.
    pub const fn new(period: Duration) -> Self {
        Self { period, last_logged: None, held_back: 0 }
    }

    /// Counts one event. Returns `None` if it must not be logged, else the number of events since the
    /// last logged one, this one included.
    pub fn happened(&mut self) -> Option<u64> {
        self.held_back += 1;
        if self.last_logged.is_some_and(|logged| logged.elapsed() < self.period) {
            return None;
        }
        self.last_logged = Some(Instant::now());
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_event_is_logged_at_once_and_the_others_are_counted() {
        let mut throttle = LogThrottle::new(Duration::from_secs(10));
        assert_eq!(throttle.happened(), Some(1));
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(throttle.happened(), None);
        }
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(throttle.happened(), Some(6));
    }
}
