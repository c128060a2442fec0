//! Appends counted ballots to the public logs of their polls.
//!
//! Consumers queue each ballot in the transaction that counts it. The sealer takes rows of the queue in the order of their ids,
//! appends their ballots to the logs and deletes the rows, all in one transaction under a lock that one replica holds at
//! a time. So nothing is left out and nothing is appended twice, whatever dies.
//!
//! A log grows at its right edge; the stored edge must have the root hash of the last checkpoint. A log whose tiles
//! somebody changed does not grow and is not signed again.

mod growth;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use votestream_schema::{PollId, db};
use votestream_service::CancellationToken;
use votestream_service::metric::UNKNOWN;
use votestream_service::postgres::{Pool, describe_checkout};
use votestream_service::telemetry::log_throttle::LogThrottle;
use votestream_transparency::keys::SigningKeys;

use crate::error::ServerError;
use crate::metrics;
use crate::polls::PollCache;
use crate::signing_keys::Keys;
use growth::{Growth, NoGrowth};

/// The shortest time between two checkpoints of a log while the queue is short.
const PERIOD: Duration = Duration::from_secs(1);
/// How often a replica looks whether there is something to append.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The most rows of the queue for one transaction. Each has at most as many ballots as a batch.
const ROWS_MAX: i64 = 16;
/// A broken log is tried again after this time.
const BROKEN_FOR: Duration = Duration::from_secs(60);
/// How often the public keys are published again, so that everybody sees which are in use.
const PUBLISH_KEYS_EVERY: Duration = Duration::from_secs(60);
/// Shortest time between two warnings that nothing could be appended.
const WARN_PERIOD: Duration = Duration::from_secs(30);

/// Appends to the logs of all polls.
#[derive(Debug)]
pub(crate) struct Sealer {
    postgres: Pool,
    polls: PollCache,
    keys: Keys,
    /// Logs that cannot grow, with the time at which each is tried again.
    broken: BTreeMap<PollId, Instant>,
    /// The public keys that were published last, and when.
    published: Option<(Instant, Vec<String>)>,
    /// The addresses of Postgres, for the log.
    servers: Arc<str>,
    failures: LogThrottle,
}

/// What a round has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Round {
    /// The number of entries appended.
    entries: u64,
    /// Whether more ballots may wait.
    has_more: bool,
}

impl Sealer {
    /// Creates the job. `servers` are the addresses of Postgres, without passwords.
    pub(crate) fn new(postgres: Pool, servers: Arc<str>, polls: PollCache, keys: Keys) -> Self {
        let failures = LogThrottle::new(WARN_PERIOD);
        Self { postgres, polls, keys, broken: BTreeMap::new(), published: None, servers, failures }
    }

