//! One reading from Postgres, bounded in time.
//!
//! Invariant: a session that still owes an answer is not used again: who came next would wait for
//! that answer first.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_postgres::Client;
use votestream_schema::db;
use votestream_service::postgres::{Pool, describe_checkout};

const TOO_LATE: &str = "postgres did not answer in time";

/// What `work` reads with a session of the pool, connecting included.
///
/// # Errors
/// Why there is nothing, in the server's words where there are any.
pub(crate) async fn read<T>(
    pool: &Pool,
    within: Duration,
    work: impl AsyncFnOnce(&Client) -> Result<T, db::Error>,
) -> Result<T, String> {
    let deadline = Instant::now() + within;
    let session = timeout_at(deadline, pool.get()).await.map_err(|_| TOO_LATE)?;
    let mut session = session.map_err(describe_checkout)?;
    let Ok(outcome) = timeout_at(deadline, work(&session)).await else {
        session.give_up();
        return Err(TOO_LATE.to_owned());
    };
    outcome.map_err(|error| {
        if let db::Error::Postgres(error) = &error {
            session.judge(error);
        }
        error.to_string()
    })
}
