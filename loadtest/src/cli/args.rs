//! The options of the command line, and the [`Config`] that they make.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::http::addresses::Resolve;
use crate::http::target::Target;
use crate::plan::profile::{Profile, Shape};
use crate::plan::shard::Shard;
use crate::plan::timetable::{Phase, Plan, Spacing};
use crate::report::slo::Slo;
use crate::voters::mix::Mix;

const EXAMPLES: &str = "\
Examples:
  500 voters a second for 30 seconds, then quiet until all are counted
    loadtest run --target http://localhost:8080 --results http://localhost:8081 --html report.html

  The three seconds of a song contest: 37,000 voters; needs four cores, or a machine of its own
    loadtest run --target http://localhost:8080 --results http://localhost:8081 \\
        --profile junior-eurovision --html report.html

  A steady load with unusual voters, 1,000 viewers and thresholds
    loadtest run --target http://localhost:8080 --results http://localhost:8081 \\
        --rate 2000 --duration 30s --mix twice=5%,change=2%,rubbish=1%,hang-up=1% \\
        --viewers 1000 --slo 'p99<50ms' --slo 'errors<0.1%' --slo 'click_to_screen_p99<1s'

  The highest rate: steps up to 30,000 a second, until p99 exceeds 100 ms
    loadtest run --target http://localhost:8080 --results http://localhost:8081 \\
        --profile step --rate 30000 --slo 'p99<100ms'

  The highest throughput: 64 connections without a pause
    loadtest run --target http://localhost:8080 --connections 64 --duration 10s --no-audit

  Check every voter against its row in the database
    loadtest run --target http://localhost:8080 --results http://localhost:8081 \\
        --database-url postgres://reader@db/votes

  Two load testers, one report
    loadtest run … --shard 1/2 --start-at 2030-05-01T20:00:00Z --json a.json    (and 2/2 elsewhere)
    loadtest merge a.json b.json --html both.html

Exit codes:
  0  all thresholds were met, and the audit found no fault
  1  a threshold was missed, too many outcomes were wrong, or the run or its audit is void
  2  votes were lost, duplicated, invented or changed, no matter how fast it was
  3  bad arguments, a refused or an unreachable target: no load was sent
  4  a report or a journal could not be written
  5  incomplete: the deployment was still counting when the wait ended";

