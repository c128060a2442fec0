//! The data of a report, as they are written in JSON.
//!
//! `loadtest/README.md` documents the schema, and [`SCHEMA_VERSION`] is its number. Under the same
//! number fields may be added, but never renamed, removed or given another unit. A field that an
//! older version did not write has its default value.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::audit::result::Audit;
use crate::measure::histogram::Distribution;
use crate::plan::shard::Shard;
use crate::plan::timetable::Plan;
use crate::poll::Poll;
use crate::voters::challenge::Challenges;
use crate::voters::mix::Mix;
use crate::voters::outcome::Outcome;

/// The number of the JSON schema that this version reads and writes.
pub const SCHEMA_VERSION: u32 = 1;

/// The report of one run, or of several merged ones.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Report {
    /// The [`SCHEMA_VERSION`] of the version that wrote the report.
    pub schema_version: u32,
    /// The result of the run: its exit code and the reasons.
    pub verdict: LoadVerdict,
    /// Whether everything that was acknowledged is counted exactly once.
    pub audit: Audit,
    /// The thresholds with the measured values.
    pub slos: Vec<SloResult>,
    /// The settings and the machine of the run.
    pub setup: Setup,
    /// Whether the load tester kept its timetable.
    pub schedule: Schedule,
    /// The ballots by outcome, with their latencies.
    pub ballots: Ballots,
    /// The figures of each phase, without the warm-up.
    pub phases: Vec<PhaseReport>,
    /// The highest rate within the limits, if the plan looks for it.
    pub knee: Option<Knee>,
    /// The figures of the viewers, if there were any.
    pub viewers: Option<ViewersReport>,
    /// The latencies from the click to the screen, if they could be measured.
    pub screen: Option<ScreenReport>,
    /// The figures from the target's own metrics, if addresses were given.
    pub metrics: Option<MetricsReport>,
    /// The challenges that the target asked for, and what they cost the load tester; absent if there were none.
    pub challenges: Option<Challenges>,
    /// The figures over time.
    pub series: Series,
    /// The resources that the load tester used.
    pub generator: Generator,
    /// A few of the replies that should not have come, word for word.
    pub samples: Vec<String>,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct LoadVerdict {
    /// The exit code of the process: 0, 1, 2 or 5.
    pub exit_code: u8,
    /// The result in one line.
    pub headline: String,
    /// The reasons for the exit code, one a line.
    pub reasons: Vec<String>,
}

/// A threshold and the measured value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SloResult {
    /// The threshold as it was given.
    pub slo: String,
    /// The measured value with its unit; absent if nothing was measured.
    pub measured: Option<String>,
    /// Whether the threshold was met. A threshold without a measurement is not met.
    pub kept: bool,
    /// Why the threshold was not judged, such as too few samples. It is then not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_judged: Option<String>,
}

/// The settings and the machine of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Setup {
    /// The address of the producer, which received the ballots.
    pub target: String,
    /// The address of the dashboard, which showed the results.
    pub results: Option<String>,
    /// The poll that was voted in.
    pub poll: Option<Poll>,
    /// The timetable of the load.
    pub plan: Option<Plan>,
    /// Closed model: the number of connections.
    pub closed_connections: Option<usize>,
    /// The shares of unusual voters.
    pub mix: Mix,
    /// The weights of the options, as they were given.
    pub weights: Option<String>,
    /// The seed of all random numbers.
    pub seed: u64,
    /// The part of the load that this process sent; absent if the run was not divided.
    pub shard: Option<Shard>,
    /// The number of reports that were merged into this one; 1 if none were.
    pub parts: u64,
    /// The number of threads that sent ballots.
    pub threads: u64,
    /// The most connections at a time.
    pub connections_max: u64,
    /// The start of the load, as RFC 3339.
    pub started_at: String,
    /// The end of the run, as RFC 3339.
    pub ended_at: String,
    /// The version of the load tester.
    pub version: String,
    /// The cores and the system of the load tester's machine.
    pub machine: String,
    /// Whether the operator ended the load early.
    pub ended_early: bool,
    /// The command line, without passwords; absent if another program drove the load.
    pub command_line: Option<String>,
    /// The largest share of wrong outcomes that was allowed, from 0 to 1; absent in reports that knew
    /// no such limit.
    pub errors_max_ratio: Option<f64>,
}

