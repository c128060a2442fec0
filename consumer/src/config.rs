//! The consumer's settings: flags or environment, parsed once and validated whole.

use std::net::SocketAddr;

use clap::Parser;
use votestream_service::config::{CommonArgs, PostgresArgs, RedisArgs, Task};
use votestream_service::postgres;
use votestream_service::redis::Manager;

/// Reads ballots from Redis Streams, counts them in Postgres, and acknowledges them.
///
/// Run as many as you like: they share the work through a consumer group. One that dies is replaced
/// by the others, and nothing is counted twice.
#[derive(Parser, Clone, Debug)]
#[command(name = "consumer", version)]
pub struct Config {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Where /metrics, /healthz and /readyz are
    #[arg(long, env = "ADMIN_ADDR", default_value = "0.0.0.0:9082")]
    pub admin_addr: SocketAddr,
    /// First part of the consumer's name in the group; the rest makes it unique. The host's name
    /// when absent
    #[arg(long, env = "CONSUMER_NAME")]
    pub consumer_name: Option<String>,
    /// Entries counted in one transaction at most
    #[arg(long, env = "BATCH_MAX", default_value_t = 5_000,
          value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub batch_max: u32,
    /// Bytes read for one transaction at most, as far as entries already read let one foresee; ballots
    /// take some 100 each
    #[arg(long, env = "BATCH_BYTES_MAX", default_value_t = 8 << 20,
          value_parser = clap::value_parser!(u32).range(65_536..))]
    pub batch_bytes_max: u32,
    /// How long to wait for more entries after a read that gave few, in milliseconds
    #[arg(long, env = "LINGER_MS", default_value_t = 40)]
    pub linger_ms: u64,
    /// How long a read waits for the first entry, in milliseconds; also the longest that a stop is
    /// put off
    #[arg(long, env = "BLOCK_MS", default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(10..=5_000))]
    pub block_ms: u64,
    /// After how long another consumer's pending entries are taken over, in milliseconds; must be
    /// above twice STATEMENT_TIMEOUT_MS
    #[arg(long, env = "CLAIM_IDLE_MS", default_value_t = 30_000)]
    pub claim_idle_ms: u64,
    /// After how long a silent consumer without pending entries is removed, in milliseconds
    #[arg(long, env = "BURY_IDLE_MS", default_value_t = 300_000)]
    pub bury_idle_ms: u64,
    /// How often poll definitions are copied to Redis, and repaired there, in milliseconds
    #[arg(long, env = "PROJECT_MS", default_value_t = 1_000)]
    pub project_ms: u64,
    /// How long after a poll has closed Redis keeps its register (who chose what, so that a voter is
    /// told the choice that stands), in seconds; a week by default
    #[arg(long, env = "REGISTER_KEPT_S", default_value_t = 604_800,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub register_kept_s: u32,
    /// How often backlog, lag and pending entries are measured, in milliseconds
    #[arg(long, env = "MONITOR_MS", default_value_t = 1_000)]
    pub monitor_ms: u64,
    /// How often the standing audit recounts, over all replicas together, in milliseconds
    #[arg(long, env = "AUDIT_MS", default_value_t = 60_000,
          value_parser = clap::value_parser!(u64).range(100..))]
    pub audit_ms: u64,
    /// Where Redis is.
    #[command(flatten)]
    pub redis: RedisArgs,
    /// Where Postgres is.
    #[command(flatten)]
    pub postgres: PostgresArgs,
    /// Logs and shutdown.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl Config {
    /// Whether a consumer could start with these settings and the files they name; asks no server.
    ///
    /// # Errors
    /// Says which setting is of no use.
    pub fn check(self) -> anyhow::Result<()> {
        let config = self.validated()?;
        Manager::new(&config.redis)?;
        postgres::pool(&config.postgres, "votestream-consumer", 1, false).map(drop)
    }

    /// Refuses pairs that cannot work together.
    ///
    /// # Errors
    /// Says which settings to change.
    pub fn validated(self) -> anyhow::Result<Self> {
        let statement_ms = self.postgres.statement_timeout_ms;
        anyhow::ensure!(
            self.claim_idle_ms > 2 * statement_ms,
            "CLAIM_IDLE_MS ({}) must be above twice STATEMENT_TIMEOUT_MS ({statement_ms}), or \
             entries are claimed while their owner is still counting them",
            self.claim_idle_ms
        );
        anyhow::ensure!(
            self.bury_idle_ms > 4 * self.block_ms,
            "BURY_IDLE_MS ({}) must be above four times BLOCK_MS ({}), or consumers that merely \
             wait are removed",
            self.bury_idle_ms,
            self.block_ms
        );
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn impossible_pairs_fail_and_say_what_to_change() {
        Config::command().debug_assert();
        let validate = |args: &[&str]| {
            Config::parse_from([&["consumer"], args].concat()).validated().map(drop)
        };
        assert!(validate(&[]).is_ok());
        let error = validate(&["--claim-idle-ms", "15000"]).unwrap_err().to_string();
        assert!(error.contains("STATEMENT_TIMEOUT_MS"), "{error}");
        let error = validate(&["--bury-idle-ms", "3000"]).unwrap_err().to_string();
        assert!(error.contains("BLOCK_MS"), "{error}");
    }
}
