//! The series of a poll over a period, which every page requests when it opens and after an outage.
//!
//! Invariants: however many viewers request the same series, Postgres is asked for it at most once per tick. Whatever
//! they request, one session of the pool stays free for the feed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use votestream_schema::db::watermarks::Progress;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::{Poll, PollId, db};
use votestream_service::postgres::Pool;

use crate::reading::{ReadError, read};

/// The longest time to wait for a session, and again for the series itself.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// The most series cached at once; each takes at most some tens of kilobytes.
const CACHED_MAX: u64 = 64;

/// A series could not be read; requesting it again later may succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    /// All sessions for the history were in use for as long as a request may wait.
    #[error("too many different series are requested at once")]
    Busy,
    /// Postgres failed or did not answer in time.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Reads series, and caches each for one tick. Clones share the cache and are cheap.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pool: Pool,
    /// One permit for each session that the history and the public logs may use at once.
    permits: Arc<Semaphore>,
    cache: Cache<(PollId, i64), Bytes>,
}

impl History {
    /// Creates a history that uses a session of the pool for each permit at most, and caches for one `tick`.
    pub(crate) fn new(pool: Pool, permits: Arc<Semaphore>, tick: Duration) -> Self {
        let cache = Cache::builder().max_capacity(CACHED_MAX).time_to_live(tick).build();
        Self { pool, permits, cache }
    }

    /// Returns the last `seconds` of a poll's series as a JSON body.
    ///
    /// # Errors
    /// Returns [`HistoryError`], shared by all callers that waited for the same read.
    pub(crate) async fn series(
        &self,
        poll: &Poll,
        seconds: i64,
    ) -> Result<Bytes, Arc<HistoryError>> {
        self.cache.try_get_with((poll.id, seconds), self.read(poll, seconds)).await
    }

    async fn read(&self, poll: &Poll, seconds: i64) -> Result<Bytes, HistoryError> {
        let permit = timeout(TIME_LIMIT, self.permits.acquire()).await;
        let _permit = permit.map_err(|_| HistoryError::Busy)?;
        let to = now_ms() / 1_000;
        let from = to - seconds;
        // A session that was closed because it was idle costs no viewer an answer.
        let (progress, row) = match self.read_period(poll.id, from, to).await {
            Err(error) if error.is_ended_session() => self.read_period(poll.id, from, to).await?,
            outcome => outcome?,
        };
        let (voters, seconds, votes): (i64, Vec<i64>, Vec<i64>) =
            (row.get(0), row.get(1), row.get(2));
        let points: Vec<(i64, i64)> = seconds.into_iter().zip(votes).collect();
        let body = json!({
            "poll": poll.slug,
            "from": from,
            "to": to,
            "final": poll.is_final(progress.complete_to_ms, now_ms()),
            "complete_to": progress.complete_to_ms.map(rfc3339),
            "waiting": progress.waiting,
            "voters": voters,
            "points": points,
        });
        Ok(body.to_string().into())
    }

    /// Reads how far counting has come, and then the series: what the first calls complete is in the second.
    async fn read_period(
        &self,
        poll: PollId,
        from: i64,
        to: i64,
    ) -> Result<(Progress, Row), ReadError> {
        read(&self.pool, TIME_LIMIT, async |client| {
            let progress = db::watermarks::progress(client, poll).await?;
            let parameters: [(&(dyn ToSql + Sync), Type); 3] =
                [(&poll.0, Type::INT4), (&from, Type::INT8), (&to, Type::INT8)];
            let row = client.query_typed_one(include_str!("../sql/series.sql"), &parameters);
            Ok((progress, row.await?))
        })
        .await
    }
}
