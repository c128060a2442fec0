//! Two simpler ways to take votes, on the same servers and with the same HTTP library as ours.
//!
//! `list` is the way of the well-known voting app: one LPUSH a vote into a list, and a worker that pops one vote, upserts it
//! and pops the next. Unlike that app's worker ours does not sleep between two votes. A worker that dies loses the vote it holds.
//! `commit` sends each vote straight to Postgres and answers after its commit.

use std::time::Instant;

use crate::args::Args;
use crate::ballots::acknowledged_and_counted;
use crate::baseline::Baseline;
use crate::lab::{Lab, POLL};
use crate::peer_servers::TABLE;
use crate::report::Report;
use crate::wrk;

/// Measures both peers, and ours between them.
///
/// # Errors
/// Returns an error if a server or the load generator does not start, or a vote is refused.
pub async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let path = format!("/api/polls/{POLL}/ballots");
    let (mut pushed, mut popped, mut committed, mut ours) = (vec![], vec![], vec![], vec![]);
    for round in 1..=args.rounds {
        eprintln!("peers: round {round} of {}", args.rounds);
        let (list_pushed, list_popped) = peer(args, "list", &path).await?;
        let own = acknowledged_and_counted(args, &mut Lab::open().await?, &path).await?;
        let (_, commit) = peer(args, "commit", &path).await?;
        eprintln!(
            "  list: {list_pushed:.0}/s acknowledged, {list_popped:.0}/s counted; commit: {commit:.0}/s; \
             ours: {own:.0}/s acknowledged and counted"
        );
        pushed.push(list_pushed);
        popped.push(list_popped);
        committed.push(commit);
        ours.push(own);
    }
    let ratios = |peer: &[f64]| -> Vec<f64> {
        ours.iter().zip(peer).map(|(ours, peer)| ours / peer.max(1.0)).collect()
    };
    report.baseline("one LPUSH a vote, votes acknowledged/s", &pushed);
    report
        .baseline("one LPUSH a vote, a worker pops one and upserts one, votes counted/s", &popped);
    report.baseline("one commit a vote straight into Postgres, votes/s", &committed);
    report.ratio(
        "acknowledged and counted per second ÷ one LPUSH, one pop and one upsert a vote",
        2.0,
        &ratios(&popped),
        &ours,
    );
    report.ratio(
        "acknowledged and counted per second ÷ one commit a vote straight into Postgres",
        2.0,
        &ratios(&committed),
        &ours,
    );
    Ok(())
}

/// Returns the votes acknowledged per second, and those stored per second while the load lasted.
async fn peer(args: &Args, name: &str, path: &str) -> anyhow::Result<(f64, f64)> {
    let lab = Lab::open().await?;
    let client = lab.client().await?;
    client.batch_execute(TABLE).await?;
    let baseline = Baseline::start_on(name, &lab.redis_url(), &lab.database_url()).await?;
    let started = Instant::now();
    let acknowledged = wrk::post(baseline.port, path, args.connections, args.seconds).await?;
    let elapsed = started.elapsed();
    let stored: i64 = client.query_one("SELECT count(*) FROM peer_votes", &[]).await?.get(0);
    Ok((acknowledged, stored as f64 / elapsed.as_secs_f64()))
}
