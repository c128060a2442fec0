//! What load, when: phases of a rate that rises, falls or stays.
//!
//! A plan is a timetable drawn up before the run; nothing that the target answers changes it (the
//! one exception: `step` ends early once the knee is behind it). Absent on purpose: loops and
//! conditions; write more phases.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

/// The profiles that need no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// One rate for the whole duration
    Constant,
    /// From a tenth of the rate up to the rate
    Ramp,
    /// Up in equal steps to the rate; finds the knee and stops behind it
    Step,
    /// The rate, ten times the rate for a tenth of the duration, the rate again
    Spike,
    /// One rate for an hour
    Soak,
    /// 37,000 distinct voters within 3 s, then quiet until all are counted
    JuniorEurovision,
}

/// How arrivals are strewn over a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Spacing {
    /// As independent people arrive: random gaps around the rate
    #[default]
    Poisson,
    /// Evenly, like a metronome
    Constant,
}

/// A stretch of time in which the rate moves evenly from one value to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// What reports call it.
    pub name: String,
    /// Length, s.
    pub seconds: f64,
    /// Voters per second at its beginning.
    pub rate_from: f64,
    /// Voters per second at its end.
    pub rate_to: f64,
}

impl Phase {
    /// Voters that arrive in this phase.
    pub fn voters(&self) -> f64 {
        (self.rate_from + self.rate_to) / 2.0 * self.seconds
    }
}

/// The whole timetable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Profile or file name.
    pub name: String,
    /// How arrivals are strewn.
    pub arrivals: Spacing,
    /// Length of the first phase when that is a warm-up, left out of the figures; else 0. Unit: s.
    pub warm_up_seconds: f64,
    /// Whether the run looks for the knee and ends once it is found.
    pub seeks_knee: bool,
    /// One after the other, without a gap.
    pub phases: Vec<Phase>,
}

/// What the command line says about the shape; `None` takes the profile's own.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Voters per second (the peak of ramp and step, the base of spike).
    pub rate: Option<f64>,
    /// Length without the warm-up, s.
    pub seconds: Option<f64>,
    /// Size of the crowd (junior-eurovision).
    pub voters: Option<u64>,
    /// Number of steps (step).
    pub steps: Option<u32>,
    /// Length of the warm-up, s.
    pub warm_up_seconds: Option<f64>,
    /// How arrivals are strewn.
    pub arrivals: Spacing,
}

/// A plan as it stands in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    name: String,
    #[serde(default)]
    arrivals: Spacing,
    #[serde(default)]
    warm_up_seconds: f64,
    #[serde(default)]
    seeks_knee: bool,
    phase: Vec<PhaseEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseEntry {
    name: Option<String>,
    seconds: f64,
    rate: Option<f64>,
    rate_from: Option<f64>,
    rate_to: Option<f64>,
}

