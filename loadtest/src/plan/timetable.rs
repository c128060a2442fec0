//! What load, when: phases of a rate that rises, falls or stays.
//!
//! A plan is a timetable drawn up before the run; nothing that the target answers changes it (the
//! one exception: `step` ends early once the knee is behind it). Absent on purpose: loops and
//! conditions; write more phases.

use anyhow::ensure;
use serde::{Deserialize, Serialize};

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
    /// A phase.
    pub(crate) fn new(name: &str, seconds: f64, rate_from: f64, rate_to: f64) -> Self {
        Self { name: name.to_owned(), seconds, rate_from, rate_to }
    }

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

impl Plan {
    /// Puts a warm-up at the first phase's rate in front, and checks the whole.
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
            "a warm-up lasts 0 to 3600 s"
        );
        if seconds > 0.0 {
            let rate = self.phases[0].rate_from;
            self.phases.insert(0, Phase::new("warm-up", seconds, rate, rate));
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
