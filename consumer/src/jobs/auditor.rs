//! The standing audit: once a minute for the whole deployment, whichever replica comes first.
//!
//! Recounts the votes and compares them with the stored results, and looks whether every accepted
//! ballot left a trace. What it found lies in Redis, and every replica exports the same.
//!
//! Invariants: no two replicas audit at once (a lock in Postgres, gone with its holder); audits take
//! a twentieth of the time at most. Redis is read before Postgres, and a ballot leaves a stream only
//! after its commit, so a ballot is called missing only if it is.
//! Absent on purpose: which poll, and what to do; `votectl audit` tells that.

use std::collections::HashMap;
use std::time::Duration;

use redis::RedisError;
use tokio::time::Instant;
use tokio_postgres::types::Type;
use tokio_postgres::{IsolationLevel, Transaction};
use votestream_schema::Keys;
use votestream_schema::keys::DROPPED_PREFIX;
use votestream_schema::poll::now_ms;
use votestream_service::CancellationToken;
use votestream_service::postgres::{self, describe};
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::metrics;

/// Audits rest for so many times their own duration, however short `every` is.
const REST_FACTOR: i64 = 20;
const LOOK_EVERY_MIN: Duration = Duration::from_millis(100);
const LOOK_EVERY_MAX: Duration = Duration::from_secs(5);
/// How long one statement of an audit may take.
const STATEMENT_TIMEOUT: &str = "SET LOCAL statement_timeout = '5min'";
/// The number of the advisory lock: the letters `audi`.
const LOCK: i64 = 0x6175_6469;

/// The auditor of one replica.
#[derive(Clone, Debug)]
pub struct Auditor {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    partitions: u16,
    every: Duration,
}

/// What an audit found; all numbers, as they lie in Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Findings {
    ended_ms: i64,
    duration_ms: i64,
    drift_votes: i64,
    missing_ballots: i64,
    codes_issued: i64,
    codes_used: i64,
    codes_unused_ppm: i64,
}

impl Auditor {
    /// Audits these servers every so often.
    pub fn new(
        redis: Pool,
        postgres: postgres::Pool,
        keys: Keys,
        partitions: u16,
        every: Duration,
    ) -> Self {
        Self { redis, postgres, keys, partitions, every }
    }

    /// Looks whether an audit is due until `shutdown`.
    pub async fn watch(self, shutdown: CancellationToken) {
        let look_every = (self.every / 10).clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX);
        let look = async {
            loop {
                // Servers that are away are told of elsewhere.
                if let Err(error) = self.work().await {
                    tracing::debug!(error, "no audit");
                }
                tokio::time::sleep(look_every).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = look => {}
        }
    }

    /// Exports what the last audit found, and audits if that was long ago.
    async fn work(&self) -> Result<(), String> {
        let mut connection = self.redis.get().await.map_err(describe_checkout)?;
        let last = self.last(&mut connection).await.map_err(|e| e.to_string())?;
        last.record();
        if now_ms() < last.due_ms(self.every) {
            return Ok(());
        }
        let Some(findings) = self.audit(&mut connection).await? else { return Ok(()) };
        findings.warn();
        findings.record();
        self.keep(&mut connection, &findings).await.map_err(|e| e.to_string())
    }

    /// Audits once; `None` when another replica is at it.
    async fn audit(&self, connection: &mut Connection) -> Result<Option<Findings>, String> {
        let started = Instant::now();
        let mut session = self.postgres.get().await.map_err(postgres::describe_checkout)?;
        let redis = |error: RedisError| error.to_string();
        let accepted = self.accepted(connection).await.map_err(redis)?;
        let under_way = self.under_way(connection).await.map_err(redis)?;
        let moment = session.build_transaction();
        let moment = moment.isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let moment = moment.start().await.map_err(|e| describe(&e))?;
        let outcome = look(&moment).await.map_err(|e| describe(&e))?;
        let Some((drift_votes, known, codes)) = outcome else { return Ok(None) };
        moment.commit().await.map_err(|e| describe(&e))?;
        let (codes_issued, codes_used, unused) = codes;
        Ok(Some(Findings {
            ended_ms: now_ms(),
            duration_ms: started.elapsed().as_millis() as i64,
            drift_votes,
            missing_ballots: (accepted - under_way - known).max(0),
            codes_issued,
            codes_used,
            codes_unused_ppm: (unused * 1e6) as i64,
        }))
    }

    /// Ballots ever accepted, less those that an operator dropped.
    async fn accepted(&self, connection: &mut Connection) -> Result<i64, RedisError> {
        let mut sum = 0;
        for partition in 0..self.partitions {
            let get = redis::cmd("HGETALL").arg(self.keys.accepted(partition)).clone();
            let counters: HashMap<String, i64> = get.query_async(connection).await?;
            for (field, n) in counters {
                // By poll number; other fields have names.
                match field.bytes().next() {
                    Some(b'0'..=b'9') => sum += n,
                    _ if field.starts_with(DROPPED_PREFIX) => sum -= n,
                    _ => {}
                }
            }
        }
        Ok(sum)
    }

