//! Reading, acknowledging and dead-lettering entries of Redis Streams; the Lua scripts for it lie in `streams/`.
//!
//! A primer: a *group* remembers for each stream how far it has read. An entry that the group reads is *delivered* to
//! one consumer and stays *pending* under that consumer's name until it is acknowledged. Reading from `>` returns
//! entries that were never delivered; reading from `0` returns a consumer's own pending entries again. A consumer that
//! dies leaves pending entries behind, and others *claim* them once they are stale. Acknowledging does not remove an
//! entry from its stream; that takes a second command.
//!
//! Every call here is for the partitions of one worker, over a connection that only this worker uses.

use std::collections::BTreeMap;

use entry::{Delivered, Entry};
use redis::{Cmd, RedisError, Script};
use votestream_schema::keys::{FIELD_REMOVED, GROUP};
use votestream_schema::{Keys, codec};
use votestream_service::redis::Connection;

mod abandoned;
pub mod entry;

/// The streams that one worker reads, and the consumer name under which it reads them.
#[derive(Clone, Debug)]
pub struct Streams {
    keys: Keys,
    consumer: String,
    /// Stream key and partition, for each partition of the worker.
    streams: Vec<(String, u16)>,
}

/// The most that one batch may hold, so that a worker's memory is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchBounds {
    /// The most entries that a batch may hold.
    pub entries: usize,
    /// The most bytes; the last entry may exceed them.
    pub bytes: usize,
}

/// An ID above every entry, so that reading pending entries from here returns none. (The very last ID wraps around.)
const BEYOND_ALL: &str = "18446744073709551615-18446744073709551614";

impl Streams {
    /// Describes the streams of these partitions, to be read under this consumer name; sends nothing yet.
    pub fn new(keys: Keys, partitions: &[u16], consumer: String) -> Self {
        let streams = partitions.iter().map(|p| (keys.stream(*p), *p)).collect();
        Self { keys, consumer, streams }
    }

    /// Returns the partitions that this worker reads.
    pub fn partitions(&self) -> impl Iterator<Item = u16> {
        self.streams.iter().map(|(_, partition)| *partition)
    }

    /// Creates each missing stream and group, reading from the very first entry, and starts the count of removed entries
    /// where it is missing.
    ///
    /// # Errors
    /// Returns the Redis error if a script fails; groups created before that stay.
    pub async fn create_groups(&self, connection: &mut Connection) -> Result<(), RedisError> {
        for (stream, partition) in &self.streams {
            let script = Script::new(include_str!("streams/create_group.lua"));
            let created: i64 = script.key(stream).arg(GROUP).invoke_async(connection).await?;
            if created > 0 {
                tracing::info!(partition, "created the consumer group");
            }
            let script = Script::new(include_str!("streams/baseline.lua"));
            let mut call = script.key(stream);
            call.key(self.keys.accepted(*partition));
            call.arg(FIELD_REMOVED).invoke_async::<i64>(connection).await?;
        }
        Ok(())
    }

    /// Reads about `count` entries that were never delivered, over all streams. Waits up to `block_ms` milliseconds for
    /// the first one, or not at all when `block_ms` is 0.
    ///
    /// # Errors
    /// Returns the Redis error; it is `NOGROUP` when somebody removed a stream or its group.
    pub async fn read_new(
        &self,
        connection: &mut Connection,
        block_ms: u64,
        count: usize,
    ) -> Result<Delivered, RedisError> {
        // Redis applies COUNT to each stream separately.
        let count = count.div_ceil(self.streams.len());
        let reply = self.read_group(count, block_ms, ">").query_async(connection).await?;
        entry::read_reply(reply, |key| {
            self.streams.iter().find(|(stream, _)| stream == key).map(|(_, partition)| *partition)
        })
    }

    /// Reads entries that are pending under this consumer's name, within bounds.
    ///
    /// # Errors
    /// Returns the Redis error; it is `NOGROUP` when somebody removed a stream or its group.
    pub async fn read_pending(
        &self,
        connection: &mut Connection,
        bounds: BatchBounds,
    ) -> Result<Delivered, RedisError> {
        // XPENDING does not reset this consumer's idle time, but this read does, although it returns no entry.
        self.read_group(1, 0, BEYOND_ALL).exec_async(connection).await?;
        let mut delivered = Delivered::default();
        let mut left = bounds;
        for (stream, partition) in &self.streams {
            let mut ask = redis::cmd("XPENDING");
            ask.arg(stream).arg(GROUP).arg("-").arg("+").arg(left.entries).arg(&self.consumer);
            let pending: Vec<(String, String, u64, u64)> = ask.query_async(connection).await?;
            let ids: Vec<String> = pending.into_iter().map(|(id, ..)| id).collect();
            if ids.is_empty() {
                continue;
            }
            let found = self.fetch(connection, *partition, &ids, left.bytes).await?;
            left.entries = left.entries.saturating_sub(found.entries.len());
            left.bytes = left.bytes.saturating_sub(found.bytes);
            delivered.extend(found);
            if left.entries == 0 || left.bytes == 0 {
                break;
            }
        }
        Ok(delivered)
    }

