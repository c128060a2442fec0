//! The report of a run, as it stands in JSON.
//!
//! The schema is documented in `loadtest/README.md` and numbered by [`SCHEMA_VERSION`]: fields may
//! be added under the same number, never renamed, removed or given another unit.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::audit::result::Audit;
use crate::measure::histogram::Distribution;
use crate::plan::shard::Shard;
use crate::plan::timetable::Plan;
use crate::poll::Poll;
use crate::voters::mix::Mix;
use crate::voters::outcome::Outcome;

/// Number of the JSON schema.
pub const SCHEMA_VERSION: u32 = 1;

/// All about one run, or several merged ones.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// What it all came to.
    pub verdict: LoadVerdict,
    /// Was everything acknowledged counted, once?
    pub audit: Audit,
    /// Thresholds.
    pub slos: Vec<SloResult>,
    /// The set-up.
    pub setup: Setup,
    /// Did the generator keep its timetable?
    pub schedule: Schedule,
    /// What became of the ballots.
    pub ballots: Ballots,
    /// Figures by phase, warm-up left out.
    pub phases: Vec<PhaseReport>,
    /// The highest rate that was within the limits, for a plan that seeks it.
    pub knee: Option<Knee>,
    /// What the viewers saw.
    pub viewers: Option<ViewersReport>,
    /// From the click to the screen.
    pub screen: Option<ScreenReport>,
    /// What the target's own metrics said meanwhile.
    pub metrics: Option<MetricsReport>,
    /// Figures over time.
    pub series: Series,
    /// What the generator itself needed.
    pub generator: Generator,
    /// A few replies that should not have been, word for word.
    pub samples: Vec<String>,
}

/// What it all came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LoadVerdict {
    /// 0, 1 or 2, as the process exits.
    pub exit_code: u8,
    /// One line.
    pub headline: String,
    /// Why, line by line.
    pub reasons: Vec<String>,
}

/// A threshold and what the run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SloResult {
    /// As it was asked for.
    pub slo: String,
    /// What was measured, with its unit; absent when nothing was.
    pub measured: Option<String>,
    /// Whether it was kept. What was not measured was not kept.
    pub kept: bool,
}

/// The set-up of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Setup {
    /// Where ballots went.
    pub target: String,
    /// Where results came from.
    pub results: Option<String>,
    /// The poll.
    pub poll: Option<Poll>,
    /// The timetable.
    pub plan: Option<Plan>,
    /// Closed model: its connections.
    pub closed_connections: Option<usize>,
    /// Shares of unusual voters.
    pub mix: Mix,
    /// Weights of the options, as given.
    pub weights: Option<String>,
    /// What chance was seeded with.
    pub seed: u64,
    /// Which part of the load this was.
    pub shard: Option<Shard>,
    /// How many reports were merged into this one (1: none).
    pub parts: u64,
    /// Generator threads.
    pub threads: u64,
    /// Most connections at a time.
    pub connections_max: u64,
    /// Start of the load, RFC 3339.
    pub started_at: String,
    /// End of the run, RFC 3339.
    pub ended_at: String,
    /// Version of this tool.
    pub version: String,
    /// The generator's machine: cores, system.
    pub machine: String,
    /// Whether the operator ended the load early.
    pub ended_early: bool,
}

/// Did the generator keep its timetable?
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Schedule {
    /// `open` or `closed`.
    pub model: String,
    /// Voters the timetable had, after the warm-up.
    pub intended: u64,
    /// Voters who started.
    pub sent: u64,
    /// Voters who started before their phase was over.
    pub sent_in_time: u64,
    /// `sent_in_time ÷ intended`; absent in the closed model.
    pub achieved_ratio: Option<f64>,
    /// Whether the run says nothing about the target at the intended rate.
    pub void: bool,
    /// From a voter's intended start to its connection.
    pub lateness: Distribution,
}

/// What became of the ballots.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ballots {
    /// All requests by outcome, warm-up included: the audit's view.
    pub outcomes: BTreeMap<String, u64>,
    /// Requests after the warm-up.
    pub measured: u64,
    /// Those that ended as they should not.
    pub errors: u64,
    /// `errors ÷ measured`.
    pub error_ratio: f64,
    /// Length of the measured load, s.
    pub measured_seconds: f64,
    /// Acknowledged after the warm-up, per second of the measured load.
    pub acknowledged_per_second: f64,
    /// From the intended start to the reply.
    pub latency: Distribution,
    /// The same for ballot pages.
    pub page_latency: Distribution,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Its name.
    pub name: String,
    /// Its length, s.
    pub seconds: f64,
    /// Intended rate at its beginning and end, voters per second.
    pub rate_from: f64,
    /// See `rate_from`.
    pub rate_to: f64,
    /// Voters the timetable had.
    pub intended: u64,
    /// Voters who started before the phase was over.
    pub sent_in_time: u64,
    /// Ballots acknowledged.
    pub acknowledged: u64,
    /// Requests that ended as they should not.
    pub errors: u64,
    /// From the intended start to the reply.
    pub latency: Distribution,
    /// Within the knee's limits; absent when no knee is sought.
    pub within_limits: Option<bool>,
}

