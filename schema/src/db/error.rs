//! Why the database did not do as asked.

use crate::PollId;

/// Why the database did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused a statement, or does not answer.
    #[error("postgres: {}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// A migration that was applied is not the one in this program.
    #[error(
        "migration {version} in the database is not the one in this program; \
         applied migrations must never be edited, add a new one instead"
    )]
    MigrationChanged {
        /// The number of the migration.
        version: i32,
    },
    /// The database has no tables of ours.
    #[error("the database was never migrated: run `votectl migrate` first")]
    NotMigrated,
    /// The number of partitions was fixed by the first migration, and another one was asked for.
    #[error(
        "this deployment has {deployed} partitions, fixed when it was first deployed, not {asked}; \
         a voter's partition follows from that number, so it cannot change"
    )]
    PartitionsFixed {
        /// The number that is stored.
        deployed: u16,
        /// The number that was asked for.
        asked: u16,
    },
    /// A stored poll breaks the model as this release knows it.
    #[error("{0}; if a newer release wrote it, use that release")]
    UnreadablePoll(#[from] UnreadablePoll),
    /// There is a poll with this slug already.
    #[error("a poll `{0}` exists already; choose another --slug, or add --update or --if-missing")]
    SlugTaken(String),
    /// There is an organiser with this name already; names of organisers who were revoked stay theirs.
    #[error("an organiser `{0}` exists already, or existed; choose another name")]
    OrganiserTaken(String),
    /// A stored organiser breaks the model as this release knows it.
    #[error(
        "organiser `{name}` cannot be read: {reason}; if a newer release wrote it, use that release"
    )]
    UnreadableOrganiser {
        /// The name, as it is stored.
        name: String,
        /// The rule that the row breaks.
        reason: String,
    },
    /// The step of the audit trail holds no JSON.
    #[error("step {0} of the audit trail cannot be read")]
    UnreadableStep(i64),
}

/// A row of `polls` that breaks the model as this release knows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("poll {id} (`{slug}`) cannot be read: {reason}")]
pub struct UnreadablePoll {
    /// The poll's number.
    pub id: PollId,
    /// The poll's slug as it is stored, which may be invalid itself.
    pub slug: String,
    /// The rule that the row breaks.
    pub reason: String,
}

/// Describes an error in the server's own words, if there are any. `Display` of tokio-postgres prints only
/// `db error`. The details of errors in data (classes 21 to 23) are left out: they quote rows, and logs must not
/// say who voted or for what.
pub fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => match db.detail() {
            Some(detail) if !matches!(&db.code().code()[..2], "21" | "22" | "23") => {
                format!("{} ({}; {detail})", db.message(), db.code().code())
            }
            _ => format!("{} ({})", db.message(), db.code().code()),
        },
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
