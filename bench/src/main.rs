//! `make bench`: what the pipeline does, as ratios against baselines measured in the same run.
//!
//! A machine's figures mean little elsewhere, and little on the same machine an hour later; a ratio
//! of two things measured one after the other means more. Each pair is measured several times in
//! turn, and the median ratio is reported.

mod ballots;
mod baseline;
mod cluster;
mod drain;
mod generator;
mod lab;
mod report;
mod viewers;
mod wrk;

use std::path::PathBuf;

use clap::Parser;

use report::Report;

/// Measures Votestream as ratios against baselines of the same run, and writes a Markdown table.
///
/// Needs the release binaries beside it, redis-server, postgres and wrk; `make bench` sees to that.
#[derive(Parser, Clone, Debug)]
#[command(name = "bench", version)]
pub struct Args {
    /// What to measure: ballots, drain, viewers, generator, cluster; all when absent
    #[arg(value_parser = ["ballots", "drain", "viewers", "generator", "cluster"])]
    pub what: Vec<String>,
    /// Seconds of load in each measurement
    #[arg(long, default_value_t = 8)]
    pub seconds: u64,
    /// How often each pair is measured
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Connections of the load generator
    #[arg(long, default_value_t = 1_024)]
    pub connections: usize,
    /// Ballots of the backlog that is drained
    #[arg(long, default_value_t = 400_000)]
    pub backlog: usize,
    /// Viewers held
    #[arg(long, default_value_t = 10_000)]
    pub viewers: usize,
    /// Where the table goes
    #[arg(long, default_value = "bench/RESULTS.md")]
    pub output: PathBuf,
    /// Serve a baseline instead of measuring (used by the bench itself): `post` or `sse`
    #[arg(long, hide = true)]
    pub serve: Option<String>,
    /// The port of that baseline
    #[arg(long, hide = true, default_value_t = 0)]
    pub port: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(what) = &args.serve {
        return baseline::serve(what, args.port).await;
    }
    let wants = |name: &str| args.what.is_empty() || args.what.iter().any(|what| what == name);
    let mut report = Report::new(&args);
    if wants("ballots") {
        ballots::measure(&args, &mut report).await?;
    }
    if wants("drain") {
        drain::measure(&args, &mut report).await?;
    }
    if wants("viewers") {
        viewers::measure(&args, &mut report).await?;
    }
    if wants("generator") {
        generator::measure(&args, &mut report).await?;
    }
    if wants("cluster") {
        cluster::measure(&args, &mut report).await?;
    }
    report.write(&args.output)?;
    println!("\n{}", report.markdown());
    println!("written to {}", args.output.display());
    Ok(())
}
