//! Brings both servers to the state that this release needs.

use serde::Serialize;
use tokio_postgres::Client;
use votestream_schema::{db, keys, projection};
use votestream_service::replay::ReplayRights;

use crate::error::Error;
use crate::servers::{Redis, Servers};

/// The choices of an operator who migrates.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Partitions of the stream, fixed by the first migration; [`keys::PARTITIONS_DEFAULT`] if `None` then.
    pub partitions: Option<u16>,
    /// The Postgres role that gets exactly the rights of the consumer.
    pub grant_consumer: Option<String>,
    /// The Postgres role that gets exactly the rights of the dashboard.
    pub grant_dashboard: Option<String>,
}

/// The state after a migration.
#[derive(Debug, Serialize)]
pub struct Migrated {
    /// The migrations that were missing, in their order.
    pub applied: Vec<&'static str>,
    /// The deployment's number of partitions.
    pub partitions: u16,
    /// The roles that were granted their rights.
    pub granted: Vec<String>,
    /// Why it could not be checked whether Redis keeps ballots when it restarts.
    #[serde(skip)]
    pub unchecked_replay: Option<String>,
}

/// Migrates the database, stores the number of partitions in Redis, and grants the roles their rights.
/// Running it again changes nothing, and any number of runs may overlap.
///
/// # Errors
/// Returns [`Error::OtherDeployment`] if the servers do not belong together,
/// [`Error::LosesBallotsAtRestart`], [`Error::NoSuchRole`], [`Error::Database`] if the history of
/// migrations or the number of partitions differs, else the error of the server that failed.
pub async fn migrate(servers: &Servers, options: &Options) -> Result<Migrated, Error> {
    let mut postgres = servers.postgres().await?;
    let mut redis = servers.redis_as_is().await?;
    // Redis is asked first: a wrong pair of servers is noticed before anything is written.
    let wanted = match db::partitions(&postgres).await {
        Err(db::Error::NotMigrated) => options.partitions.unwrap_or(keys::PARTITIONS_DEFAULT),
        deployed => deployed?,
    };
    redis.check_partitions(wanted).await?;
    redis.partitions = wanted;
    let unchecked_replay = check_replay(&mut redis).await?;

    let migrated = db::migrate(&mut postgres, options.partitions).await?;
    let setup = projection::partitions(&redis.keys, migrated.partitions);
    redis.send::<()>(&setup).await?;
    // Another run may have stored another number meanwhile.
    redis.check_partitions(migrated.partitions).await?;
    let granted = grant(&postgres, options).await?;
    let db::Migrated { applied, partitions } = migrated;
    Ok(Migrated { applied, partitions, granted, unchecked_replay })
}

/// Refuses a Redis that would lose ballots when it restarts; returns why that could not be checked.
async fn check_replay(redis: &mut Redis) -> Result<Option<String>, Error> {
    match redis.replay_rights().await? {
        ReplayRights::Complete | ReplayRights::NotNeeded => Ok(None),
        ReplayRights::Missing(commands) => Err(Error::LosesBallotsAtRestart(commands)),
        ReplayRights::Unknown(reason) => Ok(Some(reason)),
    }
}

async fn grant(postgres: &Client, options: &Options) -> Result<Vec<String>, Error> {
    let grants = [
        (&options.grant_consumer, include_str!("../../sql/grant_consumer.sql")),
        (&options.grant_dashboard, include_str!("../../sql/grant_dashboard.sql")),
    ];
    let mut granted = Vec::new();
    for (role, sql) in grants {
        let Some(role) = role else { continue };
        let known = postgres.query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[role]).await?;
        if known.is_none() {
            return Err(Error::NoSuchRole(role.clone()));
        }
        postgres.batch_execute(&sql.replace(":role", &quoted(role))).await?;
        granted.push(role.clone());
    }
    Ok(granted)
}

/// A name as an SQL identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn role_names_cannot_smuggle_sql() {
        assert_eq!(super::quoted("a\"; DROP TABLE votes --"), "\"a\"\"; DROP TABLE votes --\"");
    }
}
