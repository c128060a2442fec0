//! The database and its roles: an owner for `votectl`, and one that may just do its work for each
//! service.

use tokio_postgres::{Client, NoTls};

use super::{DataDir, Error};
use crate::servers::{PostgresServer, roles_with_passwords};

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
    let roles = roles_with_passwords(|role| password_of(role, data_dir))?;
    client.batch_execute(&roles).await?;
    let exists =
        client.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&DATABASE]).await?;
    if exists.is_none() {
        client.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}")).await?;
    }
    Ok(())
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
