//! The outcome of an injection, and the ways to heal a fault.

use std::path::PathBuf;

use standalone::servers::{PostgresServer, RedisServer};
use testkit::PgBouncer;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::closing::DefinitionsLock;

/// The way to heal a fault, with all that healing needs.
#[derive(Debug)]
pub(crate) enum Cure {
    /// The fault is over by itself, or nothing can be healed.
    Itself,
    /// Start services that were killed, or that were set up to crash.
    Start(&'static str),
    /// Let frozen services go on.
    Thaw(&'static str),
    /// Let this frozen service go on, and Prometheus read its metrics again.
    TrueMetrics(&'static str, JoinHandle<()>),
    /// Let all bytes pass on these links.
    Pass(&'static str),
    /// Start Redis again after it was killed.
    StartRedis,
    /// Let a frozen Redis go on.
    ThawRedis,
    /// Remove the limit on the memory of Redis.
    RedisRoom,
    /// Give this setting of Redis this value.
    RedisSetting(&'static str, &'static str),
    /// Let Redis read its users from their file again.
    RedisUsers,
    /// Give this user of Redis its usual password, in the server and in the files of the services.
    RedisPassword(&'static str),
    /// Rename this key back.
    RenameBack(String),
    /// Grant the roles of Postgres their rights again.
    PostgresRights,
    /// Give the role of these services its usual password, in Postgres and in their files.
    PostgresPassword(&'static str),
    /// Remove the trigger that makes rows slow.
    FastRows,
    /// Lead the services of this link to Postgres again, and end the pooler.
    NoPooler(&'static str, Box<PgBouncer>),
    /// Settle a Redis that was kept while Postgres was restored. Until then no definition of a poll changes.
    Resync(DefinitionsLock),
    /// Stop a task that strikes again and again. It returns how often it did; the text is the unit.
    Stop(CancellationToken, JoinHandle<anyhow::Result<u64>>, &'static str),
    /// Start Postgres again after it was killed.
    StartPostgres,
    /// Let a frozen Postgres go on.
    ThawPostgres,
    /// Promote this standby, and let the proxies forward to it.
    PromotePostgres(Box<PostgresServer>),
    /// Promote this replica, and let the proxies forward to it.
    PromoteRedis(Box<RedisServer>),
    /// Remove this file, which fills the disk.
    Room(PathBuf),
    /// End these database sessions, which releases their locks.
    End(Vec<Client>),
    /// Stop the task that adds malformed entries. It returns their number.
    Antidote(CancellationToken, JoinHandle<anyhow::Result<u64>>),
}

impl Cure {
    /// Whether it works only once services and servers work again, so that another fault must be healed before.
    pub(crate) fn needs_the_others(&self) -> bool {
        matches!(self, Self::RenameBack(_) | Self::PostgresRights | Self::Resync(_))
    }
}

/// The outcome of an attempt to inject a fault.
#[derive(Debug)]
pub(crate) enum Injection {
    /// The fault is active. The text is a note for the report, or empty.
    Active(Cure, String),
    /// This machine does not allow the fault, for this reason.
    Skipped(String),
}

impl Injection {
    /// An active fault without a note.
    pub(super) fn by(cure: Cure) -> anyhow::Result<Self> {
        Ok(Self::Active(cure, String::new()))
    }

    /// An active fault with a note for the report.
    pub(super) fn noting(cure: Cure, note: impl Into<String>) -> anyhow::Result<Self> {
        Ok(Self::Active(cure, note.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_needs_the_others_is_healed_last() {
        let mut cures =
            [Cure::RenameBack("key".to_owned()), Cure::Thaw("consumers"), Cure::StartRedis];
        cures.sort_by_key(Cure::needs_the_others);
        assert!(matches!(cures, [Cure::Thaw(_), Cure::StartRedis, Cure::RenameBack(_)]));
    }
}
