//! Reads the accounts of polls, which consumers take every two seconds.
//!
//! Invariant: however many people ask, Postgres is asked for one account at a time, and for each once a second at most.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use votestream_schema::PollId;
use votestream_schema::db::accounts::{Account, account};
use votestream_service::postgres::Pool;

use crate::history::HistoryError;
use crate::reading::{ReadError, read};

/// The longest time to wait for others, and again for the account itself.
const TIME_LIMIT: Duration = Duration::from_secs(3);
const CACHED_FOR: Duration = Duration::from_secs(1);
const CACHED_MAX: u64 = 1_024;

/// Reads accounts. Clones share what is cached and are cheap.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    pool: Pool,
    turn: Arc<Semaphore>,
    cache: Cache<PollId, Option<Account>>,
}

impl Accounts {
    /// Creates a reader that takes one session of this pool at a time.
    pub(crate) fn new(pool: Pool) -> Self {
        let cache = Cache::builder().max_capacity(CACHED_MAX).time_to_live(CACHED_FOR).build();
        Self { pool, turn: Arc::new(Semaphore::new(1)), cache }
    }

    /// Returns the last account of a poll; `None` if none has been taken.
    ///
    /// # Errors
    /// Returns [`HistoryError`], shared by all callers that waited for the same read.
    pub(crate) async fn of(&self, poll: PollId) -> Result<Option<Account>, Arc<HistoryError>> {
        self.cache.try_get_with(poll, self.read(poll)).await
    }

    async fn read(&self, poll: PollId) -> Result<Option<Account>, HistoryError> {
        let turn = timeout(TIME_LIMIT, self.turn.acquire()).await;
        let _turn = turn.map_err(|_| HistoryError::Busy)?;
        let once = || read(&self.pool, TIME_LIMIT, async |client| account(client, poll).await);
        // A session that was closed because it was idle costs nobody an answer.
        Ok(match once().await {
            Err(error) if ReadError::is_ended_session(&error) => once().await?,
            outcome => outcome?,
        })
    }
}
