//! The one loop: read, count, acknowledge.
//!
//! A lane owns some partitions, one connection to Redis and one consumer name. At any moment it
//! holds one batch at most.
//!
//! Invariant: an entry is acknowledged only after its commit. Everything that goes wrong in between
//! ends in the same place: the entry is pending, is read again, and counting it again changes
//! nothing. So a failed step throws the connection away and begins by reading its own pending.
//!
//! Absent on purpose: a limit on deliveries. Reading one's pending entries and claiming both raise
//! the counter, so it says nothing about the entry; only Postgres' refusal of the data does.

use std::time::Duration;

use redis::RedisError;
use tokio::time::Instant;
use votestream_service::CancellationToken;
use votestream_service::backoff::Backoff;
use votestream_service::redis::{Connection, Manager};

use crate::metrics;
use crate::pipeline::batch::{self, Batch, Vote};
use crate::pipeline::read_size::Appetite;
use crate::pipeline::spans::{self, Journeys};
use crate::pipeline::store::{self, Store};
use crate::polls::Book;
use crate::streams::entry::{Delivered, Entry};
use crate::streams::{Bounds, Streams};

/// How a lane works.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How large a batch is at most.
    pub bounds: Bounds,
    /// How long to wait for more after a read that gave few.
    pub linger: Duration,
    /// How long a read waits for its first entry, in milliseconds.
    pub block_ms: u64,
    /// When others' pending entries are stale, in milliseconds.
    pub claim_idle_ms: u64,
    /// When a silent consumer is gone, in milliseconds.
    pub bury_idle_ms: u64,
}

impl Pace {
    /// Often enough that one's own signs of life, given on the way, are never too old.
    fn bury_every(self) -> Duration {
        Duration::from_millis(self.bury_idle_ms / 4)
    }
}

/// One loop and what it owns.
#[derive(Debug)]
pub struct Lane {
    manager: Manager,
    streams: Streams,
    store: Store,
    book: Book,
    pace: Pace,
    appetite: Appetite,
    shutdown: CancellationToken,
    /// Cancelled when too little of the grace period is left to wait for Postgres.
    hurry: CancellationToken,
    /// None until first needed, and after every failure.
    connection: Option<Connection>,
    /// Whether own entries may be pending from an earlier, failed step.
    own_pending: bool,
    /// Whether the last read of new entries gave some, but few.
    found_few: bool,
    next_claim: Instant,
    next_burial: Instant,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("redis: {0}")]
    Redis(#[from] RedisError),
    #[error("told to stop while postgres was away; {0} entries stay pending for other replicas")]
    Stopping(usize),
}

impl Lane {
    /// A lane that has not connected yet. The first token tells it to stop, the second to leave even
    /// the batch in hand to others.
    pub fn new(
        manager: Manager,
        streams: Streams,
        store: Store,
        book: Book,
        pace: Pace,
        (shutdown, hurry): (CancellationToken, CancellationToken),
    ) -> Self {
        let now = Instant::now();
        Self {
            manager,
            streams,
            store,
            book,
            pace,
            appetite: Appetite::new(pace.bounds.entries, pace.bounds.bytes),
            shutdown,
            hurry,
            connection: None,
            own_pending: false,
            found_few: false,
            next_claim: now,
            next_burial: now + pace.bury_every(),
        }
    }

