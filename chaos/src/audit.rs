//! After the faults: waits until all is counted, and balances the books.
//!
//! Three books are held against each other: what voters were told (the load tester's ledger and the
//! harness's own ballots, by name), what Postgres holds, and what Redis counted. The dashboard has to
//! show the same.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use votestream_loadtest::{Driven, Findings, Named};

use crate::http;
use crate::probe::Probe;
use crate::site::{POLL, Site};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// All is counted when the streams have been empty for so long.
const STILL_FOR: Duration = Duration::from_secs(1);
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// What the books say.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) findings: Findings,
    pub(crate) named: Vec<Named>,
    pub(crate) dead_letters: u64,
    pub(crate) unbalanced: Option<String>,
    pub(crate) misshown: Option<String>,
}

/// Waits until the streams are empty and the services ready; how long that took, `None` when it did
/// not come in time.
///
/// # Errors
/// When a service cannot be started again.
pub(crate) async fn drain(site: &mut Site, within: Duration) -> anyhow::Result<Option<Duration>> {
    let began = Instant::now();
    let mut empty_since = None;
    while began.elapsed() < within {
        match entries(site).await {
            Ok(0) => {
                let since = *empty_since.get_or_insert_with(Instant::now);
                if since.elapsed() > STILL_FOR && site.wait_ready(within).await? {
                    return Ok(Some(since - began));
                }
            }
            _ => empty_since = None,
        }
        site.pause(LOOK_EVERY).await?;
    }
    Ok(None)
}

/// Entries in all streams.
async fn entries(site: &Site) -> anyhow::Result<u64> {
    let mut redis = site.redis().await?;
    let mut ask = redis::pipe();
    for partition in 0..site.partitions {
        ask.cmd("XLEN").arg(site.keys.stream(partition));
    }
    let lengths: Vec<u64> = ask.query_async(&mut redis).await?;
    Ok(lengths.iter().sum())
}

/// Balances.
///
/// # Errors
/// When a server cannot be asked.
pub(crate) async fn balance(
    site: &mut Site,
    driven: &Driven,
    probe: &Probe,
) -> anyhow::Result<Books> {
    let audited = driven.audit_by_name(&site.database_url(), &probe.witnesses).await;
    let (findings, named) = audited.context("the audit by name")?;
    let mut redis = site.redis().await?;
    let mut dead_letters = 0;
    for partition in 0..site.partitions {
        let letters = redis::cmd("XLEN").arg(site.keys.dead_letters(partition)).clone();
        dead_letters += letters.query_async::<u64>(&mut redis).await?;
    }
    let unbalanced = site.votectl(&["audit"]).err().map(|error| format!("{error:#}"));
    // The recount holds all the same; what was ever accepted nobody knows any more.
    let unbalanced = unbalanced.filter(|_| !site.counters_lost);
    let misshown = misshown(site).await?;
    Ok(Books { findings, named, dead_letters, unbalanced, misshown })
}

/// How the dashboard's tally differs from Postgres', if it does so for long.
async fn misshown(site: &mut Site) -> anyhow::Result<Option<String>> {
    let client = site.sql().await?;
    let voters: i64 = client.query_one("SELECT voters FROM poll_tally", &[]).await?.get(0);
    let wanted = format!("\"voters\":{voters},");
    let deadline = Instant::now() + SHOWN_WITHIN;
    let path = format!("/api/polls/{POLL}/tally");
    loop {
        let reply = http::get(site.window.port(), &path, Duration::from_secs(2)).await;
        let shown = match reply {
            Ok(reply) if reply.body.contains(&wanted) => return Ok(None),
            Ok(reply) => reply.body,
            Err(failure) => format!("{failure:?}"),
        };
        if Instant::now() > deadline {
            return Ok(Some(format!(
                "postgres counts {voters} voters, the dashboard shows {shown}"
            )));
        }
        site.pause(LOOK_EVERY).await?;
    }
}
