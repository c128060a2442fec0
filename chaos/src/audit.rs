//! The audit after the faults: waits until all ballots are counted, and compares the records.
//!
//! Three records are compared: the answers that voters got (the ledger of the load tester and the ballots of the
//! harness, voter by voter), the votes in Postgres, and the counters in Redis. The dashboard must show the same tally.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use votestream_loadtest::{CompletedRun, Findings, NamedFinding};

use crate::http;
use crate::probe::Probe;
use crate::testbed::{POLL, Testbed};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The streams must be empty for this long before all ballots are taken as counted.
const STILL_FOR: Duration = Duration::from_secs(1);
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
/// The longest time until every counted ballot is in the public log.
const LOGGED_WITHIN: Duration = Duration::from_secs(20);
/// The length of the report of `votectl verify` that is kept, in characters.
const FAULT_CHARS_MAX: usize = 2_000;

/// The result of the audit.
#[derive(Debug)]
pub(crate) struct AuditResult {
    /// The number of lost, duplicated, invented and changed votes.
    pub(crate) findings: Findings,
    /// The voters behind these numbers, the first few.
    pub(crate) named: Vec<NamedFinding>,
    /// The number of dead letters in all partitions.
    pub(crate) dead_letters: u64,
    /// The output of `votectl audit`, if it fails.
    pub(crate) votectl_imbalance: Option<String>,
    /// The difference between the tally on the dashboard and that in Postgres.
    pub(crate) dashboard_mismatch: Option<String>,
    /// The receipts of voters, looked for in the public log.
    pub(crate) receipts: ReceiptCheck,
}

/// The receipts that voters got, checked from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReceiptCheck {
    /// The number of receipts.
    pub(crate) kept: u64,
    /// The report of `votectl verify`, if not all of them are good.
    pub(crate) fault: Option<String>,
    /// Whether the database was restored during the run. Receipts of the lost seconds must not be good then.
    pub(crate) is_restored: bool,
}

/// Waits until the streams are empty and the services are ready. Returns the time until then, or `None` if it is longer
/// than `within`.
///
/// # Errors
/// Returns an error if a service cannot be started again.
pub(crate) async fn drain(
    testbed: &mut Testbed,
    within: Duration,
) -> anyhow::Result<Option<Duration>> {
    let began = Instant::now();
    let mut empty_since = None;
    while began.elapsed() < within {
        match entries(testbed).await {
            Ok(0) => {
                let since = *empty_since.get_or_insert_with(Instant::now);
                if since.elapsed() > STILL_FOR && testbed.wait_ready(within).await? {
                    return Ok(Some(since - began));
                }
            }
            _ => empty_since = None,
        }
        testbed.pause(LOOK_EVERY).await?;
    }
    Ok(None)
}

/// Returns the number of entries in all streams.
async fn entries(testbed: &Testbed) -> anyhow::Result<u64> {
    let mut redis = testbed.redis().await?;
    let mut ask = redis::pipe();
    for partition in 0..testbed.partitions {
        ask.cmd("XLEN").arg(testbed.keys.stream(partition));
    }
    let lengths: Vec<u64> = ask.query_async(&mut redis).await?;
    Ok(lengths.iter().sum())
}

/// Compares the records. `is_restored` says that the database was restored during the run.
///
/// # Errors
/// Returns an error if a server does not answer.
pub(crate) async fn balance(
    testbed: &mut Testbed,
    driven: &CompletedRun,
    probe: &Probe,
    is_restored: bool,
) -> anyhow::Result<AuditResult> {
    let audited = driven.audit_by_name(&testbed.database_url(), &probe.voters).await;
    let (findings, named) = audited.context("the audit of voters failed")?;
    let mut redis = testbed.redis().await?;
    let mut dead_letters = 0;
    for partition in 0..testbed.partitions {
        let letters = redis::cmd("XLEN").arg(testbed.keys.dead_letters(partition)).clone();
        dead_letters += letters.query_async::<u64>(&mut redis).await?;
    }
    let votectl_imbalance = testbed.votectl(&["audit"]).err().map(|error| format!("{error:#}"));
    // After a failover that lost the counters, `votectl audit` cannot compare them. The audit of voters is still valid.
    let votectl_imbalance = votectl_imbalance.filter(|_| !testbed.counters_lost);
    let dashboard_mismatch = dashboard_mismatch(testbed).await?;
    let receipts = check_receipts(testbed, is_restored).await?;
    Ok(AuditResult {
        findings,
        named,
        dead_letters,
        votectl_imbalance,
        dashboard_mismatch,
        receipts,
    })
}

/// Checks with `votectl verify`, which sees the dashboard alone, that the public log is right and has every ballot for which a
/// voter got a receipt.
async fn check_receipts(testbed: &mut Testbed, is_restored: bool) -> anyhow::Result<ReceiptCheck> {
    let journal = testbed.folder.journal();
    let text = std::fs::read_to_string(&journal).context("reading the journal of the load")?;
    let kept = text.lines().filter(|line| line.contains("\"receipt\":")).count() as u64;
    if kept == 0 {
        let fault = Some("no voter got a receipt".to_owned());
        return Ok(ReceiptCheck { kept, fault, is_restored });
    }
    let url = format!("http://127.0.0.1:{}/polls/{POLL}", testbed.results_proxy.port());
    let (journal, state) =
        (journal.display().to_string(), testbed.folder.path().join("verify.json"));
    let state = state.display().to_string();
    let verify = ["verify", &url, "--receipt", &journal, "--state", &state];
    let deadline = Instant::now() + LOGGED_WITHIN;
    loop {
        let tool = testbed.tool();
        let fault = tool.run_aside(&verify).await.err().map(|error| format!("{error:#}"));
        if fault.is_none() || Instant::now() > deadline {
            let fault = fault.map(|text| text.chars().take(FAULT_CHARS_MAX).collect());
            return Ok(ReceiptCheck { kept, fault, is_restored });
        }
        testbed.pause(LOOK_EVERY).await?;
    }
}

/// Returns the difference between the tally on the dashboard and that in Postgres, if it lasts longer than ten seconds.
async fn dashboard_mismatch(testbed: &mut Testbed) -> anyhow::Result<Option<String>> {
    let client = testbed.sql().await?;
    let sql = "SELECT voters FROM poll_tally JOIN polls ON id = poll_id WHERE slug = $1";
    let voters: i64 = client.query_one(sql, &[&POLL]).await?.get(0);
    let wanted = format!("\"voters\":{voters},");
    let deadline = Instant::now() + SHOWN_WITHIN;
    let path = format!("/api/polls/{POLL}/tally");
    loop {
        let reply = http::get(testbed.results_proxy.port(), &path, Duration::from_secs(2)).await;
        let shown = match reply {
            Ok(reply) if reply.body.contains(&wanted) => return Ok(None),
            Ok(reply) => reply.body,
            Err(error) => error.to_string(),
        };
        if Instant::now() > deadline {
            return Ok(Some(format!(
                "Postgres has {voters} voters, but the dashboard shows {shown}"
            )));
        }
        testbed.pause(LOOK_EVERY).await?;
    }
}
