//! Measures every stream's backlog once a second and exports it as gauges.
//!
//! Acknowledged entries are removed, so every entry that a stream holds is either pending or not yet delivered; the lag
//! is the length minus the pending entries. An entry that was added, is gone, and was not removed by a consumer is lost:
//! somebody else trimmed or deleted it.
//! Absent on purpose: Redis' own figure for the lag. XINFO returns nil for good once an undelivered entry was deleted.

pub(crate) mod stalls;

use std::collections::HashMap;
use std::sync::Arc;

use redis::streams::StreamPendingReply;
use redis::{FromRedisValue, RedisError, Script, Value, from_redis_value};
use votestream_schema::keys::{FIELD_REMOVED, GROUP};
use votestream_schema::poll::now_ms;
use votestream_schema::{EntryId, Keys};
use votestream_service::metric::{Gauge, UNKNOWN};
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::metrics;
use stalls::Stalls;

/// Measures the streams of all partitions; cheap to clone.
#[derive(Clone, Debug)]
pub struct Monitor {
    pool: Pool,
    keys: Keys,
    partitions: u16,
    script: Arc<Script>,
    stalls: Stalls,
}

/// Everything that [`record`] sets.
const GAUGES: [&Gauge<1>; 11] = [
    &metrics::STREAM_ENTRIES,
    &metrics::STREAM_BYTES,
    &metrics::STREAM_LOST_ENTRIES,
    &metrics::STREAM_LAG,
    &metrics::STREAM_LAG_UNKNOWN,
    &metrics::STREAM_PENDING,
    &metrics::STREAM_OLDEST_PENDING_AGE_SECONDS,
    &metrics::STREAM_OLDEST_AGE_SECONDS,
    &metrics::STREAM_CLOCK_AHEAD_SECONDS,
    &metrics::STREAM_CONSUMERS,
    &metrics::DEAD_LETTERS_HELD,
];

/// The backlog of one partition at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Backlog {
    length: i64,
    /// Entries that consumers have taken out of the stream, if they are counted yet.
    removed: Option<i64>,
    bytes: i64,
    /// Entries that left the stream without being removed by a consumer.
    lost: i64,
    pending: i64,
    /// The lag that XINFO reports; `None` when it reports nil.
    lag: Option<i64>,
    oldest_pending: Option<EntryId>,
    oldest: Option<EntryId>,
    /// Milliseconds by which the stream's last ID is ahead of Redis' clock.
    ahead_ms: f64,
    consumers: i64,
    dead_letters: i64,
}

impl Monitor {
    /// Creates a monitor of these partitions; it shares the script's compiled form among its clones.
    pub fn new(pool: Pool, keys: Keys, partitions: u16) -> Self {
        let script = Arc::new(Script::new(include_str!("../streams/backlog.lua")));
        Self { pool, keys, partitions, script, stalls: Stalls::default() }
    }

    /// The partitions that stand still, as far as they were measured.
    pub(crate) fn stalls(&self) -> &Stalls {
        &self.stalls
    }

    /// Measures all partitions once and sets their gauges.
    ///
    /// # Errors
    /// Returns the Redis error if a partition cannot be measured. The gauges of that partition and of the following ones
    /// are unknown (NaN) from then on, until they are measured again.
    pub async fn measure(&self) -> Result<(), ServerError> {
        let mut measured = 0;
        let outcome = self.measure_all(&mut measured).await;
        (measured..self.partitions).for_each(forget);
        outcome
    }

    /// Measures one partition after the other; `measured` is the number of those that are done.
    async fn measure_all(&self, measured: &mut u16) -> Result<(), ServerError> {
        let connection = self.pool.get().await;
        let mut connection =
            connection.map_err(|e| ServerError::RedisCheckout(describe_checkout(e)))?;
        for partition in 0..self.partitions {
            let backlog = self.backlog(&mut connection, partition).await?;
            record(partition, &backlog);
            *measured = partition + 1;
            self.stalls.note(partition, backlog.length, backlog.removed.unwrap_or_default());
        }
        Ok(())
    }

