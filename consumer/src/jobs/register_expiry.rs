//! Forgets the registers of polls that closed long ago: until then the producer can tell a voter
//! what stands; after that all it says is that the poll has closed.
//!
//! Invariant: a register is kept for the time set after its poll has closed, by Redis' own clock and
//! by the closing time that the partition itself knows ([`projection::forget_script`]); a poll that
//! is prolonged meanwhile keeps its register for longer.
//!
//! Every replica does it. What is done is noted in Redis, so that a restart does not do it again. One
//! register of one partition at a time, so that Redis is never kept busy with it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redis::RedisError;
use votestream_schema::poll::now_ms;
use votestream_schema::{Keys, Poll, PollId, keys, projection};
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::metrics;
use crate::polls::Polls;
use crate::streams::cmd;

/// Buckets forgotten with one script.
const BUCKETS_AT_ONCE: u16 = 1_024;

/// A register's part in one partition, and the closing time after which it was forgotten.
type Settled = (PollId, u16, i64);

/// The forgetter; cheap to clone.
#[derive(Clone, Debug)]
pub struct Forgetter {
    pool: Pool,
    keys: Keys,
    partitions: u16,
    kept_ms: i64,
    /// What is known to be done, so that Redis is not asked again.
    settled: Arc<Mutex<HashSet<Settled>>>,
    /// Grows with every look, so that one that Redis refuses does not keep others waiting.
    turn: Arc<AtomicUsize>,
}

impl Forgetter {
    /// Over this Redis; registers are kept for `kept_ms` after their poll has closed.
    pub fn new(pool: Pool, keys: Keys, partitions: u16, kept_ms: i64) -> Self {
        Self { pool, keys, partitions, kept_ms, settled: Arc::default(), turn: Arc::default() }
    }

    /// Forgets one register in one partition, if one is due.
    ///
    /// # Errors
    /// Why Redis did not do it.
    pub async fn forget(&self, polls: &Polls) -> Result<(), String> {
        let Some((poll, partition, closed_at_ms)) = self.next(polls) else { return Ok(()) };
        let mut connection = self.pool.get().await.map_err(describe_checkout)?;
        let done = self.forget_part(&mut connection, &poll, partition, closed_at_ms).await;
        if done.map_err(|error| error.to_string())? {
            let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
            settled.insert((poll.id, partition, closed_at_ms));
        }
        Ok(())
    }

    /// A register that is due and not known to be forgotten.
    fn next(&self, polls: &Polls) -> Option<(Arc<Poll>, u16, i64)> {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let due_before_ms = now_ms() - self.kept_ms;
        let due = polls.values().filter_map(|poll| {
            let closed_at_ms = poll.closes_at_ms.filter(|at_ms| *at_ms <= due_before_ms)?;
            let is_open = |partition: &u16| !settled.contains(&(poll.id, *partition, closed_at_ms));
            let partition = (0..self.partitions).find(is_open)?;
            Some((poll.clone(), partition, closed_at_ms))
        });
        let mut due: Vec<_> = due.collect();
        due.sort_unstable_by_key(|(poll, _, _)| poll.id);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % due.len().max(1);
        due.into_iter().nth(turn)
    }

    /// Whether it is forgotten; else Redis knows of a later closing time, or of none.
    async fn forget_part(
        &self,
        connection: &mut Connection,
        poll: &Poll,
        partition: u16,
        closed_at_ms: i64,
    ) -> Result<bool, RedisError> {
        let mut get = redis::cmd("HGET");
        get.arg(self.keys.forgotten(partition)).arg(poll.id.0);
        let noted: Option<i64> = get.query_async(connection).await?;
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
        tracing::info!(poll = %poll.slug, partition, "register of a closed poll forgotten");
        metrics::REGISTERS_FORGOTTEN.increment(1);
        Ok(true)
    }
}
