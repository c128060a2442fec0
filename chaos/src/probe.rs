//! Ballots of the harness's own: is it back, and for how long was it not?
//!
//! Invariant: every ballot sent is a witness of the audit, as those of the load are.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use tokio_postgres::Client;
use uuid::Uuid;
use votestream_loadtest::{Standing, Witness};
use votestream_schema::poll::now_ms;
use votestream_schema::{EntryId, VoterId};

use crate::http::{self, Failure, Reply};
use crate::site::{OPTIONS, POLL, Site};

/// How long an answer to one ballot is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const TRY_EVERY: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Time from the healing of a fault until things were as before it; `None` when that did not come.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Recovery {
    /// Until a new ballot was acknowledged.
    pub(crate) answered: Option<Duration>,
    /// Until a new ballot that was acknowledged was counted.
    pub(crate) counted: Option<Duration>,
    /// Until all that had been taken before the healing was counted.
    pub(crate) caught_up: Option<Duration>,
    /// Until every service said that it is ready.
    pub(crate) ready: Option<Duration>,
}

impl Recovery {
    /// Whether everything came back.
    pub(crate) fn is_complete(&self) -> bool {
        [self.answered, self.counted, self.caught_up, self.ready].iter().all(Option::is_some)
    }
}

/// The harness's own voters.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pub(crate) witnesses: Vec<Witness>,
    /// Answers that should not have been, in words.
    pub(crate) wrong: Vec<String>,
}

impl Probe {
    /// Casts one ballot of a new voter; whether it was acknowledged.
    async fn cast(&mut self, site: &Site) -> Option<VoterId> {
        let voter = VoterId::new();
        let cookie = format!("voter={}", site.cookies.sign("voter", voter, now_ms() / 1_000));
        let path = format!("/api/polls/{POLL}/ballots");
        let body = format!(r#"{{"choices":["{}"]}}"#, OPTIONS[0]);
        let reply = http::post(site.door.port(), &path, &cookie, &body, ANSWER_WITHIN).await;
        let (certain, possible) = match &reply {
            Ok(Reply { status: 202, .. }) => (Some(1), None),
            Ok(Reply { status: 503, .. }) | Err(Failure::NoReply) => (None, Some(1)),
            _ => (None, None),
        };
        match reply {
            Ok(Reply { status: 503, retry_after: false, .. }) => {
                self.wrong.push("a 503 without Retry-After".to_owned());
            }
            Ok(Reply { status, body, .. }) if status != 202 && status != 503 => {
                self.wrong.push(format!("status {status}: {body}"));
            }
            _ => {}
        }
        let standing = Standing { certain, possible };
        if standing != Standing::default() {
            self.witnesses.push(Witness { voter: Some(voter.0.as_u128()), standing });
        }
        certain.map(|_| voter)
    }

    /// Waits until everything is as before, but not longer than `within`.
    ///
    /// # Errors
    /// When a service cannot be started again.
    pub(crate) async fn recover(
        &mut self,
        site: &mut Site,
        healed: Instant,
        healed_ms: i64,
        within: Duration,
    ) -> anyhow::Result<Recovery> {
        let mut recovery = Recovery::default();
        let deadline = healed + within;
        let (mut sql, mut redis) = (None, None);
        let mut acknowledged = None;
        while Instant::now() < deadline && !recovery.is_complete() && !site.stop.is_cancelled() {
            site.pause(if recovery.counted.is_none() { LOOK_EVERY } else { TRY_EVERY }).await?;
            if acknowledged.is_none() {
                acknowledged = self.cast(site).await;
                recovery.answered = acknowledged.map(|_| healed.elapsed());
            }
            if let (Some(voter), None) = (acknowledged, recovery.counted) {
                let counted = is_counted(site, &mut sql, voter).await;
                recovery.counted = counted.then(|| healed.elapsed());
            }
            if recovery.caught_up.is_none() {
                let caught_up = is_caught_up(site, &mut redis, healed_ms).await;
                recovery.caught_up = caught_up.then(|| healed.elapsed());
            }
            if recovery.counted.is_some() && recovery.ready.is_none() {
                let ready = site.wait_ready(TRY_EVERY).await?;
                recovery.ready = ready.then(|| healed.elapsed());
            }
        }
        Ok(recovery)
    }
}

async fn is_counted(site: &Site, sql: &mut Option<Client>, voter: VoterId) -> bool {
    if sql.is_none() {
        *sql = site.sql().await.ok();
    }
    let Some(client) = sql else { return false };
    let voter: Uuid = voter.0;
    let voter: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&voter];
    let asked = client.query_opt("SELECT FROM votes WHERE voter = $1", &voter);
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok(row)) => row.is_some(),
        _ => {
            *sql = None;
            false
        }
    }
}

/// Whether no stream holds an entry from before the healing.
async fn is_caught_up(
    site: &Site,
    redis: &mut Option<MultiplexedConnection>,
    healed_ms: i64,
) -> bool {
    if redis.is_none() {
        *redis = site.redis().await.ok();
    }
    let Some(connection) = redis else { return false };
    let mut ask = redis::pipe();
    for partition in 0..site.partitions {
        ask.cmd("XRANGE").arg(site.keys.stream(partition)).arg("-").arg("+").arg("COUNT").arg(1);
    }
    type Entries = Vec<(String, redis::Value)>;
    let Ok(oldest) = ask.query_async::<Vec<Entries>>(connection).await else {
        *redis = None;
        return false;
    };
    let is_new = |id: &str| id.parse().is_ok_and(|id: EntryId| id.ms > healed_ms);
    oldest.iter().flatten().all(|(id, _)| is_new(id))
}
