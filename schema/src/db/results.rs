//! Reads results for an operator, whatever a poll's visibility.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::error::Error;
use crate::PollId;
use crate::tally::Tally;

/// Reads a poll's tally; all numbers are 0 for a poll that has none.
///
/// # Errors
/// Returns the database's error.
pub async fn tally(client: &Client, poll: PollId) -> Result<Tally, Error> {
    let row = client
        .query_typed_opt(include_str!("../../sql/results.sql"), &[(&poll.0, Type::INT4)])
        .await?;
    Ok(row.map_or_else(Tally::default, |row| Tally {
        version: row.get("version"),
        voters: row.get("voters"),
        votes: row.get("votes"),
    }))
}

/// Reads the people counted in each second, as `(Unix time in seconds, people)`, ascending. Seconds without
/// any are left out.
///
/// # Errors
/// Returns the database's error.
pub async fn series(client: &Client, poll: PollId) -> Result<Vec<(i64, i64)>, Error> {
    let sql = "SELECT second, votes FROM series WHERE poll_id = $1 AND votes <> 0 ORDER BY second";
    let rows = client.query_typed(sql, &[(&poll.0, Type::INT4)]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
