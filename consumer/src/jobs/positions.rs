//! Follows how far the streams have come: every replica measures them once a second, and more often while a poll that has
//! just closed is not complete.
//!
//! Postgres holds the furthest position that was seen of each stream. A stream behind that position has lost entries
//! that Redis had acknowledged. The loss stays recorded in Postgres until an operator takes note of it with
//! `votectl audit`, and every replica exports the number of losses that nobody has taken note of.
//!
//! Postgres also holds the watermarks ([`votestream_schema::watermark`]). They stand still while a loss is recorded of
//! which nobody has taken note, because then nobody knows whether a result is complete.
//!
//! Invariants: Postgres is read before Redis is measured (see `db::positions`). Watermarks are stored after Redis was
//! measured, so whoever sees a watermark sees the votes up to it.

use std::collections::BTreeMap;
use std::time::Duration;

use votestream_schema::poll::{PollState, now_ms};
use votestream_schema::poll_copy::cmd;
use votestream_schema::position::Position;
use votestream_schema::projection::epoch::Stamp;
use votestream_schema::watermark::{self, StreamState};
use votestream_schema::{Keys, Poll, PollId, db};
use votestream_service::CancellationToken;
use votestream_service::metric::UNKNOWN;
use votestream_service::postgres;
use votestream_service::redis::{Connection, Pool, describe_checkout};

use crate::error::ServerError;
use crate::jobs::epoch::EpochCheck;
use crate::metrics;
use crate::polls::{PollCache, Polls};

/// The period while a poll that has just closed is not complete.
const PERIOD_AFTER_CLOSE: Duration = Duration::from_millis(100);
/// After this time a poll that is not complete is measured as rarely as others.
const MEASURED_OFTEN_MS: i64 = 60_000;

/// Follows the streams of one deployment.
#[derive(Clone, Debug)]
pub struct Positions {
    redis: Pool,
    postgres: postgres::Pool,
    polls: PollCache,
    keys: Keys,
    partitions: u16,
    epoch: EpochCheck,
}

impl Positions {
    /// Creates a job that follows the streams of partitions 0 to `partitions`, exclusive.
    pub(crate) fn new(
        redis: Pool,
        postgres: postgres::Pool,
        polls: PollCache,
        (keys, partitions): (Keys, u16),
        epoch: EpochCheck,
    ) -> Self {
        Self { redis, postgres, polls, keys, partitions, epoch }
    }

    /// Measures every `period` until `shutdown`. When a server is down, the readiness gates report it.
    pub async fn watch(self, period: Duration, shutdown: CancellationToken) {
        let follow = async {
            let mut complete_to_ms = None;
            loop {
                let polls = self.polls.polls();
                let fence = incomplete(&polls, complete_to_ms, now_ms()).next().is_some();
                match self.follow(&polls, fence).await {
                    Ok(complete_to) => complete_to_ms = complete_to,
                    Err(error) => {
                        metrics::STREAM_REGRESSIONS.set(UNKNOWN);
                        tracing::debug!(%error, "the positions of the streams could not be compared");
                    }
                }
                tokio::time::sleep(pause(&polls, complete_to_ms, now_ms(), period)).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = follow => {}
        }
    }

    /// Measures once: records a stream that went back, and moves the watermarks. Returns the least of them, if none went
    /// back.
    async fn follow(&self, polls: &Polls, fence: bool) -> Result<Option<i64>, ServerError> {
        let session = self.postgres.get().await;
        let mut session = session
            .map_err(|error| ServerError::PostgresCheckout(postgres::describe_checkout(error)))?;
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|error| ServerError::RedisCheckout(describe_checkout(error)))?;
        // A database from another time must not be written to.
        let stamp = self.epoch.check(&mut connection, &mut session).await?;
        let before = session.run(db::positions::seen).await?;
        let streams = self.measure(&mut connection, fence).await?;
        let now: BTreeMap<u16, Position> =
            streams.iter().map(|(partition, stream)| (*partition, stream.position)).collect();
        let gone_back = session
            .run(async |client| db::positions::advance(client, &before, &now, now_ms()).await)
            .await?;
        for partition in gone_back {
            let (before, now) = (before[&partition], now[&partition]);
            let servers = connection.servers();
            tracing::error!(
                partition,
                %servers,
                last_id_before = %before.last,
                last_id_now = %now.last,
                added_before = before.added,
                added_now = now.added,
                "redis at {servers} lost acknowledged entries of the stream of partition {partition}, which went back from \
                 {} to {}; `votectl audit` shows which polls miss ballots, and no result is final until somebody has \
                 taken note",
                before.last,
                now.last
            );
        }
        let regressions = session.run(db::positions::regressions).await?;
        metrics::STREAM_REGRESSIONS.set(regressions.len() as f64);
        let complete_to = streams.values().map(StreamState::complete_to_ms).min();
        let only = only_poll(polls, complete_to, now_ms());
        let waiting = watermark::waiting(streams.values(), only);
        let warnings = session.warnings();
        warnings.forget();
        let generation = session
            .run(async |client| db::watermarks::store_waiting(client, waiting.as_ref()).await)
            .await?;
        // A standby that takes over may not have it, and Redis must never be ahead of Postgres.
        if warnings.are_there() {
            return Err(ServerError::UnconfirmedCommit);
        }
        self.epoch.copy(&mut connection, &Stamp { generation, ..stamp }).await?;
        if !regressions.is_empty() {
            return Ok(None);
        }
        session.run(async |client| db::watermarks::advance(client, &streams).await).await?;
        Ok(complete_to)
    }

