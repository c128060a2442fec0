//! How far the streams have come, as far as anybody has seen, and those that went back.
//!
//! Invariant: a position is compared with one that was stored before it was measured, so a slow reader never takes
//! its own old measurement for a loss.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::error::Error;
use crate::EntryId;
use crate::position::Position;

/// A stream that went back, and that no operator has taken note of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Regression {
    /// The partition of the stream.
    pub partition: i16,
    /// When it was found, in milliseconds since the Unix epoch.
    pub found_at_ms: i64,
    /// The last entry ID before, as `ms-seq`.
    pub last_before: String,
    /// The last entry ID after.
    pub last_after: String,
    /// Entries ever added, before.
    pub added_before: i64,
    /// Entries ever added, after.
    pub added_after: i64,
}

/// The furthest position stored of each partition.
///
/// # Errors
/// Returns the database's error.
pub async fn seen(client: &Client) -> Result<BTreeMap<u16, Position>, Error> {
    let sql = "SELECT partition, last_ms, last_seq, added FROM stream_positions";
    let rows = client.query_typed(sql, &[]).await?;
    let position = |row: &tokio_postgres::Row| {
        let last = EntryId { ms: row.get(1), seq: row.get(2) };
        (row.get::<_, i16>(0).unsigned_abs(), Position { last, added: row.get(3) })
    };
    Ok(rows.iter().map(position).collect())
}

/// Stores the positions `now`, which were measured after `before` was read with [`seen`], and remembers those that
/// went back. Gives their partitions.
///
/// # Errors
/// Returns the database's error; nothing is stored then.
pub async fn advance(
    client: &Client,
    before: &BTreeMap<u16, Position>,
    now: &BTreeMap<u16, Position>,
    now_ms: i64,
) -> Result<Vec<u16>, Error> {
    let moved: Vec<_> = now
        .iter()
        .map(|(partition, position)| (*partition, *position, before.get(partition).copied()))
        .filter(|(_, position, before)| *before != Some(*position))
        .collect();
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    let partitions: Vec<i16> = moved.iter().map(|(partition, ..)| *partition as i16).collect();
    let of = |number: fn(&Position) -> i64| -> Vec<i64> {
        moved.iter().map(|(_, now, _)| number(now)).collect()
    };
    let from = |number: fn(&Position) -> i64| -> Vec<Option<i64>> {
        moved.iter().map(|(_, _, before)| before.as_ref().map(number)).collect()
    };
    let ms = |position: &Position| position.last.ms;
    let seq = |position: &Position| position.last.seq;
    let added = |position: &Position| position.added;
    let rows = client
        .query_typed(
            include_str!("../../sql/position_advance.sql"),
            &[
                (&partitions, Type::INT2_ARRAY),
                (&of(ms), Type::INT8_ARRAY),
                (&of(seq), Type::INT8_ARRAY),
                (&of(added), Type::INT8_ARRAY),
                (&from(ms), Type::INT8_ARRAY),
                (&from(seq), Type::INT8_ARRAY),
                (&from(added), Type::INT8_ARRAY),
                (&now_ms, Type::INT8),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get::<_, i16>(0).unsigned_abs()).collect())
}

/// The regressions that no operator has taken note of, oldest first.
///
/// # Errors
/// Returns the database's error.
pub async fn regressions(client: &Client) -> Result<Vec<Regression>, Error> {
    let sql = "SELECT partition, found_at_ms, from_ms, from_seq, to_ms, to_seq, from_added, to_added \
               FROM stream_regressions WHERE acknowledged_at_ms IS NULL ORDER BY found_at_ms, partition";
    let rows = client.query_typed(sql, &[]).await?;
    let regression = |row: &tokio_postgres::Row| {
        let id = |ms, seq| EntryId { ms: row.get(ms), seq: row.get(seq) }.to_string();
        Regression {
            partition: row.get(0),
            found_at_ms: row.get(1),
            last_before: id(2, 3),
            last_after: id(4, 5),
            added_before: row.get(6),
            added_after: row.get(7),
        }
    };
    Ok(rows.iter().map(regression).collect())
}

/// Takes note of all regressions, so that they no longer fail the audit. Gives how many there were.
///
/// # Errors
/// Returns the database's error.
pub async fn acknowledge_regressions(client: &Client, now_ms: i64) -> Result<u64, Error> {
    let sql =
        "UPDATE stream_regressions SET acknowledged_at_ms = $1 WHERE acknowledged_at_ms IS NULL";
    Ok(client.execute_typed(sql, &[(&now_ms, Type::INT8)]).await?)
}
