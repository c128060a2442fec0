//! Statements and sessions of Postgres that an operator ends, and rows that take long.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::cure::{Cure, Injection};
use crate::connection::connect;
use crate::testbed::Testbed;

const CANCEL_EVERY: Duration = Duration::from_millis(10);
const TERMINATE_EVERY: Duration = Duration::from_millis(300);
/// Longer than the statement time-out divided by the rows of a batch.
const ROW_TAKES_S: f64 = 0.025;
const UNLOCKED_WITHIN: Duration = Duration::from_secs(30);

/// Cancels the statements of the services, again and again.
pub(super) fn cancel(testbed: &Testbed) -> anyhow::Result<Injection> {
    let sql = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
               WHERE application_name LIKE 'votestream-%' AND state = 'active'";
    repeat(testbed, sql, CANCEL_EVERY)
}

/// Ends the sessions of the services, again and again.
pub(super) fn terminate(testbed: &Testbed) -> anyhow::Result<Injection> {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE application_name LIKE 'votestream-%'";
    repeat(testbed, sql, TERMINATE_EVERY)
}

/// Runs a query until the fault is healed. It returns how many sessions it has struck.
fn repeat(testbed: &Testbed, sql: &'static str, every: Duration) -> anyhow::Result<Injection> {
    let (stop, url) = (CancellationToken::new(), testbed.superuser_url());
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        let client = connect(&url).await?;
        let mut struck = 0;
        while !stopped.is_cancelled() {
            struck += client.query_one(sql, &[]).await?.get::<_, i64>(0).unsigned_abs();
            tokio::time::sleep(every).await;
        }
        Ok(struck)
    });
    Injection::by(Cure::Stop(stop, task, "sessions struck"))
}

/// Makes each row of the table of votes take so long that a batch exceeds the statement time-out.
pub(super) async fn slow_rows(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let sql = format!(
        "CREATE OR REPLACE FUNCTION chaos_slow() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep({ROW_TAKES_S}); RETURN NEW; END $$;
         CREATE TRIGGER chaos_slow BEFORE INSERT OR UPDATE ON votes FOR EACH ROW EXECUTE FUNCTION chaos_slow()"
    );
    change_table(testbed, &sql).await?;
    Injection::by(Cure::FastRows)
}

/// Lets the trigger end at once, for which the table need not be free, and then removes it.
pub(super) async fn fast_rows(testbed: &mut Testbed) -> anyhow::Result<()> {
    let at_once = "CREATE OR REPLACE FUNCTION chaos_slow() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RETURN NEW; END $$";
    testbed.sql().await?.batch_execute(at_once).await.context("making rows fast again")?;
    change_table(testbed, "DROP TRIGGER chaos_slow ON votes; DROP FUNCTION chaos_slow()").await
}

/// Runs statements that need the table for themselves, and tries again while they do not get it.
async fn change_table(testbed: &mut Testbed, statements: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + UNLOCKED_WITHIN;
    loop {
        let client = testbed.sql().await?;
        let sql = format!("BEGIN; SET LOCAL lock_timeout = '2s'; {statements}; COMMIT");
        match client.batch_execute(&sql).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error).context("the table of votes was not free within 30 s");
            }
            Err(_) => testbed.pause(Duration::from_millis(50)).await?,
        }
    }
}