/// Whether the load tester kept its timetable.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Schedule {
    /// The model of the load: `open` or `closed`.
    pub model: String,
    /// Voters of the timetable after the warm-up.
    pub intended: u64,
    /// Voters who have started.
    pub sent: u64,
    /// Voters who have started before their phase was over.
    pub sent_in_time: u64,
    /// `sent_in_time ÷ intended`; absent in the closed model.
    pub achieved_ratio: Option<f64>,
    /// Whether too few voters were sent in time, so that the run shows nothing about the intended
    /// rate.
    pub void: bool,
    /// The time from a voter's intended start to its handover to a connection.
    pub lateness: Distribution,
}

/// The ballots by outcome, with their latencies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Ballots {
    /// The number of requests of each outcome. The warm-up is included, because the audit counts
    /// it, too.
    pub outcomes: BTreeMap<String, u64>,
    /// The number of requests after the warm-up.
    pub measured: u64,
    /// The number of those whose outcome was wrong.
    pub errors: u64,
    /// `errors ÷ measured`, from 0 to 1.
    pub error_ratio: f64,
    /// The length of the measured load in seconds.
    pub measured_seconds: f64,
    /// Ballots that were acknowledged after the warm-up, per second of the measured load.
    pub acknowledged_per_second: f64,
    /// The latency from the voter's intended start to the reply.
    pub latency: Distribution,
    /// The latency of ballot pages, from the voter's intended start.
    pub page_latency: Distribution,
    /// `latency` by outcome, for the outcomes that happened.
    pub latency_by_outcome: BTreeMap<String, Distribution>,
    /// The time it took to open each connection, with TLS. Its count is the number of connections
    /// that were opened.
    pub connect_time: Distribution,
}

/// The figures of one phase.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct PhaseReport {
    /// The name of the phase.
    pub name: String,
    /// The length of the phase in seconds.
    pub seconds: f64,
    /// The intended rate at its beginning, in voters per second.
    pub rate_from: f64,
    /// The intended rate at its end, in voters per second.
    pub rate_to: f64,
    /// Voters of the timetable in this phase.
    pub intended: u64,
    /// Voters who have started before the phase was over.
    pub sent_in_time: u64,
    /// Ballots that were acknowledged.
    pub acknowledged: u64,
    /// Requests whose outcome was wrong.
    pub errors: u64,
    /// The latency from the voter's intended start to the reply.
    pub latency: Distribution,
    /// Whether the phase was within the limits; absent if the plan does not look for the highest
    /// rate.
    pub within_limits: Option<bool>,
}

/// The knee: the highest rate within the limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Knee {
    /// The rate in voters per second; absent if even the first step exceeded the limits.
    pub rate_per_second: Option<f64>,
    /// The limit of the latency's p99 in microseconds.
    pub p99_limit_us: u64,
    /// Whether a higher step exceeded the limits. If none did, the highest rate lies beyond the
    /// plan.
    pub found: bool,
}

/// The figures of all viewers together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ViewersReport {
    /// The number of viewers that read. If none was requested, one still watches for the ballots of
    /// the run.
    pub watching: u64,
    /// The most streams that were open at a time.
    pub open_max: u64,
    /// Viewers that have received a state of the poll at least once.
    pub with_state: u64,
    /// Viewers that never read.
    pub stalled: u64,
    /// Streams that ended and were opened again.
    pub reconnects: u64,
    /// Streams that were refused with a status other than 200.
    pub refused: u64,
    /// All failed attempts to open a stream, with the refused ones.
    pub connect_failures: u64,
    /// The number of frames over all viewers.
    pub frames: u64,
    /// The number of bytes over all viewers.
    pub bytes: u64,
    /// Versions of the tally that were marked as stale.
    pub stale_frames: u64,
    /// Frames with an older version than the frame before.
    pub regressions: u64,
    /// Silences of more than 20 s, although a heartbeat is due every 15 s.
    pub gaps: u64,
    /// The longest silence in microseconds.
    pub silence_max_us: u64,
    /// The time from the start of a connection to its first state.
    pub first_state: Distribution,
    /// The time from the first viewer that had a version to each of the others.
    pub spread: Distribution,
}

