//! The field in Redis that says that this producer is alive, and how recent its copy of the polls is.

use redis::{Cmd, RedisError};
use uuid::Uuid;
use votestream_schema::Keys;
use votestream_schema::projection::Command;
use votestream_schema::projection::presence::{self, ALIVE_MS, Presence};
use votestream_service::redis::Connection;

/// After this time a producer that does not run any more is forgotten, in milliseconds.
const FORGOTTEN_AFTER_MS: i64 = 6 * ALIVE_MS;

/// Writes the field of this process.
#[derive(Debug)]
pub(super) struct SignOfLife {
    name: String,
}

impl SignOfLife {
    /// Chooses a name that is unique to this process start.
    pub(super) fn new() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let unique = Uuid::new_v4().simple().to_string();
        Self { name: format!("{}-{}", host.trim(), &unique[..8]) }
    }

    /// Says that the polls were read after `read_at_ms`, by Redis' clock, except for these. Forgets producers that have
    /// not said so for a minute.
    pub(super) async fn write(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        read_at_ms: i64,
        unreadable: Vec<String>,
    ) -> Result<(), RedisError> {
        let presence = Presence { read_at_ms, unreadable };
        let is_new: bool = cmd(&presence.write(keys, &self.name)).query_async(connection).await?;
        // A start is a good occasion to look for others, and it is rare.
        if !is_new {
            return Ok(());
        }
        let all = cmd(&presence::all(keys)).query_async(connection).await?;
        for (name, presence) in presence::parse(all) {
            if read_at_ms - presence.read_at_ms > FORGOTTEN_AFTER_MS {
                cmd(&presence::remove(keys, &name)).exec_async(connection).await?;
            }
        }
        Ok(())
    }

    /// Removes the field of this process, which stops.
    pub(super) async fn remove(
        &self,
        connection: &mut Connection,
        keys: &Keys,
    ) -> Result<(), RedisError> {
        cmd(&presence::remove(keys, &self.name)).exec_async(connection).await
    }
}

/// The command to send for text that [`votestream_schema::projection`] wrote.
pub(super) fn cmd(command: &Command) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(command);
    cmd
}