/// The highest rate within the limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// Voters per second; absent when not even the first step was within them.
    pub rate_per_second: Option<f64>,
    /// Limit of the p99, µs.
    pub p99_limit_us: u64,
    /// Whether a higher step failed; otherwise the knee lies beyond the plan.
    pub found: bool,
}

/// What the viewers saw.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ViewersReport {
    /// Viewers asked for (and one that watches for the run's ballots, if none was).
    pub watching: u64,
    /// Most streams open at a time.
    pub open_max: u64,
    /// Viewers who ever had a state.
    pub with_state: u64,
    /// Viewers who never read.
    pub stalled: u64,
    /// Streams that ended and were opened again.
    pub reconnects: u64,
    /// Streams refused (status other than 200), and other failed attempts.
    pub refused: u64,
    /// All failed attempts.
    pub connect_failures: u64,
    /// Frames over all viewers.
    pub frames: u64,
    /// Bytes over all viewers.
    pub bytes: u64,
    /// Versions marked stale.
    pub stale_frames: u64,
    /// Frames whose version went back.
    pub regressions: u64,
    /// Silences above 20 s (a heartbeat is due every 15 s).
    pub gaps: u64,
    /// The longest silence, µs.
    pub silence_max_us: u64,
    /// From the start of a connection to its first state.
    pub first_state: Distribution,
    /// From the first viewer that had a version to each other one.
    pub spread: Distribution,
}

/// From the click to the screen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ScreenReport {
    /// From the voter's intended start.
    pub from_click: Distribution,
    /// From the acknowledgement.
    pub from_acknowledgement: Distribution,
    /// Acknowledged voters who never appeared.
    pub never_shown: u64,
}

/// What the target's own metrics said meanwhile.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricsReport {
    /// Addresses asked.
    pub addresses: Vec<String>,
    /// Largest sum of lag and pending entries.
    pub backlog_max: u64,
    /// Same at the end.
    pub backlog_end: u64,
    /// Ballot to commit as the consumers measured it over the run: quantile by name, upper bucket
    /// bound in µs.
    pub ballot_to_commit_us: BTreeMap<String, u64>,
    /// Ballots accepted by the producers over the run that this generator did not send.
    pub foreign_ballots: Option<u64>,
    /// Scrapes that failed.
    pub failures: u64,
}

/// Figures over time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// Length of an interval, s.
    pub interval_seconds: f64,
    /// Length of the warm-up, s.
    pub warm_up_seconds: f64,
    /// Length of the load, warm-up included, s.
    pub load_seconds: f64,
    /// One entry an interval, from the start of the load.
    pub points: Vec<Point>,
}

/// One interval.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Point {
    /// Voters due.
    pub intended: u64,
    /// Voters who started.
    pub sent: u64,
    /// Ballots acknowledged.
    pub acknowledged: u64,
    /// Ballots refused, rightly.
    pub refused: u64,
    /// Requests that ended as they should not.
    pub errors: u64,
    /// Latency of those who should have started now.
    pub latency: Distribution,
    /// Frames over all viewers.
    pub frames: u64,
    /// Click to screen of those who appeared now.
    pub click_to_screen: Distribution,
    /// Acknowledged voters not on screen at its end.
    pub behind: Option<u64>,
    /// Lag and pending entries at its end, from the metrics.
    pub backlog: Option<u64>,
}

/// What the generator itself needed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Generator {
    /// Processor time during the load, all threads, s.
    pub cpu_seconds: f64,
    /// Processor time of the threads that send ballots over their requests, µs.
    pub cpu_us_per_request: f64,
    /// Those requests: ballots and ballot pages, warm-up included.
    pub requests: u64,
    /// Most memory resident, bytes.
    pub resident_bytes_max: u64,
}

impl Report {
    /// Reads a report from a file.
    ///
    /// # Errors
    /// When there is none, or one of another schema.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let report: Self = serde_json::from_str(&text)
            .with_context(|| format!("{name} is no report of this tool"))?;
        ensure!(
            report.schema_version == SCHEMA_VERSION,
            "{name} has schema {}, this tool knows {SCHEMA_VERSION}",
            report.schema_version
        );
        Ok(report)
    }

    /// The report as JSON.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a report is plain data");
        json.push('\n');
        json
    }

    /// How many requests ended so.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.ballots.outcomes.get(&outcome_name(outcome)).copied().unwrap_or(0)
    }
}

/// The name of an outcome in JSON.
pub(crate) fn outcome_name(outcome: Outcome) -> String {
    match serde_json::to_value(outcome) {
        Ok(serde_json::Value::String(name)) => name,
        _ => unreachable!("a unit variant is a string in JSON"),
    }
}
