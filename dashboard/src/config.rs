//! The dashboard's settings: flags or environment, parsed once.

use std::net::SocketAddr;

use clap::Parser;
use votestream_schema::Slug;
use votestream_service::config::{CommonArgs, ListenerArgs, PostgresArgs, Task};

/// Pushes the tally to every watching browser.
///
/// Reads Postgres at a fixed tick, however many watch. When Postgres is away it keeps showing the
/// last state, and says since when.
#[derive(Parser, Clone, Debug)]
#[command(name = "dashboard", version)]
pub struct Config {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Where viewers connect
    #[arg(long, env = "LISTEN_ADDR", default_value = "0.0.0.0:8081")]
    pub listen_addr: SocketAddr,
    /// Where /metrics, /healthz and /readyz are
    #[arg(long, env = "ADMIN_ADDR", default_value = "0.0.0.0:9081")]
    pub admin_addr: SocketAddr,
    /// The poll shown at /
    #[arg(long, env = "DEFAULT_POLL", default_value = "cats-vs-dogs")]
    pub default_poll: Slug,
    /// Where people vote; linked from the results
    #[arg(long, env = "VOTE_URL")]
    pub vote_url: Option<String>,
    /// How often the tallies are read, in milliseconds
    #[arg(long, env = "TICK_MS", default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub tick_ms: u64,
    /// Event streams held at once, four fifths of all connections at most; further viewers are asked
    /// to come back
    #[arg(long, env = "VIEWERS_MAX", default_value_t = 12_000)]
    pub viewers_max: usize,
    /// How often a quiet stream is given a sign of life, in milliseconds
    #[arg(long, env = "HEARTBEAT_MS", default_value_t = 15_000,
          value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pub heartbeat_ms: u64,
    /// Bounds on connections.
    #[command(flatten)]
    pub listener: ListenerArgs,
    /// Where Postgres is.
    #[command(flatten)]
    pub postgres: PostgresArgs,
    /// Logs and shutdown.
    #[command(flatten)]
    pub common: CommonArgs,
}