    async fn backlog(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<Backlog, RedisError> {
        let mut call = self.script.key(self.keys.stream(partition));
        call.key(self.keys.accepted(partition)).key(self.keys.dead_letters(partition));
        call.arg(GROUP).arg(FIELD_REMOVED);
        // The form of the reply is documented in the script.
        type Ends = (Option<String>, f64, Option<i64>);
        type Counts = (Option<i64>, i64, i64);
        type Reply = (Ends, Counts, Value, Option<StreamPendingReply>, i64);
        let (ends, counts, groups, pending, dead_letters): Reply =
            call.invoke_async(connection).await?;
        let ((oldest, ahead_ms, added), (removed, bytes, length)) = (ends, counts);
        let (lag, consumers) = group_facts(&groups).unwrap_or_default();
        let (pending, oldest_pending) = pending_facts(&pending.unwrap_or_default());
        Ok(Backlog {
            length,
            removed,
            bytes,
            lost: lost(added, length, removed),
            pending,
            lag,
            oldest_pending,
            oldest: oldest.and_then(|id| id.parse().ok()),
            ahead_ms,
            consumers,
            dead_letters,
        })
    }
}

fn record(partition: u16, backlog: &Backlog) {
    let partition = partition.to_string();
    let set = |gauge: &Gauge<1>, value: f64| gauge.with([partition.clone()]).set(value);
    let age_s = |id: Option<EntryId>| id.map_or(0.0, |id| (now_ms() - id.ms).max(0) as f64 / 1e3);
    // Computed instead of taken from XINFO: after a restart from its append-only file, Redis 7.0 reports a lag where
    // there is none.
    let lag = (backlog.length - backlog.pending).max(0);
    set(&metrics::STREAM_ENTRIES, backlog.length as f64);
    set(&metrics::STREAM_BYTES, backlog.bytes as f64);
    set(&metrics::STREAM_LOST_ENTRIES, backlog.lost as f64);
    set(&metrics::STREAM_LAG, lag as f64);
    set(&metrics::STREAM_LAG_UNKNOWN, if backlog.lag.is_none() { 1.0 } else { 0.0 });
    set(&metrics::STREAM_PENDING, backlog.pending as f64);
    set(&metrics::STREAM_OLDEST_PENDING_AGE_SECONDS, age_s(backlog.oldest_pending));
    set(&metrics::STREAM_OLDEST_AGE_SECONDS, age_s(backlog.oldest));
    set(&metrics::STREAM_CLOCK_AHEAD_SECONDS, backlog.ahead_ms / 1e3);
    set(&metrics::STREAM_CONSUMERS, backlog.consumers as f64);
    set(&metrics::DEAD_LETTERS_HELD, backlog.dead_letters as f64);
}

/// Says of every gauge of a partition that its value is not known.
fn forget(partition: u16) {
    for gauge in GAUGES {
        gauge.with([partition.to_string()]).set(UNKNOWN);
    }
}

/// Returns how many entries were added, are gone, and were not removed by a consumer. The result is 0 where Redis does
/// not report added entries, or where removed ones are not counted yet.
fn lost(added: Option<i64>, length: i64, removed: Option<i64>) -> i64 {
    let gone = added.map(|added| added - length);
    gone.zip(removed).map_or(0, |(gone, removed)| (gone - removed).max(0))
}

/// Returns the lag and the number of consumers of our group, from the reply of XINFO GROUPS.
fn group_facts(groups: &Value) -> Option<(Option<i64>, i64)> {
    let groups: Vec<HashMap<String, Value>> = parse(groups)?;
    let ours = groups
        .iter()
        .find(|group| group.get("name").and_then(parse::<String>).is_some_and(|it| it == GROUP))?;
    Some((ours.get("lag").and_then(parse), ours.get("consumers").and_then(parse)?))
}

/// Returns the number of pending entries and the lowest of their IDs, from the reply of XPENDING.
fn pending_facts(summary: &StreamPendingReply) -> (i64, Option<EntryId>) {
    let StreamPendingReply::Data(data) = summary else { return (0, None) };
    (data.count as i64, data.start_id.parse().ok())
}

fn parse<T: FromRedisValue>(value: &Value) -> Option<T> {
    from_redis_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_nil_lag_is_distinguished_from_a_missing_group() {
        let group = |lag| {
            Value::Array(vec![Value::Array(vec![
                bulk("name"),
                bulk(GROUP),
                bulk("consumers"),
                Value::Int(2),
                bulk("lag"),
                lag,
            ])])
        };
        assert_eq!(group_facts(&group(Value::Int(7))), Some((Some(7), 2)));
        assert_eq!(group_facts(&group(Value::Nil)), Some((None, 2)));
        assert_eq!(group_facts(&Value::Array(vec![])), None);
    }

    #[test]
    fn pending_entries_have_a_number_and_a_lowest_id() {
        let summary = Value::Array(vec![Value::Int(3), bulk("5-1"), bulk("9-0"), Value::Nil]);
        let facts = |summary| pending_facts(&from_redis_value(summary).unwrap());
        assert_eq!(facts(summary), (3, Some(EntryId { ms: 5, seq: 1 })));
        let none = Value::Array(vec![Value::Int(0), Value::Nil, Value::Nil, Value::Nil]);
        assert_eq!(facts(none), (0, None));
        let absent: Option<StreamPendingReply> = from_redis_value(Value::Nil).unwrap();
        assert!(absent.is_none(), "the script found no group");
    }
}