    /// Works until told to stop, then finishes the batch in hand and gives up its name.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new();
        while !self.shutdown.is_cancelled() {
            match self.step().await {
                Ok(()) => backoff.reset(),
                Err(Error::Stopping(entries)) => {
                    tracing::warn!(entries, "stopping with a batch that postgres could not take");
                    return;
                }
                Err(Error::Redis(error)) => {
                    let wait = backoff.next_wait();
                    tracing::warn!(%error, wait_ms = wait.as_millis() as u64, "trying again");
                    metrics::RETRIES.with(["redis"]).increment(1);
                    self.connection = None;
                    tokio::select! {
                        () = self.shutdown.cancelled() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
        self.leave().await;
    }

    /// One batch, from wherever there is one.
    async fn step(&mut self) -> Result<(), Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        self.work(&mut connection).await?;
        // Only a step that succeeded keeps its connection.
        self.connection = Some(connection);
        Ok(())
    }

    async fn work(&mut self, connection: &mut Connection) -> Result<(), Error> {
        if Instant::now() >= self.next_claim {
            return self.claim_stale(connection).await;
        }
        if Instant::now() >= self.next_burial {
            self.next_burial = Instant::now() + self.pace.bury_every();
            let removed = self.streams.bury_the_dead(connection, self.pace.bury_idle_ms).await?;
            metrics::CONSUMERS_REMOVED.increment(removed);
            // A sign of life: to Redis 7.0 a consumer is silent while its reads find nothing new.
            self.own_pending = true;
        }
        if self.own_pending {
            let delivered = self.streams.read_pending(connection, self.pace.bounds).await?;
            self.own_pending = !delivered.is_empty();
            return self.process(connection, delivered).await;
        }
        let delivered = self.read_new(connection).await?;
        self.process(connection, delivered).await
    }

    /// A connection of its own, with groups to read from. What an earlier connection had read is
    /// pending, and comes first.
    async fn connect(&mut self) -> Result<Connection, Error> {
        let longest = Duration::from_millis(self.pace.block_ms) + Duration::from_secs(15);
        let mut connection = self.manager.connect(longest).await?;
        self.streams.create_groups(&mut connection).await?;
        self.appetite.reset();
        self.own_pending = true;
        Ok(connection)
    }

    /// Waits for entries. Once there are some, but few, more will come soon: the next read waits a little
    /// for them, so that there are fewer and larger batches, while the first entry of all waits for none.
    async fn read_new(&mut self, connection: &mut Connection) -> Result<Delivered, Error> {
        if std::mem::take(&mut self.found_few) {
            tokio::select! {
                () = self.shutdown.cancelled() => {}
                () = tokio::time::sleep(self.pace.linger) => {}
            }
        }
        let count = self.appetite.count();
        let delivered = self.streams.read_new(connection, self.pace.block_ms, count).await?;
        let found = delivered.entries.len();
        self.found_few = found > 0 && found < count / 2 && !self.pace.linger.is_zero();
        self.appetite.learn(found, delivered.bytes);
        Ok(delivered)
    }

    /// Takes over what dead consumers left behind, a batch at a time, until nothing is stale.
    async fn claim_stale(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let (idle_ms, bounds) = (self.pace.claim_idle_ms, self.pace.bounds);
        for partition in self.streams.partitions().collect::<Vec<_>>() {
            let mut cursor = "0-0".to_owned();
            loop {
                let claim = self.streams.claim(connection, partition, idle_ms, &cursor, bounds);
                let (next, delivered, has_more) = claim.await?;
                self.own_pending |= has_more;
                let claimed = delivered.entries.len();
                if claimed > 0 {
                    tracing::info!(partition, entries = claimed, "claimed stale entries");
                    metrics::CLAIMED_ENTRIES.increment(claimed as u64);
                }
                self.process(connection, delivered).await?;
                if next == "0-0" || self.shutdown.is_cancelled() {
                    break;
                }
                cursor = next;
            }
        }
        // Well below the idle time, so that what turns stale is not left for twice as long.
        self.next_claim = Instant::now() + Duration::from_millis((idle_ms / 3).max(50));
        Ok(())
    }

    async fn process(
        &self,
        connection: &mut Connection,
        delivered: Delivered,
    ) -> Result<(), Error> {
        let Delivered { entries, vanished, .. } = delivered;
        if !vanished.is_empty() {
            tracing::error!(
                entries = vanished.len(),
                first = vanished[0].1,
                "entries were deleted from a stream before they were counted"
            );
            metrics::VANISHED_ENTRIES.increment(vanished.len() as u64);
            let ids = vanished.iter().map(|(partition, id)| (*partition, id.as_str()));
            self.streams.acknowledge(connection, ids).await?;
        }
        if entries.is_empty() {
            return Ok(());
        }
        metrics::BATCH_ENTRIES.record(entries.len() as f64);
        let journeys = Journeys::begin(&entries);
        let mut batch = self.sort(&entries).await?;
        self.count(&mut batch, entries.len()).await?;
        record_latency(&batch.votes);
        spans::log(&batch.votes);

        for (source, reason) in &batch.dead {
            let entry = &entries[*source];
            tracing::warn!(partition = entry.partition, entry = entry.id, reason, "dead letter");
            self.streams.dead_letter(connection, entry, reason).await?;
            metrics::DEAD_LETTERS.increment(1);
        }
        let is_dead = |position| batch.dead.iter().any(|(source, _)| *source == position);
        let counted = entries.iter().enumerate().filter(|(position, _)| !is_dead(*position));
        let ids = counted.map(|(_, entry)| (entry.partition, entry.id.as_str()));
        self.streams.acknowledge(connection, ids).await?;
        if let Some(journeys) = journeys {
            journeys.end();
        }
        Ok(())
    }

    /// Sorts entries by the polls as they are known, and by newer ones before any is turned away: a
    /// poll may have been created or opened since.
    async fn sort(&self, entries: &[Entry]) -> Result<Batch, Error> {
        let batch = batch::sort(entries, &self.book.polls());
        if !batch.doubtful {
            return Ok(batch);
        }
        let mut backoff = Backoff::new();
        loop {
            let reloaded = self.unless_hurried(self.book.reload(), entries.len()).await?;
            match reloaded {
                Ok(polls) => return Ok(batch::sort(entries, &polls)),
                Err(reason) => self.wait_for_postgres(&reason, &mut backoff, entries.len()).await?,
            }
        }
    }

    /// Counts the batch, however long the database is away; data that it refuses is split until the
    /// bad vote is alone, which then is dead.
    async fn count(&self, batch: &mut Batch, in_hand: usize) -> Result<(), Error> {
        let mut backoff = Backoff::new();
        let votes = std::mem::take(&mut batch.votes);
        let mut set_aside = std::mem::take(&mut batch.set_aside);
        let mut parts = vec![votes];
        while let Some(votes) = parts.pop() {
            let started = Instant::now();
            let counted =
                self.unless_hurried(self.store.count(&votes, &set_aside), in_hand).await?;
            match counted {
                Ok(counted) => {
                    metrics::STORE_DURATION_SECONDS.record(started.elapsed());
                    record_outcomes(counted, &set_aside);
                    set_aside.clear();
                    batch.votes.extend(votes);
                    backoff.reset();
                }
                Err(store::Error::Transient(reason)) => {
                    parts.push(votes);
                    self.wait_for_postgres(&reason, &mut backoff, in_hand).await?;
                }
                Err(store::Error::Rejected(reason)) => split(votes, &reason, &mut parts, batch),
            }
        }
        Ok(())
    }

    async fn wait_for_postgres(
        &self,
        reason: &str,
        backoff: &mut Backoff,
        in_hand: usize,
    ) -> Result<(), Error> {
        let wait = backoff.next_wait();
        tracing::warn!(reason, wait_ms = wait.as_millis() as u64, "postgres: trying again");
        metrics::RETRIES.with(["postgres"]).increment(1);
        self.unless_hurried(tokio::time::sleep(wait), in_hand).await
    }

    /// What `work` gives, unless it is too late to wait for it.
    async fn unless_hurried<T>(
        &self,
        work: impl Future<Output = T>,
        in_hand: usize,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.hurry.cancelled() => Err(Error::Stopping(in_hand)),
        }
    }

    async fn leave(mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match self.streams.leave(&mut connection).await {
            Ok(pending) => tracing::info!(pending, "lane stopped; its name is given up"),
            Err(error) => {
                tracing::warn!(%error, "lane stopped; its name will be removed by others");
            }
        }
    }
}

fn split(mut votes: Vec<Vote>, reason: &str, parts: &mut Vec<Vec<Vote>>, batch: &mut Batch) {
    if votes.len() <= 1 {
        batch.dead.extend(votes.iter().map(|vote| (vote.source, reason.to_owned())));
        return;
    }
    tracing::warn!(reason, votes = votes.len(), "postgres refuses a batch; splitting it");
    let second = votes.split_off(votes.len() / 2);
    parts.push(second);
    parts.push(votes);
}

fn record_outcomes(
    counted: store::Counted,
    set_aside: &[(votestream_schema::Ballot, batch::Reason)],
) {
    let count = |outcome: &'static str, n: u64| {
        metrics::VOTES.with([outcome]).increment(n);
    };
    count("counted", (counted.counted - counted.replaced).unsigned_abs());
    count("replaced", counted.replaced.unsigned_abs());
    count("unchanged", counted.unchanged.unsigned_abs());
    for (_, reason) in set_aside {
        count(reason.as_str(), 1);
    }
}

/// From the entry's ID, which is when Redis stored it, to now, just after the commit.
fn record_latency(votes: &[Vote]) {
    let now_ms = votestream_schema::poll::now_ms();
    let latency = metrics::BALLOT_TO_COMMIT_SECONDS.handle();
    for vote in votes {
        latency.record((now_ms - vote.entry.ms).max(0) as f64 / 1_000.0);
    }
}
