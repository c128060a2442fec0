//! The command-line options of `bench`.

use std::path::PathBuf;

use clap::Parser;

/// Measure Votestream as ratios against baselines of the same run, and write a Markdown table.
///
/// Needs the release binaries in the same folder, redis-server, postgres and wrk. `make bench` builds the binaries first.
#[derive(Parser, Clone, Debug)]
#[command(name = "bench", version)]
pub struct Args {
    /// Measure only these: ballots, receipts, peers, drain, viewers, attack, generator, cluster; default: all
    #[arg(value_parser = ["ballots", "receipts", "peers", "drain", "viewers", "attack", "generator", "cluster"])]
    pub measurements: Vec<String>,
    /// Send load for this many seconds in each measurement
    #[arg(long, default_value_t = 8)]
    pub seconds: u64,
    /// Measure each pair this many times
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Open this many connections from the load generator
    #[arg(long, default_value_t = 1_024)]
    pub connections: usize,
    /// Let the consumers drain a backlog of this many ballots
    #[arg(long, default_value_t = 400_000)]
    pub backlog: usize,
    /// Hold this many viewers
    #[arg(long, default_value_t = 10_000)]
    pub viewers: usize,
    /// Write the table to this file
    #[arg(long, default_value = "bench/RESULTS.md")]
    pub output: PathBuf,
    /// Serve a baseline instead of measuring: `post`, `sse`, `list` or `commit`; the bench starts itself with this option
    #[arg(long, hide = true)]
    pub serve: Option<String>,
    /// Serve the baseline on this port
    #[arg(long, hide = true, default_value_t = 0)]
    pub port: u16,
    /// The Redis of the baseline `list`
    #[arg(long, hide = true, default_value = "")]
    pub redis_url: String,
    /// The Postgres of the baselines `list` and `commit`
    #[arg(long, hide = true, default_value = "")]
    pub database_url: String,
}
