//! The consumer's settings, read from flags or environment variables, parsed once and validated as a whole.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use votestream_service::config::{CommonArgs, PostgresArgs, RedisArgs, SigningArgs, Task};
use votestream_service::http::outbound::Uri;
use votestream_service::postgres;
use votestream_service::redis::Manager;
use votestream_transparency::witness::{self, Witness};

use crate::signing_keys;

/// Reads ballots from Redis Streams, counts them in Postgres, and acknowledges them.
///
/// Run as many replicas as you like: they share the work through a consumer group. When one dies, the others take
/// over its entries, and nothing is counted twice.
#[derive(Parser, Clone, Debug)]
#[command(name = "consumer", version)]
pub struct Config {
    /// The command to run instead of consuming, if any.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Serve /metrics, /healthz and /readyz at this address
    #[arg(long, env = "ADMIN_ADDR", default_value = "0.0.0.0:9082")]
    pub admin_addr: SocketAddr,
    /// Begin the consumer's name in the group with this text; the rest makes the name unique. The host's name is
    /// used when this is absent
    #[arg(long, env = "CONSUMER_NAME")]
    pub consumer_name: Option<String>,
    /// Count at most this many entries in one transaction
    #[arg(long, env = "BATCH_MAX", default_value_t = 5_000,
          value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub batch_max: u32,
    /// Read at most about this many bytes for one transaction, estimated from the entries read before; a ballot takes
    /// about 100 bytes
    #[arg(long, env = "BATCH_BYTES_MAX", default_value_t = 8 << 20,
          value_parser = clap::value_parser!(u32).range(65_536..))]
    pub batch_bytes_max: u32,
    /// Wait this long for more entries after a read that returned few, in milliseconds
    #[arg(long, env = "LINGER_MS", default_value_t = 40)]
    pub linger_ms: u64,
    /// Let a read wait this long for its first entry, in milliseconds; a shutdown may be delayed by as much
    #[arg(long, env = "BLOCK_MS", default_value_t = 1_000,
          value_parser = clap::value_parser!(u64).range(10..=5_000))]
    pub block_ms: u64,
    /// Take over another consumer's pending entries after they were idle for this long, in milliseconds; must be above
    /// twice STATEMENT_TIMEOUT_MS
    #[arg(long, env = "CLAIM_IDLE_MS", default_value_t = 30_000)]
    pub claim_idle_ms: u64,
    /// Remove a consumer from the group when it has no pending entries and was idle for this long, in milliseconds;
    /// must be above four times BLOCK_MS
    #[arg(long, env = "CONSUMER_EXPIRY_MS", default_value_t = CONSUMER_EXPIRY_MS)]
    pub consumer_expiry_ms: u64,
    /// Set CONSUMER_EXPIRY_MS by its old name
    #[arg(long, env = "BURY_IDLE_MS", hide = true)]
    pub bury_idle_ms: Option<u64>,
    /// Copy poll definitions to Redis, and repair them there, at this interval, in milliseconds
    #[arg(long, env = "PROJECT_MS", default_value_t = 1_000)]
    pub project_ms: u64,
    /// Keep a poll's register in Redis for this long after the poll has closed, in seconds; a week by default. The
    /// register shows voters which choice of theirs counts
    #[arg(long, env = "REGISTER_KEPT_S", default_value_t = 604_800,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub register_kept_s: u32,
    /// Measure backlog, lag and pending entries at this interval, in milliseconds
    #[arg(long, env = "MONITOR_MS", default_value_t = 1_000)]
    pub monitor_ms: u64,
    /// Recount all votes at this interval, in milliseconds; one replica at a time audits for the whole deployment
    #[arg(long, env = "AUDIT_MS", default_value_t = 60_000,
          value_parser = clap::value_parser!(u64).range(100..))]
    pub audit_ms: u64,
    /// The Redis server or cluster that holds the streams.
    #[command(flatten)]
    pub redis: RedisArgs,
    /// The Postgres database that holds polls and votes.
    #[command(flatten)]
    pub postgres: PostgresArgs,
    /// The keys that sign the public logs.
    #[command(flatten)]
    pub signing: SigningArgs,
    /// Ask the witnesses that are listed in this file to sign the checkpoints of the public logs: a line `witness NAME PUBLICKEY ADDRESS`
    /// for each, as C2SP tlog-policy has it. A changed file is read at the next start
    #[arg(long, env = "WITNESSES_FILE")]
    pub witnesses_file: Option<PathBuf>,
    /// Log and shutdown settings that all services share.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The default of CONSUMER_EXPIRY_MS: five minutes.
