//! Brings the database to the schema of this program.
//!
//! Migrations are append-only. Each runs in a transaction of its own that locks the table `schema_migrations`,
//! so that any number of replicas may try at once. Only roles with rights on that table can hold the lock. Rule
//! for authors: expand first and contract a release later, so that the services of the previous release work on
//! the new schema.

use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::error::Error;
use crate::keys::PARTITIONS_DEFAULT;

/// Every migration that was ever shipped, in order. Its number is its position, from 1.
const MIGRATIONS: &[(&str, &str)] = &[
    ("polls_and_votes", include_str!("../../migrations/0001_polls_and_votes.sql")),
    ("stream_positions", include_str!("../../migrations/0002_stream_positions.sql")),
    ("code_hashes", include_str!("../../migrations/0003_code_hashes.sql")),
    ("watermarks", include_str!("../../migrations/0004_watermarks.sql")),
    ("secrecy", include_str!("../../migrations/0005_secrecy.sql")),
    ("epoch", include_str!("../../migrations/0006_epoch.sql")),
    ("mismatch", include_str!("../../migrations/0007_mismatch.sql")),
    ("network_limit", include_str!("../../migrations/0008_network_limit.sql")),
    ("poll_changes", include_str!("../../migrations/0009_poll_changes.sql")),
    ("ballot_forms", include_str!("../../migrations/0010_ballot_forms.sql")),
    ("listed", include_str!("../../migrations/0011_listed.sql")),
    ("after_vote", include_str!("../../migrations/0012_after_vote.sql")),
    ("accounts", include_str!("../../migrations/0013_accounts.sql")),
    ("log", include_str!("../../migrations/0014_log.sql")),
    ("organisers", include_str!("../../migrations/0015_organisers.sql")),
    ("languages", include_str!("../../migrations/0016_languages.sql")),
    ("witnesses", include_str!("../../migrations/0017_witnesses.sql")),
];

/// The key of the advisory lock that a `votectl migrate` of the previous release holds while it works.
const ADVISORY_LOCK: i64 = 0x766f_7465_7374_7265;

/// How long a statement waits for that lock. Any role can hold it, so nothing may depend on it.
const ADVISORY_LOCK_WAIT: &str = "SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = 0";

/// Keeps every other migration out until the transaction ends, also one of the previous release, which reads
/// this table first.
const LOCK: &str = "LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE";

/// How long a migration waits for the locks of tables. While it waits, statements that come later wait behind it.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '7500ms'";

/// How often the creation of that table is tried: two sessions that create it at the same moment collide.
const CREATE_ATTEMPTS: usize = 5;

/// One entry of [`MIGRATIONS`], with its number.
struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

/// The state after [`migrate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The names of the migrations applied now; empty when all were there.
    pub applied: Vec<&'static str>,
    /// The deployment's number of partitions.
    pub partitions: u16,
}

/// Applies the missing migrations, and fixes the number of partitions if this is the first call.
///
/// # Errors
/// Returns [`Error::MigrationChanged`] if an applied migration differs from ours, [`Error::PartitionsFixed`]
/// if `partitions` asks for another number than was deployed, else the database's error.
pub async fn migrate(client: &mut Client, partitions: Option<u16>) -> Result<Migrated, Error> {
    let mut applied = Vec::new();
    // A database that is up to date is left alone.
    if first_missing(client).await?.is_some() {
        let is_held = take_advisory_lock(client).await?;
        let outcome = apply_missing(client).await;
        if is_held {
            client
                .execute_typed("SELECT pg_advisory_unlock($1)", &[(&ADVISORY_LOCK, Type::INT8)])
                .await?;
        }
        applied = outcome?;
    }
    fix_partitions(client, partitions).await.map(|partitions| Migrated { applied, partitions })
}

