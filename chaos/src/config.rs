//! What a run is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::fault::Fault;

/// Breaks a running Votestream in every way it knows, and audits whether every acknowledged ballot
/// was counted once.
///
/// Starts private servers and the real services, lets people vote, injects faults on a schedule
/// drawn from the seed, heals them, waits until everything is counted, and balances the books
/// against Postgres by name. Touches nothing that it did not start itself.
#[derive(Parser, Clone, Debug)]
#[command(name = "chaos", version, after_help = HELP)]
pub struct Config {
    /// Draws the schedule: the same seed gives the same faults in the same order
    #[arg(long, env = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// How long, as 90s, 10m or 2h; faults are drawn until it is full
    #[arg(long, env = "DURATION", default_value = "10m", value_parser = duration)]
    pub duration: Duration,
    /// Only these faults, separated by commas; all but sabotage when absent
    #[arg(long, env = "FAULTS", value_delimiter = ',')]
    pub faults: Vec<Fault>,
    /// Let every fault strike exactly once, one by one, however long it takes
    #[arg(long)]
    pub once: bool,
    /// Show the faults and end
    #[arg(long)]
    pub list: bool,
    /// Show the schedule of this seed and end
    #[arg(long)]
    pub dry_run: bool,
    /// Voters per second
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
    /// Viewers of the results
    #[arg(long, default_value_t = 20)]
    pub viewers: usize,
    /// Where report.md and report.html go
    #[arg(long, default_value = "target/chaos")]
    pub report: PathBuf,
    /// Where producer, consumer, dashboard and votectl are; beside this program when absent
    #[arg(long)]
    pub programs: Option<PathBuf>,
    /// Longest time that things may take to be as before once a fault is healed, in seconds
    #[arg(long, default_value_t = 60)]
    pub recovery_max: u64,
    /// Most memory that a service may keep resident, in MiB
    #[arg(long, default_value_t = 256)]
    pub memory_max: u64,
    /// Keep data and logs of servers and services
    #[arg(long)]
    pub keep: bool,
}

const HELP: &str = "\
Exit codes:
  0  every promise was kept
  2  a promise was broken: ballots lost, duplicated or invented, a wrong answer, no recovery
  1  the run could not be made

Examples:
  chaos --seed 7 --duration 10m
  chaos --faults redis-kill,postgres-failover --duration 2m
  chaos --once
  chaos --faults steal-vote --once        must end with exit code 2";

impl Config {
    /// The faults to draw from.
    pub(crate) fn deck(&self) -> Vec<Fault> {
        if self.faults.is_empty() { Fault::real() } else { self.faults.clone() }
    }

    /// The command that makes this run again.
    pub(crate) fn again(&self) -> String {
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

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err("a duration is 90s, 10m or 2h".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "a duration is 90s, 10m or 2h".to_owned())?;
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
        assert_eq!(config.again(), "make chaos SEED=7 DURATION=120s");
        let config =
            Config::parse_from(["chaos", "--seed", "7", "--faults", "redis-kill,replay", "--once"]);
        assert_eq!(config.again(), "make chaos SEED=7 FAULTS=redis-kill,replay CHAOS=\"--once\"");
    }
}
