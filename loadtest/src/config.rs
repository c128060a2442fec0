//! Everything a run is told, whoever tells it: the command line, or another harness.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::http::target::Target;
use crate::plan::shard::Shard;
use crate::plan::timetable::Plan;
use crate::report::slo::Slo;
use crate::voters::mix::Mix;

/// A run's settings; [`Config::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where ballots go.
    pub target: Target,
    /// Where results come from; without it there are no viewers and no audit over HTTP.
    pub results: Option<Target>,
    /// Slug of the poll.
    pub poll: String,
    /// The timetable.
    pub plan: Plan,
    /// Closed model: connections kept busy for the plan's length, instead of its rates.
    pub closed_connections: Option<usize>,
    /// Closed model: no more voters than these.
    pub voters_max: u64,
    /// Shares of unusual voters.
    pub mix: Mix,
    /// Weights of the options, such as `cats=60,dogs=40`.
    pub weights: Option<String>,
    /// Voting codes, one a voter.
    pub codes: Option<Vec<String>>,
    /// Cookies that the deployment will believe (`name=value`), by voter number: then every voter
    /// has a name before it sends anything, and is kept by name. Voters beyond have none.
    pub cookies: Option<Arc<Vec<String>>>,
    /// Viewers that read.
    pub viewers: usize,
    /// Viewers that never read.
    pub stalled_viewers: usize,
    /// How fast viewers come in.
    pub viewers_per_second: f64,
    /// Thresholds.
    pub slos: Vec<Slo>,
    /// Where metrics are; a path other than `/` is taken as it stands, else `/metrics`.
    pub metrics: Vec<Target>,
    /// Database for the deep audit.
    pub database_url: Option<String>,
    /// Additional roots for TLS to target and results.
    pub ca_file: Option<PathBuf>,
    /// Additional roots for TLS to the database.
    pub database_ca_file: Option<PathBuf>,
    /// How long to wait for servers that do not answer yet.
    pub wait: Duration,
    /// Public hosts the operator means to load.
    pub allowed: Vec<Target>,
    /// Seeds everything that is left to chance.
    pub seed: u64,
    /// This process's part of the load.
    pub shard: Shard,
    /// Threads that send ballots.
    pub threads: usize,
    /// Most connections that send ballots, over all threads; `None` for four thousand, or what the
    /// limit of open files leaves.
    pub connections_max: Option<usize>,
    /// How long a reply may take before its ballot is indeterminate.
    pub reply_time_max: Duration,
    /// How long the tally may stand still before what is missing counts as lost.
    pub drain_time_max: Duration,
    /// How long to look for more after all was counted.
    pub settle: Duration,
    /// Whether to audit.
    pub audit: bool,
    /// Where a line is written for each ballot as its outcome is known; `-` is standard output.
    pub journal: Option<PathBuf>,
}

impl Config {
    /// Defaults for everything that need not be said.
    pub fn new(target: Target, poll: impl Into<String>, plan: Plan) -> Self {
        Self {
            target,
            results: None,
            poll: poll.into(),
            plan,
            closed_connections: None,
            voters_max: u64::MAX,
            mix: Mix::default(),
            weights: None,
            codes: None,
            cookies: None,
            viewers: 0,
            stalled_viewers: 0,
            viewers_per_second: 2000.0,
            slos: Vec::new(),
            metrics: Vec::new(),
            database_url: None,
            ca_file: None,
            database_ca_file: None,
            wait: Duration::ZERO,
            allowed: Vec::new(),
            seed: 1,
            shard: Shard::WHOLE,
            threads: 1,
            connections_max: None,
            reply_time_max: Duration::from_secs(10),
            drain_time_max: Duration::from_secs(60),
            settle: Duration::from_secs(1),
            audit: true,
            journal: None,
        }
    }

    /// Length of an interval of the series: about a second, at most six hundred of them.
    pub(crate) fn interval(&self) -> Duration {
        let seconds = self.plan.seconds();
        match seconds {
            s if s <= 5.0 => Duration::from_millis(100),
            s if s <= 20.0 => Duration::from_millis(250),
            s if s <= 600.0 => Duration::from_secs(1),
            s => Duration::from_secs((s / 600.0).ceil() as u64),
        }
    }
}
