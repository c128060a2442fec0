//! The database and its roles: an owner for `votectl`, and one that may just do its work for each
//! service.

use tokio_postgres::{Client, NoTls};

use super::{DataDir, Error};
use crate::servers::PostgresServer;

const DATABASE: &str = "votestream";

/// Who owns the tables; `votectl` is this role.
pub(super) const OWNER: &str = "votestream";
/// Writes votes and tallies.
pub(super) const CONSUMER: &str = "votestream_consumer";
/// Reads tallies.
pub(super) const DASHBOARD: &str = "votestream_dashboard";

/// Makes roles and database where they are missing, and sets the roles' passwords.
pub(super) async fn prepare(postgres: &PostgresServer, data_dir: &DataDir) -> Result<(), Error> {
    let client = connect(&postgres.url("postgres")).await?;
    for role in [OWNER, CONSUMER, DASHBOARD] {
        let exists = client.query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[&role]).await?;
        let verb = if exists.is_some() { "ALTER" } else { "CREATE" };
        // The secret is made of hexadecimal digits and needs no escaping.
        let password = password_of(role, data_dir)?;
        client.batch_execute(&format!("{verb} ROLE {role} LOGIN PASSWORD '{password}'")).await?;
    }
    let read_only = format!("ALTER ROLE {DASHBOARD} SET default_transaction_read_only = on");
    client.batch_execute(&read_only).await?;
    let exists =
        client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&DATABASE]).await?;
    if exists.is_none() {
        client.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}")).await?;
    }
    Ok(())
}

/// Grants each role what its service needs; to be called once the tables exist.
pub(super) async fn grant(postgres: &PostgresServer, data_dir: &DataDir) -> Result<(), Error> {
    let client = connect(&url_of(OWNER, postgres, data_dir)?).await?;
    Ok(client.batch_execute(include_str!("roles.sql")).await?)
}

/// The address of the database for this role.
pub(super) fn url_of(
    role: &str,
    postgres: &PostgresServer,
    data_dir: &DataDir,
) -> Result<String, Error> {
    Ok(postgres.url_for(role, &password_of(role, data_dir)?, DATABASE))
}

fn password_of(role: &str, data_dir: &DataDir) -> Result<String, Error> {
    data_dir.secret(&format!("postgres-{role}"))
}

async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Ends with the client.
    tokio::spawn(connection);
    Ok(client)
}
