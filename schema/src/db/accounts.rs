//! Reads the account of a poll, which consumers take: what became of every ballot that Redis has accepted.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::error::Error;
use crate::PollId;

/// The ballots of one poll that came in until a moment, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The moment, in milliseconds since the epoch.
    pub taken_at_ms: i64,
    /// Ballots that Redis has accepted; `None` once Redis went back to an earlier state, and has lost the count.
    pub accepted: Option<i64>,
    /// Ballots that count.
    pub counted: i64,
    /// Ballots of voters of whom another ballot counts.
    pub replaced: i64,
    /// Ballots that were accepted while the poll was not open.
    pub out_of_time: i64,
    /// Ballots, kept as dead letters, whose voter has no voting code.
    pub no_such_code: i64,
    /// Ballots, kept as other dead letters, that cannot be counted.
    pub dead: i64,
    /// Dead letters that an operator dropped.
    pub dropped: i64,
    /// Ballots that are not counted yet.
    pub waiting: i64,
    /// What is left of `accepted`: above 0, ballots are missing; below 0, there are more than were accepted. `None` if
    /// `accepted` is not known.
    pub unexplained: Option<i64>,
    /// When `unexplained` was first not 0, in milliseconds since the epoch, if it has not been 0 since.
    pub differs_since_ms: Option<i64>,
}

/// Reads the account of a poll; `None` if none has been taken.
///
/// # Errors
/// Returns the database's error.
pub async fn account(client: &Client, poll: PollId) -> Result<Option<Account>, Error> {
    let sql = include_str!("../../sql/account.sql");
    let row = client.query_typed_opt(sql, &[(&poll.0, Type::INT4)]).await?;
    Ok(row.map(|row| Account {
        taken_at_ms: row.get("taken_at_ms"),
        accepted: row.get("accepted"),
        counted: row.get("counted"),
        replaced: row.get("replaced"),
        out_of_time: row.get("out_of_time"),
        no_such_code: row.get("no_such_code"),
        dead: row.get("dead"),
        dropped: row.get("dropped"),
        waiting: row.get("waiting"),
        unexplained: row.get("unexplained"),
        differs_since_ms: row.get("differs_since_ms"),
    }))
}