impl Plan {
    /// Draws up one of the built-in profiles.
    ///
    /// # Errors
    /// A shape that makes no sense (a rate of zero, a negative duration).
    pub fn of(profile: Profile, shape: &Shape) -> anyhow::Result<Self> {
        use Profile::{Constant, JuniorEurovision, Ramp, Soak, Spike, Step};
        ensure!(
            shape.voters.is_none() || profile == JuniorEurovision,
            "--voters sets the crowd of junior-eurovision; here --rate and --duration say how many come"
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
            Constant | Soak => vec![phase("load", seconds, rate, rate)],
            Ramp => vec![phase("ramp", seconds, rate / 10.0, rate)],
            Step => steps(shape.steps.unwrap_or(10).max(1), seconds, rate),
            Spike => vec![
                phase("before", seconds * 0.4, rate, rate),
                phase("spike", seconds * 0.1, rate * 10.0, rate * 10.0),
                phase("after", seconds * 0.5, rate, rate),
            ],
            JuniorEurovision => vec![phase("three seconds", seconds, rate, rate)],
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

    /// Reads a plan from a TOML file.
    ///
    /// # Errors
    /// An unreadable file, an unknown key, or phases that make no sense.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the plan {}", path.display()))?;
        Self::from_toml(&text).with_context(|| format!("in the plan {}", path.display()))
    }

    /// Reads a plan from TOML.
    ///
    /// # Errors
    /// As for [`Self::from_file`].
    pub fn from_toml(text: &str) -> anyhow::Result<Self> {
        let file: PlanFile = toml::from_str(text)?;
        let phases = file.phase.into_iter().enumerate().map(|(at, entry)| entry.phase(at));
        let phases = phases.collect::<anyhow::Result<Vec<_>>>()?;
        Self {
            name: file.name,
            arrivals: file.arrivals,
            warm_up_seconds: 0.0,
            seeks_knee: file.seeks_knee,
            phases,
        }
        .warmed_up(file.warm_up_seconds)
    }

    /// Puts a warm-up at the first phase's rate in front, and checks the whole.
    fn warmed_up(mut self, seconds: f64) -> anyhow::Result<Self> {
        ensure!(!self.phases.is_empty(), "a plan needs at least one phase");
        for phase in &self.phases {
            let sane = |x: f64| x.is_finite() && (0.0..=1e9).contains(&x);
            ensure!(
                sane(phase.rate_from) && sane(phase.rate_to),
                "phase '{}': a rate must be 0 or more",
                phase.name
            );
            ensure!(
                sane(phase.seconds) && phase.seconds > 0.0,
                "phase '{}': it must last longer than 0 s",
                phase.name
            );
        }
        ensure!(self.voters() >= 1, "this plan sends no ballot at all");
        ensure!(
            seconds.is_finite() && (0.0..=3600.0).contains(&seconds),
            "a warm-up lasts 0 to 3600 s"
        );
        if seconds > 0.0 {
            let rate = self.phases[0].rate_from;
            self.phases.insert(0, phase("warm-up", seconds, rate, rate));
            self.warm_up_seconds = seconds;
        }
        Ok(self)
    }

    /// Length of the whole plan, warm-up included, s.
    pub fn seconds(&self) -> f64 {
        self.phases.iter().map(|phase| phase.seconds).sum()
    }

    /// Voters of the whole plan, warm-up included.
    pub fn voters(&self) -> u64 {
        self.phases.iter().map(Phase::voters).sum::<f64>().round() as u64
    }

    /// Where each phase ends, in µs since the start.
    pub(crate) fn ends_us(&self) -> Vec<u64> {
        let mut end = 0.0;
        let add = |phase: &Phase| {
            end += phase.seconds;
            (end * 1e6) as u64
        };
        self.phases.iter().map(add).collect()
    }

    /// When the `nth` (fractional) voter of the plan is due, s since the start: the inverse of the
    /// rate's integral, phase by phase.
    pub(crate) fn due_seconds(&self, nth: f64) -> f64 {
        let (mut left, mut start) = (nth.max(0.0), 0.0);
        for phase in &self.phases {
            if left < phase.voters() {
                return start + phase.seconds_until(left);
            }
            left -= phase.voters();
            start += phase.seconds;
        }
        start
    }
}

impl Phase {
    /// When so many voters of this phase have come: solves `from·t + (to−from)·t²/2d = voters`.
    fn seconds_until(&self, voters: f64) -> f64 {
        let bend = (self.rate_to - self.rate_from) / (2.0 * self.seconds);
        // The form 2c/(b+√…) stays exact as the bend goes to zero.
        let root = (self.rate_from * self.rate_from + 4.0 * bend * voters).max(0.0).sqrt();
        if voters == 0.0 { 0.0 } else { (2.0 * voters / (self.rate_from + root)).min(self.seconds) }
    }
}

impl PhaseEntry {
    fn phase(self, at: usize) -> anyhow::Result<Phase> {
        let name = self.name.unwrap_or_else(|| format!("phase {}", at + 1));
        let (from, to) = match (self.rate, self.rate_from, self.rate_to) {
            (Some(rate), None, None) => (rate, rate),
            (None, Some(from), Some(to)) => (from, to),
            _ => anyhow::bail!("phase '{name}' needs either rate, or rate_from and rate_to"),
        };
        Ok(Phase { name, seconds: self.seconds, rate_from: from, rate_to: to })
    }
}

fn phase(name: &str, seconds: f64, rate_from: f64, rate_to: f64) -> Phase {
    Phase { name: name.to_owned(), seconds, rate_from, rate_to }
}

fn steps(count: u32, seconds: f64, rate: f64) -> Vec<Phase> {
    let step = |nth: u32| {
        let rate = rate * f64::from(nth) / f64::from(count);
        phase(&format!("step {nth}"), seconds / f64::from(count), rate, rate)
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
        // 10/s → 100/s over 10 s: 550 voters; after 5 s (10·5 + 9·25/2) = 162.5 of them.
        assert_eq!(ramp.voters(), 550);
        assert!((ramp.due_seconds(162.5) - 5.0).abs() < 1e-9);
        assert!((ramp.due_seconds(550.0) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_phase_without_rate_is_a_pause() {
        let text = "name='x'\n[[phase]]\nseconds=1\nrate=10\n[[phase]]\nseconds=5\nrate=0\n[[phase]]\nseconds=1\nrate=10";
        let plan = Plan::from_toml(text).unwrap();
        assert!(plan.due_seconds(9.9) < 1.0);
        assert!(plan.due_seconds(10.1) > 6.0);
    }

    #[test]
    fn warm_up_stands_in_front() {
        let plan = Plan::of(Profile::Constant, &Shape::default()).unwrap();
        assert_eq!(plan.phases[0].name, "warm-up");
        assert_eq!(plan.warm_up_seconds, 2.0);
    }

    #[test]
    fn senseless_plans_are_refused() {
        for text in [
            "name='x'\nphase=[]",
            "name='x'\n[[phase]]\nseconds=0\nrate=10",
            "name='x'\n[[phase]]\nseconds=1\nrate=-1",
            "name='x'\n[[phase]]\nseconds=1\nrate=1\nrate_to=2",
            "name='x'\ntypo=1\n[[phase]]\nseconds=1\nrate=1",
        ] {
            assert!(Plan::from_toml(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shipped_plans_are_valid() {
        for text in [
            include_str!("../profiles/song-contest-evening.toml"),
            include_str!("../profiles/lunch-poll.toml"),
        ] {
            Plan::from_toml(text).unwrap();
        }
    }
}
