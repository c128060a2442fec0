//! How much is under way: measured on the streams every second.
//!
//! Since acknowledged entries are removed, all that a stream holds is either pending or not yet
//! delivered; and what was added, is not there any more, and was not removed by us, is lost: trimmed
//! or deleted by somebody else. So the lag is known even when XINFO says nil, which it does for good once an
//! undelivered entry was deleted.

use std::sync::Arc;

use redis::{RedisError, Script, Value};
use votestream_schema::keys::{FIELD_REMOVED, GROUP};
use votestream_schema::poll::now_ms;
use votestream_schema::{EntryId, Keys};
use votestream_service::metric::Gauge;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::metrics;

/// The measurer.
#[derive(Clone, Debug)]
pub struct Monitor {
    pool: Pool,
    keys: Keys,
    partitions: u16,
    script: Arc<Script>,
}

/// One partition's state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Backlog {
    length: i64,
    bytes: i64,
    /// Removed by nobody of us.
    lost: i64,
    pending: i64,
    /// As XINFO tells; `None` when it says nil.
    lag: Option<i64>,
    oldest_pending: Option<EntryId>,
    oldest: Option<EntryId>,
    /// How far its last ID is ahead of Redis' clock.
    ahead_ms: f64,
    consumers: i64,
    dead_letters: i64,
}

impl Monitor {
    /// Of these streams.
    pub fn new(pool: Pool, keys: Keys, partitions: u16) -> Self {
        let script = Arc::new(Script::new(include_str!("../streams/backlog.lua")));
        Self { pool, keys, partitions, script }
    }

    /// Measures once.
    ///
    /// # Errors
    /// Why Redis did not tell; the gauges then keep their last values.
    pub async fn measure(&self) -> Result<(), String> {
        let mut connection = self.pool.get().await.map_err(describe_checkout)?;
        for partition in 0..self.partitions {
            let backlog =
                self.backlog(&mut connection, partition).await.map_err(|e| e.to_string())?;
            record(partition, &backlog);
        }
        Ok(())
    }

    async fn backlog(
        &self,
        connection: &mut Connection,
        partition: u16,
    ) -> Result<Backlog, RedisError> {
        let mut ask = self.script.key(self.keys.stream(partition));
        ask.key(self.keys.accepted(partition)).key(self.keys.dead_letters(partition));
        ask.arg(GROUP).arg(FIELD_REMOVED);
        type Ends = (Option<String>, f64, Option<i64>);
        type Counts = (Option<i64>, i64, i64);
        type Reply = (Ends, Counts, Value, Value, i64);
        let (ends, counts, groups, pending, dead_letters): Reply =
            ask.invoke_async(connection).await?;
        let ((oldest, ahead_ms, added), (removed, bytes, length)) = (ends, counts);
        let (lag, consumers) = group_facts(&groups).unwrap_or_default();
        let (pending, oldest_pending) = pending_facts(&pending).unwrap_or_default();
        Ok(Backlog {
            length,
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
    // Not Redis' own figure: after a restart from its append-only file 7.0 tells of a lag where there is none.
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

/// Entries that were added, are not there any more, and were not removed by us. Where Redis does not
/// tell, or counting has not begun, nothing is known to be lost.
fn lost(added: Option<i64>, length: i64, removed: Option<i64>) -> i64 {
    let gone = added.map(|added| added - length);
    gone.zip(removed).map_or(0, |(gone, removed)| (gone - removed).max(0))
}

/// Lag and number of consumers of our group in the reply of XINFO GROUPS.
fn group_facts(groups: &Value) -> Option<(Option<i64>, i64)> {
    let ours = list(groups)?
        .iter()
        .find(|group| fact(group, "name").and_then(text).is_some_and(|name| name == GROUP))?;
    Some((fact(ours, "lag").and_then(number), fact(ours, "consumers").and_then(number)?))
}

/// Count and lowest ID in the reply of XPENDING.
fn pending_facts(summary: &Value) -> Option<(i64, Option<EntryId>)> {
    let summary = list(summary)?;
    Some((number(summary.first()?)?, summary.get(1).and_then(id)))
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// A fact in a flat list of names and values.
fn fact<'a>(facts: &'a Value, name: &str) -> Option<&'a Value> {
    list(facts)?.chunks_exact(2).find(|pair| text(&pair[0]) == Some(name)).map(|pair| &pair[1])
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn id(value: &Value) -> Option<EntryId> {
    text(value)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_nil_lag_is_told_apart_from_none_at_all() {
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
}
