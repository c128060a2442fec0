//! The regular audit: once a minute, one replica recounts all votes for the whole deployment.
//!
//! The audit compares the recount with the stored results, and checks that every accepted ballot is somewhere, by sums
//! and, for a part of the register, voter by voter. Its
//! result is stored in Redis, and every replica exports the same numbers.
//!
//! Invariants: no two replicas audit at once, because an audit holds a lock in Postgres that ends with its transaction.
//! Audits take at most a twentieth of the time. Both servers are compared at one moment ([`Cut`]), so ballots on their
//! way are neither reported nor hide a loss. Postgres' clock decides when an audit is due, so that the clock of no replica
//! can put it off.
//! Absent on purpose: which poll is affected, and what to do about it; `votectl audit` answers that.

use std::collections::HashMap;
use std::time::Duration;

use redis::RedisError;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};
use votestream_schema::{Keys, db};
use votestream_service::CancellationToken;
use votestream_service::metric::{self, Gauge};
use votestream_service::postgres;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::jobs::audit_cut::Cut;
use crate::jobs::register_audit::{RegisterAudit, Rotation};
use crate::metrics;
use crate::polls::PollCache;

/// After an audit, the next one starts no sooner than this many times its duration, however short `period` is.
const REST_FACTOR: i64 = 20;
const CHECK_EVERY_MIN: Duration = Duration::from_millis(100);
const CHECK_EVERY_MAX: Duration = Duration::from_secs(5);
/// The time-out of one audit statement, longer than the usual one because a recount reads every vote.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// How often the transaction that holds the lock has a statement. Postgres ends one that has none for the usual statement
/// time-out, which is a tenth of a second at least.
const KEEP_TURN_EVERY: Duration = Duration::from_millis(50);

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
        let mut session = self.session().await?;
        if !last.is_due(self.period, session.run(clock_ms).await?) {
            return Ok(());
        }
        // Another replica may have made this audit while this one waited for a session.
        let turn = session.begin().await?;
        if !db::locks::take_audit(&turn).await? {
            return Ok(());
        }
        let last = self.load(&mut connection).await?;
        if !last.is_due(self.period, clock_ms(&turn).await?) {
            return Ok(());
        }
        let result = tokio::select! {
            result = self.audit(&mut connection, last.rotation) => result?,
            error = keep_turn(&turn) => return Err(error.into()),
        };
        self.save(&mut connection, &result).await?;
        turn.commit().await?;
        result.warn();
        result.record();
        Ok(())
    }

    async fn session(&self) -> Result<postgres::Borrowed<'_>, ServerError> {
        let session = self.postgres.get().await;
        session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))
    }

    /// Audits once.
    async fn audit(
        &self,
        connection: &mut Connection,
        rotation: Rotation,
    ) -> Result<AuditResult, ServerError> {
        let mut session = self.session().await?;
        let cut_at_ms = session.run(clock_ms).await?;
        let cut = Cut::read(connection, &self.keys, self.partitions).await?;
        let settled = cut.settle(connection, &self.keys).await?;
        // The wait for the consumers is no work.
        let started = Instant::now();
        // One transaction that sees one moment, so that recount and stored results belong together.
        let transaction = session.begin_snapshot(STATEMENT_TIMEOUT).await?;
        let recount = recount(&transaction, &cut, cut_at_ms).await?;
        let ended_ms = clock_ms(&transaction).await?;
        transaction.commit().await?;
        drop(session);
        let (rotation, waited) = self.registers.compare_next(connection, rotation).await?;
        let elsewhere = settled.waiting + settled.dead_letters;
        Ok(AuditResult {
            ended_ms,
            duration_ms: started.elapsed().saturating_sub(waited).as_millis() as i64,
            drift_votes: recount.drift_votes,
            missing_ballots: (cut.accepted() - elsewhere - recount.known_at_most).max(0),
            surplus_ballots: match recount.counters_are_complete {
                true => (recount.known_at_least - cut.accepted()).max(0),
                false => UNKNOWN,
            },
            votes_without_code: recount.votes_without_code,
            codes_issued: recount.codes_issued,
            codes_used: recount.codes_used,
            codes_unused_ppm: (recount.codes_unused * 1e6) as i64,
            rotation,
        })
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

/// The numbers that an audit reads from Postgres.
struct Recount {
    /// Whether Redis has never gone back to an earlier state, in which it knew of fewer ballots.
    counters_are_complete: bool,
    drift_votes: i64,
    /// Ballots whose entry is before the cut: no more than this many, and no fewer than this many.
    known_at_most: i64,
    known_at_least: i64,
    votes_without_code: i64,
    codes_issued: i64,
    codes_used: i64,
    /// The smallest share of unused codes in a poll, 0 to 1.
    codes_unused: f64,
}

/// Recounts all votes. `cut_at_ms` is Postgres' time before the cut was read.
async fn recount(
    transaction: &Client,
    cut: &Cut,
    cut_at_ms: i64,
) -> Result<Recount, tokio_postgres::Error> {
    let drift = transaction.query_typed_one(include_str!("../../sql/audit_drift.sql"), &[]).await?;
    let known = include_str!("../../sql/audit_known.sql");
    let (last_ms, first_ms) = (cut.last_ms(), cut.first_ms());
    let times: [(&(dyn ToSql + Sync), Type); 3] =
        [(&last_ms, Type::INT8), (&first_ms, Type::INT8), (&cut_at_ms, Type::INT8)];
    let known = transaction.query_typed(known, &times).await?;
    let known = |column| known.first().map_or(0, |row| row.get(column));
    let without_code =
        transaction.query_typed_one(include_str!("../../sql/audit_without_code.sql"), &[]).await?;
    let regressions =
        transaction.query_typed("SELECT NOT EXISTS (SELECT FROM stream_regressions)", &[]).await?;
    let codes = include_str!("../../sql/audit_codes.sql");
    let codes = transaction.query_typed_one(codes, &[(&cut_at_ms, Type::INT8)]).await?;
    Ok(Recount {
        counters_are_complete: regressions.first().is_some_and(|row| row.get(0)),
        drift_votes: drift.get(0),
        known_at_most: known(0),
        known_at_least: known(1),
        votes_without_code: without_code.get(0),
        codes_issued: codes.get(0),
        codes_used: codes.get(1),
        codes_unused: codes.get(2),
    })
}

/// Keeps the transaction that holds the lock, which Postgres would end after some seconds without a statement. Returns only
/// if it has ended all the same: somebody else may audit then.
async fn keep_turn(turn: &Client) -> tokio_postgres::Error {
    loop {
        tokio::time::sleep(KEEP_TURN_EVERY).await;
        if let Err(error) = turn.batch_execute("").await {
            return error;
        }
    }
}

/// Reads Postgres' clock, in milliseconds since the epoch.
async fn clock_ms(client: &Client) -> Result<i64, tokio_postgres::Error> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let rows = client.query_typed(sql, &[]).await?;
    Ok(rows.first().map_or(0, |row| row.get(0)))
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

    /// Whether the next audit is due. A result from the future has been stored by a clock that was wrong.
    fn is_due(&self, period: Duration, now_ms: i64) -> bool {
        now_ms >= self.due_ms(period) || now_ms < self.ended_ms
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
        assert!(ended(10).is_due(period, 60_000) && !ended(10).is_due(period, 59_999));
    }

    #[test]
    fn a_result_from_the_future_puts_off_no_audit() {
        let wrong = AuditResult { ended_ms: 10_800_000, ..AuditResult::default() };
        assert!(wrong.is_due(Duration::from_secs(60), 1_000));
        assert!(!wrong.is_due(Duration::from_secs(60), 10_800_000));
    }
}
