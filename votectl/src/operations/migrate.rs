//! Brings both servers to the state that this release needs.

use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use votestream_schema::{db, keys, projection};
use votestream_service::postgres::Session;
use votestream_service::replay::ReplayRights;

use crate::error::Error;
use crate::servers::{Redis, Servers, supported};

const DATABASE_RIGHTS: &str = include_str!("../../../schema/access/database.sql");
const ONE_AT_A_TIME: &str = "LOCK TABLE schema_migrations IN SHARE UPDATE EXCLUSIVE MODE";

/// The choices of an operator who migrates.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Partitions of the stream, fixed by the first migration; [`keys::PARTITIONS_DEFAULT`] if `None` then.
    pub partitions: Option<u16>,
    /// The Postgres role that gets exactly the rights of the consumer.
    pub grant_consumer: Option<String>,
    /// The Postgres role that gets exactly the rights of the dashboard.
    pub grant_dashboard: Option<String>,
    /// The Postgres role that gets exactly the rights of the host's service.
    pub grant_host: Option<String>,
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
    /// Rights to make something that the granted roles still have, as one phrase for each role.
    #[serde(skip)]
    pub rights_left: Vec<String>,
    /// Why it could not be checked whether Redis keeps ballots when it restarts.
    #[serde(skip)]
    pub unchecked_replay: Option<String>,
}

/// Migrates the database, stores the number of partitions in Redis, and grants the roles their rights.
/// Running it again changes nothing, and any number of runs may overlap.
///
/// # Errors
/// Returns [`Error::RedisTooOld`], [`Error::NotUtf8`], [`Error::OtherDeployment`] if the servers do not belong together,
/// [`Error::LosesBallotsAtRestart`], [`Error::NoSuchRole`], [`Error::Database`] if the history of
/// migrations or the number of partitions differs, else the error of the server that failed.
pub async fn migrate(servers: &Servers, options: &Options) -> Result<Migrated, Error> {
    let mut postgres = servers.postgres().await?;
    supported::check_encoding(&postgres).await?;
    let mut redis = servers.redis_as_is().await?;
    supported::check_redis(&mut redis).await?;
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
    redis.load_functions().await?;
    let granted = grant(&mut postgres, options).await?;
    let rights_left = rights_left(&postgres, &granted).await?;
    let db::Migrated { applied, partitions } = migrated;
    Ok(Migrated { applied, partitions, granted, rights_left, unchecked_replay })
}

/// Refuses a Redis that would lose ballots when it restarts; returns why that could not be checked.
async fn check_replay(redis: &mut Redis) -> Result<Option<String>, Error> {
    match redis.replay_rights().await? {
        ReplayRights::Complete | ReplayRights::NotNeeded => Ok(None),
        ReplayRights::Missing(commands) => Err(Error::LosesBallotsAtRestart(commands)),
        ReplayRights::Unknown(reason) => Ok(Some(reason)),
    }
}

/// Grants each role its rights, and takes away those that every role has in a new database.
async fn grant(postgres: &mut Session, options: &Options) -> Result<Vec<String>, Error> {
    let grants = [
        (&options.grant_consumer, include_str!("../../sql/grant_consumer.sql")),
        (&options.grant_dashboard, include_str!("../../sql/grant_dashboard.sql")),
        (&options.grant_host, include_str!("../../sql/grant_host.sql")),
    ];
    let mut granted = Vec::new();
    let transaction = postgres.begin_long().await?;
    // Two runs that change the same rights at once would collide.
    transaction.batch_execute(ONE_AT_A_TIME).await?;
    for (role, sql) in grants {
        let Some(role) = role else { continue };
        let sql_known = "SELECT FROM pg_roles WHERE rolname = $1";
        let known = transaction.query_typed_opt(sql_known, &[(role, Type::TEXT)]).await?;
        if known.is_none() {
            return Err(Error::NoSuchRole(role.clone()));
        }
        transaction.batch_execute(&sql.replace(":role", &quoted(role))).await?;
        granted.push(role.clone());
    }
    if !granted.is_empty() {
        transaction.batch_execute(DATABASE_RIGHTS).await?;
    }
    transaction.commit().await?;
    Ok(granted)
}

/// Describes the rights that a role needs a superuser to lose: a managed service may not let the owner of the
/// database take them away.
async fn rights_left(postgres: &Client, roles: &[String]) -> Result<Vec<String>, Error> {
    let mut left = Vec::new();
    for role in roles {
        let row = postgres
            .query_typed_one(include_str!("../../sql/rights_left.sql"), &[(role, Type::TEXT)])
            .await?;
        let names = ["temporary tables", "tables", "large objects"];
        let has: Vec<&str> =
            (0..).zip(names).filter(|(at, _)| row.get(*at)).map(|(_, name)| name).collect();
        if !has.is_empty() {
            left.push(format!("`{role}` can make {}", has.join(", ")));
        }
    }
    Ok(left)
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
