//! The series of a poll over some time, as every viewer asks for it at the start and after an outage.
//!
//! Invariant: however many ask for the same, Postgres is asked once a tick; whatever they ask for, the feed
//! finds a connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use votestream_schema::PollId;
use votestream_schema::poll::now_ms;
use votestream_service::postgres::Pool;

use crate::reading::read;

/// How long Postgres may take for a series.
const WITHIN: Duration = Duration::from_secs(3);
/// Different series kept at once; each is some tens of kilobytes at most.
const KEPT_MAX: u64 = 64;

/// Reads series, and shares what was read with whoever asks within the same tick; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pool: Pool,
    /// One for each connection that may be used at once.
    places: Arc<Semaphore>,
    kept: Cache<(PollId, i64), Bytes>,
}

impl History {
    /// From this database, with so many connections of the pool at most.
    pub(crate) fn new(pool: Pool, connections_max: u32, tick: Duration) -> Self {
        let places = Arc::new(Semaphore::new(connections_max as usize));
        let kept = Cache::builder().max_capacity(KEPT_MAX).time_to_live(tick).build();
        Self { pool, places, kept }
    }

    /// The last `seconds` of a poll, as JSON.
    ///
    /// # Errors
    /// Why there is nothing, in the server's words where there are any.
    pub(crate) async fn of(&self, poll: PollId, slug: &str, seconds: i64) -> Result<Bytes, String> {
        let reading = self.read(poll, slug, seconds);
        let told = self.kept.try_get_with((poll, seconds), reading).await;
        told.map_err(|why| String::clone(&why))
    }

    async fn read(&self, poll: PollId, slug: &str, seconds: i64) -> Result<Bytes, String> {
        let place = timeout(WITHIN, self.places.acquire()).await;
        let _place = place.map_err(|_| "very many ask for a history")?;
        let to = now_ms() / 1_000;
        let from = to - seconds;
        let row = read(&self.pool, WITHIN, async |client| {
            let sql = include_str!("../sql/series.sql");
            Ok(client.query_one(sql, &[&poll.0, &from, &to]).await?)
        });
        let row = row.await?;
        let (voters, seconds, votes): (i64, Vec<i64>, Vec<i64>) =
            (row.get(0), row.get(1), row.get(2));
        let points: Vec<(i64, i64)> = seconds.into_iter().zip(votes).collect();
        let body =
            json!({ "poll": slug, "from": from, "to": to, "voters": voters, "points": points });
        Ok(body.to_string().into())
    }
}
