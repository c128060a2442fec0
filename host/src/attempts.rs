//! Holds back networks that show many tokens which are not valid.
//!
//! A token cannot be guessed, so this only keeps guesses from costing the database much. Sessions that are signed in are not
//! concerned.
//!
//! Invariant: memory is bounded by [`NETWORKS_MAX`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Wrong attempts that a network has at once, and again after a minute.
const ATTEMPTS: f64 = 10.0;
/// Wrong attempts that a network gets back in a second.
const ATTEMPTS_PER_S: f64 = ATTEMPTS / 60.0;
/// Networks that are remembered. When there are more, all are forgotten.
const NETWORKS_MAX: usize = 10_000;

/// The wrong attempts of all networks, by the key of the network.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    left: Mutex<HashMap<u64, (f64, Instant)>>,
}

impl Attempts {
    /// Whether this network has an attempt left.
    pub(crate) fn may_try(&self, network: u64, now: Instant) -> bool {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.get(&network).is_none_or(|at| left_at(*at, now) >= 1.0)
    }

    /// Takes one attempt from this network.
    pub(crate) fn note_wrong(&self, network: u64, now: Instant) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= NETWORKS_MAX {
            left.clear();
        }
        let known = left.entry(network).or_insert((ATTEMPTS, now));
        *known = (left_at(*known, now) - 1.0, now);
    }
}

/// The attempts that are left at `now`, of those that were left at an earlier time.
fn left_at((left, since): (f64, Instant), now: Instant) -> f64 {
    let passed_s = now.saturating_duration_since(since).as_secs_f64();
    (left + passed_s * ATTEMPTS_PER_S).min(ATTEMPTS)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_network_has_ten_wrong_attempts_and_one_more_every_six_seconds() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..10 {
            assert!(attempts.may_try(1, now));
            attempts.note_wrong(1, now);
        }
        assert!(!attempts.may_try(1, now) && attempts.may_try(2, now));
        assert!(!attempts.may_try(1, now + Duration::from_secs(5)));
        assert!(attempts.may_try(1, now + Duration::from_secs(7)));
    }

    #[test]
    fn so_many_networks_are_remembered_and_no_more() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for network in 0..=NETWORKS_MAX as u64 {
            attempts.note_wrong(network, now);
        }
        assert!(attempts.left.lock().unwrap().len() <= NETWORKS_MAX);
    }
}
