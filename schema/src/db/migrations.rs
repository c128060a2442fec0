//! Brings the database to the schema of this program.
//!
//! Migrations are append-only. Each runs in a transaction of its own, under an advisory lock, so that any
//! number of replicas may try at once. Rule for authors: expand first and contract a release later, so that
//! the services of the previous release work on the new schema.

use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use super::error::Error;
use crate::keys::PARTITIONS_DEFAULT;

/// Every migration that was ever shipped, in order. Its number is its position, from 1.
const MIGRATIONS: &[(&str, &str)] = &[
    ("polls_and_votes", include_str!("../../migrations/0001_polls_and_votes.sql")),
    ("stream_positions", include_str!("../../migrations/0002_stream_positions.sql")),
    ("code_hashes", include_str!("../../migrations/0003_code_hashes.sql")),
    ("watermarks", include_str!("../../migrations/0004_watermarks.sql")),
];

/// The key of the advisory lock: any number, the same in every release.
const ADVISORY_LOCK: i64 = 0x766f_7465_7374_7265;

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
    client.execute("SELECT pg_advisory_lock($1)", &[&ADVISORY_LOCK]).await?;
    let outcome = migrate_locked(client, partitions).await;
    client.execute("SELECT pg_advisory_unlock($1)", &[&ADVISORY_LOCK]).await?;
    outcome
}

async fn migrate_locked(client: &mut Client, asked: Option<u16>) -> Result<Migrated, Error> {
    client.batch_execute(include_str!("../../sql/schema_migrations.sql")).await?;
    let mut applied = Vec::new();
    for (version, (name, sql)) in (1..).zip(MIGRATIONS) {
        if apply(client, version, name, sql).await? {
            applied.push(*name);
        }
    }
    let wanted = i16::try_from(asked.unwrap_or(PARTITIONS_DEFAULT)).unwrap_or(i16::MAX);
    client
        .execute(
            "INSERT INTO deployment (partitions) VALUES ($1) ON CONFLICT DO NOTHING",
            &[&wanted],
        )
        .await?;
    let deployed = partitions(client).await?;
    match asked {
        Some(asked) if asked != deployed => Err(Error::PartitionsFixed { deployed, asked }),
        _ => Ok(Migrated { applied, partitions: deployed }),
    }
}

/// Applies one migration; returns false if it was applied before.
async fn apply(client: &mut Client, version: i32, name: &str, sql: &str) -> Result<bool, Error> {
    let checksum = Sha256::digest(sql.as_bytes()).to_vec();
    let transaction = client.transaction().await?;
    let known = transaction
        .query_opt("SELECT checksum FROM schema_migrations WHERE version = $1", &[&version])
        .await?;
    if let Some(row) = known {
        return match row.get::<_, Vec<u8>>(0) == checksum {
            true => Ok(false),
            false => Err(Error::MigrationChanged { version }),
        };
    }
    transaction.batch_execute(sql).await?;
    transaction
        .execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            &[&version, &name, &checksum],
        )
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Reads the deployment's number of partitions.
///
/// # Errors
/// Returns [`Error::NotMigrated`] for an empty database, else the database's error.
pub async fn partitions(client: &impl tokio_postgres::GenericClient) -> Result<u16, Error> {
    let found = client.query_opt("SELECT partitions FROM deployment", &[]).await;
    match found {
        Ok(Some(row)) => Ok(row.get::<_, i16>(0).unsigned_abs()),
        Ok(None) => Err(Error::NotMigrated),
        Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_TABLE) => {
            Err(Error::NotMigrated)
        }
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
