//! The epoch and the generation in Postgres; see [`crate::projection::epoch`].

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::error::Error;
use crate::projection::epoch::{Mismatch, Stamp};

/// Reads the stamp of Postgres.
///
/// # Errors
/// Returns the database's error.
pub async fn of_postgres(client: &Client) -> Result<Stamp, Error> {
    let sql = "SELECT epoch, coalesce((SELECT generation FROM waiting), 0) FROM deployment";
    let rows = client.query_typed(sql, &[]).await?;
    Ok(rows
        .first()
        .map_or_else(Stamp::default, |row| Stamp { epoch: row.get(0), generation: row.get(1) }))
}

/// Notes in Postgres why the servers are not of the same time, for those who do not know Redis. The next measurement of a
/// consumer that finds them to be, or [`renew`], removes it.
///
/// # Errors
/// Returns the database's error.
pub async fn note(client: &Client, mismatch: Mismatch) -> Result<(), Error> {
    let sql = "INSERT INTO waiting AS w (measured_at, mismatch) VALUES ('-infinity', $1) \
               ON CONFLICT (singleton) DO UPDATE SET mismatch = $1 WHERE w.mismatch IS DISTINCT FROM $1";
    client.query_typed(sql, &[(&mismatch.to_string(), Type::TEXT)]).await?;
    Ok(())
}

/// Gives Postgres a new epoch, and a generation that is at least this. Returns its stamp.
///
/// # Errors
/// Returns the database's error.
pub async fn renew(client: &Client, generation: i64) -> Result<Stamp, Error> {
    client.query_typed("UPDATE deployment SET epoch = gen_random_uuid()", &[]).await?;
    let raise = "INSERT INTO waiting AS w (measured_at, generation) VALUES ('-infinity', $1) \
                 ON CONFLICT (singleton) DO UPDATE \
                 SET generation = greatest(w.generation, excluded.generation), mismatch = NULL";
    client.query_typed(raise, &[(&generation, Type::INT8)]).await?;
    of_postgres(client).await
}