    /// Appends until `shutdown`. What waits then is appended by another replica, or after the next start.
    pub(crate) async fn watch(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let round = self.round().await.unwrap_or_else(|error| {
                if let Some(attempts) = self.failures.happened() {
                    tracing::warn!(
                        attempts,
                        "counted ballots cannot be appended to the public logs in postgres at {}, trying again in {} ms \
                         ({attempts} attempts since the last such line): {error}",
                        self.servers,
                        LOOK_EVERY.as_millis()
                    );
                }
                metrics::LOG_BEHIND_SECONDS.set(UNKNOWN);
                // The keys may not have been stored either.
                self.published = None;
                Round::default()
            });
            metrics::LOG_ENTRIES.increment(round.entries);
            metrics::LOGS_BROKEN.set(self.broken.len() as f64);
            if round.has_more {
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Appends some rows of the queue, if the last checkpoint is a second old.
    async fn round(&mut self) -> Result<Round, ServerError> {
        self.broken.retain(|_, until| Instant::now() < *until);
        let keys = self.keys.current();
        let pool = self.postgres.clone();
        let session = pool.get().await;
        let mut session =
            session.map_err(|e| ServerError::PostgresCheckout(describe_checkout(e)))?;
        let transaction = session.begin().await?;
        self.publish(&transaction, keys.as_deref()).await?;
        let row = transaction.query_typed_one(include_str!("../../sql/log/times.sql"), &[]).await?;
        let (now_ms, last_ms): (i64, Option<i64>) = (row.get(0), row.get(1));
        let behind_s: Option<f64> = row.get(2);
        metrics::LOG_BEHIND_SECONDS.set(behind_s.unwrap_or(0.0).max(0.0));
        let period_ms = PERIOD.as_millis() as i64;
        let is_new = last_ms.is_some_and(|last_ms| (0..period_ms).contains(&(now_ms - last_ms)));
        // A long queue is worked off without a rest.
        let is_long = behind_s.is_some_and(|age_s| age_s > 2.0 * PERIOD.as_secs_f64());
        let is_due = behind_s.is_some() && (is_long || !is_new);
        // Taking the lock writes, so it is not taken for nothing.
        let round = if is_due && db::locks::take_log(&transaction).await? {
            self.append(&transaction, keys.as_deref()).await?
        } else {
            Round::default()
        };
        transaction.commit().await?;
        Ok(round)
    }

    /// Publishes the public keys, at once after a change and then once a minute.
    async fn publish(
        &mut self,
        transaction: &Client,
        keys: Option<&SigningKeys>,
    ) -> Result<(), ServerError> {
        let Some(keys) = keys else { return Ok(()) };
        let public = keys.public(keys.name());
        let is_known = self
            .published
            .as_ref()
            .is_some_and(|(at, known)| *known == public && at.elapsed() < PUBLISH_KEYS_EVERY);
        if !is_known {
            let sql = include_str!("../../sql/log/keys.sql");
            transaction.execute_typed(sql, &[(&public, Type::TEXT_ARRAY)]).await?;
            self.published = Some((Instant::now(), public));
        }
        Ok(())
    }

    /// Appends the oldest rows of the queue. The caller holds the lock, and commits.
    async fn append(
        &mut self,
        transaction: &Client,
        keys: Option<&SigningKeys>,
    ) -> Result<Round, ServerError> {
        let broken: Vec<i32> = self.broken.keys().map(|poll| poll.0).collect();
        let sql = include_str!("../../sql/log/queued.sql");
        let parameters = [(&broken as _, Type::INT4_ARRAY), (&ROWS_MAX as _, Type::INT8)];
        let rows = transaction.query_typed(sql, &parameters).await?;
        let mut by_poll: BTreeMap<PollId, Vec<(i64, Vec<u8>)>> = BTreeMap::new();
        for row in &rows {
            by_poll.entry(PollId(row.get(1))).or_default().push((row.get(0), row.get(2)));
        }
        // A poll may be younger than the cache.
        let known = self.polls.polls();
        let is_new = by_poll.keys().any(|poll| !known.contains_key(poll));
        let known = if is_new { self.polls.reload().await? } else { known };
        let (mut done, mut entries): (Vec<i64>, u64) = (Vec::new(), 0);
        for (poll, queued) in &by_poll {
            let ballots: Vec<&[u8]> =
                queued.iter().map(|(_, ballots)| ballots.as_slice()).collect();
            let grown = match known.get(poll) {
                Some(poll) => Growth::plan(transaction, poll, &ballots, keys).await?,
                None => Err(NoGrowth::NoPoll),
            };
            match grown {
                Ok(growth) => {
                    growth.store(transaction).await?;
                    entries += growth.entries();
                    done.extend(queued.iter().map(|(id, _)| id));
                }
                Err(reason) => self.set_aside(*poll, &reason),
            }
        }
        let sql = "DELETE FROM log_queue WHERE id = ANY ($1)";
        transaction.execute_typed(sql, &[(&done, Type::INT8_ARRAY)]).await?;
        let has_more = rows.len() as i64 == ROWS_MAX && !done.is_empty();
        Ok(Round { entries, has_more })
    }

    /// Leaves a log alone for a while. Its ballots stay in the queue.
    fn set_aside(&mut self, poll: PollId, reason: &NoGrowth) {
        tracing::error!(
            poll = poll.0,
            "the public log of poll {poll} does not grow, and its checkpoints are not signed again, because {reason}; \
             trying again in {} s. The runbook PublicLogBehind says what to do",
            BROKEN_FOR.as_secs()
        );
        self.broken.insert(poll, Instant::now() + BROKEN_FOR);
    }
}
