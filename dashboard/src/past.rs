//! The results of polls at past seconds, which are added up from their public logs.
//!
//! Invariants: however many people ask for however many seconds, one log is added up at a time, and each once in ten seconds at
//! most. Nothing here decides who may see the results; handlers do.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use votestream_schema::{PollId, db};
use votestream_service::postgres::Pool;
use votestream_transparency::audit::Reason;
use votestream_transparency::timeline::{Replay, Standing, Timeline};

use crate::history::HistoryError;
use crate::reading::{read, twice};

/// The longest time to wait for others, and again for each part of the log.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// Bundles that are read at a time: about a megabyte.
const BUNDLES: i64 = 32;
/// The longest log that is added up here. While that goes on it takes some 40 MB.
const ENTRIES_MAX: u64 = 500_000;
const CACHED_FOR: Duration = Duration::from_secs(10);
const CACHED_MAX: u64 = 64;

/// Why a log cannot be added up. That stays so until the log grows, and is cached as sums are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSum {
    /// The log is too long to be added up for a page.
    #[error("it has more than {ENTRIES_MAX} entries")]
    TooLong,
    /// An entry cannot be read, or contradicts the entries before it.
    #[error(transparent)]
    Wrong(#[from] Reason),
}

/// The result at the end of one second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PastResult {
    /// The votes then.
    pub(crate) standing: Standing,
    /// Of the ballots that came in until then, those that stand today, by the log.
    pub(crate) in_log: i64,
    /// The same by the series, which consumers count beside the log.
    pub(crate) in_series: i64,
    /// The entries of the log that were added up.
    pub(crate) entries: u64,
}

/// A poll's log, added up, and its series.
#[derive(Debug)]
struct Past {
    timeline: Timeline,
    series: Vec<(i64, i64)>,
    entries: u64,
}

/// Adds up the logs of polls. Clones share what is cached and are cheap.
#[derive(Clone, Debug)]
pub(crate) struct Pasts {
    pool: Pool,
    turn: Arc<Semaphore>,
    /// One permit for each session that the history and the logs may use at once.
    permits: Arc<Semaphore>,
    cache: Cache<PollId, Result<Arc<Past>, NoSum>>,
}

impl Pasts {
    /// Creates a reader that takes one session of this pool at a time, with one of these permits.
    pub(crate) fn new(pool: Pool, permits: Arc<Semaphore>) -> Self {
        let cache = Cache::builder().max_capacity(CACHED_MAX).time_to_live(CACHED_FOR).build();
        Self { pool, turn: Arc::new(Semaphore::new(1)), permits, cache }
    }

    /// Returns a poll's result at the end of this second of Unix time, or why it is not known.
    ///
    /// # Errors
    /// Returns [`HistoryError`], shared by all callers that waited for the same log.
    pub(crate) async fn at(
        &self,
        poll: PollId,
        second: i64,
    ) -> Result<Result<PastResult, NoSum>, Arc<HistoryError>> {
        let past = self.cache.try_get_with(poll, self.read(poll)).await?;
        Ok(past.map(|past| {
            let until = past.series.iter().take_while(|(of, _)| *of <= second);
            PastResult {
                standing: past.timeline.at(second),
                in_log: past.timeline.standing_today(second),
                in_series: until.map(|(_, people)| people).sum(),
                entries: past.entries,
            }
        }))
    }

    async fn read(&self, poll: PollId) -> Result<Result<Arc<Past>, NoSum>, HistoryError> {
        let turn = timeout(TIME_LIMIT, self.turn.acquire()).await;
        let _turn = turn.map_err(|_| HistoryError::Busy)?;
        let replay = match self.add_up(poll).await? {
            Ok(replay) => replay,
            Err(reason) => return Ok(Err(reason)),
        };
        let (entries, series) = (replay.entries(), self.series(poll).await?);
        Ok(Ok(Arc::new(Past { timeline: replay.finish(), series, entries })))
    }

    async fn add_up(&self, poll: PollId) -> Result<Result<Replay, NoSum>, HistoryError> {
        let (mut replay, mut next) = (Replay::default(), 0);
        loop {
            let bundles = self.bundles(poll, next).await?;
            for (_, bundle) in &bundles {
                if let Err(reason) = replay.add_bundle(bundle) {
                    return Ok(Err(reason.into()));
                }
            }
            if replay.entries() > ENTRIES_MAX {
                return Ok(Err(NoSum::TooLong));
            }
            match bundles.last() {
                Some((index, _)) if bundles.len() as i64 == BUNDLES => next = index + 1,
                _ => return Ok(Ok(replay)),
            }
            // Adding up takes this thread for some milliseconds at a time.
            tokio::task::yield_now().await;
        }
    }

    async fn bundles(&self, poll: PollId, first: u64) -> Result<Vec<(u64, Vec<u8>)>, HistoryError> {
        let _permit = self.permit().await?;
        let found = twice(|| {
            read(&self.pool, TIME_LIMIT, async |client| {
                db::log::bundles_from(client, poll, first, BUNDLES).await
            })
        });
        Ok(found.await?)
    }

    async fn series(&self, poll: PollId) -> Result<Vec<(i64, i64)>, HistoryError> {
        let _permit = self.permit().await?;
        let found = twice(|| {
            read(&self.pool, TIME_LIMIT, async |client| db::results::series(client, poll).await)
        });
        Ok(found.await?)
    }

    /// Waits until a session is left by the history and by others who read logs.
    async fn permit(&self) -> Result<SemaphorePermit<'_>, HistoryError> {
        let permit = timeout(TIME_LIMIT, self.permits.acquire()).await;
        permit.ok().and_then(Result::ok).ok_or(HistoryError::Busy)
    }
}
