//! How far counting has come, as consumers have stored it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::error::Error;
use crate::PollId;
use crate::watermark::StreamState;

/// How far counting has come for one poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Every ballot that came in before this time is settled: counted, set aside or a dead letter. In milliseconds since
    /// the epoch; `None` if it is not known.
    pub complete_to_ms: Option<i64>,
    /// Ballots of the poll that were accepted and are not settled; `None` if that is not known.
    pub waiting: Option<i64>,
}

/// Reads how far counting has come for a poll.
///
/// # Errors
/// Returns the database's error.
pub async fn progress(client: &Client, poll: PollId) -> Result<Progress, Error> {
    let sql = include_str!("../../sql/progress.sql");
    let rows = client.query_typed(sql, &[(&poll.0, Type::INT4)]).await?;
    Ok(rows.first().map_or_else(Progress::default, |row| Progress {
        complete_to_ms: row.get(0),
        waiting: row.get(1),
    }))
}

/// Moves the watermarks of these partitions forward, and never back. One whose position is not the stored one was measured
/// before or after a change that somebody else has stored, so it stays. All stay while a loss is recorded of which
/// nobody has taken note.
///
/// # Errors
/// Returns the database's error; nothing is stored then.
pub async fn advance(client: &Client, streams: &BTreeMap<u16, StreamState>) -> Result<(), Error> {
    let partitions: Vec<i16> = streams.keys().map(|partition| *partition as i16).collect();
    let of =
        |number: fn(&StreamState) -> i64| -> Vec<i64> { streams.values().map(number).collect() };
    client
        .query_typed(
            include_str!("../../sql/watermark_advance.sql"),
            &[
                (&partitions, Type::INT2_ARRAY),
                (&of(StreamState::complete_to_ms), Type::INT8_ARRAY),
                (&of(|stream| stream.position.last.ms), Type::INT8_ARRAY),
                (&of(|stream| stream.position.last.seq), Type::INT8_ARRAY),
                (&of(|stream| stream.position.added), Type::INT8_ARRAY),
            ],
        )
        .await?;
    Ok(())
}

/// Stores how many ballots wait, by poll; `None` if that is not known. Returns the new generation ([`super::epoch`]).
///
/// # Errors
/// Returns the database's error.
pub async fn store_waiting(
    client: &Client,
    by_poll: Option<&HashMap<PollId, i64>>,
) -> Result<i64, Error> {
    let json = by_poll.map(|by_poll| {
        let by_poll: BTreeMap<String, i64> =
            by_poll.iter().map(|(poll, ballots)| (poll.to_string(), *ballots)).collect();
        serde_json::to_string(&by_poll).expect("a map of numbers always serialises")
    });
    let sql = include_str!("../../sql/store_waiting.sql");
    let rows = client.query_typed(sql, &[(&json, Type::TEXT)]).await?;
    Ok(rows.first().map_or(0, |row| row.get(0)))
}