    /// Entries in streams and dead letters; in this order, for an entry moves from there to here.
    async fn under_way(&self, connection: &mut Connection) -> Result<i64, RedisError> {
        let mut sum = 0;
        for partition in 0..self.partitions {
            for key in [self.keys.stream(partition), self.keys.dead_letters(partition)] {
                sum += redis::cmd("XLEN").arg(key).query_async::<i64>(connection).await?;
            }
        }
        Ok(sum)
    }

    async fn last(&self, connection: &mut Connection) -> Result<Findings, RedisError> {
        let get = redis::cmd("HGETALL").arg(self.keys.audit()).clone();
        let kept: HashMap<String, i64> = get.query_async(connection).await?;
        Ok(Findings::from(&kept))
    }

    async fn keep(&self, connection: &mut Connection, found: &Findings) -> Result<(), RedisError> {
        let mut set = redis::cmd("HSET");
        set.arg(self.keys.audit());
        for (field, number) in found.fields() {
            set.arg(field).arg(number);
        }
        set.exec_async(connection).await
    }
}

/// Drift, ballots known, and codes issued, used and unused; `None` when another replica looks.
async fn look(
    moment: &Transaction<'_>,
) -> Result<Option<(i64, i64, (i64, i64, f64))>, tokio_postgres::Error> {
    let lock =
        moment.query_typed("SELECT pg_try_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await?;
    if !lock.first().is_some_and(|row| row.get(0)) {
        return Ok(None);
    }
    moment.batch_execute(STATEMENT_TIMEOUT).await?;
    let drift = moment.query_one(include_str!("../../sql/audit_drift.sql"), &[]).await?;
    let known = moment.query_one(include_str!("../../sql/audit_known.sql"), &[]).await?;
    let codes = moment.query_one(include_str!("../../sql/audit_codes.sql"), &[&now_ms()]).await?;
    Ok(Some((drift.get(0), known.get(0), (codes.get(0), codes.get(1), codes.get(2)))))
}

impl Findings {
    fn fields(&self) -> [(&'static str, i64); 7] {
        [
            ("ended_ms", self.ended_ms),
            ("duration_ms", self.duration_ms),
            ("drift_votes", self.drift_votes),
            ("missing_ballots", self.missing_ballots),
            ("codes_issued", self.codes_issued),
            ("codes_used", self.codes_used),
            ("codes_unused_ppm", self.codes_unused_ppm),
        ]
    }

    fn due_ms(&self, every: Duration) -> i64 {
        self.ended_ms + (every.as_millis() as i64).max(REST_FACTOR * self.duration_ms)
    }

    fn record(&self) {
        metrics::AUDIT_TIMESTAMP_SECONDS.set(self.ended_ms as f64 / 1e3);
        metrics::AUDIT_DURATION_SECONDS.set(self.duration_ms as f64 / 1e3);
        metrics::AUDIT_DRIFT_VOTES.set(self.drift_votes as f64);
        metrics::AUDIT_MISSING_BALLOTS.set(self.missing_ballots as f64);
        metrics::CODES_ISSUED.set(self.codes_issued as f64);
        metrics::CODES_USED.set(self.codes_used as f64);
        let unused = if self.ended_ms == 0 { 1.0 } else { self.codes_unused_ppm as f64 / 1e6 };
        metrics::CODES_UNUSED_RATIO.set(unused);
    }

    fn warn(&self) {
        if self.drift_votes != 0 || self.missing_ballots != 0 {
            tracing::error!(
                drift_votes = self.drift_votes,
                missing_ballots = self.missing_ballots,
                "the audit found a difference; `votectl audit` tells more"
            );
        }
    }
}

impl From<&HashMap<String, i64>> for Findings {
    fn from(kept: &HashMap<String, i64>) -> Self {
        let number = |field: &str| kept.get(field).copied().unwrap_or_default();
        Self {
            ended_ms: number("ended_ms"),
            duration_ms: number("duration_ms"),
            drift_votes: number("drift_votes"),
            missing_ballots: number("missing_ballots"),
            codes_issued: number("codes_issued"),
            codes_used: number("codes_used"),
            codes_unused_ppm: number("codes_unused_ppm"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again() {
        let found = Findings {
            ended_ms: 1,
            duration_ms: 2,
            drift_votes: 3,
            missing_ballots: 4,
            codes_issued: 5,
            codes_used: 6,
            codes_unused_ppm: 7,
        };
        let kept = found.fields().map(|(name, number)| (name.to_owned(), number)).into();
        assert_eq!(Findings::from(&kept), found);
    }

    #[test]
    fn long_audits_are_rare() {
        let every = Duration::from_secs(60);
        let ended = |duration_ms| Findings { ended_ms: 0, duration_ms, ..Findings::default() };
        assert_eq!(ended(10).due_ms(every), 60_000);
        assert_eq!(ended(10_000).due_ms(every), 200_000);
    }
}
