//! Defines the groups of settings that several services share; each is a flag and an environment variable.
//!
//! They are parsed once at start-up. Secrets never print.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use crate::http::BasePath;

/// A text that prints as `***`, such as a password or a URL that holds one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text itself; keep it out of logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// A setting with any number of values, separated by commas. An empty text has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommaList<T>(pub Vec<T>);

impl<T: FromStr> FromStr for CommaList<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        let values = text.split(',').map(str::trim).filter(|value| !value.is_empty());
        values.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people, one line per event.
    Text,
    /// One JSON object per line, for log collectors.
    Json,
}

/// Settings of logs, shutdown and start-up, which are the same for every service.
#[derive(Args, Clone, Debug)]
pub struct CommonArgs {
    /// Write log lines as text for people or as JSON for collectors
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Log from this level on: error, warn, info, debug, trace, or a filter per module such as
    /// `info,redis=warn`. Lines of the redis crate are off unless the filter names `redis`
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// Finish the work in hand within this many milliseconds after SIGTERM
    #[arg(long, env = "SHUTDOWN_GRACE_MS", default_value_t = 10_000)]
    pub shutdown_grace_ms: u64,
    /// Check the settings and the files that they name, without connecting to a server, and exit
    #[arg(long, env = "CHECK_CONFIG", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, require_equals = false, default_missing_value = "true")]
    pub check_config: bool,
}

impl CommonArgs {
    /// Returns the time after SIGTERM within which the work in hand must be finished.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }
}

/// Settings of the Redis server or cluster.
#[derive(Args, Clone, Debug)]
pub struct RedisArgs {
    /// Connect to Redis at this URL: `redis://user:password@host:port/db`, or `rediss://` for TLS.
    /// Separate the seed nodes of a cluster by commas
    #[arg(
        long,
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    pub redis_url: Secret,
    /// Read the Redis URL from this file, again for each new connection, so that a password can be
    /// changed without a restart
    #[arg(long, env = "REDIS_URL_FILE", conflicts_with = "redis_url")]
    pub redis_url_file: Option<PathBuf>,
    /// Treat the hosts in the Redis URL as seed nodes of a Redis Cluster
    #[arg(long, env = "REDIS_CLUSTER", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, require_equals = false, default_missing_value = "true")]
    pub redis_cluster: bool,
    /// Trust only these certificate authorities for Redis (PEM file); default: those of the system
    #[arg(long, env = "REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
    /// Start every Redis key with this prefix; deployments that share a server need different ones
    #[arg(long, env = "KEY_PREFIX", default_value = "votes", value_parser = key_prefix)]
    pub key_prefix: String,
}

impl RedisArgs {
    /// Returns the Redis URL, from its file if one is configured.
    ///
    /// # Errors
    /// Returns an error that names the file if it cannot be read or is empty.
    pub fn url(&self) -> anyhow::Result<Secret> {
        value_or_file("REDIS_URL_FILE", self.redis_url_file.as_deref(), &self.redis_url)
    }
}

/// Reads a setting from its file if one is configured, else takes the value itself.
fn value_or_file(
    name: &'static str,
    file: Option<&Path>,
    otherwise: &Secret,
) -> anyhow::Result<Secret> {
    let Some(path) = file else { return Ok(otherwise.clone()) };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("{name} {}", path.display()))?;
    anyhow::ensure!(!text.trim().is_empty(), "{name} {} is empty", path.display());
    Ok(Secret(text.trim().to_owned()))
}

/// The key prefix does not fit into a Redis key.
#[derive(Debug, thiserror::Error)]
#[error("a key prefix has 1 to 64 letters, digits, `-`, `_` or `.`")]
struct InvalidKeyPrefix;

fn key_prefix(text: &str) -> Result<String, InvalidKeyPrefix> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err(InvalidKeyPrefix)
    }
}

/// Settings of the Postgres server.
#[derive(Args, Clone, Debug)]
pub struct PostgresArgs {
    /// Connect to Postgres at this URL:
    /// `postgres://user:password@host:port/database?sslmode=verify-full`. sslmode is `disable`, `allow` or
    /// `prefer` (the default: encrypted if the server can), `require` (encrypted, any certificate),
    /// `verify-ca` (signed by a trusted authority), `verify-full` (and issued to this host)
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://postgres@127.0.0.1:5432/votestream"
    )]
    pub database_url: Secret,
    /// Read the Postgres URL from this file, again for each new connection, so that a password can be
    /// changed without a restart
    #[arg(long, env = "DATABASE_URL_FILE", conflicts_with = "database_url")]
    pub database_url_file: Option<PathBuf>,
    /// Trust only these certificate authorities for Postgres (PEM file); default: those of the system.
    /// With this file, every sslmode except `disable` refuses a server that they did not sign
    #[arg(long, env = "DATABASE_CA_FILE")]
    pub database_ca_file: Option<PathBuf>,
    /// Have Postgres cancel a statement that runs for longer than this many milliseconds
    #[arg(long, env = "STATEMENT_TIMEOUT_MS", default_value_t = 10_000,
          value_parser = clap::value_parser!(u64).range(100..))]
    pub statement_timeout_ms: u64,
}

impl PostgresArgs {
    /// Returns the Postgres URL, from its file if one is configured.
    ///
    /// # Errors
    /// Returns an error that names the file if it cannot be read or is empty.
    pub fn url(&self) -> anyhow::Result<Secret> {
        value_or_file("DATABASE_URL_FILE", self.database_url_file.as_deref(), &self.database_url)
    }
}