/// Drives load at a Votestream deployment and audits it.
///
/// The report says how fast ballots were answered, how late they were on screen, and whether every
/// acknowledged ballot was counted once.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, after_long_help = EXAMPLES, after_help = "More, with examples: loadtest --help")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load a deployment, audit it and report
    Run(Box<RunArgs>),
    /// Merge the reports of all shards into one report
    Merge(MergeArgs),
    /// Show the differences between two reports
    Compare(CompareArgs),
    /// Print the summary of a report, and write it in other forms
    Report(ReportArgs),
    /// List the keys of plans and of reports, with their meaning
    Schema,
}

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// Send ballots to this address of the producer (http or https); may be repeated for several
    /// addresses of one deployment, over which voters are spread
    #[arg(long, value_name = "URL", required = true, help_heading = "Deployment")]
    pub(crate) target: Vec<String>,
    /// Read results from this address of the dashboard; without it there are no viewers and no
    /// audit
    #[arg(long, value_name = "URL", help_heading = "Deployment")]
    results: Option<String>,
    /// Vote in the poll with this slug
    #[arg(long, value_name = "SLUG", default_value = "cats-vs-dogs", help_heading = "Deployment")]
    poll: String,
    /// Read the backlog from these addresses of Prometheus metrics; may be repeated
    #[arg(long, value_name = "URL", help_heading = "Deployment")]
    metrics: Vec<String>,
    /// Check every voter by name in this database: postgres://user:password@host/db
    /// (sslmode=disable or verify-full)
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        help_heading = "Deployment"
    )]
    database_url: Option<String>,
    /// Add this header to every request, such as 'x-team: one'; may be repeated
    #[arg(long, value_name = "HEADER", help_heading = "Deployment")]
    header: Vec<String>,
    /// Use this address for a host and a port, such as vote.example:443:127.0.0.1; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDRESS", help_heading = "Deployment")]
    resolve: Vec<String>,
    /// Accept every certificate for https
    #[arg(long, conflicts_with = "ca_file", help_heading = "Deployment")]
    insecure: bool,
    /// Trust the certificates in this file, too, for https
    #[arg(long, value_name = "FILE", help_heading = "Deployment")]
    ca_file: Option<PathBuf>,
    /// Trust the certificates in this file, too, for the database
    #[arg(long, value_name = "FILE", env = "DATABASE_CA_FILE", help_heading = "Deployment")]
    database_ca_file: Option<PathBuf>,
    /// Wait up to this long for servers that do not answer yet, instead of giving up at once
    #[arg(long, value_name = "DURATION", default_value = "0s", help_heading = "Deployment")]
    wait: String,
    /// Allow load on a host that is neither loopback nor private: repeat its address here; may be
    /// repeated
    #[arg(long, value_name = "URL", help_heading = "Deployment")]
    yes_really_load: Vec<String>,

    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    people: PeopleArgs,
    #[command(flatten)]
    generator: GeneratorArgs,

    /// Require a threshold, such as 'p99<50ms', 'errors<0.1%', 'click_to_screen_p99<250ms' or
    /// 'rate>1000/s'; a missed one gives exit code 1; may be repeated
    ///
    /// Latencies: p50 to p99.999, mean and max of ballots; with page_, click_to_screen_, first_state_
    /// or spread_ in front those of ballot pages, of votes until they are on screen, of viewers until
    /// their first state, and of viewers behind the first one. Shares: errors, achieved (sent in
    /// time). Rates: rate (ballots acknowledged per second). Quantiles of fewer than 100 samples are
    /// not judged.
    #[arg(long, value_name = "SLO", help_heading = "Verdict")]
    slo: Vec<String>,
    /// Skip the audit, for a poll in which other people vote at the same time or whose results are
    /// hidden
    #[arg(long, help_heading = "Verdict")]
    no_audit: bool,
    /// Count missing votes as lost once the tally has not changed for this long
    #[arg(long, value_name = "DURATION", default_value = "60s", help_heading = "Verdict")]
    drain_timeout: String,
    /// Watch for this long, after everything is counted, whether more is counted than was cast
    /// [default: until the results say that nothing waits; 35s if they never say so]
    #[arg(long, value_name = "DURATION", help_heading = "Verdict")]
    settle: Option<String>,
    /// Allow this share of wrong outcomes (5xx, refused ballots, no reply); more give exit code 1
    #[arg(long, value_name = "SHARE", default_value = "1%", help_heading = "Verdict")]
    errors_max: String,

    #[command(flatten)]
    pub(crate) files: FileArgs,
    /// Write a line of JSON for each ballot as soon as its outcome is known; - is standard output
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    journal: Option<PathBuf>,
    /// Print nothing during the run
    #[arg(long, short, help_heading = "Report")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadArgs {
    /// Choose the shape of the load
    #[arg(long, value_enum, default_value_t = Profile::Constant, conflicts_with = "plan")]
    profile: Profile,
    /// Read the shape of the load from this TOML file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "duration", "voters", "steps", "warm_up"])]
    plan: Option<PathBuf>,
    /// Send this many voters per second, or 30/m, 10/h: the peak of ramp and step, the base of spike
    /// [default: by profile]
    #[arg(long, value_name = "RATE", value_parser = crate::units::parse_rate)]
    rate: Option<f64>,
    /// Send load for this long, such as 30s, 5m or 1h30m [default: by profile]
    #[arg(long, value_name = "DURATION")]
    duration: Option<String>,
    /// Send this many voters (junior-eurovision), or at most this many (with --connections)
    #[arg(long, value_name = "N")]
    voters: Option<u64>,
    /// Divide the load into this many steps (step) [default: 10]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// Send load for this long before the measured load [default: 2s; none for junior-eurovision]
    #[arg(long, value_name = "DURATION")]
    warm_up: Option<String>,
    /// Choose how arrivals are spread over time
    #[arg(long, value_enum, default_value_t = Spacing::Poisson)]
    arrivals: Spacing,
    /// Keep this many connections busy without a pause, to find the highest rate (closed model)
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "plan", "profile", "steps", "shard"])]
    connections: Option<usize>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "People")]
