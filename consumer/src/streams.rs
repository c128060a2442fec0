//! The consumer's side of the streams.
//!
//! A primer: a *group* remembers per stream how far it has read. An entry read by a group is
//! *delivered* to one consumer and stays *pending* under its name until it is acknowledged. Reading
//! with `>` gives entries never delivered; reading from `0` gives one's own pending ones again. A
//! consumer that dies leaves its pending entries behind; others *claim* them once they are stale.
//! Acknowledging does not remove an entry from the stream: that takes a second command.
//!
//! Every call here is for the partitions of one lane, over one connection that is nobody else's.

use std::collections::BTreeMap;

use entry::{Delivered, Entry};
use redis::{Cmd, RedisError, Script};
use votestream_schema::keys::{FIELD_REMOVED, GROUP};
use votestream_schema::{Keys, codec};
use votestream_service::redis::Connection;

pub mod entry;

/// Whose entries, and under which name.
#[derive(Clone, Debug)]
pub struct Streams {
    keys: Keys,
    consumer: String,
    /// Stream key and partition, for each partition of the lane.
    streams: Vec<(String, u16)>,
}

/// The bounds of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Entries at most.
    pub entries: usize,
    /// Bytes at most, and one entry more.
    pub bytes: usize,
}

/// Above every entry ID (the very last one wraps around): reading one's own pending entries from here on gives none.
const BEYOND_ALL: &str = "18446744073709551615-18446744073709551614";

impl Streams {
    /// The streams of these partitions, read under this consumer name.
    pub fn new(keys: Keys, partitions: &[u16], consumer: String) -> Self {
        let streams = partitions.iter().map(|p| (keys.stream(*p), *p)).collect();
        Self { keys, consumer, streams }
    }

    /// The partitions.
    pub fn partitions(&self) -> impl Iterator<Item = u16> {
        self.streams.iter().map(|(_, partition)| *partition)
    }

    /// Creates the group wherever it is missing, from the very first entry on.
    ///
    /// # Errors
    /// Redis'.
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

    /// Reads at most about `count` entries that were never delivered, over all streams; waits for
    /// the first for `block_ms` milliseconds, or not at all for 0.
    ///
    /// # Errors
    /// Redis'; `NOGROUP` when somebody removed stream or group.
    pub async fn read_new(
        &self,
        connection: &mut Connection,
        block_ms: u64,
        count: usize,
    ) -> Result<Delivered, RedisError> {
        // COUNT is per stream.
        let count = count.div_ceil(self.streams.len());
        let reply = self.read_group(count, block_ms, ">").query_async(connection).await?;
        entry::read_reply(reply, |key| {
            self.streams.iter().find(|(stream, _)| stream == key).map(|(_, partition)| *partition)
        })
    }

    /// Reads entries that were delivered to this consumer and are not acknowledged, within bounds.
    ///
    /// # Errors
    /// Redis'; `NOGROUP` when somebody removed stream or group.
    pub async fn read_pending(
        &self,
        connection: &mut Connection,
        bounds: Bounds,
    ) -> Result<Delivered, RedisError> {
        // A sign of life: looking at what is pending gives none.
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

    /// Takes over entries of one partition that have been pending for `idle_ms`, within bounds,
    /// looking from `cursor` on. Also gives the next cursor, `0-0` when all was looked at, and
    /// whether more was taken over than is given: that is read with [`Streams::read_pending`].
    ///
    /// # Errors
    /// Redis'.
    pub async fn claim(
        &self,
        connection: &mut Connection,
        partition: u16,
        idle_ms: u64,
        cursor: &str,
        bounds: Bounds,
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

    /// What pending entries hold, as far as it is not too much.
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

    /// Acknowledges entries and removes them from their streams, in one step.
    ///
    /// # Errors
    /// Redis'; what was not acknowledged is delivered again, which changes nothing.
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

    /// Moves an entry to the dead letters.
    ///
    /// # Errors
    /// Redis'; the entry is then still pending.
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

    /// Removes consumers that have nothing pending and were silent for `silent_ms`.
    ///
    /// # Errors
    /// Redis'.
    pub async fn bury_the_dead(
        &self,
        connection: &mut Connection,
        silent_ms: u64,
    ) -> Result<u64, RedisError> {
        let script = Script::new(include_str!("streams/remove_idle.lua"));
        let mut removed = 0;
        for (stream, _) in &self.streams {
            let mut call = script.key(stream);
            removed += call.arg(GROUP).arg(silent_ms).invoke_async::<u64>(connection).await?;
        }
        Ok(removed)
    }

    /// Gives up this consumer's name; how many entries of the group stay pending for others.
    ///
    /// # Errors
    /// Redis'.
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

/// Sends a command that another module wrote down.
pub(crate) fn cmd(command: &[String]) -> Cmd {
    let (name, arguments) = command.split_first().expect("a command has a name");
    redis::cmd(name).arg(arguments).clone()
}
