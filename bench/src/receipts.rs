//! Measures what receipts and the public log cost: the rates with them, against those of a poll without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_postgres::Client;

use crate::args::Args;
use crate::ballots::{acknowledged, acknowledged_and_counted};
use crate::lab::{Lab, POLL};
use crate::report::Report;

/// The age of the oldest counted ballots that are in no log yet, in milliseconds.
const BEHIND: &str = "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - queued)) * 1000, 0)::int8 FROM log_queue";
/// How often it is measured.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Measures the ratios, and how far the log was behind at most.
///
/// # Errors
/// Returns an error if a server or the load generator does not start, or a ballot is refused or lost.
pub async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let path = format!("/api/polls/{POLL}/ballots");
    let (mut accepted, mut counted, mut behind) = (Vec::new(), Vec::new(), Vec::new());
    let (mut accepted_rates, mut counted_rates) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        eprintln!("receipts: round {round} of {}", args.rounds);
        let without = acknowledged(args, Lab::open_without_receipts().await?, &path).await?;
        let with = acknowledged(args, Lab::open().await?, &path).await?;
        let mut lab = Lab::open_without_receipts().await?;
        let counted_without = acknowledged_and_counted(args, &mut lab, &path).await?;
        drop(lab);
        let mut lab = Lab::open().await?;
        let most_ms = Arc::new(AtomicU64::new(0));
        let watch = tokio::spawn(watch_log(lab.client().await?, most_ms.clone()));
        let counted_with = acknowledged_and_counted(args, &mut lab, &path).await?;
        watch.abort();
        let most = most_ms.load(Ordering::Relaxed) as f64 / 1_000.0;
        eprintln!(
            "  acknowledged {without:.0}/s without and {with:.0}/s with; counted {counted_without:.0}/s and {counted_with:.0}/s; \
             the log was {most:.1} s behind at most"
        );
        accepted.push(with / without);
        counted.push(counted_with / counted_without);
        behind.push(most);
        accepted_rates.push(with);
        counted_rates.push(counted_with);
    }
    report.ratio(
        "ballots acknowledged per second with receipts ÷ without",
        0.95,
        &accepted,
        &accepted_rates,
    );
    report.ratio(
        "acknowledged and counted per second with receipts and log ÷ without",
        0.95,
        &counted,
        &counted_rates,
    );
    report.ratio_at_most("the public log behind the count, seconds at most", 2.0, &behind, &behind);
    Ok(())
}

/// Keeps the highest age until it is aborted.
async fn watch_log(client: Client, most_ms: Arc<AtomicU64>) {
    while let Ok(row) = client.query_one(BEHIND, &[]).await {
        most_ms.fetch_max(row.get::<_, i64>(0).unsigned_abs(), Ordering::Relaxed);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