pub(crate) struct PeopleArgs {
    /// Weight the options, such as cats=60,dogs=40 [default: all the same]
    #[arg(long, value_name = "WEIGHTS")]
    options: Option<String>,
    /// Set the shares of unusual voters: at most one of twice, change, other-connection, rubbish
    /// and hang-up; and independently page (loads the ballot page first), form (posts HTML), fresh
    /// (opens its own connection)
    #[arg(long, value_name = "SHARES", default_value = "", hide_default_value = true)]
    mix: Mix,
    /// Read voting codes from this file, one a line, for a poll that requires them
    #[arg(long, value_name = "FILE")]
    codes: Option<PathBuf>,
    /// Open this many viewers of the live results
    #[arg(long, value_name = "N", default_value_t = 0, requires = "results")]
    viewers: usize,
    /// Open this many viewers that never read their stream
    #[arg(long, value_name = "N", default_value_t = 0, requires = "results")]
    stalled_viewers: usize,
    /// Open this many viewers per second, before the load begins
    #[arg(long, value_name = "N", default_value_t = 2000.0)]
    viewers_per_second: f64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Generator")]
pub(crate) struct GeneratorArgs {
    /// Send only one part of the load, such as 2/4 (or 1:4, counted from 0); `merge` merges the
    /// reports
    #[arg(long, value_name = "N/OF", default_value_t = Shard::WHOLE, hide_default_value = true)]
    shard: Shard,
    /// Begin the load at this time, such as 2026-05-01T20:15:00Z, so that all shards begin together
    #[arg(long, value_name = "TIME")]
    start_at: Option<jiff::Timestamp>,
    /// Send ballots from this many threads [default: a quarter of the cores, at least 1]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Open at most this many connections at a time in the open model [default: 4096, or as many as
    /// the limit of open files allows]
    #[arg(long, value_name = "N")]
    connections_max: Option<usize>,
    /// Count a ballot as indeterminate if no reply comes within this time
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    timeout: String,
    /// Seed the random numbers; the same seed gives the same voters
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
pub(crate) struct FileArgs {
    /// Write the report as JSON to this file; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as one HTML file, which needs no other files; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the verdict as a JUnit file for CI systems; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the figures over time as CSV; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The reports of all shards, as JSON files
    #[arg(required = true, value_name = "REPORT")]
    pub(crate) reports: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) files: FileArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The report of the first run, as a JSON file
    pub(crate) before: PathBuf,
    /// The report of the second run, as a JSON file
    pub(crate) after: PathBuf,
    /// Fail with exit code 1 if a figure has changed by more than this, such as 'p99>+10%',
    /// 'rate<-5%' or 'errors>+0.1%'; may be repeated
    #[arg(long, value_name = "CHANGE")]
    pub(crate) fail_on: Vec<String>,
    /// Draw the comparison as one HTML file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The report, as a JSON file
    pub(crate) report: PathBuf,
    #[command(flatten)]
    pub(crate) files: FileArgs,
}

impl RunArgs {
    /// Returns the settings of the run.
    ///
    /// # Errors
    /// Returns an error that names the option if a value cannot be read or contradicts another.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let parse = |urls: &[String]| {
            urls.iter().map(|url| Target::parse(url)).collect::<Result<Vec<_>, _>>()
        };
        let mut config =
            Config::new(Target::parse(&self.target[0])?, self.poll.as_str(), self.load.plan()?);
        config.more_targets = parse(&self.target[1..])?;
        config.headers =
            self.header.iter().map(|text| header(text)).collect::<anyhow::Result<_>>()?;
        config.resolve =
            self.resolve.iter().map(|text| resolve(text)).collect::<anyhow::Result<_>>()?;
        config.insecure = self.insecure;
        config.start_at = self.generator.start_at;
        config.command_line = Some(command_line(std::env::args()));
        ensure!(is_slug(&self.poll), "'{}' is not the slug of a poll", self.poll);
        // Deployment: addresses, certificates and the database.
        config.results = self.results.as_deref().map(Target::parse).transpose()?;
        config.metrics = parse(&self.metrics)?;
        config.wait = duration(&self.wait)?;
        config.allowed = parse(&self.yes_really_load)?;
        // An empty variable of the environment means that there is none.
        config.database_url = self.database_url.clone().filter(|url| !url.trim().is_empty());
        config.ca_file.clone_from(&self.ca_file);
        config.database_ca_file.clone_from(&self.database_ca_file);
        // Load and people.
        config.closed_connections = self.load.connections;
        config.voters_max = self.load.voters.unwrap_or(u64::MAX);
        config.mix = self.people.mix.clone();
        config.weights.clone_from(&self.people.options);
        config.codes = self.people.codes.as_deref().map(read_codes).transpose()?;
        config.viewers = self.people.viewers;
        config.stalled_viewers = self.people.stalled_viewers;
        config.viewers_per_second = self.people.viewers_per_second;
        ensure!(config.viewers_per_second > 0.0, "--viewers-per-second must be above 0");
        // Verdict: thresholds and the audit.
        config.slos =
            self.slo.iter().map(|slo| slo.parse::<Slo>()).collect::<anyhow::Result<_>>()?;
        config.audit = !self.no_audit;
        config.journal.clone_from(&self.journal);
        config.drain_time_max = duration(&self.drain_timeout)?;
        config.settle = self.settle.as_deref().map(duration).transpose()?;
        config.errors_max = crate::units::parse_share(&self.errors_max)?;
        // Generator: the part of this process, its threads and connections.
        config.shard = self.generator.shard;
        config.seed = self.generator.seed;
        config.connections_max = self.generator.connections_max;
        config.reply_time_max = duration(&self.generator.timeout)?;
        ensure!(!config.reply_time_max.is_zero(), "--timeout must be above 0");
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        config.threads = self.generator.threads.unwrap_or((cores / 4).max(1));
        if let Some(connections) = config.closed_connections {
            ensure!(connections >= config.threads, "--connections must be at least --threads");
        }
        Ok(config)
    }
}

