//! Reads the public log of a poll, to which consumers append: checkpoints, tiles, bundles of entries, and the public keys.
//!
//! The forms of all of them are those of the crate `transparency`; here they are bytes and texts.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::error::Error;
use crate::PollId;

/// A signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The number of entries that it covers.
    pub size: u64,
    /// The root hash over them, 32 bytes.
    pub root: Vec<u8>,
    /// When it was signed, in milliseconds since the epoch.
    pub at_ms: i64,
    /// The signed note, with the signatures of witnesses below it.
    pub note: String,
}

/// Reads the signed checkpoint of this size, or the newest one. `None` if there is none.
///
/// # Errors
/// Returns the database's error.
pub async fn checkpoint(
    client: &Client,
    poll: PollId,
    size: Option<u64>,
) -> Result<Option<StoredCheckpoint>, Error> {
    read_checkpoint(client, poll, size, false).await
}

/// Reads the newest checkpoint that a witness has signed. `None` if there is none.
///
/// # Errors
/// Returns the database's error.
pub async fn cosigned(client: &Client, poll: PollId) -> Result<Option<StoredCheckpoint>, Error> {
    read_checkpoint(client, poll, None, true).await
}

async fn read_checkpoint(
    client: &Client,
    poll: PollId,
    size: Option<u64>,
    cosigned: bool,
) -> Result<Option<StoredCheckpoint>, Error> {
    let sql = include_str!("../../sql/log/checkpoint.sql");
    let size = size.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
    let parameters =
        [(&poll.0 as _, Type::INT4), (&size as _, Type::INT8), (&cosigned as _, Type::BOOL)];
    let row = client.query_typed_opt(sql, &parameters).await?;
    Ok(row.map(|row| StoredCheckpoint {
        size: row.get::<_, i64>("size").unsigned_abs(),
        root: row.get("root"),
        at_ms: row.get("at_ms"),
        note: row.get("note"),
    }))
}

/// Reads the public keys of the deployment, the one that signs first.
///
/// # Errors
/// Returns the database's error.
pub async fn keys(client: &Client) -> Result<Vec<String>, Error> {
    let rows = client.query_typed(include_str!("../../sql/log/keys.sql"), &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Reads the hashes of a tile; empty if it does not exist.
///
/// # Errors
/// Returns the database's error.
pub async fn tile(client: &Client, poll: PollId, level: u8, index: u64) -> Result<Vec<u8>, Error> {
    let sql = "SELECT hashes FROM log_tiles WHERE poll_id = $1 AND level = $2 AND index = $3";
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    let parameters = [
        (&poll.0 as _, Type::INT4),
        (&i16::from(level) as _, Type::INT2),
        (&index as _, Type::INT8),
    ];
    let row = client.query_typed_opt(sql, &parameters).await?;
    Ok(row.map(|row| row.get(0)).unwrap_or_default())
}

/// Reads the entries of a bundle, each behind its length; empty if it does not exist.
///
/// # Errors
/// Returns the database's error.
pub async fn bundle(client: &Client, poll: PollId, index: u64) -> Result<Vec<u8>, Error> {
    let sql = "SELECT entries FROM log_bundles WHERE poll_id = $1 AND index = $2";
    let index = i64::try_from(index).unwrap_or(i64::MAX);
    let row = client.query_typed_opt(sql, &[(&poll.0, Type::INT4), (&index, Type::INT8)]).await?;
    Ok(row.map(|row| row.get(0)).unwrap_or_default())
}

/// Reads bundles from this one on, at most so many, with their numbers.
///
/// # Errors
/// Returns the database's error.
pub async fn bundles_from(
    client: &Client,
    poll: PollId,
    first: u64,
    bundles_max: i64,
) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let sql = "SELECT index, entries FROM log_bundles WHERE poll_id = $1 AND index >= $2 ORDER BY index LIMIT $3";
    let first = i64::try_from(first).unwrap_or(i64::MAX);
    let parameters =
        [(&poll.0 as _, Type::INT4), (&first as _, Type::INT8), (&bundles_max as _, Type::INT8)];
    let rows = client.query_typed(sql, &parameters).await?;
    Ok(rows.iter().map(|row: &Row| (row.get::<_, i64>(0).unsigned_abs(), row.get(1))).collect())
}

/// Reads the bundles whose entries name a stream entry (`3-1700000000000-0`) of this time, in milliseconds since the epoch. Returns
/// their numbers and contents, in the order of the log, and at most `bundles_max` of them.
///
/// # Errors
/// Returns the database's error.
pub async fn bundles_with(
    client: &Client,
    poll: PollId,
    at_ms: i64,
    entry: &str,
    bundles_max: i64,
) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let sql = include_str!("../../sql/log/entries_of.sql");
    // Blanks stand around it in a line.
    let wanted = format!(" {entry} ").into_bytes();
    let parameters = [
        (&poll.0 as _, Type::INT4),
        (&at_ms as _, Type::INT8),
        (&wanted as _, Type::BYTEA),
        (&bundles_max as _, Type::INT8),
    ];
    let rows = client.query_typed(sql, &parameters).await?;
    let bundle = |row: &Row| (row.get::<_, i64>(0).unsigned_abs(), row.get(1));
    Ok(rows.iter().map(bundle).collect())
}