/// Stores the number of partitions if none is stored, and returns the stored one.
async fn fix_partitions(client: &Client, asked: Option<u16>) -> Result<u16, Error> {
    let wanted = i16::try_from(asked.unwrap_or(PARTITIONS_DEFAULT)).unwrap_or(i16::MAX);
    client
        .execute_typed(
            "INSERT INTO deployment (partitions) VALUES ($1) ON CONFLICT DO NOTHING",
            &[(&wanted, Type::INT2)],
        )
        .await?;
    let deployed = partitions(client).await?;
    match asked {
        Some(asked) if asked != deployed => Err(Error::PartitionsFixed { deployed, asked }),
        _ => Ok(deployed),
    }
}
/// Takes the lock that makes a `votectl migrate` of the previous release wait, after waiting for one that runs.
/// Returns false if the lock was not free in time. Whoever holds it then stops no migration: the lock that
/// counts is that of the table.
async fn take_advisory_lock(client: &mut Client) -> Result<bool, Error> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(ADVISORY_LOCK_WAIT).await?;
    // A lock of the session, which outlasts the transaction.
    let sql = "SELECT pg_advisory_lock($1)";
    match transaction.execute_typed(sql, &[(&ADVISORY_LOCK, Type::INT8)]).await {
        Ok(_) => transaction.commit().await?,
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            transaction.rollback().await?;
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}

/// Applies all missing migrations, and returns their names.
async fn apply_missing(client: &mut Client) -> Result<Vec<&'static str>, Error> {
    create_table(client).await?;
    let mut applied = Vec::new();
    while let Some(missing) = first_missing(client).await? {
        if apply(client, &missing).await? {
            applied.push(missing.name);
        }
    }
    Ok(applied)
}

async fn create_table(client: &Client) -> Result<(), Error> {
    let collisions = [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE];
    let mut attempts_left = CREATE_ATTEMPTS;
    loop {
        attempts_left -= 1;
        let created = client.batch_execute(include_str!("../../sql/schema_migrations.sql")).await;
        match created {
            Err(error)
                if attempts_left > 0
                    && error.code().is_some_and(|code| collisions.contains(code)) => {}
            outcome => return Ok(outcome?),
        }
    }
}

/// Returns the first migration that was not applied.
async fn first_missing(client: &Client) -> Result<Option<Migration>, Error> {
    let found = client.query_typed("SELECT version, checksum FROM schema_migrations", &[]).await;
    let rows = match found {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Vec::new(),
        rows => rows?,
    };
    for (version, (name, sql)) in (1..).zip(MIGRATIONS) {
        let Some(row) = rows.iter().find(|row| row.get::<_, i32>(0) == version) else {
            return Ok(Some(Migration { version, name, sql }));
        };
        if row.get::<_, Vec<u8>>(1) != checksum(sql) {
            return Err(Error::MigrationChanged { version });
        }
    }
    Ok(None)
}

/// Applies one migration; returns false if another session applied it meanwhile.
async fn apply(client: &mut Client, migration: &Migration) -> Result<bool, Error> {
    let Migration { version, name, sql } = migration;
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCK_WAIT).await?;
    transaction.batch_execute(LOCK).await?;
    let is_known = "SELECT FROM schema_migrations WHERE version = $1";
    if transaction.query_typed_opt(is_known, &[(version, Type::INT4)]).await?.is_some() {
        return Ok(false);
    }
    transaction.batch_execute(sql).await?;
    transaction
        .execute_typed(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            &[(version, Type::INT4), (name, Type::TEXT), (&checksum(sql), Type::BYTEA)],
        )
        .await?;
    transaction.commit().await?;
    Ok(true)
}

fn checksum(sql: &str) -> Vec<u8> {
    Sha256::digest(sql.as_bytes()).to_vec()
}

/// Reads the deployment's number of partitions.
///
/// # Errors
/// Returns [`Error::NotMigrated`] for an empty database, else the database's error.
pub async fn partitions(client: &tokio_postgres::Client) -> Result<u16, Error> {
    let found = client.query_typed_opt("SELECT partitions FROM deployment", &[]).await;
    match found {
        Ok(Some(row)) => Ok(row.get::<_, i16>(0).unsigned_abs()),
        Ok(None) => Err(Error::NotMigrated),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Err(Error::NotMigrated),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever edits a shipped migration meets this test: add a new file instead.
    #[test]
    fn shipped_migrations_are_never_edited() {
        let sums: Vec<String> = MIGRATIONS
            .iter()
            .map(|(name, sql)| format!("{name} {:.8}", hex(&Sha256::digest(sql.as_bytes()))))
            .collect();
        let shipped = include_str!("../../migrations/CHECKSUMS");
        assert_eq!(sums, shipped.lines().collect::<Vec<_>>());
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }
}
