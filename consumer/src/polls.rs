//! The poll definitions, cached from Postgres.
//!
//! Invariant: the cache only ever holds complete results of one query. A failed reload leaves the last one in place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use votestream_schema::{Poll, PollId, db};
use votestream_service::metric::UNKNOWN;
use votestream_service::postgres::{Pool, describe_checkout};

use crate::error::ServerError;
use crate::metrics;

/// All known polls, including drafts and archived ones, by their number.
pub type Polls = HashMap<PollId, Arc<Poll>>;

/// The polls as Postgres last returned them. Clones share one cache and are cheap.
#[derive(Clone, Debug)]
pub(crate) struct PollCache {
    pool: Pool,
    response_timeout: Duration,
    polls: watch::Sender<Arc<Polls>>,
    unreadable: Arc<Mutex<db::polls::UnreadableLog>>,
    read_at: Arc<Mutex<Option<Instant>>>,
}

impl PollCache {
    /// Creates an empty cache. A reload that takes longer than `response_timeout` fails, since a frozen server
    /// enforces no time-out of its own.
    pub(crate) fn new(pool: Pool, response_timeout: Duration) -> Self {
        let (polls, unreadable) = (watch::Sender::new(Arc::default()), Arc::default());
        Self { pool, response_timeout, polls, unreadable, read_at: Arc::default() }
    }

    /// Returns the polls of the last successful reload, without asking Postgres.
    pub(crate) fn polls(&self) -> Arc<Polls> {
        self.polls.borrow().clone()
    }

    /// Returns the polls, and reads them first if the last successful reload began longer than `age_max` ago: another program
    /// may have changed them since.
    ///
    /// # Errors
    /// Returns the error of [`PollCache::reload`].
    pub(crate) async fn recent(&self, age_max: Duration) -> Result<Arc<Polls>, ServerError> {
        let read_at = *self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        match read_at.map(|at| at.elapsed()) {
            Some(age) if age <= age_max => Ok(self.polls()),
            _ => self.reload().await,
        }
    }

    /// Reads all polls from Postgres, replaces the cached ones and returns them.
    ///
    /// # Errors
    /// Returns the Postgres error, or [`ServerError::PostgresTimeout`] when the server does not answer in time.
    pub(crate) async fn reload(&self) -> Result<Arc<Polls>, ServerError> {
        let polls = self.read().await;
        if polls.is_err() {
            metrics::UNREADABLE_POLLS.set(UNKNOWN);
        }
        polls
    }

    async fn read(&self) -> Result<Arc<Polls>, ServerError> {
        let session = self.pool.get().await;
        let mut session =
            session.map_err(|e| ServerError::PostgresCheckout(describe_checkout(e)))?;
        let began = Instant::now();
        let query = session.run(async |client| {
            let mut stored = db::polls::all(client).await?;
            db::secrets::fill(client, &mut stored.readable).await?;
            Ok::<_, db::Error>(stored)
        });
        let Ok(polls) = tokio::time::timeout(self.response_timeout, query).await else {
            // The session still owes an answer, so the pool must not lend it again.
            session.give_up();
            return Err(ServerError::PostgresTimeout(self.response_timeout));
        };
        let stored = polls?;
        metrics::UNREADABLE_POLLS.set(stored.unreadable.len() as f64);
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.report(&stored.unreadable);
        drop(unreadable);
        let polls = stored.readable.into_iter().map(|poll| (poll.id, Arc::new(poll)));
        let polls: Arc<Polls> = Arc::new(polls.collect());
        self.polls.send_replace(polls.clone());
        *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
        Ok(polls)
    }
}
