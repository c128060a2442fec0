//! Ballots of the harness itself, which measure how long the services need to recover from a fault.
//!
//! Invariant: the audit checks every ballot of the harness, as it checks those of the load.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use tokio_postgres::Client;
use votestream_loadtest::{ExpectedVote, VoterRecord};
use votestream_schema::poll::now_ms;
use votestream_schema::poll::voter_key::PollSecret;
use votestream_schema::voter::CookieKind;
use votestream_schema::{EntryId, VoterId};

use crate::http::{self, HttpError, Reply};
use crate::testbed::{OPTIONS, POLL, Testbed};

/// The longest wait for the answer to one ballot.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const TRY_EVERY: Duration = Duration::from_millis(100);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The times from the healing of a fault until each part had recovered; `None` if a part did not recover.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Recovery {
    /// The time until a new ballot was acknowledged.
    pub(crate) answered: Option<Duration>,
    /// The time until this new ballot was counted.
    pub(crate) counted: Option<Duration>,
    /// The time until all ballots that were accepted before the healing were counted.
    pub(crate) caught_up: Option<Duration>,
    /// The time until every service was ready.
    pub(crate) ready: Option<Duration>,
}

impl Recovery {
    /// Whether all parts have recovered.
    pub(crate) fn is_complete(&self) -> bool {
        [self.answered, self.counted, self.caught_up, self.ready].iter().all(Option::is_some)
    }
}

/// The voters of the harness, and the wrong answers that they got.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// The vote that each voter expects to be counted.
    pub(crate) voters: Vec<VoterRecord>,
    /// Descriptions of answers that no voter should get.
    pub(crate) wrong: Vec<String>,
}

impl Probe {
    /// Casts one ballot of a new voter. Returns the voter if the ballot was acknowledged.
    async fn cast(&mut self, testbed: &Testbed) -> Option<VoterId> {
        let voter = VoterId::new();
        let name = testbed.cookies.cookie_name("voter", CookieKind::Plain);
        let cookie = format!("{name}={}", testbed.cookies.sign("voter", voter, now_ms() / 1_000));
        let path = format!("/api/polls/{POLL}/ballots");
        let body = format!(r#"{{"choices":["{}"]}}"#, OPTIONS[0]);
        let reply =
            http::post(testbed.vote_proxy.port(), &path, &cookie, &body, ANSWER_WITHIN).await;
        let (certain, possible) = match &reply {
            Ok(Reply { status: 202, .. }) => (Some(1), None),
            Ok(Reply { status: 503, .. }) | Err(HttpError::NoReply) => (None, Some(1)),
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
        let expected = ExpectedVote { certain, possible };
        if expected != ExpectedVote::default() {
            self.voters.push(VoterRecord { voter: Some(voter.0.as_u128()), expected });
        }
        certain.map(|_| voter)
    }

    /// Measures the recovery, for at most `within`.
    ///
    /// # Errors
    /// Returns an error if a service cannot be started again.
    pub(crate) async fn recover(
        &mut self,
        testbed: &mut Testbed,
        healed: Instant,
        healed_ms: i64,
        within: Duration,
    ) -> anyhow::Result<Recovery> {
        let mut recovery = Recovery::default();
        let deadline = healed + within;
        let (mut sql, mut redis) = (None, None);
        let mut acknowledged = None;
        while Instant::now() < deadline && !recovery.is_complete() && !testbed.stop.is_cancelled() {
            testbed.pause(if recovery.counted.is_none() { LOOK_EVERY } else { TRY_EVERY }).await?;
            if acknowledged.is_none() {
                acknowledged = self.cast(testbed).await;
                recovery.answered = acknowledged.map(|_| healed.elapsed());
            }
            if let (Some(voter), None) = (acknowledged, recovery.counted) {
                let counted = is_counted(testbed, &mut sql, voter).await;
                recovery.counted = counted.then(|| healed.elapsed());
            }
            if recovery.caught_up.is_none() {
                let caught_up = is_caught_up(testbed, &mut redis, healed_ms).await;
                recovery.caught_up = caught_up.then(|| healed.elapsed());
            }
            if recovery.counted.is_some() && recovery.ready.is_none() {
                let ready = testbed.wait_ready(TRY_EVERY).await?;
                recovery.ready = ready.then(|| healed.elapsed());
            }
        }
        Ok(recovery)
    }
}

/// Whether Postgres has a vote of this voter. A session that fails is replaced at the next call.
async fn is_counted(testbed: &Testbed, sql: &mut Option<Client>, voter: VoterId) -> bool {
    if sql.is_none() {
        *sql = testbed.sql().await.ok();
    }
    let Some(client) = sql else { return false };
    let asked = async {
        let sql = "SELECT s.secret FROM poll_secrets s JOIN polls ON id = poll_id WHERE slug = $1";
        let row = client.query_one(sql, &[&POLL]).await?;
        let secret = PollSecret::read(row.get(0)).expect("the table checks the length");
        client.query_opt("SELECT FROM votes WHERE voter = $1", &[&secret.key_of(voter).0]).await
    };
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok(row)) => row.is_some(),
        _ => {
            *sql = None;
            false
        }
    }
}

/// Whether no stream holds an entry from before the healing. A connection that fails is replaced at the next call.
async fn is_caught_up(
    testbed: &Testbed,
    redis: &mut Option<MultiplexedConnection>,
    healed_ms: i64,
) -> bool {
    if redis.is_none() {
        *redis = testbed.redis().await.ok();
    }
    let Some(connection) = redis else { return false };
    let mut ask = redis::pipe();
    for partition in 0..testbed.partitions {
        ask.cmd("XRANGE").arg(testbed.keys.stream(partition)).arg("-").arg("+").arg("COUNT").arg(1);
    }
    type Entries = Vec<(String, redis::Value)>;
    let Ok(oldest) = ask.query_async::<Vec<Entries>>(connection).await else {
        *redis = None;
        return false;
    };
    let is_new = |id: &str| id.parse().is_ok_and(|id: EntryId| id.ms > healed_ms);
    oldest.iter().flatten().all(|(id, _)| is_new(id))
}
