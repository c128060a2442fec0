//! The producer's settings: flags or environment, parsed once and validated whole.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use ipnet::IpNet;
use votestream_schema::Slug;
use votestream_service::config::{CommonArgs, ListenerArgs, RedisArgs, Secret, Task};
use votestream_service::redis::Manager;

use crate::publisher::Durability;

/// Takes ballots over HTTP and appends them to a Redis Stream.
///
/// Answers "accepted" only once Redis has stored the ballot with the durability asked for; otherwise
/// it says that it cannot, and when to try again.
#[derive(Parser, Clone, Debug)]
#[command(name = "producer", version)]
pub struct Config {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Where voters connect
    #[arg(long, env = "LISTEN_ADDR", default_value = "0.0.0.0:8080")]
    pub listen_addr: SocketAddr,
    /// Where /metrics, /healthz and /readyz are
    #[arg(long, env = "ADMIN_ADDR", default_value = "0.0.0.0:9080")]
    pub admin_addr: SocketAddr,
    /// The poll shown at /
    #[arg(long, env = "DEFAULT_POLL", default_value = "cats-vs-dogs")]
    pub default_poll: Slug,
    /// Where the results are shown; linked from the ballot
    #[arg(long, env = "RESULTS_URL")]
    pub results_url: Option<String>,
    /// Keys that sign voter cookies: hexadecimal, 32 bytes or more each, separated by commas; the
    /// first signs, all are believed. Make one with: openssl rand -hex 32
    #[arg(long, env = "COOKIE_KEYS", hide_env_values = true)]
    pub cookie_keys: Option<Secret>,
    /// A file with such keys, one a line; read again every few seconds, so that keys are rotated without a restart
    #[arg(long, env = "COOKIE_KEYS_FILE", conflicts_with = "cookie_keys")]
    pub cookie_keys_file: Option<PathBuf>,
    /// Mark cookies Secure and name them __Host-…, as behind TLS; otherwise decided per request by
    /// X-Forwarded-Proto from a trusted proxy
    #[arg(long, env = "COOKIE_SECURE", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub cookie_secure: bool,
    /// What "accepted" promises: in memory, on Redis' disk, or on replicas too; `fsync` needs a Redis
    /// that tells its settings, which most managed ones do not: `replicated` is theirs
    #[arg(long, env = "DURABILITY", default_value = "fsync")]
    pub durability: Durability,
    /// How many replicas must have a ballot (DURABILITY=replicated)
    #[arg(long, env = "REPLICAS_MIN", default_value_t = 1)]
    pub replicas_min: u32,
    /// Ballots that a partition's stream may hold before voters are asked to try again
    #[arg(long, env = "BACKLOG_MAX", default_value_t = 5_000_000)]
    pub backlog_max: u64,
    /// Round trips to Redis under way at once (a cluster has one a partition)
    #[arg(long, env = "LANES", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub lanes: u16,
    /// New voters per minute and client network (IPv4 /24, IPv6 /56); 0 for no limit
    #[arg(long, env = "NEW_VOTERS_PER_MINUTE", default_value_t = 600)]
    pub new_voters_per_minute: u32,
    /// Networks free of that limit, separated by commas; loopback always is
    #[arg(long, env = "NEW_VOTERS_EXEMPT", value_delimiter = ',')]
    pub new_voters_exempt: Vec<IpNet>,
    /// Proxies whose X-Forwarded-For and -Proto are believed, separated by commas
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,
    /// Further origins whose pages may post ballots, separated by commas: `https://vote.example`
    #[arg(long, env = "ALLOWED_ORIGINS", value_delimiter = ',')]
    pub allowed_origins: Vec<String>,
    /// How long a client may take to send a body, in milliseconds
    #[arg(long, env = "BODY_TIMEOUT_MS", default_value_t = 10_000)]
    pub body_timeout_ms: u64,
    /// Bounds on connections.
    #[command(flatten)]
    pub listener: ListenerArgs,
    /// Where Redis is.
    #[command(flatten)]
    pub redis: RedisArgs,
    /// Logs and shutdown.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl Config {
    /// Whether a producer could start with these settings and the files they name; asks no server.
    ///
    /// # Errors
    /// Says which setting is of no use.
    pub fn check(&self) -> anyhow::Result<()> {
        Manager::new(&self.redis)?;
        crate::cookie_keys::new(self).map(drop)
    }

    /// The keys that sign cookies, as the setting or the file has them now.
    ///
    /// # Errors
    /// When there is none, or the file cannot be read.
    pub fn cookie_keys(&self) -> anyhow::Result<Secret> {
        match (&self.cookie_keys, &self.cookie_keys_file) {
            (Some(keys), _) => Ok(keys.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| format!("COOKIE_KEYS_FILE {}", path.display()))?;
                Ok(text.parse()?)
            }
            (None, None) => anyhow::bail!(
                "COOKIE_KEYS is not set: replicas must share a key to know each other's voters; \
                 make one with `openssl rand -hex 32`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent_and_every_one_is_also_a_variable() {
        Config::command().debug_assert();
        for arg in Config::command().get_arguments().filter(|arg| arg.get_long().is_some()) {
            let flag = arg.get_long().unwrap_or_default().to_uppercase().replace('-', "_");
            if !["HELP", "VERSION"].contains(&flag.as_str()) {
                assert_eq!(arg.get_env().and_then(|e| e.to_str()), Some(flag.as_str()));
            }
        }
    }

    #[test]
    fn without_keys_it_says_how_to_make_one() {
        let config = Config::parse_from(["producer"]);
        if config.cookie_keys.is_none() && config.cookie_keys_file.is_none() {
            assert!(config.check().unwrap_err().to_string().contains("openssl rand"));
        }
        let config = Config::parse_from(["producer", "--cookie-keys", &"ab".repeat(32)]);
        assert!(config.check().is_ok());
        let config = Config {
            redis: RedisArgs { redis_url: "rdis://h".parse().unwrap(), ..config.redis },
            ..config
        };
        assert!(config.check().unwrap_err().to_string().contains("REDIS_URL"));
    }
}
