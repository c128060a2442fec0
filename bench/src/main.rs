//! The program behind `make bench`: measures the pipeline as ratios against baselines of the same run.
//!
//! A figure of one machine means little on another one, and little on the same machine an hour later. The ratio of two
//! figures that are measured one after the other means more. Each pair is measured several times in turn, and the median
//! ratio is reported.

mod args;
mod attack;
mod ballots;
mod baseline;
mod cluster;
mod drain;
mod generator;
mod lab;
mod peer_servers;
mod peers;
mod receipts;
mod report;
mod viewers;
mod wrk;

use clap::Parser;

use args::Args;
use report::Report;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(baseline) = &args.serve {
        return baseline::serve(baseline, &args).await;
    }
    let chosen = &args.measurements;
    let wants = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    let mut report = Report::new(&args);
    if wants("ballots") {
        ballots::measure(&args, &mut report).await?;
    }
    if wants("receipts") {
        receipts::measure(&args, &mut report).await?;
    }
    if wants("peers") {
        peers::measure(&args, &mut report).await?;
    }
    if wants("drain") {
        drain::measure(&args, &mut report).await?;
    }
    if wants("viewers") {
        viewers::measure(&args, &mut report).await?;
    }
    if wants("attack") {
        attack::measure(&args, &mut report).await?;
    }
    if wants("generator") {
        generator::measure(&args, &mut report).await?;
    }
    if wants("cluster") {
        cluster::measure(&args, &mut report).await?;
    }
    report.write(&args.output)?;
    println!("\n{}", report.markdown());
    println!("the table is in {}", args.output.display());
    Ok(())
}
