//! Compares the voting codes in Redis with those in Postgres, and repairs them in Redis.
//!
//! One replica at a time does this, under the lock of the copies, so that codes which are just issued or revoked are not
//! mistaken for wrong ones. It rests for twenty times as long as it has worked, because a poll may have a million codes.
//! Absent on purpose: whether a ballot counts. The transaction that counts asks Postgres ([`crate::pipeline::store`]).

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use votestream_schema::code::CodeHash;
use votestream_schema::poll::now_ms;
use votestream_schema::{Keys, Poll, PollState, db, poll_copy};
use votestream_service::CancellationToken;
use votestream_service::postgres;
use votestream_service::redis::{Pool, describe_checkout};

use crate::error::ServerError;
use crate::metrics;
use crate::polls::PollCache;

/// After a comparison, the next one starts no sooner than this many times its duration.
const REST_FACTOR: u32 = 20;
/// After a comparison that failed, the next one starts within this time.
const RETRY_AFTER: Duration = Duration::from_secs(2);
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
                let outcome = self.compare(update_is_over).await;
                if let Err(error) = &outcome {
                    tracing::debug!(%error, "the voting codes could not be compared");
                }
                tokio::time::sleep(rest(self.period, begun.elapsed(), outcome.is_ok())).await;
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
            let place = (partition, poll.id);
            let settled = poll_copy::settle_codes(&mut *connection, &self.keys, place, missing);
            report(poll, partition, settled.await?);
            if update_is_over {
                let key = self.keys.codes_before_hashes(partition, poll.id);
                redis::cmd("UNLINK").arg(key).exec_async(&mut *connection).await?;
            }
        }
        Ok(transaction.commit().await?)
    }
}

/// How long to wait after a comparison that took this long. One that failed is no work: a server that was away for a while is
/// asked again soon after it answers.
fn rest(period: Duration, took: Duration, is_done: bool) -> Duration {
    if is_done { period.max(took * REST_FACTOR) } else { period.min(RETRY_AFTER) }
}

/// Counts and logs codes that were repaired.
fn report(poll: &Poll, partition: u16, (added, removed): (u64, u64)) {
    if added + removed == 0 {
        return;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_comparison_is_followed_by_a_long_rest_and_a_failure_by_a_short_one() {
        let (period, second) = (Duration::from_secs(5), Duration::from_secs(1));
        assert_eq!(rest(period, second, true), 20 * second);
        assert_eq!(rest(period, second / 100, true), period);
        assert_eq!(rest(period, 20 * second, false), RETRY_AFTER);
        assert_eq!(rest(second / 10, 20 * second, false), second / 10);
    }
}
