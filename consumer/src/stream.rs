//! The consumer's side of the streams.
//!
//! A primer: a *group* remembers per stream how far it has read. An entry read by a group is
//! *delivered* to one consumer and stays *pending* under its name until it is acknowledged. Reading
//! with `>` gives entries never delivered; reading from `0` gives one's own pending ones again. A
//! consumer that dies leaves its pending entries behind; others *claim* them once they are stale.
//! Acknowledging does not remove an entry from the stream: that takes a second command.
//!
//! Every call here is for the partitions of one lane, over one connection that is nobody else's.

use std::collections::HashMap;

use redis::{Cmd, Pipeline, RedisError, Script};
use votestream_schema::Keys;
use votestream_schema::keys::{FIELD_REMOVED, GROUP};
use votestream_service::redis::Connection;

use crate::entry::{self, Delivered, Entry};

/// Whose entries, and under which name.
#[derive(Clone, Debug)]
pub struct Streams {
    keys: Keys,
    consumer: String,
    /// Stream key and partition, for each partition of the lane.
    streams: Vec<(String, u16)>,
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Entries never delivered; waits for the first so many milliseconds, or not at all for 0.
    New {
        /// How long to wait.
        block_ms: u64,
    },
    /// Entries delivered to this consumer and not acknowledged.
    Pending,
}

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
            let mut create = redis::cmd("XGROUP");
            create.arg("CREATE").arg(stream).arg(GROUP).arg("0").arg("MKSTREAM");
            match create.exec_async(connection).await {
                Ok(()) => tracing::info!(partition, "created the consumer group"),
                Err(error) if error.code() == Some("BUSYGROUP") => {}
                Err(error) => return Err(error),
            }
            let script = Script::new(include_str!("baseline.lua"));
            let mut call = script.key(stream);
            call.key(self.keys.accepted(*partition));
            call.arg(FIELD_REMOVED).invoke_async::<i64>(connection).await?;
        }
        Ok(())
    }

    /// Reads at most about `count` entries over all streams.
    ///
    /// # Errors
    /// Redis'; `NOGROUP` when somebody removed stream or group.
    pub async fn read(
        &self,
        connection: &mut Connection,
        from: From,
        count: usize,
    ) -> Result<Delivered, RedisError> {
        // COUNT is per stream.
        let count = count.div_ceil(self.streams.len());
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        if let From::New { block_ms: block_ms @ 1.. } = from {
            read.arg("BLOCK").arg(block_ms);
        }
        read.arg("STREAMS");
        for (stream, _) in &self.streams {
            read.arg(stream);
        }
        for _ in &self.streams {
            read.arg(if from == From::Pending { "0" } else { ">" });
        }
        let reply = read.query_async(connection).await?;
        entry::read_reply(reply, |key| {
            self.streams.iter().find(|(stream, _)| stream == key).map(|(_, partition)| *partition)
        })
    }

    /// Takes over at most `count` entries of one partition that have been pending for `idle_ms`,
    /// looking from `cursor` on; also gives the next cursor, `0-0` when all was looked at.
    ///
    /// # Errors
    /// Redis'.
    pub async fn claim(
        &self,
        connection: &mut Connection,
        partition: u16,
        idle_ms: u64,
        cursor: &str,
        count: usize,
    ) -> Result<(String, Delivered), RedisError> {
        let mut claim = redis::cmd("XAUTOCLAIM");
        claim.arg(self.keys.stream(partition)).arg(GROUP).arg(&self.consumer);
        claim.arg(idle_ms).arg(cursor).arg("COUNT").arg(count);
        entry::claim_reply(partition, claim.query_async(connection).await?)
    }

    /// Acknowledges entries and removes them from their streams, each stream in one step.
    ///
    /// # Errors
    /// Redis'; what was not acknowledged is delivered again, which changes nothing.
    pub async fn acknowledge<'a>(
        &self,
        connection: &mut Connection,
        entries: impl IntoIterator<Item = (u16, &'a str)>,
    ) -> Result<(), RedisError> {
        let mut ids: HashMap<u16, Vec<&str>> = HashMap::new();
        for (partition, id) in entries {
            ids.entry(partition).or_default().push(id);
        }
        for (partition, ids) in ids {
            let stream = self.keys.stream(partition);
            let accepted = self.keys.accepted(partition);
            let mut all = Pipeline::with_capacity(3);
            all.atomic();
            all.cmd("XACK").arg(&stream).arg(GROUP).arg(&ids).ignore();
            all.cmd("XDEL").arg(&stream).arg(&ids);
            all.cmd("HINCRBY").arg(&accepted).arg(FIELD_REMOVED).arg(ids.len()).ignore();
            let (removed,): (usize,) = all.query_async(connection).await?;
            // Some were gone before: removed by us earlier, or vanished.
            if removed < ids.len() {
                let surplus = (ids.len() - removed) as i64;
                let mut correct = redis::cmd("HINCRBY");
                correct.arg(&accepted).arg(FIELD_REMOVED).arg(-surplus);
                correct.exec_async(connection).await?;
            }
        }
        Ok(())
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
        let script = Script::new(include_str!("dead_letter.lua"));
        let mut call = script.key(self.keys.stream(entry.partition));
        call.key(self.keys.dead_letters(entry.partition));
        call.key(self.keys.accepted(entry.partition));
        call.arg(GROUP).arg(&entry.id).arg(reason);
        for part in &entry.fields {
            call.arg(part.as_slice());
        }
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
        let script = Script::new(include_str!("bury.lua"));
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
        let script = Script::new(include_str!("leave.lua"));
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
