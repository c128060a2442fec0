//! The feed: one poller per replica that reads the tallies at a fixed interval and publishes them to the board.
//!
//! Invariants: the load on Postgres does not depend on the number of viewers. While Postgres is down the last state stays
//! on the board, marked stale.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, MissedTickBehavior};
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use votestream_schema::db::watermarks::Progress;
use votestream_schema::poll::now_ms;
use votestream_schema::tally::Tally;
use votestream_schema::{Poll, PollId, db};
use votestream_service::CancellationToken;
use votestream_service::health::Gate;
use votestream_service::listener::viewers::ReadWindow;
use votestream_service::metric::UNKNOWN;
use votestream_service::postgres::Pool;
use votestream_service::telemetry;
use votestream_service::trace::{self, Span};

use crate::board::Board;
use crate::metrics;
use crate::reading::{ReadError, read};
use crate::snapshot::Snapshot;

/// The interval for reading poll definitions, and the tallies of archived polls, which rarely change.
const DEFINITIONS_EVERY: Duration = Duration::from_secs(1);
/// The age from which a state is marked stale, in milliseconds.
const STALE_AFTER_MS: i64 = 1_000;
/// The length of the series in each frame, in seconds.
const RECENT_S: i64 = 10;
/// The longest time for one read, including the time to connect.
const READ_TIME_LIMIT: Duration = Duration::from_secs(2);
/// After a failure, how long to leave Postgres alone.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Reads Postgres and publishes to the board; a replica has exactly one.
#[derive(Debug)]
pub struct Feed {
    pool: Pool,
    connections_max: u32,
    board: Board,
    polls: HashMap<PollId, Arc<Poll>>,
    unreadable: db::polls::UnreadableLog,
    definitions_due: Instant,
    read_ms: i64,
    /// When the last successful read began.
    last_read_began: Option<Instant>,
    /// Since when the database is known to be of another time than Redis, in milliseconds since the epoch.
    other_time_since_ms: Option<i64>,
}

impl Feed {
    /// Creates a feed from this pool to this board. `connections_max` is the pool's size, for its metrics.
    pub fn new(pool: Pool, connections_max: u32, board: Board) -> Self {
        let polls = HashMap::new();
        let definitions_due = Instant::now();
        let unreadable = db::polls::UnreadableLog::default();
        Self {
            pool,
            connections_max,
            board,
            polls,
            unreadable,
            definitions_due,
            read_ms: 0,
            last_read_began: None,
            other_time_since_ms: None,
        }
    }

