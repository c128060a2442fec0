//! A plan is a list of phases, in each of which the rate rises, falls or stays.
//!
//! A plan is made before the run, and no answer of the target changes it. There is one exception:
//! the profile `step` ends early once the limits are exceeded.
//! Absent on purpose: loops and conditions. Write more phases instead.

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// How arrivals are spread over a phase.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Spacing {
    /// Arrive as independent people do, with random gaps around the rate
    #[default]
    Poisson,
    /// Arrive at equal intervals
    Constant,
}

/// A stretch of time in which the rate changes linearly from one value to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Phase {
    /// The phase's name in reports.
    pub name: String,
    /// The length of the phase in seconds.
    pub seconds: f64,
    /// Voters per second at the beginning of the phase.
    pub rate_from: f64,
    /// Voters per second at the end of the phase.
    pub rate_to: f64,
}

impl Phase {
    /// Returns a phase with this name, length in seconds, and rates in voters per second.
    pub(crate) fn new(name: &str, seconds: f64, rate_from: f64, rate_to: f64) -> Self {
        Self { name: name.to_owned(), seconds, rate_from, rate_to }
    }

    /// Returns the number of voters that arrive in this phase. It may be fractional.
    pub fn voters(&self) -> f64 {
        (self.rate_from + self.rate_to) / 2.0 * self.seconds
    }
}

/// The phases of a load, one after the other without a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Plan {
    /// The name of the profile, or the name in the plan's file.
    pub name: String,
    /// How arrivals are spread over each phase.
    pub arrivals: Spacing,
    /// The length in seconds of the warm-up, which is then the first phase and left out of the
    /// figures; 0 if there is none.
    pub warm_up_seconds: f64,
    /// Whether the run looks for the highest rate within the limits, and ends once it is found.
    pub seeks_knee: bool,
    /// The phases in order, the warm-up included.
    pub phases: Vec<Phase>,
}

impl Plan {
    /// Puts a warm-up at the rate of the first phase in front, and checks the plan.
    ///
    /// # Errors
    /// Returns an error if a phase or the warm-up makes no sense, or the plan has no voter.
    pub(crate) fn warmed_up(mut self, seconds: f64) -> anyhow::Result<Self> {
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
            "the warm-up must last 0 to 3600 s"
        );
        // A warm-up in which hardly anybody comes would take a voter away from the load.
        let rate = self.phases[0].rate_from;
        if seconds > 0.0 && (rate == 0.0 || rate * seconds >= 1.0) {
            self.phases.insert(0, Phase::new("warm-up", seconds, rate, rate));
            self.warm_up_seconds = seconds;
        }
        Ok(self)
    }

    /// Returns the length of the plan in seconds, with the warm-up.
    pub fn seconds(&self) -> f64 {
        self.phases.iter().map(|phase| phase.seconds).sum()
    }

    /// Returns the number of voters of the plan, with the warm-up.
    pub fn voters(&self) -> u64 {
        self.phases.iter().map(Phase::voters).sum::<f64>().round() as u64
    }

    /// Returns the end of each phase in µs since the start.
    pub(crate) fn ends_us(&self) -> Vec<u64> {
        let mut end = 0.0;
        let add = |phase: &Phase| {
            end += phase.seconds;
            (end * 1e6) as u64
        };
        self.phases.iter().map(add).collect()
    }

    /// Returns the time in seconds since the start at which the `nth` voter is due, where `nth` may
    /// be fractional. It inverts the integral of the rate, phase by phase.
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
    /// Returns the time within the phase, in seconds, at which this many of its voters have come:
    /// the `t` of `from·t + (to−from)·t²/2d = voters`, where `d` is the length.
    fn seconds_until(&self, voters: f64) -> f64 {
        let bend = (self.rate_to - self.rate_from) / (2.0 * self.seconds);
        // The form 2c/(b+√…) stays exact as the bend goes to zero.
        let root = (self.rate_from * self.rate_from + 4.0 * bend * voters).max(0.0).sqrt();
        if voters == 0.0 { 0.0 } else { (2.0 * voters / (self.rate_from + root)).min(self.seconds) }
    }
}
