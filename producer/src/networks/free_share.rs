//! The new voters that a replica accepts by itself: a hundredth of each network's limit.
//!
//! Nearly all networks stay within that, so their ballots cost no question to Redis. The limit can be exceeded by a
//! hundredth for each replica, and by no more.
//!
//! Its memory is fixed. A slot of the table may belong to several networks; they then share one hundredth, and Redis, which
//! tells them apart, is asked earlier.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;
use votestream_schema::PollId;
use votestream_schema::poll::network::{LEVELS_MAX, Network, Networks};

use super::rate::Rate;

/// Which part of a limit is a replica's own: one in so many.
pub(super) const REPLICA_SHARE: u32 = 100;
/// Slots of the table, 8 bytes each.
const SLOTS: usize = 1 << 18;

/// The free shares of all networks.
pub(super) struct FreeShares {
    /// For each slot the microsecond, since `started`, at which its share is whole again.
    slots: Box<[AtomicU64]>,
    /// Chosen at random at the start, so that nobody can choose networks that share a slot.
    hasher: RandomState,
    started: Instant,
}

/// A new voter that was taken out of free shares.
#[derive(Clone, Copy, Debug)]
pub(super) struct FreeVoter {
    /// Slot and interval of each level.
    taken: [(u32, u64); LEVELS_MAX],
    count: usize,
}

impl FreeShares {
    pub(super) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            started: Instant::now(),
        }
    }

    /// Takes one new voter out of the free share of each network of a client. Returns `None` if one of them has nothing
    /// left.
    pub(super) fn take(&self, poll: PollId, networks: &Networks, rate: Rate) -> Option<FreeVoter> {
        let now_us = self.started.elapsed().as_micros() as u64;
        let mut voter = FreeVoter { taken: [(0, 0); LEVELS_MAX], count: 0 };
        for network in networks.all() {
            let (interval_us, whole_us) = share_us(rate, *network);
            let slot = self.hasher.hash_one((poll, network)) as usize % SLOTS;
            let takes = |full_at_us: u64| {
                let next = full_at_us.max(now_us) + interval_us;
                (next <= now_us + whole_us).then_some(next)
            };
            let order = Ordering::Relaxed;
            if self.slots[slot].fetch_update(order, order, takes).is_err() {
                self.give_back(voter);
                return None;
            }
            voter.taken[voter.count] = (slot as u32, interval_us);
            voter.count += 1;
        }
        Some(voter)
    }

    /// Undoes [`FreeShares::take`].
    pub(super) fn give_back(&self, voter: FreeVoter) {
        for (slot, interval_us) in &voter.taken[..voter.count] {
            let order = Ordering::Relaxed;
            let given = |full_at_us: u64| Some(full_at_us.saturating_sub(*interval_us));
            let _ = self.slots[*slot as usize].fetch_update(order, order, given);
        }
    }
}

/// The microseconds in which the free share of a network grows by one, and those in which it is whole again.
fn share_us(rate: Rate, network: Network) -> (u64, u64) {
    let factor = network.level.factor();
    let at_once = rate.at_once.saturating_mul(factor) / REPLICA_SHARE;
    let minutes_us = 60_000_000 * u64::from(REPLICA_SHARE);
    let interval_us = (minutes_us / u64::from(rate.per_minute.saturating_mul(factor))).max(1);
    (interval_us, interval_us.saturating_mul(at_once.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: PollId = PollId(1);

    fn networks(address: &str) -> Networks {
        Network::of(address.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_accepts_a_hundredth_of_a_limit_by_itself() {
        let shares = FreeShares::new();
        let rate = Rate { at_once: 2_000, per_minute: 600 };
        let takes = |address: &str| shares.take(POLL, &networks(address), rate);
        for _ in 0..20 {
            assert!(takes("203.0.113.1").is_some());
        }
        assert!(takes("203.0.113.1").is_none());
        // The /24 has four times as much.
        for host in 2..=4 {
            let address = format!("203.0.113.{host}");
            assert_eq!((0..21).filter(|_| takes(&address).is_some()).count(), 20, "{address}");
        }
        assert!(takes("203.0.113.5").is_none());
        let elsewhere = takes("2001:db8::1").unwrap();
        shares.give_back(elsewhere);
        assert_eq!((0..30).filter(|_| takes("2001:db8::2").is_some()).count(), 20);
        // Six more in a minute.
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
        assert_eq!((0..30).filter(|_| takes("203.0.113.1").is_some()).count(), 6);
    }

    #[test]
    fn a_small_limit_leaves_nothing_to_a_replica() {
        let shares = FreeShares::new();
        let rate = Rate { at_once: 20, per_minute: 20 };
        assert!(shares.take(POLL, &networks("203.0.113.1"), rate).is_none());
    }
}