    /// Reads every `tick` and sends a heartbeat every `heartbeat`, until `shutdown`; then clears the board.
    pub async fn run(
        mut self,
        gate: Gate,
        tick: Duration,
        heartbeat: Duration,
        shutdown: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut next_heartbeat = Instant::now() + heartbeat;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let (started, began) = (Instant::now(), SystemTime::now());
            let outcome = tokio::select! {
                () = shutdown.cancelled() => break,
                outcome = self.tick() => outcome,
            };
            metrics::TICK_DURATION_SECONDS.record(started.elapsed());
            trace_read(began, &outcome);
            let outcome = outcome.map(drop);
            let failed = outcome.is_err();
            gate.report(outcome);
            if failed {
                self.mark_stale();
                tokio::time::sleep(RETRY_AFTER).await;
            }
            if Instant::now() >= next_heartbeat {
                next_heartbeat = Instant::now() + heartbeat;
                self.board.heartbeat();
            }
        }
        self.board.clear();
    }

    /// Reads once and publishes the result. Returns the number of polls with new votes.
    async fn tick(&mut self) -> Result<usize, ReadError> {
        telemetry::record_pool("postgres", &self.pool.state(), self.connections_max);
        let pool = self.pool.clone();
        // The time limit also covers a server that accepts the connection and then never answers.
        let (snapshots, now_ms, began) =
            read(&pool, READ_TIME_LIMIT, async |client| self.read_all(client).await).await?;
        let window = ReadWindow { began, previous_began: self.last_read_began };
        // What the pages hide, the metrics hide as well; and a machine that votes is no turnout.
        let shown = |snapshot: &&Snapshot| {
            let poll = &snapshot.poll;
            snapshot.visible && poll.archived_at_ms.is_none() && !poll.slug.is_canary()
        };
        let voters = snapshots.iter().filter(shown).map(|snapshot| snapshot.tally.voters);
        metrics::VOTERS.set(voters.sum::<i64>() as f64);
        let is_new = |snapshot: &&Snapshot| self.has_changed(snapshot.poll.id, &snapshot.tally);
        let changed = snapshots.iter().filter(is_new).count();
        for snapshot in snapshots {
            self.board.put(snapshot, Some(window));
        }
        self.read_ms = now_ms;
        self.last_read_began = Some(began);
        metrics::BOARD_READ_TIMESTAMP_SECONDS.set(now_ms as f64 / 1_000.0);
        metrics::BOARD_AGE_SECONDS.set(0.0);
        Ok(changed)
    }

    /// Reads the definitions if they are due, and the tallies. Returns the snapshots and when their read began, by the
    /// wall clock in milliseconds and by the monotonic clock.
    async fn read_all(
        &mut self,
        client: &Client,
    ) -> Result<(Vec<Snapshot>, i64, Instant), db::Error> {
        let all = Instant::now() >= self.definitions_due;
        if all {
            let polls = db::polls::all(client).await?;
            metrics::UNREADABLE_POLLS.set(polls.unreadable.len() as f64);
            self.unreadable.report(&polls.unreadable);
            let shown = polls.readable.into_iter().filter(|poll| poll.opens_at_ms.is_some());
            self.polls = shown.map(|poll| (poll.id, Arc::new(poll))).collect();
            self.definitions_due = Instant::now() + DEFINITIONS_EVERY;
        }
        let (now_ms, began) = (now_ms(), Instant::now());
        let wanted = self.polls.values().filter(|poll| all || poll.archived_at_ms.is_none());
        let wanted: Vec<i32> = wanted.map(|poll| poll.id.0).collect();
        Ok((self.tallies(client, &wanted, now_ms).await?, now_ms, began))
    }

    /// Reads the tallies of the wanted polls, and the last seconds of those that changed.
    async fn tallies(
        &mut self,
        client: &Client,
        wanted: &[i32],
        now_ms: i64,
    ) -> Result<Vec<Snapshot>, db::Error> {
        let sql = include_str!("../sql/tallies.sql");
        let rows = client.query_typed(sql, &[(&wanted, Type::INT4_ARRAY)]).await?;
        self.note_mismatch(rows.first().and_then(|row| row.get(6)), now_ms);
        let tallies: Vec<(PollId, Tally, Progress)> = rows
            .iter()
            .map(|row| {
                let tally = Tally { version: row.get(1), voters: row.get(2), votes: row.get(3) };
                let progress = Progress { complete_to_ms: row.get(4), waiting: row.get(5) };
                (PollId(row.get(0)), tally, progress)
            })
            .collect();
        // Only a poll whose version grew needs its recent series.
        let changed: Vec<i32> = tallies
            .iter()
            .filter(|(id, tally, _)| self.has_changed(*id, tally))
            .map(|(id, ..)| id.0)
            .collect();
        let mut recent = self.recent(client, &changed, now_ms).await?;
        let snapshots = tallies.into_iter().filter_map(|(id, tally, progress)| {
            let poll = self.polls.get(&id)?.clone();
            let recent = recent.remove(&id).unwrap_or_default();
            let snapshot = Snapshot::new(poll, tally, progress, recent, now_ms);
            Some(Snapshot { stale_since_ms: self.other_time_since_ms, ..snapshot })
        });
        Ok(snapshots.collect())
    }

    /// Notes whether the database is of another time than Redis. What it holds then is neither live nor final.
    fn note_mismatch(&mut self, mismatch: Option<&str>, now_ms: i64) {
        match (mismatch, self.other_time_since_ms) {
            (Some(why), None) => {
                tracing::error!("results are shown as stale: {why}");
                self.other_time_since_ms = Some(now_ms);
            }
            (None, Some(_)) => {
                tracing::info!("redis and postgres are of the same time again");
                self.other_time_since_ms = None;
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    fn has_changed(&self, id: PollId, tally: &Tally) -> bool {
        let shown = self.polls.get(&id).and_then(|poll| self.board.get(poll.slug.as_str()));
        shown.is_none_or(|shown| shown.tally.version != tally.version)
    }

    /// Reads the last seconds of the series of these polls, as pairs of a second and its votes.
    async fn recent(
        &self,
        client: &Client,
        polls: &[i32],
        now_ms: i64,
    ) -> Result<HashMap<PollId, Vec<(i64, i64)>>, db::Error> {
        let mut recent: HashMap<PollId, Vec<(i64, i64)>> = HashMap::new();
        if polls.is_empty() {
            return Ok(recent);
        }
        let since = now_ms / 1_000 - RECENT_S;
        let rows = client
            .query_typed(
                include_str!("../sql/recent.sql"),
                &[(&polls, Type::INT4_ARRAY), (&since, Type::INT8)],
            )
            .await?;
        for row in rows {
            recent.entry(PollId(row.get(0))).or_default().push((row.get(1), row.get(2)));
        }
        Ok(recent)
    }

    /// Marks every state as stale once the last successful read is old enough. A poll's state still follows its times,
    /// so a poll that closes meanwhile is shown as closed.
    fn mark_stale(&self) {
        let age_ms = now_ms() - self.read_ms;
        if self.read_ms == 0 || age_ms < STALE_AFTER_MS {
            return;
        }
        metrics::BOARD_AGE_SECONDS.set(age_ms as f64 / 1_000.0);
        metrics::UNREADABLE_POLLS.set(UNKNOWN);
        metrics::VOTERS.set(UNKNOWN);
        for shown in self.board.all() {
            let mut stale = (*shown).clone();
            stale.stale_since_ms = Some(self.read_ms);
            stale.state = stale.poll.state(now_ms());
            // What was waiting then is not known now.
            stale.progress.waiting = None;
            self.board.put(stale, None);
        }
    }
}

/// Records a read in a trace if it brought new votes or failed. Most reads bring nothing.
fn trace_read(began: SystemTime, outcome: &Result<usize, ReadError>) {
    if matches!(outcome, Ok(0)) || !trace::is_on() {
        return;
    }
    let mut span = Span::of_past("read results", began);
    match outcome {
        Ok(changed) => span.set("votestream.polls_changed", changed),
        Err(error) => {
            span.fail("results could not be read");
            span.set("error.message", error);
        }
    }
}
