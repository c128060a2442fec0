//! The command-line options of `chaos`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::fault::Fault;

/// Inject faults into a running Votestream, and audit whether every acknowledged ballot was counted exactly once.
///
/// Starts private servers and the real services, simulates voters, injects faults on a schedule drawn from the seed,
/// heals them, waits until everything is counted, and compares the answers of all voters with Postgres. Touches nothing
/// that it did not start itself.
#[derive(Parser, Clone, Debug)]
#[command(name = "chaos", version, after_help = HELP)]
pub struct Config {
    /// Draw the schedule from this seed: the same seed gives the same faults in the same order
    #[arg(long, env = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// Inject faults for this long, as 90s, 10m or 2h
    #[arg(long, env = "DURATION", default_value = "10m", value_parser = duration)]
    pub duration: Duration,
    /// Inject only these faults, separated by commas; default: all but sabotage
    #[arg(long, env = "FAULTS", value_delimiter = ',')]
    pub faults: Vec<Fault>,
    /// Inject every fault exactly once, one by one, however long that takes
    #[arg(long)]
    pub once: bool,
    /// List all faults and exit
    #[arg(long)]
    pub list: bool,
    /// Print the schedule of this seed and exit
    #[arg(long)]
    pub dry_run: bool,
    /// Simulate this many new voters per second
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
    /// Simulate this many viewers of the results
    #[arg(long, default_value_t = 20)]
    pub viewers: usize,
    /// Write report.md and report.html to this folder
    #[arg(long, default_value = "target/chaos")]
    pub report: PathBuf,
    /// Take producer, consumer, dashboard and votectl from this folder; default: the folder of this program
    #[arg(long)]
    pub programs: Option<PathBuf>,
    /// Fail if the recovery after a healed fault takes longer, in seconds
    #[arg(long, default_value_t = 60)]
    pub recovery_max: u64,
    /// Fail if a service uses more resident memory, in MiB
    #[arg(long, default_value_t = 256)]
    pub memory_max: u64,
    /// Keep the data and logs of servers and services after the run
    #[arg(long)]
    pub keep: bool,
}

const HELP: &str = "\
Exit codes:
  0  every promise was kept
  2  a promise was broken: ballots lost, duplicated or invented, a wrong answer, no recovery
  1  the run could not be carried out

Examples:
  chaos --seed 7 --duration 10m
  chaos --faults redis-kill,postgres-failover --duration 2m
  chaos --once
  chaos --faults steal-vote --once        must end with exit code 2";

impl Config {
    /// Returns the faults from which the schedule is drawn.
    pub(crate) fn deck(&self) -> Vec<Fault> {
        if self.faults.is_empty() { Fault::real() } else { self.faults.clone() }
    }

    /// Returns the command that repeats this run.
    pub(crate) fn repeat_command(&self) -> String {
        let mut command = format!("make chaos SEED={}", self.seed);
        let mut more = String::new();
        if self.once {
            more.push_str(" --once");
        } else {
            command.push_str(&format!(" DURATION={}s", self.duration.as_secs()));
        }
        if !self.faults.is_empty() {
            let names: Vec<&str> = self.faults.iter().map(|fault| fault.name()).collect();
            command.push_str(&format!(" FAULTS={}", names.join(",")));
        }
        if !more.is_empty() {
            command.push_str(&format!(" CHAOS=\"{}\"", more.trim()));
        }
        command
    }
}

/// A duration on the command line that cannot be parsed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number with a unit: 90s, 10m or 2h")]
struct InvalidDuration;

/// Parses a duration such as `90s`, `10m` or `2h`; without a unit it is in seconds.
fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(InvalidDuration),
    };
    let number: u64 = digits.parse().map_err(|_| InvalidDuration)?;
    Ok(Duration::from_secs(number * factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn flags_are_consistent() {
        Config::command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert!(duration("ten").is_err() && duration("5d").is_err());
    }

    #[test]
    fn the_command_repeats_the_run() {
        let config = Config::parse_from(["chaos", "--seed", "7", "--duration", "2m"]);
        assert_eq!(config.repeat_command(), "make chaos SEED=7 DURATION=120s");
        let config =
            Config::parse_from(["chaos", "--seed", "7", "--faults", "redis-kill,replay", "--once"]);
        assert_eq!(
            config.repeat_command(),
            "make chaos SEED=7 FAULTS=redis-kill,replay CHAOS=\"--once\""
        );
    }
}