const CONSUMER_EXPIRY_MS: u64 = 300_000;

impl Config {
    /// Checks that a consumer could start with these settings and the files they name, without asking any server.
    ///
    /// # Errors
    /// Returns an error that names the unusable setting.
    pub fn check(self) -> anyhow::Result<()> {
        let config = self.validated()?;
        Manager::new(&config.redis)?;
        signing_keys::Keys::new(&config.signing)?;
        config.witnesses()?;
        postgres::pool(&config.postgres, "votestream-consumer", 1, false).map(drop)
    }

    /// Reads the list of witnesses, each with the address at which it takes checkpoints.
    ///
    /// # Errors
    /// Returns an error that names the file, and the line that cannot be used.
    pub fn witnesses(&self) -> anyhow::Result<Vec<(Witness, Uri)>> {
        let Some(path) = &self.witnesses_file else { return Ok(Vec::new()) };
        let name = || format!("WITNESSES_FILE ({})", path.display());
        let text = std::fs::read_to_string(path).with_context(name)?;
        let list = witness::read_list(&text).with_context(name)?;
        let with_address = |witness: Witness| {
            let address = format!("{}/add-checkpoint", witness.url);
            let address = address.parse().with_context(|| format!("the address {}", witness.url));
            Ok((witness, address?))
        };
        list.into_iter().map(with_address).collect::<anyhow::Result<_>>().with_context(name)
    }

    /// Applies old names of settings, and refuses pairs of settings that cannot work together.
    ///
    /// # Errors
    /// Returns an error that names the two settings and why they conflict.
    pub fn validated(self) -> anyhow::Result<Self> {
        let config = self.with_old_names();
        let statement_ms = config.postgres.statement_timeout_ms;
        anyhow::ensure!(
            config.claim_idle_ms > 2 * statement_ms,
            "CLAIM_IDLE_MS ({}) must be above twice STATEMENT_TIMEOUT_MS ({statement_ms}), or \
             entries are claimed while their owner is still counting them",
            config.claim_idle_ms
        );
        anyhow::ensure!(
            config.consumer_expiry_ms > 4 * config.block_ms,
            "CONSUMER_EXPIRY_MS ({}) must be above four times BLOCK_MS ({}), or consumers that \
             only wait for entries are removed",
            config.consumer_expiry_ms,
            config.block_ms
        );
        Ok(config)
    }

    /// Takes settings that were given by an old name, and warns once for each. A new name that was set to something
    /// other than its default wins, so that both can be set while two versions run side by side.
    fn with_old_names(mut self) -> Self {
        let Some(old) = self.bury_idle_ms.take() else { return self };
        tracing::warn!("BURY_IDLE_MS was renamed; set CONSUMER_EXPIRY_MS instead");
        if self.consumer_expiry_ms == CONSUMER_EXPIRY_MS {
            self.consumer_expiry_ms = old;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn validate(args: &[&str]) -> anyhow::Result<Config> {
        Config::parse_from([&["consumer"], args].concat()).validated()
    }

    #[test]
    fn impossible_pairs_fail_and_say_what_to_change() {
        Config::command().debug_assert();
        assert!(validate(&[]).is_ok());
        let error = validate(&["--claim-idle-ms", "15000"]).unwrap_err().to_string();
        assert!(error.contains("STATEMENT_TIMEOUT_MS"), "{error}");
        let error = validate(&["--consumer-expiry-ms", "3000"]).unwrap_err().to_string();
        assert!(error.contains("BLOCK_MS"), "{error}");
    }

    #[test]
    fn the_old_name_of_a_setting_still_works() {
        let config = validate(&["--bury-idle-ms", "60000"]).unwrap();
        assert_eq!(config.consumer_expiry_ms, 60_000);
        let both = ["--bury-idle-ms", "60000", "--consumer-expiry-ms", "90000"];
        assert_eq!(validate(&both).unwrap().consumer_expiry_ms, 90_000);
        let error = validate(&["--bury-idle-ms", "3000"]).unwrap_err().to_string();
        assert!(error.contains("BLOCK_MS"), "{error}");
    }
}
