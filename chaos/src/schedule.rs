//! Draws the schedule: the fault, the target, the time and the duration of each step.
//!
//! Invariant: the schedule is a pure function of the seed, the duration and the chosen faults, so that these three give
//! the same schedule on every machine. Only the times may shift: a step waits until the step before it has recovered.

use std::time::Duration;

use votestream_loadtest::Rng;

use crate::fault::Fault;

/// The shortest and the longest pause before a fault in seconds.
const QUIET_S: (f64, f64) = (1.0, 3.0);
/// The time in seconds that the schedule reserves for the recovery from each fault.
const RECOVERY_S: f64 = 4.0;
/// One step in this many has two faults at the same time.
const MIXED_EVERY: usize = 4;

/// A fault with its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// The fault that is injected.
    pub fault: Fault,
    /// One of the targets that the table lists for the fault.
    pub target: &'static str,
}

/// One or two faults that are injected together and healed together.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The earliest time since the load began. The step waits until the one before it is over.
    pub at: Duration,
    /// The faults with their targets.
    pub strikes: Vec<Strike>,
    /// The time from the injection until the healing.
    pub hold: Duration,
}

/// Draws the steps that fit into `duration`. The faults are shuffled and drawn one by one, and shuffled again when all
/// were drawn. With `once`, every fault is drawn once, however long that takes, and no step has two faults.
pub fn draw(seed: u64, duration: Duration, faults: &[Fault], once: bool) -> Vec<Step> {
    let mut rng = Rng::from_seed(seed);
    let mut steps: Vec<Step> = Vec::new();
    let mut deck: Vec<Fault> = Vec::new();
    let mut at_s = rng.between(QUIET_S.0, QUIET_S.1);
    while !faults.is_empty() {
        if deck.is_empty() {
            if once && !steps.is_empty() {
                break;
            }
            deck = shuffled(faults, &mut rng);
        }
        let Some(first) = deck.pop() else { break };
        let mut drawn = vec![first];
        if !once && steps.len() % MIXED_EVERY == MIXED_EVERY - 1 {
            let other = deck.iter().rposition(|other| first.mixes_with(*other));
            drawn.extend(other.map(|at| deck.remove(at)));
        }
        let bounds = drawn.iter().map(|fault| fault.hold_s());
        let (low, high) =
            bounds.fold((0.0_f64, 0.0_f64), |all, one| (all.0.max(one.0), all.1.max(one.1)));
        let hold_s = rng.between(low, high);
        let strikes = drawn.into_iter().map(|fault| {
            let targets = fault.targets();
            Strike { fault, target: targets[rng.below(targets.len())] }
        });
        let strikes = strikes.collect();
        if !once && at_s + hold_s + RECOVERY_S > duration.as_secs_f64() {
            break;
        }
        let (at, hold) = (Duration::from_secs_f64(at_s), Duration::from_secs_f64(hold_s));
        steps.push(Step { at, strikes, hold });
        at_s += hold_s + RECOVERY_S + rng.between(QUIET_S.0, QUIET_S.1);
    }
    steps
}

/// Returns the faults in random order (the shuffle of Fisher and Yates).
fn shuffled(faults: &[Fault], rng: &mut Rng) -> Vec<Fault> {
    let mut deck = faults.to_vec();
    for last in (1..deck.len()).rev() {
        deck.swap(last, rng.below(last + 1));
    }
    deck
}

impl Step {
    /// Returns a title such as `kill-consumer (consumer-1) + net-cut (producer-2 > redis)`.
    pub fn title(&self) -> String {
        let strikes = self.strikes.iter().map(|strike| match strike.fault.targets() {
            [_] => strike.fault.name().to_owned(),
            _ => format!("{} ({})", strike.fault, strike.target),
        });
        strikes.collect::<Vec<_>>().join(" + ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1_800);

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_another() {
        let real = Fault::real();
        assert_eq!(draw(7, LONG, &real, false), draw(7, LONG, &real, false));
        assert_ne!(draw(7, LONG, &real, false), draw(8, LONG, &real, false));
    }

    /// A changed schedule makes the seeds of old reports useless, so a change must be intended.
    #[test]
    fn the_schedule_of_a_seed_is_golden() {
        let faults = [Fault::KillProducer, Fault::RedisKill, Fault::NetCut, Fault::Replay];
        let titles: Vec<String> = draw(1, Duration::from_secs(60), &faults, false)
            .iter()
            .map(|step| {
                format!(
                    "{:.1} {} {:.1}",
                    step.at.as_secs_f64(),
                    step.title(),
                    step.hold.as_secs_f64()
                )
            })
            .collect();
        assert_eq!(titles, GOLDEN);
    }

    const GOLDEN: &[&str] = &[
        "2.1 replay 1.4",
        "10.3 kill-producer (producer-1) 2.0",
        "19.0 redis-kill 2.2",
        "27.1 net-cut (consumers > redis) 4.6",
        "37.0 replay 1.9",
        "44.1 net-cut (producer-1 > redis) 4.5",
        "54.1 kill-producer (producer-2) 1.1",
    ];

    #[test]
    fn steps_follow_one_another_and_end_in_time() {
        let steps = draw(3, LONG, &Fault::real(), false);
        for pair in steps.windows(2) {
            assert!(pair[0].at + pair[0].hold < pair[1].at);
        }
        let last = steps.last().unwrap();
        assert!(last.at + last.hold < LONG);
    }

    #[test]
    fn every_fault_is_dealt_before_one_comes_again() {
        let real = Fault::real();
        let steps = draw(5, LONG, &real, false);
        let dealt: Vec<Fault> =
            steps.iter().flat_map(|step| step.strikes.iter().map(|strike| strike.fault)).collect();
        assert!(dealt.len() > real.len());
        for fault in real {
            assert!(dealt.contains(&fault), "{fault}");
        }
        let once = draw(5, Duration::ZERO, &Fault::real(), true);
        assert_eq!(once.len(), Fault::real().len());
    }

    #[test]
    fn mixed_faults_strike_in_different_places() {
        let steps = draw(11, LONG, &Fault::real(), false);
        let mixed: Vec<&Step> = steps.iter().filter(|step| step.strikes.len() == 2).collect();
        assert!(mixed.len() > 3);
        for step in mixed {
            assert_ne!(step.strikes[0].fault.place(), step.strikes[1].fault.place());
            assert!(step.strikes.iter().all(|strike| strike.fault != Fault::StreamDeleted));
        }
    }

    #[test]
    fn no_faults_make_no_steps() {
        assert_eq!(draw(1, LONG, &[], false), []);
    }
}
