//! Limits how many new voters one client network may bring in a minute.
//!
//! Its memory is bounded by the networks seen within a minute: a network whose quota is full again is
//! forgotten.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::DefaultClock;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;

use crate::client::network;

/// Number of remembered networks from which on a warning is logged.
const NETWORKS_MANY: usize = 100_000;

/// The limit of new voters per network. A network may use its whole quota of a minute at once.
#[derive(Debug)]
pub struct Limiter {
    limiter: Option<RateLimiter<IpNet, DefaultKeyedStateStore<IpNet>, DefaultClock>>,
    exempt: Vec<IpNet>,
}

impl Limiter {
    /// Creates a limit of `per_minute` new voters per network; 0 means no limit. Networks in `exempt` and
    /// loopback addresses are never limited.
    pub fn new(per_minute: u32, exempt: Vec<IpNet>) -> Self {
        let quota = NonZeroU32::new(per_minute).map(Quota::per_minute);
        Self { limiter: quota.map(RateLimiter::keyed), exempt }
    }

    /// Returns whether a new voter from this address may pass, and counts the voter if so.
    pub fn lets_pass(&self, address: IpAddr) -> bool {
        let Some(limiter) = &self.limiter else { return true };
        if address.is_loopback() || self.exempt.iter().any(|net| net.contains(&address)) {
            return true;
        }
        limiter.check_key(&network(address)).is_ok()
    }

    /// Forgets networks whose quota is full again; call it every few seconds.
    pub fn forget_quiet(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
            if limiter.len() > NETWORKS_MANY {
                tracing::warn!(
                    networks = limiter.len(),
                    "{} client networks bring new voters; their limits take memory",
                    limiter.len()
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_minute_and_no_more() {
        let limiter = Limiter::new(3, vec!["192.0.2.0/24".parse().unwrap()]);
        let passes = |address: &str| limiter.lets_pass(address.parse().unwrap());
        assert!(passes("203.0.113.1") && passes("203.0.113.2") && passes("203.0.113.3"));
        assert!(!passes("203.0.113.4"), "the fourth of one network");
        assert!(passes("203.0.114.4"), "another network");
        for _ in 0..10 {
            assert!(passes("127.0.0.1") && passes("::1") && passes("192.0.2.7"), "exempt");
        }
        let unlimited = Limiter::new(0, vec![]);
        assert!((0..1_000).all(|_| unlimited.lets_pass("203.0.113.1".parse().unwrap())));
    }
}