    /// Reads the current state of every stream from Redis.
    async fn measure(
        &self,
        connection: &mut Connection,
        fence: bool,
    ) -> Result<BTreeMap<u16, StreamState>, ServerError> {
        let mut streams = BTreeMap::new();
        for partition in 0..self.partitions {
            let script = cmd(&watermark::script(&self.keys, partition, fence));
            let reply: Vec<String> = script.query_async(connection).await?;
            let stream = StreamState::parse(&reply).ok_or(ServerError::IncompleteRedisReply {
                command: "the script of watermarks",
                missing: "state of the stream",
            })?;
            streams.insert(partition, stream);
        }
        Ok(streams)
    }
}

/// The closing times of polls that have closed and are not known to be complete.
fn incomplete(
    polls: &Polls,
    complete_to_ms: Option<i64>,
    now_ms: i64,
) -> impl Iterator<Item = i64> {
    let closings = polls.values().filter_map(|poll| poll.closes_at_ms);
    closings.filter(move |closes| {
        *closes <= now_ms && complete_to_ms.is_none_or(|complete_to| complete_to < *closes)
    })
}

/// How long to wait before the next measurement.
fn pause(polls: &Polls, complete_to_ms: Option<i64>, now_ms: i64, period: Duration) -> Duration {
    let since = now_ms - MEASURED_OFTEN_MS;
    if incomplete(polls, complete_to_ms, now_ms).any(|closed_at| closed_at > since) {
        return PERIOD_AFTER_CLOSE.min(period);
    }
    let next = polls.values().filter_map(|poll| poll.closes_at_ms).filter(|at| *at > now_ms).min();
    let until = next.map(|at| Duration::from_millis((at - now_ms).unsigned_abs()));
    until.map_or(period, |until| until.min(period))
}

/// The only poll of which ballots may wait: it is open, or has closed and is not complete. `None` if there are several or
/// none.
fn only_poll(polls: &Polls, complete_to_ms: Option<i64>, now_ms: i64) -> Option<PollId> {
    let may_wait = |poll: &&std::sync::Arc<Poll>| match poll.state(now_ms) {
        PollState::Open => true,
        PollState::Closed | PollState::Archived => poll
            .closes_at_ms
            .is_some_and(|closes| complete_to_ms.is_none_or(|complete_to| complete_to < closes)),
        PollState::Draft | PollState::Scheduled => false,
    };
    let mut polls = polls.values().filter(may_wait);
    let only = polls.next()?.id;
    polls.next().is_none().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    fn polls(closes_at_ms: &[Option<i64>]) -> Polls {
        let poll = |(id, closes_at_ms): (i32, &Option<i64>)| {
            let json = serde_json::json!({
                "id": id, "slug": format!("p{id}"), "title": "P", "choices_min": 1, "choices_max": 1,
                "options": [{"slug": "a", "label": "A"}, {"slug": "b", "label": "B"}],
                "vote_policy": "keep_first", "voter_policy": "open", "visibility": "always",
                "opens_at_ms": 1, "closes_at_ms": closes_at_ms, "archived_at_ms": null, "revision": 1
            });
            let poll: Poll = serde_json::from_value(json).unwrap();
            (poll.id, std::sync::Arc::new(poll))
        };
        (1..).zip(closes_at_ms).map(poll).collect()
    }

    #[test]
    fn streams_are_measured_when_a_poll_closes_and_often_until_it_is_complete() {
        let polls = polls(&[Some(100_000), None, Some(5_000_000)]);
        let pause = |complete_to, now_ms| super::pause(&polls, complete_to, now_ms, PERIOD);
        assert_eq!(pause(Some(90_000), 90_000), PERIOD);
        assert_eq!(pause(Some(99_000), 99_600), Duration::from_millis(400));
        assert_eq!(pause(Some(99_900), 100_000), PERIOD_AFTER_CLOSE);
        assert_eq!(pause(None, 100_000), PERIOD_AFTER_CLOSE);
        assert_eq!(pause(Some(100_000), 100_100), PERIOD);
        assert_eq!(pause(Some(99_000), 100_000 + MEASURED_OFTEN_MS + 1), PERIOD);
        let fence = |complete_to, now_ms| incomplete(&polls, complete_to, now_ms).next().is_some();
        assert!(fence(Some(99_999), 100_000) && fence(None, 100_000));
        assert!(fence(Some(99_999), 4_000_000), "however long ago it closed");
        assert!(!fence(Some(100_000), 4_000_000));
        assert!(!fence(Some(0), 99_999), "the fence is for closed polls");
    }

    #[test]
    fn a_poll_is_the_only_one_while_no_other_takes_ballots_or_is_incomplete() {
        let one = polls(&[None]);
        assert_eq!(only_poll(&one, Some(0), 10), Some(PollId(1)));
        assert_eq!(only_poll(&one, Some(0), 0), None, "it is not open yet");
        let two = polls(&[None, Some(100_000)]);
        assert_eq!(only_poll(&two, Some(50_000), 50_000), None);
        assert_eq!(only_poll(&two, Some(99_999), 900_000), None);
        assert_eq!(only_poll(&two, None, 900_000), None);
        assert_eq!(only_poll(&two, Some(100_000), 900_000), Some(PollId(1)));
    }
}
