//! Groups of settings that several services share; each is a flag and an environment variable.
//!
//! Parsed once at start-up. Secrets never print.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

/// A text that prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself; keep it out of logs.
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

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Logs, admin port and shutdown: the same for every service.
#[derive(Args, Clone, Debug)]
pub struct CommonArgs {
    /// How log lines are written
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter per module
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// How long to finish what is under way after SIGTERM, in milliseconds
    #[arg(long, env = "SHUTDOWN_GRACE_MS", default_value_t = 10_000)]
    pub shutdown_grace_ms: u64,
    /// Only read the settings and the files they name, say whether they are of use, and end
    #[arg(long, env = "CHECK_CONFIG", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, require_equals = false, default_missing_value = "true")]
    pub check_config: bool,
}

impl CommonArgs {
    /// The grace period.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }
}

/// Where Redis is.
#[derive(Args, Clone, Debug)]
pub struct RedisArgs {
    /// Redis: `redis://user:password@host:port/db`, `rediss://` for TLS; seed nodes of a cluster
    /// are separated by commas
    #[arg(
        long,
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    pub redis_url: Secret,
    /// A file that holds that URL; read again for each new connection, so that a password can be
    /// changed without a restart
    #[arg(long, env = "REDIS_URL_FILE", conflicts_with = "redis_url")]
    pub redis_url_file: Option<PathBuf>,
    /// The URL names seed nodes of a Redis Cluster
    #[arg(long, env = "REDIS_CLUSTER", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, require_equals = false, default_missing_value = "true")]
    pub redis_cluster: bool,
    /// Certificates that sign the Redis server's, as PEM; the system's when absent
    #[arg(long, env = "REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
    /// Prefix of every key; keeps deployments on one server apart
    #[arg(long, env = "KEY_PREFIX", default_value = "votes", value_parser = key_prefix)]
    pub key_prefix: String,
}

impl RedisArgs {
    /// The URL, from its file if there is one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn url(&self) -> anyhow::Result<Secret> {
        in_file("REDIS_URL_FILE", self.redis_url_file.as_deref(), &self.redis_url)
    }
}

fn in_file(name: &'static str, file: Option<&Path>, otherwise: &Secret) -> anyhow::Result<Secret> {
    let Some(path) = file else { return Ok(otherwise.clone()) };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("{name} {}", path.display()))?;
    anyhow::ensure!(!text.trim().is_empty(), "{name} {} is empty", path.display());
    Ok(Secret(text.trim().to_owned()))
}

fn key_prefix(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("1 to 64 letters, digits, `-`, `_` or `.`".into())
    }
}

/// Where Postgres is.
#[derive(Args, Clone, Debug)]
pub struct PostgresArgs {
    /// Postgres: postgres://user:password@host:port/database?sslmode=verify-full; sslmode as libpq
    /// has it: `disable`, `allow` and `prefer` (the default; encrypted if the server can),
    /// `require` (encrypted, the certificate not looked at), `verify-ca` (signed by an authority),
    /// `verify-full` (and made out to this host)
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://postgres@127.0.0.1:5432/votestream"
    )]
    pub database_url: Secret,
    /// A file that holds that URL; read again for each new connection, so that a password can be
    /// changed without a restart
    #[arg(long, env = "DATABASE_URL_FILE", conflicts_with = "database_url")]
    pub database_url_file: Option<PathBuf>,
    /// Certificates that sign the Postgres server's, as PEM; the system's when absent. When given,
    /// no sslmode but `disable` trusts a server that they did not sign
    #[arg(long, env = "DATABASE_CA_FILE")]
    pub database_ca_file: Option<PathBuf>,
    /// How long a statement may take before the server ends it, in milliseconds
    #[arg(long, env = "STATEMENT_TIMEOUT_MS", default_value_t = 10_000,
          value_parser = clap::value_parser!(u64).range(100..))]
    pub statement_timeout_ms: u64,
}

impl PostgresArgs {
    /// The URL, from its file if there is one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn url(&self) -> anyhow::Result<Secret> {
        in_file("DATABASE_URL_FILE", self.database_url_file.as_deref(), &self.database_url)
    }
}

/// The bounds within which a service takes connections.
#[derive(Args, Clone, Debug)]
pub struct ListenerArgs {
    /// Connections held at once; further ones wait in the system's queue. Fewer where file handles
    /// are few: 128 of them are kept for all else
    #[arg(long, env = "CONNECTIONS_MAX", default_value_t = 15_000)]
    pub connections_max: usize,
    /// How long a client may take for a request's head, and a connection may stay idle, in
    /// milliseconds
    #[arg(long, env = "HEADER_TIMEOUT_MS", default_value_t = 15_000)]
    pub header_timeout_ms: u64,
    /// How long a client may take nothing of what it is sent, or a viewer a whole frame, before the
    /// connection is closed, in milliseconds
    #[arg(long, env = "WRITE_TIMEOUT_MS", default_value_t = 30_000,
          value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub write_timeout_ms: u64,
    /// How long to go on serving after SIGTERM while /readyz says 503, in milliseconds: longer than
    /// a load balancer takes to notice; SHUTDOWN_GRACE_MS begins after it
    #[arg(long, env = "DRAIN_DELAY_MS", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(..=600_000))]
    pub drain_delay_ms: u64,
}

impl ListenerArgs {
    /// How long a client that takes nothing is waited for.
    pub fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    /// How long to go on serving after SIGTERM.
    pub fn drain_delay(&self) -> Duration {
        Duration::from_millis(self.drain_delay_ms)
    }
}

/// What a service's program does besides serving.
#[derive(Subcommand, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Ask the service that runs here already whether it is ready: exit code 0 when it is
    Healthcheck,
}

/// The address of an admin port.
pub type AdminAddr = SocketAddr;

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
