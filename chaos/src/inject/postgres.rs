//! A Postgres that is dead, frozen, locked, or has no free sessions.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use standalone::servers::Signal;

use super::cure::{Cure, Injection};
use crate::connection::connect;
use crate::testbed::{SESSIONS_MAX, Testbed};

/// The longest wait for a COMMIT that runs.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);
/// The duration that each commit is given in microseconds, so that a running one can be observed.
const COMMIT_DELAY_US: u32 = 50_000;
/// The time for which sessions are taken as soon as the services lose them.
const CROWD_FOR: Duration = Duration::from_secs(1);

/// Kills Postgres with SIGKILL.
pub(super) fn kill(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    tokio::task::block_in_place(|| testbed.postgres.kill());
    Injection::by(Cure::StartPostgres)
}

/// Shuts Postgres down with SIGQUIT, which needs a crash recovery at the next start.
pub(super) fn shut_down_immediately(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let process = testbed.postgres.process();
    process.signal(Signal::QUIT);
    tokio::task::block_in_place(|| process.wait(Duration::from_secs(10)));
    kill(testbed)
}

/// Slows commits down, waits until a consumer's COMMIT runs, and kills Postgres.
pub(super) async fn kill_mid_commit(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let client = testbed.superuser().await?;
    client.batch_execute(&format!("ALTER SYSTEM SET commit_delay = {COMMIT_DELAY_US}")).await?;
    client.batch_execute("ALTER SYSTEM SET commit_siblings = 0").await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    let deadline = Instant::now() + COMMIT_WITHIN;
    let committing = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
                      AND application_name = 'votestream-consumer' AND query ILIKE 'COMMIT%'";
    let mut seen = false;
    while !seen && Instant::now() < deadline {
        let running: i64 = client.query_one(committing, &[]).await?.get(0);
        seen = running > 0;
    }
    tokio::task::block_in_place(|| testbed.postgres.kill());
    let note = if seen { "a COMMIT was running" } else { "no COMMIT was seen running within 10 s" };
    Injection::noting(Cure::StartPostgres, note)
}

/// Starts Postgres again, and resets the duration of commits.
pub(super) async fn start(testbed: &mut Testbed) -> anyhow::Result<()> {
    tokio::task::block_in_place(|| testbed.postgres.restart())?;
    let client = testbed.superuser().await?;
    for reset in ["commit_delay", "commit_siblings"] {
        client.batch_execute(&format!("ALTER SYSTEM RESET {reset}")).await?;
    }
    client.batch_execute("SELECT pg_reload_conf()").await.context("reloading the settings")
}

/// Freezes Postgres and its sessions with SIGSTOP.
pub(super) fn freeze(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    testbed.postgres.freeze();
    Injection::by(Cure::ThawPostgres)
}

/// Locks the table of votes in a session that stays open.
pub(super) async fn lock(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let client = testbed.sql().await?;
    client.batch_execute("BEGIN; LOCK TABLE votes IN ACCESS EXCLUSIVE MODE").await?;
    Injection::by(Cure::End(vec![client]))
}

/// Opens all sessions that Postgres allows, then ends those of the services and opens these as well.
pub(super) async fn crowd(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let superuser = testbed.superuser().await?;
    let url = testbed.database_url();
    let mut sessions = Vec::new();
    let until = Instant::now() + CROWD_FOR;
    while Instant::now() < until {
        while sessions.len() < SESSIONS_MAX {
            let Ok(session) = connect(&url).await else { break };
            sessions.push(session);
        }
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                      WHERE application_name LIKE 'votestream-%'";
        superuser.query(others, &[]).await?;
    }
    let note = format!("{} sessions taken by others", sessions.len());
    Injection::noting(Cure::End(sessions), note)
}
