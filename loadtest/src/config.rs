//! The settings of a run, for the command line and for other harnesses.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::http::addresses::Resolve;
use crate::http::target::Target;
use crate::plan::shard::Shard;
use crate::plan::timetable::Plan;
use crate::report::slo::Slo;
use crate::voters::mix::Mix;

/// The settings of a run. [`Config::new`] returns the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// The producer, which receives the ballots.
    pub target: Target,
    /// Further producers of the same deployment. Voters are spread over all of them.
    pub more_targets: Vec<Target>,
    /// The dashboard, which shows the results. Without it there are no viewers and no audit over
    /// HTTP.
    pub results: Option<Target>,
    /// The slug of the poll to vote in.
    pub poll: String,
    /// The timetable: the phases of the load and their rates.
    pub plan: Plan,
    /// Closed model: the number of connections to keep busy for the length of the plan. Its rates
    /// are then ignored.
    pub closed_connections: Option<usize>,
    /// Closed model: stop after this many voters.
    pub voters_max: u64,
    /// The shares of unusual voters.
    pub mix: Mix,
    /// The weights of the options, such as `cats=60,dogs=40`; without them all options are equally
    /// likely.
    pub weights: Option<String>,
    /// Voting codes, one for each voter.
    pub codes: Option<Vec<String>>,
    /// Signed cookies (`name=value`) by voter number. Such a voter has an id before it sends
    /// anything, and is kept by name. Voters with higher numbers have no cookie.
    pub cookies: Option<Arc<Vec<String>>>,
    /// The number of viewers that read their stream.
    pub viewers: usize,
    /// The number of viewers that never read their stream.
    pub stalled_viewers: usize,
    /// The number of viewers that are opened per second.
    pub viewers_per_second: f64,
    /// The thresholds that the run must meet.
    pub slos: Vec<Slo>,
    /// The addresses of Prometheus metrics. A path other than `/` is used as it is, and `/metrics`
    /// otherwise.
    pub metrics: Vec<Target>,
    /// The address of the database, for the audit by name.
    pub database_url: Option<String>,
    /// Further headers (name, value) of every request.
    pub headers: Vec<(String, String)>,
    /// Addresses to use for a host and a port, instead of the resolver's.
    pub resolve: Vec<Resolve>,
    /// Accept every certificate for https.
    pub insecure: bool,
    /// When the load begins; `None` is as soon as everything is ready.
    pub start_at: Option<jiff::Timestamp>,
    /// The command line of the run, for the report.
    pub command_line: Option<String>,
    /// A file with additional root certificates for target and results.
    pub ca_file: Option<PathBuf>,
    /// A file with additional root certificates for the database.
    pub database_ca_file: Option<PathBuf>,
    /// How long to wait for servers that do not answer yet.
    pub wait: Duration,
    /// Public hosts that the operator allows to be loaded.
    pub allowed: Vec<Target>,
    /// The seed of all random numbers. The same seed gives the same voters.
    pub seed: u64,
    /// The part of the load that this process sends.
    pub shard: Shard,
    /// The number of threads that send ballots.
    pub threads: usize,
    /// The most connections that send ballots, over all threads. `None` means 4,096, or as many as
    /// the limit of open files allows.
    pub connections_max: Option<usize>,
    /// How long a reply may take. A ballot without a reply by then is indeterminate.
    pub reply_time_max: Duration,
    /// Missing votes count as lost once the tally has not changed for this long.
    pub drain_time_max: Duration,
    /// How long to watch, after everything is counted, whether more is counted than was cast. `None`
    /// watches until the deployment says that nothing waits, and for 35 s if it never says so.
    pub settle: Option<Duration>,
    /// Whether to audit the run.
    pub audit: bool,
    /// The largest share of wrong outcomes, from 0 to 1. A run with more of them is missed.
    pub errors_max: f64,
    /// The file that receives a line for each ballot as soon as its outcome is known; `-` is
    /// standard output.
    pub journal: Option<PathBuf>,
}

impl Config {
    /// Returns settings with these three, and the default of every other one.
    pub fn new(target: Target, poll: impl Into<String>, plan: Plan) -> Self {
        Self {
            target,
            more_targets: Vec::new(),
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
            headers: Vec::new(),
            resolve: Vec::new(),
            insecure: false,
            start_at: None,
            command_line: None,
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
            settle: None,
            audit: true,
            errors_max: 0.01,
            journal: None,
        }
    }

    /// Returns the length with which the intervals of the series begin. It is a second, and less in
    /// short runs. Intervals are joined once there are too many of them.
    pub(crate) fn interval(&self) -> Duration {
        let seconds = self.plan.seconds();
        match seconds {
            s if s <= 5.0 => Duration::from_millis(100),
            s if s <= 20.0 => Duration::from_millis(250),
            _ => Duration::from_secs(1),
        }
    }
}
