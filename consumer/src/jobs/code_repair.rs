//! Compares the voting codes in Redis with those in Postgres, and repairs them in Redis.
//!
//! One replica at a time does this, under the lock of the copies, so that codes which are just issued or revoked are not
//! mistaken for wrong ones. It rests for twenty times as long as it has worked, because a poll may have a million codes.
//! Absent on purpose: whether a ballot counts. The transaction that counts asks Postgres ([`crate::pipeline::store`]).

use std::collections::HashSet;
use std::time::Duration;

use redis::RedisError;
use tokio::time::Instant;
use uuid::Uuid;
use votestream_schema::code::CodeHash;
use votestream_schema::poll::now_ms;
use votestream_schema::{Keys, Poll, PollState, db, poll_copy};
use votestream_service::CancellationToken;
use votestream_service::postgres;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::metrics;
use crate::polls::PollCache;

/// After a comparison, the next one starts no sooner than this many times its duration.
const REST_FACTOR: u32 = 20;
/// The number of codes that one SSCAN returns, about.
const CODES_AT_ONCE: usize = 10_000;
/// After a consumer has run for this long, no producer of the release before is left. Then the voters themselves, which
/// that release kept in Redis, are removed: they would suffice to vote.
pub const UPDATE_TAKES_MAX: Duration = Duration::from_secs(10 * 60);

/// Repairs the voting codes of one deployment.
#[derive(Clone, Debug)]
pub struct CodeRepair {
    redis: Pool,
    postgres: postgres::Pool,
    polls: PollCache,
    keys: Keys,
    partitions: u16,
    period: Duration,
}

impl CodeRepair {
    /// Creates a repair that compares once every `period`.
    pub(crate) fn new(
        redis: Pool,
        postgres: postgres::Pool,
        polls: PollCache,
        keys: Keys,
        partitions: u16,
        period: Duration,
    ) -> Self {
        Self { redis, postgres, polls, keys, partitions, period }
    }

    /// Compares regularly until `shutdown`.
    pub(crate) async fn watch(self, shutdown: CancellationToken) {
        let started = Instant::now();
        let compare = async {
            loop {
                let begun = Instant::now();
                let update_is_over = started.elapsed() >= UPDATE_TAKES_MAX;
                // The readiness gates report a server that is down.
                if let Err(error) = self.compare(update_is_over).await {
                    tracing::debug!(%error, "the voting codes could not be compared");
                }
                tokio::time::sleep(self.period.max(begun.elapsed() * REST_FACTOR)).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = compare => {}
        }
    }

    /// Compares the codes of all polls that still take ballots.
    async fn compare(&self, update_is_over: bool) -> Result<(), ServerError> {
        let polls = self.polls.polls();
        let takes_codes = |poll: &Poll| {
            let state = poll.state(now_ms());
            poll.voter_policy.needs_code()
                && !matches!(state, PollState::Closed | PollState::Archived)
        };
        for poll in polls.values().filter(|poll| takes_codes(poll)) {
            self.compare_poll(poll, update_is_over).await?;
        }
        Ok(())
    }

    async fn compare_poll(&self, poll: &Poll, update_is_over: bool) -> Result<(), ServerError> {
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|e| ServerError::RedisCheckout(describe_checkout(e)))?;
        let session = self.postgres.get().await;
        let mut session =
            session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))?;
        let transaction = session.begin().await?;
        if !db::locks::take_copies(&transaction).await? {
            return Ok(());
        }
        let mut missing: Vec<HashSet<CodeHash>> = vec![HashSet::new(); self.partitions.into()];
        for hash in poll_copy::read_codes(&transaction, poll.id).await? {
            missing[usize::from(hash.partition(self.partitions))].insert(hash);
        }
        for (partition, missing) in (0..self.partitions).zip(missing) {
            // A session that was idle for too long has ended, and the lock with it.
            transaction.batch_execute("SELECT 1").await?;
            self.compare_partition(&mut connection, poll, partition, missing).await?;
            if update_is_over {
                let key = self.keys.codes_before_hashes(partition, poll.id);
                redis::cmd("UNLINK").arg(key).exec_async(&mut *connection).await?;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// Makes the codes of one partition those of `codes`.
    async fn compare_partition(
        &self,
        connection: &mut Connection,
        poll: &Poll,
        partition: u16,
        mut codes: HashSet<CodeHash>,
    ) -> Result<(), RedisError> {
        let keys = &self.keys;
        let surplus = self.find(connection, poll, partition, &mut codes).await?;
        let missing: Vec<CodeHash> = codes.into_iter().collect();
        let added = poll_copy::add_codes(connection, keys, partition, poll.id, &missing).await?;
        let removed =
            poll_copy::remove_codes(connection, keys, partition, poll.id, &surplus).await?;
        if added + removed > 0 {
            metrics::COPIES_REPAIRED.with(["code"]).increment(added + removed);
            tracing::error!(
                poll = %poll.slug,
                partition,
                added,
                removed,
                "repaired the voting codes in redis: some were missing or not those of postgres. Redis lost data, or \
                 somebody else has written to it"
            );
        }
        Ok(())
    }

    /// Removes from `missing` the codes that Redis has in this partition; returns those that are there and not in
    /// `missing`.
    async fn find(
        &self,
        connection: &mut Connection,
        poll: &Poll,
        partition: u16,
        missing: &mut HashSet<CodeHash>,
    ) -> Result<Vec<CodeHash>, RedisError> {
        let key = self.keys.code_hashes(partition, poll.id);
        // SSCAN may return a member twice.
        let (mut found, mut surplus) = (HashSet::new(), HashSet::new());
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(&key).arg(cursor).arg("COUNT").arg(CODES_AT_ONCE);
            let (next, members): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await?;
            for member in members {
                // A member that is no hash admits nobody.
                let Ok(hash) = Uuid::from_slice(&member).map(CodeHash) else { continue };
                if missing.remove(&hash) {
                    found.insert(hash);
                } else if !found.contains(&hash) {
                    surplus.insert(hash);
                }
            }
            if next == 0 {
                return Ok(surplus.into_iter().collect());
            }
            cursor = next;
        }
    }
}
