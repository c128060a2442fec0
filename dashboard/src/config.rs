//! The dashboard's settings, read from flags or environment variables and parsed once.

use std::net::SocketAddr;

use clap::Parser;
use ipnet::IpNet;
use votestream_schema::Slug;
use votestream_service::config::{CommaList, CommonArgs, ListenerArgs, PostgresArgs, Task};

use crate::embedding::EmbedOrigin;

/// Pushes the tally to every watching browser.
///
/// Reads Postgres at a fixed interval, however many people watch. While Postgres is down it keeps showing the last
/// state, and since when that state is out of date.
#[derive(Parser, Clone, Debug)]
#[command(name = "dashboard", version)]
pub struct Config {
    /// The command to run instead of serving, if any.
    #[command(subcommand)]
    pub task: Option<Task>,
    /// Serve pages and event streams to viewers at this address
    #[arg(long, env = "LISTEN_ADDR", default_value = "0.0.0.0:8081")]
    pub listen_addr: SocketAddr,
    /// Serve /metrics, /healthz and /readyz at this address
    #[arg(long, env = "ADMIN_ADDR", default_value = "0.0.0.0:9081")]
    pub admin_addr: SocketAddr,
    /// Show the results of this poll at /
    #[arg(long, env = "DEFAULT_POLL", default_value = "cats-vs-dogs")]
    pub default_poll: Slug,
    /// Link from the results to this address, where people vote; no link when absent
    #[arg(long, env = "VOTE_URL")]
    pub vote_url: Option<String>,
    /// Name this address of the results in links that other sites show; without it, links have the name under which they
    /// were asked for
    #[arg(long, env = "RESULTS_URL")]
    pub results_url: Option<String>,
    /// Let pages of these origins show /embed/SLUG in a frame, separated by commas: `https://www.example`; no page may when
    /// empty
    #[arg(long, env = "EMBED_ORIGINS", default_value = "", hide_default_value = true)]
    pub embed_origins: CommaList<EmbedOrigin>,
    /// Read the tallies at this interval, in milliseconds
    #[arg(long, env = "TICK_MS", default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(10..=10_000))]
    pub tick_ms: u64,
    /// Hold at most this many event streams, and at most four fifths of CONNECTIONS_MAX; further viewers are asked to
    /// come back later, unless one network holds more than a tenth and gives a seat up
    #[arg(long, env = "VIEWERS_MAX", default_value_t = 12_000)]
    pub viewers_max: usize,
    /// Send a sign of life to every event stream at this interval, in milliseconds: proxies do not close quiet streams,
    /// and pages notice within three intervals of 2 s that nothing comes any more
    #[arg(long, env = "HEARTBEAT_MS", default_value_t = 2_000,
          value_parser = clap::value_parser!(u64).range(100..=60_000))]
    pub heartbeat_ms: u64,
    /// Do not count connections from proxies in these networks as those of one client, and believe their X-Forwarded-Host;
    /// separated by commas
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "", hide_default_value = true)]
    pub trusted_proxies: CommaList<IpNet>,
    /// Limits on the connections of viewers.
    #[command(flatten)]
    pub listener: ListenerArgs,
    /// The Postgres database that holds the tallies.
    #[command(flatten)]
    pub postgres: PostgresArgs,
    /// Log and shutdown settings that all services share.
    #[command(flatten)]
    pub common: CommonArgs,
}
