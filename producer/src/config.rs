//! Defines the producer's settings, which are flags or environment variables, parsed once at start-up.

mod challenge;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use ipnet::IpNet;
use votestream_schema::Slug;
use votestream_schema::poll::network_limit::{NETWORK_LIMIT_MAX, NetworkLimit};
use votestream_service::config::{
    CommaList, CommonArgs, ListenerArgs, RedisArgs, Secret, SigningArgs, Task,
};

pub use challenge::{ChallengeArgs, ChallengeMode, VerifierArgs, VerifierDown};

use crate::durability::Durability;

/// Take ballots over HTTP and append them to a Redis Stream
///
/// The producer answers "accepted" only once Redis has stored the ballot as durably as DURABILITY says.
/// Otherwise it answers that it cannot store it, and when to try again.
#[derive(Parser, Clone, Debug)]
#[command(name = "producer", version)]
pub struct Config {
    /// Subcommand to run instead of serving.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Listen for voters at this address
    #[arg(long, env = "LISTEN_ADDR", default_value = "0.0.0.0:8080")]
    pub listen_addr: SocketAddr,
    /// Serve /metrics, /healthz and /readyz at this address
    #[arg(long, env = "ADMIN_ADDR", default_value = "0.0.0.0:9080")]
    pub admin_addr: SocketAddr,
    /// Show the poll with this slug at /
    #[arg(long, env = "DEFAULT_POLL", default_value = "cats-vs-dogs")]
    pub default_poll: Slug,
    /// Link from the ballot to the results at this address
    #[arg(long, env = "RESULTS_URL")]
    pub results_url: Option<String>,
    /// Sign voter cookies with the first of these keys and accept the signatures of all: hexadecimal, 32
    /// bytes or more each, separated by commas. Make one with: openssl rand -hex 32
    #[arg(long, env = "COOKIE_KEYS", hide_env_values = true)]
    pub cookie_keys: Option<Secret>,
    /// Read the cookie keys from this file, one per line, again every few seconds, so that keys are rotated
    /// without a restart
    #[arg(long, env = "COOKIE_KEYS_FILE", conflicts_with = "cookie_keys")]
    pub cookie_keys_file: Option<PathBuf>,
    /// The keys that sign receipts.
    #[command(flatten)]
    pub signing: SigningArgs,
    /// Treat every client as connected through TLS: mark cookies Secure and name them __Host-…. By default
    /// X-Forwarded-Proto from a trusted proxy decides for each request
    #[arg(long, env = "COOKIE_SECURE", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub cookie_secure: bool,
    /// Answer "accepted" once a ballot is in Redis' memory, on Redis' disk, or in the memory of replicas
    /// too. `fsync` needs a Redis that has WAITAOF (from 7.2 on) or allows CONFIG GET; with a managed Redis that refuses both,
    /// use `replicated`
    #[arg(long, env = "DURABILITY", default_value = "fsync")]
    pub durability: Durability,
    /// With DURABILITY=replicated, require this many replicas to have a ballot
    #[arg(long, env = "REPLICAS_MIN", default_value_t = 1)]
    pub replicas_min: u32,
    /// Ask voters to try again once a partition's stream holds this many ballots
    #[arg(long, env = "BACKLOG_MAX", default_value_t = 5_000_000)]
    pub backlog_max: u64,
    /// Send ballots to Redis on this many lanes, each with a connection and one round trip in flight; a
    /// cluster has one lane per partition instead
    #[arg(long, env = "LANES", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub lanes: u16,
    /// Accept this many new voters of a poll at once from one address (IPv4, or IPv6 /64). An IPv6 /56 may bring twice as
    /// many, an IPv4 /24 and an IPv6 /48 four times. A poll can have a limit of its own: votectl poll set --network-limit
    #[arg(long, env = "NEW_VOTERS_AT_ONCE", default_value_t = 2_000,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(NETWORK_LIMIT_MAX)))]
    pub new_voters_at_once: u32,
    /// Accept this many more new voters in each minute after that; 0 for no limit at all
    #[arg(long, env = "NEW_VOTERS_PER_MINUTE", default_value_t = 600)]
    pub new_voters_per_minute: u32,
    /// Exempt these networks from the limit of new voters, separated by commas. A loopback address is exempt if the request
    /// has no header of a proxy
    #[arg(long, env = "NEW_VOTERS_EXEMPT", default_value = "", hide_default_value = true)]
    pub new_voters_exempt: CommaList<IpNet>,
    /// Settings of challenges for new voters.
    #[command(flatten)]
    pub challenge: ChallengeArgs,
    /// Believe Forwarded, X-Forwarded-For, -Proto and -Host from proxies in these networks, separated by commas
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "", hide_default_value = true)]
    pub trusted_proxies: CommaList<IpNet>,
    /// Accept ballots from pages of these other origins, separated by commas: `https://vote.example`
    #[arg(long, env = "ALLOWED_ORIGINS", default_value = "", hide_default_value = true)]
    pub allowed_origins: CommaList<String>,
    /// Refuse a request whose body has not arrived within this many milliseconds
    #[arg(long, env = "BODY_TIMEOUT_MS", default_value_t = 10_000)]
    pub body_timeout_ms: u64,
    /// Hold at most this many streams of a poll's state, one for each ballot page that people look at, and at most two thirds of
    /// CONNECTIONS_MAX; further pages ask every 15 s instead
    #[arg(long, env = "STATE_STREAMS_MAX", default_value_t = 10_000)]
    pub state_streams_max: usize,
    /// Send a sign of life to every stream of a poll's state at this interval, in milliseconds
    #[arg(long, env = "STATE_HEARTBEAT_MS", default_value_t = 15_000,
          value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pub state_heartbeat_ms: u64,
    /// Settings that bound the connections of voters.
    #[command(flatten)]
    pub listener: ListenerArgs,
    /// Settings of the Redis server or cluster.
    #[command(flatten)]
    pub redis: RedisArgs,
    /// Settings that every service has.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl Config {
    /// Returns the limit of new voters for polls that have none of their own.
    pub fn network_limit(&self) -> NetworkLimit {
        match (self.new_voters_at_once, self.new_voters_per_minute.min(NETWORK_LIMIT_MAX)) {
            (_, 0) => NetworkLimit::Off,
            (at_once, per_minute) => NetworkLimit::Limit { at_once, per_minute },
        }
    }

    /// Returns the keys that sign cookies, as the setting or the file has them now.
    ///
    /// # Errors
    /// Returns an error if no key is configured, or if the file cannot be read.
    pub fn cookie_keys(&self) -> anyhow::Result<Secret> {
        match (&self.cookie_keys, &self.cookie_keys_file) {
            (Some(keys), _) => Ok(keys.clone()),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path);
                let text = text.with_context(|| format!("COOKIE_KEYS_FILE {}", path.display()))?;
                Ok(text.parse()?)
            }
            (None, None) => anyhow::bail!(
                "COOKIE_KEYS is not set: all replicas must share a key to recognise each other's \
                 voters; make one with `openssl rand -hex 32`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn an_empty_list_names_nobody() {
        let config = Config::parse_from(["producer", "--trusted-proxies=", "--allowed-origins="]);
        assert!(config.trusted_proxies.0.is_empty() && config.allowed_origins.0.is_empty());
        let config = Config::parse_from(["producer", "--trusted-proxies=10.0.0.0/8, ::1/128,"]);
        assert_eq!(config.trusted_proxies.0.len(), 2);
        assert!(Config::try_parse_from(["producer", "--trusted-proxies=10.0.0.0/8,x"]).is_err());
    }

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
}
