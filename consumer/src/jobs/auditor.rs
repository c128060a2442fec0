//! The regular audit: once a minute, one replica recounts all votes for the whole deployment.
//!
//! The audit compares the recount with the stored results, and checks that every accepted ballot is somewhere, by sums
//! and, for a part of the register, voter by voter. Its
//! result is stored in Redis, and every replica exports the same numbers.
//!
//! Invariants: no two replicas recount at once, because the recount holds a lock in Postgres that ends with its transaction.
//! Audits take at most a twentieth of the time. Redis is read before Postgres, and a ballot leaves a stream only after
//! its commit, so a ballot that is only on its way is never reported as missing. The counters are read once more after
//! Postgres, so that a ballot which came in meanwhile is never reported as one that no producer accepted.
//! Absent on purpose: which poll is affected, and what to do about it; `votectl audit` answers that.

use std::collections::HashMap;
use std::time::Duration;

use redis::RedisError;
use tokio::time::Instant;
use tokio_postgres::{IsolationLevel, Transaction};
use votestream_schema::keys::DROPPED_PREFIX;
use votestream_schema::poll::now_ms;
use votestream_schema::{Keys, db};
use votestream_service::CancellationToken;
use votestream_service::metric::{self, Gauge};
use votestream_service::postgres;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::jobs::register_audit::{RegisterAudit, Rotation};
use crate::metrics;
use crate::polls::PollCache;

/// After an audit, the next one starts no sooner than this many times its duration, however short `period` is.
const REST_FACTOR: i64 = 20;
const CHECK_EVERY_MIN: Duration = Duration::from_millis(100);
const CHECK_EVERY_MAX: Duration = Duration::from_secs(5);
/// The time-out of one audit statement, longer than the usual one because a recount reads every vote.
const STATEMENT_TIMEOUT: &str = "SET LOCAL statement_timeout = '5min'";

/// A number that could not be determined.
const UNKNOWN: i64 = -1;

/// Starts audits when they are due, and exports the last result; cheap to clone.
#[derive(Clone, Debug)]
pub struct Auditor {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    partitions: u16,
    period: Duration,
    registers: RegisterAudit,
}

/// The result of an audit, as it is stored in Redis: every field is stored as integers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct AuditResult {
    ended_ms: i64,
    duration_ms: i64,
    drift_votes: i64,
    missing_ballots: i64,
    surplus_ballots: i64,
    votes_without_code: i64,
    codes_issued: i64,
    codes_used: i64,
    codes_unused_ppm: i64,
    rotation: Rotation,
}

impl Auditor {
    /// Creates an auditor that starts an audit once every `period`, over all replicas together.
    pub fn new(
        redis: Pool,
        postgres: postgres::Pool,
        (keys, partitions): (Keys, u16),
        polls: PollCache,
        period: Duration,
    ) -> Self {
        let registers = RegisterAudit::new(postgres.clone(), polls, keys.clone(), partitions);
        Self { redis, postgres, keys, partitions, period, registers }
    }

    /// Checks regularly until `shutdown` whether an audit is due.
    pub async fn watch(self, shutdown: CancellationToken) {
        let check_every = (self.period / 10).clamp(CHECK_EVERY_MIN, CHECK_EVERY_MAX);
        let check = async {
            loop {
                // The readiness gates report a server that is down.
                if let Err(error) = self.audit_if_due().await {
                    tracing::debug!(%error, "the audit could not be done");
                }
                tokio::time::sleep(check_every).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = check => {}
        }
    }

    /// Exports the result of the last audit, and audits if the next one is due.
    async fn audit_if_due(&self) -> Result<(), ServerError> {
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|e| ServerError::RedisCheckout(describe_checkout(e)))?;
        let last = self.load(&mut connection).await?;
        last.record();
        if now_ms() < last.due_ms(self.period) {
            return Ok(());
        }
        let audited = self.audit(&mut connection, last.rotation).await?;
        let Some(result) = audited else { return Ok(()) };
        result.warn();
        result.record();
        Ok(self.save(&mut connection, &result).await?)
    }

