//! Lists the voters of one slice of a plan in order of time.
//!
//! Poisson arrivals are drawn with a fixed number of voters: the gaps of a Poisson process are
//! scaled to the plan. So a plan for 37,000 voters sends exactly 37,000. Each slice draws from a
//! seed of its own, because the union of independent Poisson processes is a Poisson process again.

use crate::plan::shard::Slice;
use crate::plan::timetable::{Plan, Spacing};
use crate::rng::Rng;

/// A voter with the time at which it should start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The voter's number within the whole plan, from 0.
    pub(crate) voter: u64,
    /// The time at which the voter should start, in µs since the start of the load.
    pub(crate) due_us: u64,
    /// The position of the voter's phase in the plan.
    pub(crate) phase: usize,
}

/// An iterator over the arrivals of one slice.
pub(crate) struct Arrivals<'a> {
    plan: &'a Plan,
    ends_us: Vec<u64>,
    slice: Slice,
    count: u64,
    nth: u64,
    gaps: Option<Gaps>,
    phase: usize,
}

struct Gaps {
    rng: Rng,
    passed: f64,
    /// The number of voters for a gap of 1.
    scale: f64,
}

impl<'a> Arrivals<'a> {
    /// Returns the arrivals of the voters of `plan` that belong to `slice`.
    pub(crate) fn new(plan: &'a Plan, slice: Slice, seed: u64) -> Self {
        let total = plan.voters();
        let count = slice.share(total);
        let gaps = (plan.arrivals == Spacing::Poisson).then(|| {
            let rng = Rng::for_index(seed ^ 0x0041_5252_4956_414C, slice.nth);
            let mut rehearsal = rng.clone();
            let sum: f64 = (0..=count).map(|_| rehearsal.gap()).sum();
            Gaps { rng, passed: 0.0, scale: total as f64 / sum }
        });
        Self { plan, ends_us: plan.ends_us(), slice, count, nth: 0, gaps, phase: 0 }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        if self.nth == self.count {
            return None;
        }
        let voter = self.slice.nth + self.nth * self.slice.of;
        self.nth += 1;
        let position = match &mut self.gaps {
            Some(gaps) => {
                gaps.passed += gaps.rng.gap();
                gaps.passed * gaps.scale
            }
            None => voter as f64 + 0.5,
        };
        let due_us = (self.plan.due_seconds(position) * 1e6) as u64;
        while self.phase + 1 < self.ends_us.len() && due_us >= self.ends_us[self.phase] {
            self.phase += 1;
        }
        Some(Arrival { voter, due_us, phase: self.phase })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::profile::{Profile, Shape};
    use crate::plan::shard::Shard;

    fn plan(arrivals: Spacing) -> Plan {
        let shape = Shape { rate: Some(1000.0), seconds: Some(4.0), arrivals, ..Shape::default() };
        Plan::of(Profile::Ramp, &shape).unwrap()
    }

    fn union(plan: &Plan, shards: u64, threads: u64) -> Vec<Arrival> {
        let mut all = Vec::new();
        for nth in 1..=shards {
            for thread in 0..threads {
                let slice = Shard { nth, of: shards }.slice(thread, threads);
                let part: Vec<_> = Arrivals::new(plan, slice, 5).collect();
                assert!(part.is_sorted_by_key(|arrival| arrival.due_us));
                all.extend(part);
            }
        }
        all.sort_by_key(|arrival| arrival.voter);
        all
    }

    #[test]
    fn every_voter_comes_once_however_the_plan_is_cut() {
        for spacing in [Spacing::Poisson, Spacing::Constant] {
            let plan = plan(spacing);
            for (shards, threads) in [(1, 1), (4, 1), (1, 3), (2, 2)] {
                let voters: Vec<u64> =
                    union(&plan, shards, threads).iter().map(|a| a.voter).collect();
                assert_eq!(voters, (0..plan.voters()).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn evenly_spaced_arrivals_do_not_depend_on_the_cut() {
        let plan = plan(Spacing::Constant);
        assert_eq!(union(&plan, 1, 1), union(&plan, 4, 2));
    }

    #[test]
    fn half_of_a_ramp_brings_its_share_of_voters() {
        let plan = plan(Spacing::Poisson);
        let half = plan.warm_up_seconds + 2.0;
        let expected = 200.0 + 100.0 * 2.0 + 900.0 / 8.0 * 4.0; // warm-up, then ∫(100 + 225t) to 2 s
        let before = union(&plan, 2, 1).iter().filter(|a| a.due_us < (half * 1e6) as u64).count();
        assert!((before as f64 - expected).abs() < 4.0 * expected.sqrt(), "{before} {expected}");
    }

    #[test]
    fn phases_follow_the_clock() {
        let plan = plan(Spacing::Poisson);
        assert!(union(&plan, 1, 1).iter().all(|a| (a.phase == 1) == (a.due_us >= 2_000_000)));
    }
}
