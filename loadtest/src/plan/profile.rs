//! The built-in profiles, which make a plan from a few numbers.

use anyhow::ensure;

use crate::plan::timetable::{Phase, Plan, Spacing};

/// A built-in profile: the shape of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Send one rate for the whole duration
    Constant,
    /// Rise from a tenth of the rate to the rate
    Ramp,
    /// Rise in equal steps to the rate; find the highest rate within the limits, and stop beyond it
    Step,
    /// Send the rate, then ten times the rate for a tenth of the duration, then the rate again
    Spike,
    /// Send one rate for an hour
    Soak,
    /// Send 37,000 distinct voters within 3 s, then wait until all are counted
    JuniorEurovision,
}

/// The numbers that adapt a profile. `None` means the profile's own default.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Voters per second: the peak of ramp and step, the base of spike.
    pub rate: Option<f64>,
    /// The length of the load without the warm-up, in seconds.
    pub seconds: Option<f64>,
    /// The number of voters (junior-eurovision only).
    pub voters: Option<u64>,
    /// The number of steps (step only).
    pub steps: Option<u32>,
    /// The length of the warm-up in seconds.
    pub warm_up_seconds: Option<f64>,
    /// How arrivals are spread over each phase.
    pub arrivals: Spacing,
}

impl Plan {
    /// Makes a plan from a built-in profile.
    ///
    /// # Errors
    /// Returns an error for numbers that make no sense, such as a rate of zero, and for numbers
    /// that belong to another profile.
    pub fn of(profile: Profile, shape: &Shape) -> anyhow::Result<Self> {
        use Profile::{Constant, JuniorEurovision, Ramp, Soak, Spike, Step};
        ensure!(
            shape.voters.is_none() || profile == JuniorEurovision,
            "--voters belongs to junior-eurovision and --connections; for other profiles set --rate and --duration"
        );
        ensure!(shape.steps.is_none() || profile == Step, "--steps belongs to the step profile");
        let seconds = shape.seconds.unwrap_or(match profile {
            Constant | Spike => 30.0,
            Ramp | Step => 60.0,
            Soak => 3600.0,
            JuniorEurovision => 3.0,
        });
        let rate = shape.rate.unwrap_or(match profile {
            Constant | Spike | Soak => 500.0,
            Ramp => 5000.0,
            Step => 20_000.0,
            JuniorEurovision => shape.voters.unwrap_or(37_000) as f64 / seconds,
        });
        let phases = match profile {
            Constant | Soak => vec![Phase::new("load", seconds, rate, rate)],
            Ramp => vec![Phase::new("ramp", seconds, rate / 10.0, rate)],
            Step => steps(shape.steps.unwrap_or(10).max(1), seconds, rate),
            Spike => vec![
                Phase::new("before", seconds * 0.4, rate, rate),
                Phase::new("spike", seconds * 0.1, rate * 10.0, rate * 10.0),
                Phase::new("after", seconds * 0.5, rate, rate),
            ],
            JuniorEurovision => vec![Phase::new("three seconds", seconds, rate, rate)],
        };
        let warm_up = if profile == JuniorEurovision { 0.0 } else { 2.0 };
        let name = clap::ValueEnum::to_possible_value(&profile)
            .map_or_else(String::new, |value| value.get_name().to_owned());
        Self {
            name,
            arrivals: shape.arrivals,
            warm_up_seconds: 0.0,
            seeks_knee: profile == Step,
            phases,
        }
        .warmed_up(shape.warm_up_seconds.unwrap_or(warm_up))
    }
}

fn steps(count: u32, seconds: f64, rate: f64) -> Vec<Phase> {
    let step = |nth: u32| {
        let rate = rate * f64::from(nth) / f64::from(count);
        Phase::new(&format!("step {nth}"), seconds / f64::from(count), rate, rate)
    };
    (1..=count).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junior_eurovision_is_37_000_voters_in_3_seconds() {
        let plan = Plan::of(Profile::JuniorEurovision, &Shape::default()).unwrap();
        assert_eq!((plan.voters(), plan.seconds()), (37_000, 3.0));
        let small = Shape { voters: Some(2000), ..Shape::default() };
        assert_eq!(Plan::of(Profile::JuniorEurovision, &small).unwrap().voters(), 2000);
    }

    #[test]
    fn due_times_invert_the_rate() {
        let shape = Shape { rate: Some(100.0), seconds: Some(10.0), ..Shape::default() };
        let ramp = Plan::of(Profile::Ramp, &Shape { warm_up_seconds: Some(0.0), ..shape }).unwrap();
        // The rate rises from 10/s to 100/s within 10 s, so there are 550 voters; after 5 s 10·5 +
        // 9·25/2 = 162.5 have come.
        assert_eq!(ramp.voters(), 550);
        assert!((ramp.due_seconds(162.5) - 5.0).abs() < 1e-9);
        assert!((ramp.due_seconds(550.0) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn the_only_voter_is_not_spent_on_the_warm_up() {
        let shape = Shape { rate: Some(0.1), seconds: Some(10.0), ..Shape::default() };
        let plan = Plan::of(Profile::Constant, &shape).unwrap();
        assert_eq!((plan.voters(), plan.warm_up_seconds, plan.phases.len()), (1, 0.0, 1));
    }

    #[test]
    fn warm_up_stands_in_front() {
        let plan = Plan::of(Profile::Constant, &Shape::default()).unwrap();
        assert_eq!(plan.phases[0].name, "warm-up");
        assert_eq!(plan.warm_up_seconds, 2.0);
    }
}
