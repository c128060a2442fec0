//! Connections of the harness itself to Postgres and Redis, which bypass all proxies.

use std::time::Duration;

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use tokio_postgres::{Client, NoTls};

const POSTGRES_CONNECTS_WITHIN: Duration = Duration::from_secs(5);
const REDIS_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Opens a session of Postgres. The session ends when the client is dropped.
///
/// # Errors
/// Returns an error if Postgres refuses, or does not answer within five seconds.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let connecting = tokio_postgres::connect(url, NoTls);
    let connecting = tokio::time::timeout(POSTGRES_CONNECTS_WITHIN, connecting).await;
    let (client, connection) = connecting.context("postgres does not answer within 5 s")??;
    tokio::spawn(connection);
    Ok(client)
}

/// Opens a connection to Redis that waits at most two seconds for each reply.
///
/// # Errors
/// Returns an error if Redis refuses, or does not answer within two seconds.
pub(crate) async fn redis_connection(url: &str) -> anyhow::Result<MultiplexedConnection> {
    let client = redis::Client::open(url)?;
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_ANSWERS_WITHIN))
        .set_response_timeout(Some(REDIS_ANSWERS_WITHIN));
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}
