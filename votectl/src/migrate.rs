//! `votectl migrate`: brings both servers to what this release needs.

use serde::Serialize;
use tokio_postgres::Client;
use votestream_schema::{db, keys, projection};

use crate::failure::Failure;
use crate::output::Output;
use crate::servers::Servers;

const EXAMPLES: &str = "Examples:
  votectl migrate
  votectl migrate --partitions 16 --grant-consumer votes_consumer --grant-dashboard votes_dashboard";

/// Brings the database to this release's schema, and fixes the number of partitions the first time
///
/// Running it again changes nothing; any number may run at once.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Partitions of the stream; cannot be changed later [default at first: 4]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(keys::PARTITIONS_MAX)))]
    partitions: Option<u16>,
    /// Lets this Postgres role do what the consumer does, and no more
    #[arg(long, value_name = "ROLE")]
    grant_consumer: Option<String>,
    /// Lets this Postgres role do what the dashboard does, and no more
    #[arg(long, value_name = "ROLE")]
    grant_dashboard: Option<String>,
}

#[derive(Serialize)]
struct Done {
    applied: Vec<&'static str>,
    partitions: u16,
    granted: Vec<String>,
}

/// Runs the subcommand.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let mut postgres = servers.postgres().await?;
    let mut redis = servers.redis_as_is().await?;
    // Redis is asked first: a wrong pair of servers is noticed before anything is written.
    let wanted = match db::partitions(&postgres).await {
        Err(db::Error::NotMigrated) => args.partitions.unwrap_or(keys::PARTITIONS_DEFAULT),
        deployed => deployed?,
    };
    redis.check_partitions(wanted).await?;
    redis.partitions = wanted;
    redis.check_replay().await?;
    let migrated = db::migrate(&mut postgres, args.partitions).await?;
    let setup = projection::partitions(&redis.keys, migrated.partitions);
    redis.send::<()>(&setup).await?;
    redis.check_partitions(migrated.partitions).await?;
    let granted = grant(&postgres, args).await?;
    let done = Done { applied: migrated.applied, partitions: migrated.partitions, granted };
    output.print(&done, || describe(&done))
}

async fn grant(postgres: &Client, args: &Args) -> Result<Vec<String>, Failure> {
    let grants = [
        (&args.grant_consumer, include_str!("../sql/grant_consumer.sql")),
        (&args.grant_dashboard, include_str!("../sql/grant_dashboard.sql")),
    ];
    let mut granted = Vec::new();
    for (role, sql) in grants {
        let Some(role) = role else { continue };
        let known = postgres.query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[role]).await?;
        if known.is_none() {
            return Err(Failure::refused(format!(
                "postgres has no role `{role}`; create it first: CREATE ROLE … LOGIN PASSWORD …"
            )));
        }
        postgres.batch_execute(&sql.replace(":role", &quoted(role))).await?;
        granted.push(role.clone());
    }
    Ok(granted)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn describe(done: &Done) -> String {
    let mut text = match done.applied.as_slice() {
        [] => "the database is up to date".to_owned(),
        applied => format!("applied {}", applied.join(", ")),
    };
    text.push_str(&format!("; {} partitions", done.partitions));
    for role in &done.granted {
        text.push_str(&format!("\ngranted `{role}` what its service needs"));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn role_names_cannot_smuggle_sql() {
        assert_eq!(super::quoted("a\"; DROP TABLE votes --"), "\"a\"\"; DROP TABLE votes --\"");
    }
}