    /// Claims entries of one partition that have been pending for `idle_ms` milliseconds, within bounds, searching from
    /// `cursor` on. Returns the next cursor (`0-0` after the last entry), the claimed entries, and whether more entries
    /// were claimed than fit the bounds; those are read with [`Streams::read_pending`].
    ///
    /// # Errors
    /// Returns the Redis error; entries claimed before it are pending under this consumer's name.
    pub async fn claim(
        &self,
        connection: &mut Connection,
        partition: u16,
        idle_ms: u64,
        cursor: &str,
        bounds: BatchBounds,
    ) -> Result<(String, Delivered, bool), RedisError> {
        let mut claim = redis::cmd("XAUTOCLAIM");
        claim.arg(self.keys.stream(partition)).arg(GROUP).arg(&self.consumer);
        claim.arg(idle_ms).arg(cursor).arg("COUNT").arg(bounds.entries).arg("JUSTID");
        let claimed = entry::claim_reply(claim.query_async(connection).await?)?;
        let mut delivered = match claimed.ids.as_slice() {
            [] => Delivered::default(),
            ids => self.fetch(connection, partition, ids, bounds.bytes).await?,
        };
        let has_more = delivered.entries.len() + delivered.vanished.len() < claimed.ids.len();
        delivered.vanished.extend(claimed.vanished.into_iter().map(|id| (partition, id)));
        Ok((claimed.cursor, delivered, has_more))
    }

    /// Fetches the fields of pending entries until `bytes_max` is reached.
    async fn fetch(
        &self,
        connection: &mut Connection,
        partition: u16,
        ids: &[String],
        bytes_max: usize,
    ) -> Result<Delivered, RedisError> {
        let script = Script::new(include_str!("streams/fetch.lua"));
        let mut call = script.key(self.keys.stream(partition));
        call.arg(GROUP).arg(&self.consumer);
        call.arg(codec::ENTRY_BYTES_MAX).arg(bytes_max).arg(entry::PART_BYTES).arg(ids);
        entry::fetch_reply(partition, call.invoke_async(connection).await?)
    }

    /// Builds an XREADGROUP over all streams that starts from the same ID in each.
    fn read_group(&self, count: usize, block_ms: u64, from: &str) -> Cmd {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        if block_ms > 0 {
            read.arg("BLOCK").arg(block_ms);
        }
        read.arg("STREAMS");
        for (stream, _) in &self.streams {
            read.arg(stream);
        }
        for _ in &self.streams {
            read.arg(from);
        }
        read
    }

    /// Acknowledges entries and removes them from their streams, in one script call.
    ///
    /// # Errors
    /// Returns the Redis error. Entries that were not acknowledged will be read again, and counting them again changes
    /// nothing.
    pub async fn acknowledge<'a>(
        &self,
        connection: &mut Connection,
        entries: impl IntoIterator<Item = (u16, &'a str)>,
    ) -> Result<(), RedisError> {
        let mut ids: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
        for (partition, id) in entries {
            ids.entry(partition).or_default().push(id);
        }
        if ids.is_empty() {
            return Ok(());
        }
        let script = Script::new(include_str!("streams/acknowledge.lua"));
        let mut call = script.prepare_invoke();
        call.arg(GROUP).arg(FIELD_REMOVED);
        for (partition, ids) in ids {
            call.key(self.keys.stream(partition)).key(self.keys.accepted(partition));
            call.arg(ids.len()).arg(ids);
        }
        call.invoke_async::<i64>(connection).await.map(drop)
    }

    /// Moves one entry to the dead letters of its partition, with the reason that operators will read.
    ///
    /// # Errors
    /// Returns the Redis error if the script fails; the entry is still pending then.
    pub async fn dead_letter(
        &self,
        connection: &mut Connection,
        entry: &Entry,
        reason: &str,
    ) -> Result<(), RedisError> {
        let script = Script::new(include_str!("streams/dead_letter.lua"));
        let mut call = script.key(self.keys.stream(entry.partition));
        call.key(self.keys.dead_letters(entry.partition));
        call.key(self.keys.accepted(entry.partition));
        call.arg(GROUP).arg(&entry.id).arg(reason).arg(FIELD_REMOVED);
        call.invoke_async::<i64>(connection).await.map(drop)
    }

    /// Removes consumers that have no pending entries and were idle for `expiry_ms` milliseconds. Returns how many were
    /// removed, over all streams.
    ///
    /// # Errors
    /// Returns the Redis error if a script fails.
    pub async fn remove_idle_consumers(
        &self,
        connection: &mut Connection,
        expiry_ms: u64,
    ) -> Result<u64, RedisError> {
        let script = Script::new(include_str!("streams/remove_idle.lua"));
        let mut removed = 0;
        for (stream, _) in &self.streams {
            let mut call = script.key(stream);
            removed += call.arg(GROUP).arg(expiry_ms).invoke_async::<u64>(connection).await?;
        }
        Ok(removed)
    }

    /// Removes this consumer from its groups unless entries are pending under its name. Returns how many entries of
    /// those groups stay pending, for others to claim.
    ///
    /// # Errors
    /// Returns the Redis error if a script fails.
    pub async fn leave(&self, connection: &mut Connection) -> Result<u64, RedisError> {
        let script = Script::new(include_str!("streams/leave.lua"));
        let mut left = 0;
        for (stream, _) in &self.streams {
            let mut call = script.key(stream);
            left += call.arg(GROUP).arg(&self.consumer).invoke_async::<u64>(connection).await?;
        }
        Ok(left)
    }
}