    /// Audits once; returns `None` when another replica is auditing.
    async fn audit(
        &self,
        connection: &mut Connection,
        rotation: Rotation,
    ) -> Result<Option<AuditResult>, ServerError> {
        let started = Instant::now();
        let session = self.postgres.get().await;
        let mut session =
            session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))?;
        // Redis first: see the invariants above.
        let accepted = self.accepted(connection).await?;
        let in_flight = self.in_flight(connection).await?;
        // One transaction that sees one moment, so that recount and stored results belong together.
        let transaction = session.build_transaction();
        let transaction = transaction.isolation_level(IsolationLevel::RepeatableRead);
        let transaction = transaction.start().await?;
        let Some(recount) = recount(&transaction).await? else { return Ok(None) };
        transaction.commit().await?;
        drop(session);
        // The lock is released, so say first that an audit was made: other replicas need not recount now.
        let mut made = redis::cmd("HSET");
        made.arg(self.keys.audit()).arg("ended_ms").arg(now_ms());
        made.exec_async(&mut *connection).await?;
        let rotation = self.registers.compare_next(connection, rotation).await?;
        // Once more, after Postgres: every ballot that is counted was accepted before.
        let accepted_since = self.accepted(connection).await?;
        Ok(Some(AuditResult {
            ended_ms: now_ms(),
            duration_ms: started.elapsed().as_millis() as i64,
            drift_votes: recount.drift_votes,
            missing_ballots: (accepted.kept() - in_flight - recount.known_ballots).max(0),
            surplus_ballots: match recount.counters_are_complete {
                true => (recount.known_ballots - accepted_since.ballots).max(0),
                false => UNKNOWN,
            },
            votes_without_code: recount.votes_without_code,
            codes_issued: recount.codes_issued,
            codes_used: recount.codes_used,
            codes_unused_ppm: (recount.codes_unused * 1e6) as i64,
            rotation,
        }))
    }

    /// Reads the counters of all partitions.
    async fn accepted(&self, connection: &mut Connection) -> Result<Accepted, RedisError> {
        let mut sum = Accepted::default();
        for partition in 0..self.partitions {
            let get = redis::cmd("HGETALL").arg(self.keys.accepted(partition)).clone();
            let counters: HashMap<String, i64> = get.query_async(connection).await?;
            for (field, n) in counters {
                // Accepted ballots are counted under the poll's number; the other fields have names.
                match field.bytes().next() {
                    Some(b'0'..=b'9') => sum.ballots += n,
                    _ if field.starts_with(DROPPED_PREFIX) => sum.dropped += n,
                    _ => {}
                }
            }
        }
        Ok(sum)
    }

    /// Returns the number of entries in streams and dead letters. A stream is read before its dead letters, since entries
    /// move from the former to the latter and would be missed in the other order.
    async fn in_flight(&self, connection: &mut Connection) -> Result<i64, RedisError> {
        let in_streams = self.lengths(connection, Keys::stream).await?;
        Ok(in_streams + self.lengths(connection, Keys::dead_letters).await?)
    }

    /// Returns the number of entries in one stream of each partition.
    async fn lengths(
        &self,
        connection: &mut Connection,
        stream: impl Fn(&Keys, u16) -> String,
    ) -> Result<i64, RedisError> {
        let mut sum = 0;
        for partition in 0..self.partitions {
            let key = stream(&self.keys, partition);
            sum += redis::cmd("XLEN").arg(key).query_async::<i64>(connection).await?;
        }
        Ok(sum)
    }

    async fn load(&self, connection: &mut Connection) -> Result<AuditResult, RedisError> {
        let get = redis::cmd("HGETALL").arg(self.keys.audit()).clone();
        let stored: HashMap<String, i64> = get.query_async(connection).await?;
        Ok(AuditResult::from(&stored))
    }

    async fn save(
        &self,
        connection: &mut Connection,
        result: &AuditResult,
    ) -> Result<(), RedisError> {
        let mut set = redis::cmd("HSET");
        set.arg(self.keys.audit());
        for (field, number) in result.fields() {
            set.arg(field).arg(number);
        }
        set.exec_async(connection).await
    }
}

/// The counters of ballots, over all partitions.
#[derive(Clone, Copy, Debug, Default)]
struct Accepted {
    /// Ballots ever accepted.
    ballots: i64,
    /// Dead letters that an operator dropped.
    dropped: i64,
}

impl Accepted {
    /// The number of accepted ballots that must still be somewhere.
    fn kept(self) -> i64 {
        self.ballots - self.dropped
    }
}

/// The numbers that an audit reads from Postgres.
struct Recount {
    /// Whether Redis has never gone back to an earlier state, in which it knew of fewer ballots.
    counters_are_complete: bool,
    drift_votes: i64,
    known_ballots: i64,
    votes_without_code: i64,
    codes_issued: i64,
    codes_used: i64,
    /// The smallest share of unused codes in a poll, 0 to 1.
    codes_unused: f64,
}

/// Recounts all votes; returns `None` when another replica holds the audit's lock.
async fn recount(transaction: &Transaction<'_>) -> Result<Option<Recount>, tokio_postgres::Error> {
    if !db::locks::take_audit(transaction).await? {
        return Ok(None);
    }
    transaction.batch_execute(STATEMENT_TIMEOUT).await?;
    let drift = transaction.query_one(include_str!("../../sql/audit_drift.sql"), &[]).await?;
    let known = transaction.query_one(include_str!("../../sql/audit_known.sql"), &[]).await?;
    let without_code =
        transaction.query_one(include_str!("../../sql/audit_without_code.sql"), &[]).await?;
    let regressions =
        transaction.query_typed("SELECT NOT EXISTS (SELECT FROM stream_regressions)", &[]).await?;
    let codes =
        transaction.query_one(include_str!("../../sql/audit_codes.sql"), &[&now_ms()]).await?;
    Ok(Some(Recount {
        counters_are_complete: regressions.first().is_some_and(|row| row.get(0)),
        drift_votes: drift.get(0),
        known_ballots: known.get(0),
        votes_without_code: without_code.get(0),
        codes_issued: codes.get(0),
        codes_used: codes.get(1),
        codes_unused: codes.get(2),
    }))
}

