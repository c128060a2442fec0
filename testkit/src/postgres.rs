//! Postgres for tests: without fsync, which only a crash of the machine could tell, unless asked.

use std::sync::OnceLock;

use standalone::servers::{PostgresOptions, PostgresServer};
use tokio_postgres::NoTls;

use crate::{folder, unique_name};

/// The address of a new, empty database on this test process's Postgres.
///
/// # Panics
/// If it cannot be made.
pub async fn database() -> String {
    static SHARED: OnceLock<PostgresServer> = OnceLock::new();
    let start = || SHARED.get_or_init(|| start(|_| {}));
    let server = tokio::task::spawn_blocking(start).await.expect("Postgres starts");
    create_database(server).await
}

/// The address of a new, empty database on this server.
///
/// # Panics
/// If it cannot be made.
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

/// A Postgres of the test's own, to be killed, frozen and restarted. Dropping it ends it.
///
/// # Panics
/// If it cannot be started.
pub async fn own_postgres() -> PostgresServer {
    own_postgres_with(|_| {}).await
}

/// The same with other options.
///
/// # Panics
/// If it cannot be started.
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
    // The server's own folder belongs to the user it runs as; its log and pid file do not.
    options.log = folder("postgres-run");
    options.run.clone_from(&options.log);
    change(&mut options);
    PostgresServer::start(options).unwrap_or_else(|error| panic!("{error}"))
}