/// The latencies from the click to the screen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ScreenReport {
    /// The latency from the voter's intended start.
    pub from_click: Distribution,
    /// The latency from the acknowledgement.
    pub from_acknowledgement: Distribution,
    /// Acknowledged voters who never appeared on screen.
    pub never_shown: u64,
}

/// The figures from the target's own metrics.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct MetricsReport {
    /// The addresses that were read.
    pub addresses: Vec<String>,
    /// The largest backlog: lag and pending entries; absent if no address shows it.
    pub backlog_max: Option<u64>,
    /// The backlog at the end of the run; absent if no address shows it.
    pub backlog_end: Option<u64>,
    /// The time from ballot to commit over the run, as the consumers measured it: quantiles by
    /// name, each as the upper bound of its bucket in µs.
    pub ballot_to_commit_us: BTreeMap<String, u64>,
    /// Ballots that the producers accepted during the run and that this load tester did not send.
    pub foreign_ballots: Option<u64>,
    /// Readings of the metrics that failed.
    pub failures: u64,
}

/// The figures over time, in intervals of equal length.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Series {
    /// The length of an interval in seconds.
    pub interval_seconds: f64,
    /// The length of the warm-up in seconds.
    pub warm_up_seconds: f64,
    /// The length of the load in seconds, with the warm-up.
    pub load_seconds: f64,
    /// One entry for each interval, from the start of the load.
    pub points: Vec<Point>,
}

/// The figures of one interval.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Point {
    /// Voters who were due in this interval.
    pub intended: u64,
    /// Voters who have started in this interval.
    pub sent: u64,
    /// Ballots that were acknowledged.
    pub acknowledged: u64,
    /// Voters whose first acknowledgement came in this interval.
    pub acknowledged_voters: u64,
    /// Ballots that were refused, rightly.
    pub refused: u64,
    /// Requests whose outcome was wrong.
    pub errors: u64,
    /// The latency of the voters who were due in this interval.
    pub latency: Distribution,
    /// The number of frames over all viewers.
    pub frames: u64,
    /// The latency from the click of the voters who appeared on screen in this interval.
    pub click_to_screen: Distribution,
    /// Acknowledged voters who were not on screen at the end of the interval.
    pub behind: Option<u64>,
    /// Lag and pending entries at the end of the interval, from the metrics.
    pub backlog: Option<u64>,
}

/// The resources that the load tester used.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Generator {
    /// Processor time during the load over all threads, in seconds.
    pub cpu_seconds: f64,
    /// Processor time of the sending threads divided by their requests, in microseconds.
    pub cpu_us_per_request: f64,
    /// The number of those requests: ballots and ballot pages, with the warm-up.
    pub requests: u64,
    /// The most resident memory in bytes.
    pub resident_bytes_max: u64,
    /// The number of cores that the load tester kept busy on average during the load.
    pub cores_busy: f64,
    /// Connections that the machine of the load tester could not open. They make the run void.
    pub faults: u64,
    /// The system's error of the first of them.
    pub fault: Option<String>,
}

impl Report {
    /// Reads a report from a JSON file.
    ///
    /// # Errors
    /// Returns an error that names the file if it cannot be read, is not a report, or has another
    /// schema version.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let report: Self = serde_json::from_str(&text)
            .with_context(|| format!("{name} is not a report of the load tester"))?;
        ensure!(
            report.schema_version == SCHEMA_VERSION,
            "{name} has schema {}, but this version reads only schema {SCHEMA_VERSION}",
            report.schema_version
        );
        Ok(report)
    }

    /// Formats the report as JSON.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("a report is plain data");
        json.push('\n');
        json
    }

    /// Returns the number of requests with this outcome.
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.ballots.outcomes.get(&outcome_name(outcome)).copied().unwrap_or(0)
    }
}

/// Returns the name of an outcome in JSON.
pub(crate) fn outcome_name(outcome: Outcome) -> String {
    match serde_json::to_value(outcome) {
        Ok(serde_json::Value::String(name)) => name,
        _ => unreachable!("a unit variant is a string in JSON"),
    }
}