impl LoadArgs {
    fn plan(&self) -> anyhow::Result<Plan> {
        if let Some(path) = &self.plan {
            return Plan::from_file(path);
        }
        let seconds =
            |text: &Option<String>| text.as_deref().map(crate::units::parse_seconds).transpose();
        let (length, warm_up) = (seconds(&self.duration)?, seconds(&self.warm_up)?);
        if self.connections.is_some() {
            // A few voters would all be spent on the warm-up.
            let usual = if self.voters.is_some() { 0.0 } else { 2.0 };
            return closed_plan(length.unwrap_or(10.0), warm_up.unwrap_or(usual));
        }
        let shape = Shape {
            rate: self.rate,
            seconds: length,
            voters: self.voters,
            steps: self.steps,
            warm_up_seconds: warm_up,
            arrivals: self.arrivals,
        };
        Plan::of(self.profile, &shape)
    }
}

/// Returns a plan for the closed model, which has a length but no rates.
fn closed_plan(seconds: f64, warm_up_seconds: f64) -> anyhow::Result<Plan> {
    ensure!(seconds > 0.0, "the load must last longer than 0 s");
    let phase = |name: &str, seconds| Phase {
        name: name.to_owned(),
        seconds,
        rate_from: 0.0,
        rate_to: 0.0,
    };
    let mut phases = vec![phase("closed", seconds)];
    if warm_up_seconds > 0.0 {
        phases.insert(0, phase("warm-up", warm_up_seconds));
    }
    Ok(Plan {
        name: "closed".to_owned(),
        arrivals: Spacing::Constant,
        warm_up_seconds,
        seeks_knee: false,
        phases,
    })
}

fn read_codes(path: &Path) -> anyhow::Result<Vec<String>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let codes: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if codes.is_empty() {
        bail!("{} has no voting codes", path.display());
    }
    Ok(codes)
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    Ok(Duration::from_secs_f64(crate::units::parse_seconds(text)?))
}

