//! Removes the registers of polls that closed long ago.
//!
//! While a register exists, the producer can show a voter of a closed poll which of their choices counts; afterwards it
//! can only answer that the poll has closed.
//!
//! Invariant: a register is kept for REGISTER_KEPT_S after its poll closed, by Redis' own clock and by the closing time
//! that the partition itself holds ([`projection::forget_script`]). A poll that is extended meanwhile keeps its
//! register for longer.
//!
//! Every replica runs this job. Redis holds a note of each removed register, so a restart does not repeat the work. The
//! job removes one register of one partition at a time, so that it never keeps Redis busy.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redis::RedisError;
use votestream_schema::poll::now_ms;
use votestream_schema::poll_copy::cmd;
use votestream_schema::{Keys, Poll, PollId, keys, projection};
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::metrics;
use crate::polls::Polls;

/// The number of a register's buckets (hash keys) that one script call removes.
const BUCKETS_AT_ONCE: u16 = 1_024;

/// The part of a register in one partition, and the closing time for which it was removed.
type Removed = (PollId, u16, i64);

/// Removes expired registers; clones share their progress and are cheap.
#[derive(Clone, Debug)]
pub struct RegisterExpiry {
    pool: Pool,
    keys: Keys,
    partitions: u16,
    kept_ms: i64,
    /// The parts known to be removed, so that Redis is not asked about them again.
    removed: Arc<Mutex<HashSet<Removed>>>,
    /// Grows with every call, so that a part that Redis refuses to remove does not block the others.
    turn: Arc<AtomicUsize>,
}

impl RegisterExpiry {
    /// Creates the job; registers are kept for `kept_ms` milliseconds after their poll closed.
    pub fn new(pool: Pool, keys: Keys, partitions: u16, kept_ms: i64) -> Self {
        Self { pool, keys, partitions, kept_ms, removed: Arc::default(), turn: Arc::default() }
    }

    /// Removes the register of one poll in one partition, if one is due.
    ///
    /// # Errors
    /// Returns the Redis error if the register could not be removed; the next call tries another one first.
    pub async fn expire_next(&self, polls: &Polls) -> Result<(), ServerError> {
        let Some((poll, partition, closed_at_ms)) = self.next_due(polls) else { return Ok(()) };
        let connection = self.pool.get().await;
        let mut connection =
            connection.map_err(|e| ServerError::RedisCheckout(describe_checkout(e)))?;
        if self.remove_part(&mut connection, &poll, partition, closed_at_ms).await? {
            let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
            removed.insert((poll.id, partition, closed_at_ms));
        }
        Ok(())
    }

    /// Chooses a part that is due and not known to be removed; calls take turns among the due polls.
    fn next_due(&self, polls: &Polls) -> Option<(Arc<Poll>, u16, i64)> {
        let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        let due_before_ms = now_ms() - self.kept_ms;
        let due = polls.values().filter_map(|poll| {
            let closed_at_ms = poll.closes_at_ms.filter(|at_ms| *at_ms <= due_before_ms)?;
            let is_left = |partition: &u16| !removed.contains(&(poll.id, *partition, closed_at_ms));
            let partition = (0..self.partitions).find(is_left)?;
            Some((poll.clone(), partition, closed_at_ms))
        });
        let mut due: Vec<_> = due.collect();
        due.sort_unstable_by_key(|(poll, _, _)| poll.id);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % due.len().max(1);
        due.into_iter().nth(turn)
    }

    /// Removes the part of a register in one partition, bucket by bucket. Returns false when the partition holds a later
    /// closing time than Postgres, or none; the register is kept then.
    async fn remove_part(
        &self,
        connection: &mut Connection,
        poll: &Poll,
        partition: u16,
        closed_at_ms: i64,
    ) -> Result<bool, RedisError> {
        let mut get = redis::cmd("HGET");
        get.arg(self.keys.forgotten(partition)).arg(poll.id.0);
        let noted: Option<i64> = get.query_async(connection).await?;
        // Another replica, or an earlier run, may have removed it.
        if noted == Some(closed_at_ms) {
            return Ok(true);
        }
        for first in (0..keys::BUCKETS).step_by(usize::from(BUCKETS_AT_ONCE)) {
            let buckets = first..(first + BUCKETS_AT_ONCE).min(keys::BUCKETS);
            let script =
                projection::forget_script(&self.keys, partition, poll.id, buckets, self.kept_ms);
            if cmd(&script).query_async::<i64>(connection).await? == 0 {
                return Ok(false);
            }
        }
        tracing::info!(poll = %poll.slug, partition, "removed the register of a closed poll");
        metrics::REGISTERS_FORGOTTEN.increment(1);
        Ok(true)
    }
}
