//! Plans that are written in TOML files.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use crate::plan::timetable::{Phase, Plan, Spacing};

/// A plan as it is written in a file.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanFile {
    /// The name of the plan in reports.
    name: String,
    /// How arrivals are spread over each phase.
    #[serde(default)]
    arrivals: Spacing,
    /// The length in seconds of a warm-up in front, which is left out of the figures.
    #[serde(default)]
    warm_up_seconds: f64,
    /// Whether to look for the highest rate within the limits, and to end once it is found.
    #[serde(default)]
    seeks_knee: bool,
    /// The phases in order. Each has either `rate`, or `rate_from` and `rate_to`.
    phase: Vec<PhaseEntry>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct PhaseEntry {
    /// The name of the phase in reports.
    name: Option<String>,
    /// The length of the phase in seconds.
    seconds: f64,
    /// Voters per second in the whole phase.
    rate: Option<f64>,
    /// Voters per second at the beginning of the phase.
    rate_from: Option<f64>,
    /// Voters per second at the end of the phase.
    rate_to: Option<f64>,
}

impl Plan {
    /// Reads a plan from a TOML file.
    ///
    /// # Errors
    /// Returns an error that names the file if it cannot be read, has an unknown key, or its phases
    /// make no sense.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the plan {}", path.display()))?;
        Self::from_toml(&text).with_context(|| format!("in the plan {}", path.display()))
    }

    /// Parses a plan from TOML.
    ///
    /// # Errors
    /// Returns an error for an unknown key, and for phases that make no sense.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_without_rate_is_a_pause() {
        let text = "name='x'\n[[phase]]\nseconds=1\nrate=10\n[[phase]]\nseconds=5\nrate=0\n[[phase]]\nseconds=1\nrate=10";
        let plan = Plan::from_toml(text).unwrap();
        assert!(plan.due_seconds(9.9) < 1.0);
        assert!(plan.due_seconds(10.1) > 6.0);
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
            include_str!("../../profiles/song-contest-evening.toml"),
            include_str!("../../profiles/lunch-poll.toml"),
        ] {
            Plan::from_toml(text).unwrap();
        }
    }
}
