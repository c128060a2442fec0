//! The database and its roles: an owner, which `votectl` uses, and for each service a role with the rights that it needs.

use tokio_postgres::{Client, NoTls};

use super::data_dir::DataDir;
use super::error::Error;
use crate::servers::{DATABASE_RIGHTS, PostgresServer, roles_with_passwords};

const DATABASE: &str = "votestream";

/// The role that owns the tables; `votectl` logs in as this role.
pub(super) const OWNER: &str = "votestream";
/// The role of the consumers, which writes votes and tallies.
pub(super) const CONSUMER: &str = "votestream_consumer";
/// The role of the dashboard, which reads tallies.
pub(super) const DASHBOARD: &str = "votestream_dashboard";
/// The role of the host's service, which writes polls.
pub(super) const HOST: &str = "votestream_host";

/// Creates the roles and the database where they are missing, sets the passwords of the roles, and takes away the rights
/// that every role has in a database.
pub(super) async fn prepare(postgres: &PostgresServer, data_dir: &DataDir) -> Result<(), Error> {
    let client = connect(&postgres.url("postgres")).await?;
    let roles = roles_with_passwords(|role| password_of(role, data_dir))?;
    client.batch_execute(&roles).await?;
    let exists =
        client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&DATABASE]).await?;
    if exists.is_none() {
        client.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}")).await?;
    }
    client.batch_execute(DATABASE_RIGHTS).await?;
    connect(&postgres.url(DATABASE)).await?.batch_execute(DATABASE_RIGHTS).await?;
    Ok(())
}

/// Returns the address of the database for this role, with its password.
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
    // The task ends when the client is dropped.
    tokio::spawn(connection);
    Ok(client)
}
