//! One reading from Postgres, bounded in time.
//!
//! Invariant: a session that still owes an answer is not used again, whether time ran out or whoever asked
//! went away: who came next would wait for that answer first.

use std::ops::DerefMut;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_postgres::Client;
use votestream_schema::db;
use votestream_service::postgres::{Pool, Session, describe_checkout};

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
    let mut session = Owing { session: session.map_err(describe_checkout)?, answered: false };
    let outcome = timeout_at(deadline, work(&session.session)).await.map_err(|_| TOO_LATE)?;
    session.answered = true;
    outcome.map_err(|error| {
        if let db::Error::Postgres(error) = &error {
            session.session.judge(error);
        }
        error.to_string()
    })
}

/// A session that is given up unless it has answered.
struct Owing<S: DerefMut<Target = Session>> {
    session: S,
    answered: bool,
}

impl<S: DerefMut<Target = Session>> Drop for Owing<S> {
    fn drop(&mut self) {
        if !self.answered {
            self.session.give_up();
        }
    }
}