/// What an audit finds, beside its time.
const RESULTS: [&Gauge; 9] = [
    &metrics::AUDIT_DURATION_SECONDS,
    &metrics::AUDIT_DRIFT_VOTES,
    &metrics::AUDIT_MISSING_BALLOTS,
    &metrics::AUDIT_SURPLUS_BALLOTS,
    &metrics::AUDIT_UNACCOUNTED_VOTERS,
    &metrics::AUDIT_VOTES_WITHOUT_CODE,
    &metrics::CODES_ISSUED,
    &metrics::CODES_USED,
    &metrics::CODES_UNUSED_RATIO,
];

impl AuditResult {
    fn fields(&self) -> [(&'static str, i64); 12] {
        [
            ("ended_ms", self.ended_ms),
            ("duration_ms", self.duration_ms),
            ("drift_votes", self.drift_votes),
            ("missing_ballots", self.missing_ballots),
            ("surplus_ballots", self.surplus_ballots),
            ("votes_without_code", self.votes_without_code),
            ("codes_issued", self.codes_issued),
            ("codes_used", self.codes_used),
            ("codes_unused_ppm", self.codes_unused_ppm),
            ("register_next_part", self.rotation.next_part),
            ("register_missing", self.rotation.found),
            ("register_missing_before", self.rotation.found_before),
        ]
    }

    /// Returns when the next audit is due, in milliseconds since the epoch.
    fn due_ms(&self, period: Duration) -> i64 {
        self.ended_ms + (period.as_millis() as i64).max(REST_FACTOR * self.duration_ms)
    }

    fn record(&self) {
        metrics::AUDIT_TIMESTAMP_SECONDS.set(self.ended_ms as f64 / 1e3);
        if self.ended_ms == 0 {
            // Before the first audit nothing is known.
            RESULTS.iter().for_each(|gauge| gauge.set(metric::UNKNOWN));
            return;
        }
        metrics::AUDIT_DURATION_SECONDS.set(self.duration_ms as f64 / 1e3);
        metrics::AUDIT_DRIFT_VOTES.set(self.drift_votes as f64);
        metrics::AUDIT_MISSING_BALLOTS.set(self.missing_ballots as f64);
        let surplus = match self.surplus_ballots {
            UNKNOWN => f64::NAN,
            ballots => ballots as f64,
        };
        metrics::AUDIT_SURPLUS_BALLOTS.set(surplus);
        metrics::AUDIT_UNACCOUNTED_VOTERS.set(self.rotation.missing() as f64);
        metrics::AUDIT_VOTES_WITHOUT_CODE.set(self.votes_without_code as f64);
        metrics::CODES_ISSUED.set(self.codes_issued as f64);
        metrics::CODES_USED.set(self.codes_used as f64);
        metrics::CODES_UNUSED_RATIO.set(self.codes_unused_ppm as f64 / 1e6);
    }

    fn warn(&self) {
        let Self { drift_votes, missing_ballots, surplus_ballots, votes_without_code, .. } = *self;
        let unaccounted_voters = self.rotation.missing();
        let surplus = surplus_ballots.max(0);
        if [drift_votes, missing_ballots, surplus, votes_without_code, unaccounted_voters] != [0; 5]
        {
            tracing::error!(
                unaccounted_voters,
                drift_votes,
                missing_ballots,
                surplus_ballots,
                votes_without_code,
                "the audit found a difference; run `votectl audit` to see which polls are affected"
            );
        }
    }
}

impl From<&HashMap<String, i64>> for AuditResult {
    fn from(stored: &HashMap<String, i64>) -> Self {
        let number = |field: &str| stored.get(field).copied().unwrap_or_default();
        Self {
            ended_ms: number("ended_ms"),
            duration_ms: number("duration_ms"),
            drift_votes: number("drift_votes"),
            missing_ballots: number("missing_ballots"),
            surplus_ballots: number("surplus_ballots"),
            votes_without_code: number("votes_without_code"),
            codes_issued: number("codes_issued"),
            codes_used: number("codes_used"),
            codes_unused_ppm: number("codes_unused_ppm"),
            rotation: Rotation {
                next_part: number("register_next_part"),
                found: number("register_missing"),
                found_before: number("register_missing_before"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_result_is_loaded_unchanged() {
        let result = AuditResult {
            ended_ms: 1,
            duration_ms: 2,
            drift_votes: 3,
            missing_ballots: 4,
            surplus_ballots: 8,
            votes_without_code: 9,
            codes_issued: 5,
            codes_used: 6,
            codes_unused_ppm: 7,
            rotation: Rotation { next_part: 10, found: 11, found_before: 12 },
        };
        let stored = result.fields().map(|(name, number)| (name.to_owned(), number)).into();
        assert_eq!(AuditResult::from(&stored), result);
    }

    #[test]
    fn long_audits_are_rare() {
        let period = Duration::from_secs(60);
        let ended =
            |duration_ms| AuditResult { ended_ms: 0, duration_ms, ..AuditResult::default() };
        assert_eq!(ended(10).due_ms(period), 60_000);
        assert_eq!(ended(10_000).due_ms(period), 200_000);
    }
}
