//! One read from Postgres with an upper bound on its time.
//!
//! Invariant: a session that still owes an answer is never lent again. This holds when the read times out, and also when
//! the caller drops the read, as happens when a client disconnects. Otherwise the next borrower would wait for the old
//! answer first.

use std::ops::DerefMut;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use votestream_schema::db;
use votestream_service::postgres::{Pool, Session, describe_checkout};

/// A read from Postgres failed; the text names the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Connecting and reading together took longer than the caller allows.
    #[error("postgres did not answer within {0:?}")]
    Timeout(Duration),
    /// The pool had no session to give.
    #[error("cannot get a postgres session: {0}")]
    Checkout(String),
    /// The query failed, or the database holds data that this version cannot read.
    #[error(transparent)]
    Database(#[from] db::Error),
}

impl ReadError {
    /// Returns whether the session was closed before the server answered, for instance because it had been idle. Then the
    /// read may be repeated at once.
    pub(crate) fn is_ended_session(&self) -> bool {
        let Self::Database(db::Error::Postgres(error)) = self else { return false };
        let is_io = |source: &(dyn std::error::Error + 'static)| source.is::<std::io::Error>();
        error.is_closed()
            || error.code() == Some(&SqlState::IDLE_SESSION_TIMEOUT)
            || std::error::Error::source(error).is_some_and(is_io)
    }
}

/// Runs `work` in a transaction that only reads, with a session of the pool, within `time_limit` including the time to connect.
///
/// # Errors
/// Returns [`ReadError::Timeout`] when time runs out, else the error of connecting or of `work`.
pub(crate) async fn read<T>(
    pool: &Pool,
    time_limit: Duration,
    work: impl AsyncFnOnce(&Client) -> Result<T, db::Error>,
) -> Result<T, ReadError> {
    let timed_out = |_| ReadError::Timeout(time_limit);
    let deadline = Instant::now() + time_limit;
    let session = timeout_at(deadline, pool.get()).await.map_err(timed_out)?;
    let session = session.map_err(|error| ReadError::Checkout(describe_checkout(error)))?;
    let mut guard = SessionGuard { session, answered: false };
    let reading = async {
        let transaction = guard.session.begin().await?;
        let read = work(&transaction).await?;
        transaction.commit().await?;
        Ok(read)
    };
    let outcome = timeout_at(deadline, reading).await.map_err(timed_out)?;
    guard.answered = true;
    outcome.map_err(|error| {
        if let db::Error::Postgres(error) = &error {
            guard.session.judge(error);
        }
        error.into()
    })
}

/// Reads, and once more if the session was closed because it was idle: that costs nobody an answer.
///
/// # Errors
/// Returns the error of the last attempt.
pub(crate) async fn twice<T, F>(once: impl Fn() -> F) -> Result<T, ReadError>
where
    F: Future<Output = Result<T, ReadError>>,
{
    match once().await {
        Err(error) if error.is_ended_session() => once().await,
        outcome => outcome,
    }
}

/// Discards its session when dropped, unless the server has answered.
struct SessionGuard<S: DerefMut<Target = Session>> {
    session: S,
    answered: bool,
}

impl<S: DerefMut<Target = Session>> Drop for SessionGuard<S> {
    fn drop(&mut self) {
        if !self.answered {
            self.session.give_up();
        }
    }
}
