//! The Postgres side of what the parts agree on: migrations, and poll definitions.
//!
//! The statements that count votes belong to the consumer, those that read tallies to the dashboard.

pub mod migrations;
pub mod polls;
pub mod positions;
pub mod results;

pub use migrations::{Migrated, migrate, partitions};

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server, or the way to it.
    #[error("postgres: {}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// An applied migration is not the one in this program.
    #[error(
        "migration {version} in the database is not the one in this program; \
         applied migrations must never be edited, add a new one instead"
    )]
    MigrationChanged {
        /// Its number.
        version: i32,
    },
    /// The database is ahead of this program by more than expand-then-contract allows to ignore.
    #[error("the database was never migrated: run `votectl migrate` first")]
    NotMigrated,
    /// The number of partitions is fixed at the first deployment.
    #[error(
        "this deployment has {deployed} partitions, fixed when it was first deployed, not {asked}; \
         a voter's partition follows from that number, so it cannot change"
    )]
    PartitionsFixed {
        /// As stored.
        deployed: u16,
        /// As asked for.
        asked: u16,
    },
    /// A stored poll breaks the model as this release knows it.
    #[error("{0}; if a newer release wrote it, use that release")]
    UnreadablePoll(#[from] polls::UnreadablePoll),
    /// The slug is taken.
    #[error("a poll `{0}` exists already; choose another --slug, or add --update or --if-missing")]
    SlugTaken(String),
}

/// The server's own words where there are any: tokio-postgres prints only `db error`.
pub fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => match db.detail() {
            Some(detail) => format!("{} ({}; {detail})", db.message(), db.code().code()),
            None => format!("{} ({})", db.message(), db.code().code()),
        },
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