/// Reads a header such as `x-team: one`.
fn header(text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = text
        .split_once(':')
        .with_context(|| format!("'{text}' is not a header such as 'x-team: one'"))?;
    let (name, value) = (name.trim(), value.trim());
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    ensure!(
        !name.is_empty() && name.bytes().all(is_token) && !value.contains(char::is_control),
        "'{text}' is not a header such as 'x-team: one'"
    );
    let ours = ["content-length", "content-type", "cookie", "connection", "transfer-encoding"];
    ensure!(
        !ours.contains(&name.to_ascii_lowercase().as_str()),
        "the load tester sets the header {name} itself"
    );
    Ok((name.to_owned(), value.to_owned()))
}

/// Reads an address such as `vote.example:443:127.0.0.1`, as curl has it.
fn resolve(text: &str) -> anyhow::Result<Resolve> {
    let parse = || {
        let mut parts = text.splitn(3, ':');
        let (host, port, ip) = (parts.next()?, parts.next()?, parts.next()?);
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        Some((host.to_owned(), port.parse().ok()?, ip.parse().ok()?))
    };
    parse().with_context(|| format!("'{text}' is not HOST:PORT:ADDRESS"))
}

/// Returns the command line for the report, without the password of the database and the values of
/// headers.
fn command_line(args: impl Iterator<Item = String>) -> String {
    let mut words = Vec::new();
    let mut is_secret = false;
    for word in args {
        let secret = ["--database-url", "--header"];
        let shown = match word.split_once('=') {
            Some((name, _)) if secret.contains(&name) => format!("{name}=***"),
            _ if is_secret => "***".to_owned(),
            _ => quoted(&word),
        };
        is_secret = secret.contains(&word.as_str());
        words.push(shown);
    }
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,%+@".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn args(line: &str) -> RunArgs {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Run(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_reach_the_config() {
        let line = "loadtest run --target http://localhost:1 --results http://localhost:2 --rate 10 --duration 5s \
                    --mix twice=5% --viewers 3 --slo p99<1s --shard 2/3 --timeout 2s";
        let config = args(line).config().unwrap();
        assert_eq!(config.plan.seconds(), 7.0);
        assert_eq!(
            (config.viewers, config.mix.twice, config.shard),
            (3, 0.05, Shard { nth: 2, of: 3 })
        );
        assert_eq!((config.slos.len(), config.reply_time_max), (1, Duration::from_secs(2)));
    }

    #[test]
    fn headers_and_addresses_are_read_as_curl_reads_them() {
        let line = "loadtest run --target http://a:1 --target http://b:2 --header x-team:one --insecure \
                    --resolve a:1:127.0.0.1 --resolve b:2:[::1] --start-at 2030-01-01T00:00:00Z";
        let config = args(line).config().unwrap();
        assert_eq!(config.headers, [("x-team".to_owned(), "one".to_owned())]);
        assert_eq!(config.resolve[1], ("b".to_owned(), 2, "::1".parse().unwrap()));
        assert_eq!((config.more_targets.len(), config.insecure), (1, true));
        for bad in ["a b: c", ": x", "x", "cookie: a", "x: a\r\ny: b"] {
            assert!(header(bad).is_err(), "{bad}");
        }
        assert!(resolve("a:1").is_err() && resolve("a:x:::1").is_err());
    }

    #[test]
    fn the_command_line_of_the_report_has_no_secret() {
        let words = [
            "loadtest",
            "--slo",
            "p99<1s",
            "--database-url",
            "postgres://u:pw@h/d",
            "--header=x: y",
        ];
        let text = command_line(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(text, "loadtest --slo 'p99<1s' --database-url *** --header=***");
    }

    #[test]
    fn arguments_that_contradict_each_other_are_refused() {
        let base = "loadtest run --target http://localhost:1";
        for more in [
            "--connections 4 --rate 5",
            "--viewers 3",
            "--profile step --plan x.toml",
            "--connections 4 --shard 1/2",
        ] {
            assert!(
                Cli::try_parse_from(format!("{base} {more}").split_whitespace()).is_err(),
                "{more}"
            );
        }
        for more in ["--poll a/b", "--slo p99", "--duration 5", "--voters 5", "--duration 0s"] {
            assert!(args(&format!("{base} {more}")).config().is_err(), "{more}");
        }
    }
}
