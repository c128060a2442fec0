//! Postgres dead, frozen, locked or crowded.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use standalone::servers::Signal;

use super::{Cure, Struck};
use crate::site::{SESSIONS_MAX, Site, connect};

/// How long to wait for a COMMIT to be seen.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);
/// How long each commit is made to take, in microseconds, so that one can be seen.
const COMMIT_DELAY_US: u32 = 50_000;
/// How long to go on taking the sessions that services give up.
const CROWD_FOR: Duration = Duration::from_secs(1);

pub(super) fn kill(site: &mut Site) -> anyhow::Result<Struck> {
    tokio::task::block_in_place(|| site.postgres.kill());
    Struck::by(Cure::StartPostgres)
}

pub(super) fn shut_down_immediately(site: &mut Site) -> anyhow::Result<Struck> {
    let process = site.postgres.process();
    process.signal(Signal::QUIT);
    tokio::task::block_in_place(|| process.wait(Duration::from_secs(10)));
    kill(site)
}

pub(super) async fn kill_mid_commit(site: &mut Site) -> anyhow::Result<Struck> {
    let client = site.superuser().await?;
    client.batch_execute(&format!("ALTER SYSTEM SET commit_delay = {COMMIT_DELAY_US}")).await?;
    client.batch_execute("ALTER SYSTEM SET commit_siblings = 0").await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    let deadline = Instant::now() + COMMIT_WITHIN;
    let committing = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
                      AND application_name = 'votestream-consumer' AND query ILIKE 'COMMIT%'";
    let mut seen = false;
    while !seen && Instant::now() < deadline {
        let under_way: i64 = client.query_one(committing, &[]).await?.get(0);
        seen = under_way > 0;
    }
    tokio::task::block_in_place(|| site.postgres.kill());
    let note = if seen { "a COMMIT was under way" } else { "no COMMIT was seen under way in time" };
    Struck::noting(Cure::StartPostgres, note)
}

/// Starts it again; commits take as long as they always did.
pub(super) async fn start(site: &mut Site) -> anyhow::Result<()> {
    tokio::task::block_in_place(|| site.postgres.restart())?;
    let client = site.superuser().await?;
    for reset in ["commit_delay", "commit_siblings"] {
        client.batch_execute(&format!("ALTER SYSTEM RESET {reset}")).await?;
    }
    client.batch_execute("SELECT pg_reload_conf()").await.context("reloading the settings")
}

pub(super) fn freeze(site: &mut Site) -> anyhow::Result<Struck> {
    site.postgres.freeze();
    Struck::by(Cure::ThawPostgres)
}

pub(super) async fn lock(site: &mut Site) -> anyhow::Result<Struck> {
    let client = site.sql().await?;
    client.batch_execute("BEGIN; LOCK TABLE votes IN ACCESS EXCLUSIVE MODE").await?;
    Struck::by(Cure::End(vec![client]))
}

/// Takes every session, then ends those of the services and takes theirs.
pub(super) async fn crowd(site: &mut Site) -> anyhow::Result<Struck> {
    let superuser = site.superuser().await?;
    let url = site.database_url();
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
    Struck::noting(Cure::End(sessions), note)
}