/// The keys that sign receipts and the public logs of polls.
#[derive(Args, Clone, Debug, Default)]
pub struct SigningArgs {
    /// Sign receipts and the public logs of polls with the first of these keys, and publish all of them: one per line, as
    /// `votectl keygen` prints them. Producers and consumers need the same. Without a key there are no receipts, and logs are not
    /// signed
    #[arg(long, env = "SIGNING_KEYS", hide_env_values = true)]
    pub signing_keys: Option<Secret>,
    /// Read the signing keys from this file, again every few seconds, so that keys are rotated without a restart
    #[arg(long, env = "SIGNING_KEYS_FILE", conflicts_with = "signing_keys")]
    pub signing_keys_file: Option<PathBuf>,
}

impl SigningArgs {
    /// Returns the text with the keys; `None` if no key is configured.
    ///
    /// # Errors
    /// Returns an error that names the file if it cannot be read or is empty.
    pub fn text(&self) -> anyhow::Result<Option<Secret>> {
        match (&self.signing_keys, &self.signing_keys_file) {
            (None, None) => Ok(None),
            (keys, file) => {
                let keys = keys.clone().unwrap_or_else(|| Secret(String::new()));
                value_or_file("SIGNING_KEYS_FILE", file.as_deref(), &keys).map(Some)
            }
        }
    }
}

/// Settings that bound the connections of clients.
#[derive(Args, Clone, Debug)]
pub struct ListenerArgs {
    /// Hold at most this many client connections; for further ones, connections that rest or are slow are
    /// closed. The limit of file descriptors may allow fewer: 128 of them are reserved
    #[arg(long, env = "CONNECTIONS_MAX", default_value_t = 15_000)]
    pub connections_max: usize,
    /// Keep this process within this many bytes of memory: connections may take two thirds of it, and all
    /// but 32 MiB at most. Unset: the limit of the control group, or a quarter of the machine's memory
    #[arg(long, env = "MEMORY_BYTES_MAX")]
    pub memory_bytes_max: Option<usize>,
    /// End a connection after its current request once it is this many milliseconds old; browsers open
    /// another one
    #[arg(long, env = "CONNECTION_LIFETIME_MS", default_value_t = 3_600_000,
          value_parser = clap::value_parser!(u64).range(1_000..))]
    pub connection_lifetime_ms: u64,
    /// Put this path in front of all addresses, such as /vote, for a host that serves other sites, too; a proxy may hand
    /// requests on with it or without it
    #[arg(long, env = "BASE_PATH", default_value = "", hide_default_value = true)]
    pub base_path: BasePath,
    /// Close a connection that is idle, or whose request's head is incomplete, for this many
    /// milliseconds
    #[arg(long, env = "HEADER_TIMEOUT_MS", default_value_t = 15_000)]
    pub header_timeout_ms: u64,
    /// Close a connection whose client has read nothing, or whose viewer has not read a whole frame, for
    /// this many milliseconds
    #[arg(long, env = "WRITE_TIMEOUT_MS", default_value_t = 30_000,
          value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub write_timeout_ms: u64,
    /// Serve on for this many milliseconds after SIGTERM while /readyz answers 503: longer than the load
    /// balancer takes to notice. SHUTDOWN_GRACE_MS begins after it
    #[arg(long, env = "DRAIN_DELAY_MS", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(..=600_000))]
    pub drain_delay_ms: u64,
    /// Tell browsers that came through TLS, as X-Forwarded-Proto says, to come back to this host through TLS alone for this
    /// many seconds (Strict-Transport-Security); 0 to tell them nothing
    #[arg(long, env = "HSTS_MAX_AGE_S", default_value_t = 31_536_000)]
    pub hsts_max_age_s: u32,
}

impl ListenerArgs {
    /// Returns the time after which a client that reads nothing loses its connection.
    pub fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    /// Returns the time between SIGTERM and the shutdown, in which the service serves on.
    pub fn drain_delay(&self) -> Duration {
        Duration::from_millis(self.drain_delay_ms)
    }
}

/// Subcommands that a service's program offers besides serving.
#[derive(Subcommand, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Ask the service that runs on this machine whether it is ready; exit with code 0 if it is
    Healthcheck,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn secrets_print_as_stars() {
        let secret: Secret = "postgres://u:hunter2@h/d".parse().unwrap();
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    }

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        redis: RedisArgs,
    }

    #[test]
    fn a_url_stands_in_the_setting_or_in_its_file_but_not_in_both() {
        let parse = |args: &[&str]| Cli::try_parse_from([&["x"], args].concat());
        let file = std::env::temp_dir().join(format!("votestream-url-{}", std::process::id()));
        let path = file.to_str().unwrap();
        assert!(parse(&["--redis-url-file", path, "--redis-url", "redis://h"]).is_err());

        let args = parse(&["--redis-url-file", path]).unwrap().redis;
        let error = format!("{:#}", args.url().unwrap_err());
        assert!(error.contains("REDIS_URL_FILE") && error.contains(path), "{error}");
        std::fs::write(&file, "\n").unwrap();
        assert!(args.url().unwrap_err().to_string().contains("is empty"));
        std::fs::write(&file, "redis://u:hunter2@h:1\n").unwrap();
        assert_eq!(args.url().unwrap().reveal(), "redis://u:hunter2@h:1");
        std::fs::remove_file(&file).unwrap();

        assert_eq!(
            parse(&["--redis-url", "redis://h"]).unwrap().redis.url().unwrap().0,
            "redis://h"
        );
    }

    #[test]
    fn a_key_prefix_cannot_move_the_hash_tag() {
        assert!(key_prefix("votes-2").is_ok());
        for bad in ["", "a{b}", "a b", "ä", &"x".repeat(65)] {
            assert!(key_prefix(bad).is_err(), "{bad:?}");
        }
    }
}
