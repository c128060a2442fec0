//! Postgres for tests. It runs without fsync unless a test asks for it: only a crash of the whole machine would lose
//! data by that.

use std::sync::OnceLock;

use standalone::servers::{PostgresOptions, PostgresServer};
use tokio_postgres::NoTls;

use crate::{folder, unique_name};

/// Creates an empty database on the Postgres that all tests of this process share, and returns its address.
///
/// # Panics
/// Panics if Postgres does not start or the database cannot be created.
pub async fn database() -> String {
    static SHARED: OnceLock<PostgresServer> = OnceLock::new();
    let start = || SHARED.get_or_init(|| start(|_| {}));
    let server = tokio::task::spawn_blocking(start).await.expect("Postgres starts");
    create_database(server).await
}

/// Creates an empty database on this server and returns its address, with the superuser's password.
///
/// # Panics
/// Panics if the server does not answer or refuses.
pub async fn create_database(server: &PostgresServer) -> String {
    let (client, connection) =
        tokio_postgres::connect(&server.url("postgres"), NoTls).await.expect("Postgres answers");
    let connection = tokio::spawn(connection);
    let name = unique_name();
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database is made");
    drop(client);
    let _ = connection.await;
    server.url(&name)
}

/// Starts a Postgres that only this test uses, and may kill, freeze and restart. Dropping the value ends the server.
///
/// # Panics
/// Panics if the server does not start.
pub async fn own_postgres() -> PostgresServer {
    own_postgres_with(|_| {}).await
}

/// Starts a Postgres as [`own_postgres`] does, with options that `change` has changed.
///
/// # Panics
/// Panics if the server does not start.
pub async fn own_postgres_with(
    change: impl FnOnce(&mut PostgresOptions) + Send + 'static,
) -> PostgresServer {
    tokio::task::spawn_blocking(|| start(change)).await.expect("Postgres starts")
}

fn start(change: impl FnOnce(&mut PostgresOptions)) -> PostgresServer {
    let mut options = PostgresOptions::new("postgres", folder("postgres"), "test-password");
    options.fsync = false;
    options.settings = vec![
        ("max_connections".to_owned(), "400".to_owned()),
        ("shared_buffers".to_owned(), "64MB".to_owned()),
    ];
    // The data folder belongs to the user that Postgres runs as. The log and the pid file are ours, so they need
    // another folder.
    options.log = folder("postgres-run");
    options.run.clone_from(&options.log);
    change(&mut options);
    PostgresServer::start(options).unwrap_or_else(|error| panic!("{error}"))
}
