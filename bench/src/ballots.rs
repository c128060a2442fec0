//! Measures the ballots acknowledged per second, and acknowledged and counted per second, against a bare JSON POST.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::args::Args;
use crate::baseline::Baseline;
use crate::lab::{Lab, POLL};
use crate::report::Report;
use crate::wrk;

/// The longest time until all acknowledged ballots are counted.
const DRAIN_WITHIN: Duration = Duration::from_secs(120);

/// Measures both ratios.
///
/// # Errors
/// Returns an error if a server or the load generator does not start, or a ballot is refused or lost.
pub async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let path = format!("/api/polls/{POLL}/ballots");
    let (mut accepted, mut counted) = (Vec::new(), Vec::new());
    let (mut bare_rates, mut accepted_rates, mut counted_rates) = (vec![], vec![], vec![]);
    for round in 1..=args.rounds {
        eprintln!("ballots: round {round} of {}", args.rounds);
        let bare = {
            let baseline = Baseline::start("post").await?;
            wrk::post(baseline.port, &path, args.connections, args.seconds).await?
        };
        let acknowledged = acknowledged(args, Lab::open().await?, &path).await?;
        let both = acknowledged_and_counted(args, &mut Lab::open().await?, &path).await?;
        eprintln!("  bare {bare:.0}/s, acknowledged {acknowledged:.0}/s, and counted {both:.0}/s");
        accepted.push(acknowledged / bare);
        counted.push(both / bare);
        bare_rates.push(bare);
        accepted_rates.push(acknowledged);
        counted_rates.push(both);
    }
    report.baseline("bare warp JSON POST, requests/s", &bare_rates);
    report.ratio(
        "ballots acknowledged per second, fsync on, ÷ bare warp JSON POST",
        0.50,
        &accepted,
        &accepted_rates,
    );
    report.ratio(
        "acknowledged and counted per second, sustained, ÷ the same",
        0.35,
        &counted,
        &counted_rates,
    );
    Ok(())
}

/// Returns the ballots acknowledged per second, while nobody counts.
///
/// # Errors
/// Returns an error if a server or the load generator does not start, or a ballot is refused.
pub async fn acknowledged(args: &Args, mut lab: Lab, path: &str) -> anyhow::Result<f64> {
    let port = lab.start("producer").await?.port;
    wrk::post(port, path, args.connections, args.seconds).await
}

/// Returns the ballots counted per second, from the first request until the last ballot was counted.
///
/// # Errors
/// Returns an error if a server or the load generator does not start, or a ballot is refused or lost.
pub async fn acknowledged_and_counted(
    args: &Args,
    lab: &mut Lab,
    path: &str,
) -> anyhow::Result<f64> {
    lab.start("consumer").await?;
    lab.start("consumer").await?;
    let port = lab.start("producer").await?.port;
    let client = lab.client().await?;
    let started = Instant::now();
    let rate = wrk::post(port, path, args.connections, args.seconds).await?;
    let ended = Instant::now();
    let mut counted = lab.voters(&client).await?;
    let deadline = Instant::now() + DRAIN_WITHIN;
    let mut last_change = Instant::now();
    // Requests that wrk abandoned at its end may still be stored, so wait until the number does not change.
    while last_change.elapsed() < Duration::from_millis(500) {
        ensure!(Instant::now() < deadline, "the ballots were not all counted after 120 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = lab.voters(&client).await?;
        if now != counted {
            (counted, last_change) = (now, Instant::now());
        }
    }
    let least = rate * args.seconds as f64 * 0.98;
    ensure!(counted as f64 >= least, "{counted} ballots counted, of about {least:.0} acknowledged");
    let drained_s = (last_change - ended).as_secs_f64();
    eprintln!(
        "  acknowledged {rate:.0}/s while counting, and {drained_s:.2} s later all were counted"
    );
    Ok(counted as f64 / (last_change - started).as_secs_f64())
}
