//! How many new voters one client network may bring a minute.
//!
//! Bounded by what arrives within a minute: a network whose minute is full again is forgotten.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::DefaultClock;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;

use crate::client::network;

/// More networks than this are worth a warning.
const NETWORKS_MANY: usize = 100_000;

/// A limit of new voters per network; the burst is one minute's worth.
#[derive(Debug)]
pub struct Limiter {
    limiter: Option<RateLimiter<IpNet, DefaultKeyedStateStore<IpNet>, DefaultClock>>,
    exempt: Vec<IpNet>,
}

impl Limiter {
    /// Lets `per_minute` new voters pass per network, any number when 0; `exempt` networks and
    /// loopback always pass.
    pub fn new(per_minute: u32, exempt: Vec<IpNet>) -> Self {
        let quota = NonZeroU32::new(per_minute).map(Quota::per_minute);
        Self { limiter: quota.map(RateLimiter::keyed), exempt }
    }

    /// Whether a new voter from this address may pass; counts it if so.
    pub fn lets_pass(&self, address: IpAddr) -> bool {
        let Some(limiter) = &self.limiter else { return true };
        if address.is_loopback() || self.exempt.iter().any(|net| net.contains(&address)) {
            return true;
        }
        limiter.check_key(&network(address)).is_ok()
    }

    /// Forgets quiet networks; to be called every so often.
    pub fn forget_quiet(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
            if limiter.len() > NETWORKS_MANY {
                tracing::warn!(
                    networks = limiter.len(),
                    "very many client networks bring new voters"
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
