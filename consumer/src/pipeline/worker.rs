//! The loop of one worker: read a batch, count it, acknowledge it.
//!
//! A worker owns some partitions, one connection to Redis and one consumer name. It holds at most one batch at a time.
//!
//! Invariant: an entry is acknowledged only after its transaction committed. If anything fails in between, the entry
//! stays pending and is read again, and counting it again changes nothing. So after any failure the worker drops its
//! connection, makes a new one, and first reads its own pending entries.
//!
//! Absent on purpose: a limit on deliveries. Reading one's own pending entries and claiming those of others both raise
//! Redis' delivery counter, so the counter says nothing about the entry itself. Only when Postgres refuses the data of
//! an entry does it become a dead letter.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::RedisError;
use tokio::time::Instant;
use votestream_service::CancellationToken;
use votestream_service::backoff::Backoff;
use votestream_service::redis::{Connection, Manager};

use crate::jobs::epoch::SameTime;
use crate::metrics;
use crate::pipeline::batch::{self, Batch, Vote};
use crate::pipeline::last_failure::LastFailure;
use crate::pipeline::read_size::AdaptiveReadSize;
use crate::pipeline::spans::{self, BatchSpans};
use crate::pipeline::store::{self, Outcome, Store};
use crate::polls::PollCache;
use crate::streams::entry::{Delivered, Entry};
use crate::streams::{BatchBounds, Streams};

/// The interval at which a worker searches for entries that no consumer holds. So they are counted within a minute.
const SEARCH_EVERY: Duration = Duration::from_secs(20);

/// How long a worker waits before it looks again whether both servers are of the same time.
const NOT_YET: Duration = Duration::from_millis(20);

/// The settings of a worker's loop; every worker of a process has the same.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Host and port of the Postgres server, for log lines.
    pub postgres: Arc<str>,
    /// Where the reason of a failed step goes.
    pub last_failure: LastFailure,
    /// Whether ballots may be counted at all.
    pub same_time: SameTime,
    /// The most entries and bytes of one batch.
    pub bounds: BatchBounds,
    /// How long to wait for more entries after a read that returned few.
    pub linger: Duration,
    /// How long a read waits for its first entry, in milliseconds.
    pub block_ms: u64,
    /// How long another consumer's entries must have been pending before they are claimed, in milliseconds.
    pub claim_idle_ms: u64,
    /// How long a consumer must have been idle before it is removed from the group, in milliseconds.
    pub consumer_expiry_ms: u64,
}

impl WorkerConfig {
    /// The interval for removing idle consumers. On the way the worker shows Redis that it is alive itself, so the
    /// interval is a quarter of the expiry: other workers never see this one as idle for long enough.
    fn removal_interval(&self) -> Duration {
        Duration::from_millis(self.consumer_expiry_ms / 4)
    }
}

/// One worker: its settings, its connection, and the state of its loop.
#[derive(Debug)]
pub struct Worker {
    manager: Manager,
    streams: Streams,
    store: Store,
    polls: PollCache,
    config: WorkerConfig,
    read_size: AdaptiveReadSize,
    /// The most that is read of pending entries at a time: less than configured after a connection broke.
    pending_bounds: BatchBounds,
    /// The most votes of one transaction.
    part_size: AtomicUsize,
    shutdown: CancellationToken,
    /// Cancelled when too little of the grace period is left to wait for Postgres.
    force_stop: CancellationToken,
    /// None until first needed, and after every failure.
    connection: Option<Connection>,
    /// Whether entries may be pending under this worker's name from an earlier, failed step.
    has_own_pending: bool,
    /// Whether the last read of new entries returned some, but few.
    found_few: bool,
    next_claim: Instant,
    next_removal: Instant,
    next_search: Instant,
}

/// Why a step of the loop failed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("redis: {0}")]
    Redis(#[from] RedisError),
    #[error("stopped while postgres was down; {0} entries stay pending for other replicas")]
    Stopping(usize),
}

impl Worker {
    /// Creates a worker that is not connected yet. The first token stops it after the batch in hand; the second makes
    /// it leave even that batch to other replicas.
    pub fn new(
        manager: Manager,
        streams: Streams,
        store: Store,
        polls: PollCache,
        config: WorkerConfig,
        (shutdown, force_stop): (CancellationToken, CancellationToken),
    ) -> Self {
        let now = Instant::now();
        Self {
            manager,
            streams,
            store,
            polls,
            read_size: AdaptiveReadSize::new(config.bounds.entries, config.bounds.bytes),
            pending_bounds: config.bounds,
            part_size: AtomicUsize::new(usize::MAX),
            next_removal: now + config.removal_interval(),
            config,
            shutdown,
            force_stop,
            connection: None,
            has_own_pending: false,
            found_few: false,
            next_claim: now,
            next_search: now,
        }
    }

    /// Runs until `shutdown`, then finishes the batch in hand and removes its name from the group.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new();
        while !self.shutdown.is_cancelled() {
            match self.step().await {
                Ok(()) => backoff.reset(),
                Err(Error::Stopping(entries)) => {
                    let servers = &self.config.postgres;
                    let reason = self.config.last_failure.get().unwrap_or_default();
                    tracing::warn!(
                        entries,
                        %servers,
                        "worker stops with {entries} uncounted entries because postgres at {servers} does not take \
                         them; they stay pending, and other replicas claim them after {} ms: {reason}",
                        self.config.claim_idle_ms
                    );
                    return;
                }
                Err(Error::Redis(error)) => {
                    let wait = backoff.next_wait();
                    let wait_ms = wait.as_millis() as u64;
                    let servers = self.manager.servers();
                    self.config.last_failure.set(format!("redis at {servers}: {error}"));
                    tracing::warn!(
                        wait_ms,
                        %servers,
                        "redis at {servers} failed, reconnecting in {wait_ms} ms: {error}"
                    );
                    metrics::RETRIES.with(["redis"]).increment(1);
                    self.shrink(&error);
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

    /// Reads less at a time after a connection broke: Redis ends one whose reply exceeds `client-output-buffer-limit`, and
    /// the same read would end the next one as well.
    fn shrink(&mut self, error: &RedisError) {
        if error.is_connection_refusal() || !(error.is_connection_dropped() || error.is_io_error())
        {
            return;
        }
        self.read_size.halve();
        let BatchBounds { entries, bytes } = self.pending_bounds;
        self.pending_bounds =
            BatchBounds { entries: entries.div_ceil(2), bytes: bytes.div_ceil(2) };
    }

    /// Connects if necessary, then reads, counts and acknowledges one batch.
    async fn step(&mut self) -> Result<(), Error> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        self.work(&mut connection).await?;
        // A step that failed has dropped the connection: a late reply on it would be mistaken for the next one.
        self.connection = Some(connection);
        Ok(())
    }

    /// Chooses the next batch: stale entries of others when a claim is due, else its own pending entries, else new ones.
    async fn work(&mut self, connection: &mut Connection) -> Result<(), Error> {
        if !self.config.same_time.is_known() {
            tokio::time::sleep(NOT_YET).await;
            return Ok(());
        }
        if Instant::now() >= self.next_claim {
            return self.claim_stale(connection).await;
        }
        if Instant::now() >= self.next_search && !self.has_own_pending {
            self.take_abandoned(connection).await?;
        }
        if Instant::now() >= self.next_removal {
            self.next_removal = Instant::now() + self.config.removal_interval();
            let expiry_ms = self.config.consumer_expiry_ms;
            let removed = self.streams.remove_idle_consumers(connection, expiry_ms).await?;
            metrics::CONSUMERS_REMOVED.increment(removed);
            // Reading its own pending entries resets this consumer's idle time. Redis 7.0 counts a consumer as idle
            // while its reads return nothing new, so without this an idle deployment would remove its own consumers.
            self.has_own_pending = true;
        }
        if self.has_own_pending {
            let delivered = self.streams.read_pending(connection, self.pending_bounds).await?;
            self.has_own_pending = !delivered.is_empty();
            if !self.has_own_pending {
                self.pending_bounds = self.config.bounds;
            }
            return self.process(connection, delivered).await;
        }
        let delivered = self.read_new(connection).await?;
        self.process(connection, delivered).await
    }

    /// Opens a connection and creates missing groups. Entries that an earlier connection had read are pending, so they
    /// are read first.
    async fn connect(&mut self) -> Result<Connection, Error> {
        // A blocking read may take all of `block_ms` before Redis answers it.
        let response_timeout =
            Duration::from_millis(self.config.block_ms) + Duration::from_secs(15);
        let mut connection = self.manager.connect(response_timeout).await?;
        self.streams.create_groups(&mut connection).await?;
        self.read_size.reset();
        self.has_own_pending = true;
        Ok(connection)
    }

    /// Reads entries that were never delivered, waiting for the first one. After a read that returned few entries more
    /// will come soon, so the next read lingers first: batches become fewer and larger, and an entry that arrives after
    /// a pause is still read at once.
    async fn read_new(&mut self, connection: &mut Connection) -> Result<Delivered, Error> {
        if std::mem::take(&mut self.found_few) {
            tokio::select! {
                () = self.shutdown.cancelled() => {}
                () = tokio::time::sleep(self.config.linger) => {}
            }
        }
        let count = self.read_size.count();
        let delivered = self.streams.read_new(connection, self.config.block_ms, count).await?;
        let found = delivered.entries.len();
        self.found_few = found > 0 && found < count / 2 && !self.config.linger.is_zero();
        self.read_size.learn(found, delivered.bytes);
        Ok(delivered)
    }

    /// Claims entries that dead consumers left pending, and counts them a batch at a time until none is stale.
    async fn claim_stale(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let (idle_ms, bounds) = (self.config.claim_idle_ms, self.pending_bounds);
        for partition in self.streams.partitions().collect::<Vec<_>>() {
            let mut cursor = "0-0".to_owned();
            loop {
                let claim = self.streams.claim(connection, partition, idle_ms, &cursor, bounds);
                let (next, delivered, has_more) = claim.await?;
                self.has_own_pending |= has_more;
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
        // A third of the idle time, so that an entry is claimed soon after it became stale.
        self.next_claim = Instant::now() + Duration::from_millis((idle_ms / 3).max(50));
        Ok(())
    }

    /// Takes entries that no consumer holds although the group has passed them, so that the next reads find them among
    /// this worker's own pending ones.
    async fn take_abandoned(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let most = self.config.bounds.entries;
        let mut is_complete = true;
        for partition in self.streams.partitions().collect::<Vec<_>>() {
            let taken = self.streams.take_abandoned(connection, partition, most).await?;
            if taken == 0 {
                continue;
            }
            self.has_own_pending = true;
            is_complete &= taken < most as u64;
            metrics::ABANDONED_ENTRIES.increment(taken);
            tracing::warn!(
                partition,
                entries = taken,
                "{taken} entries of partition {partition} were held by no consumer although the group had passed them; \
                 they are counted now. Somebody ran XGROUP DELCONSUMER or SETID, or Redis refused to remove them"
            );
        }
        if is_complete {
            self.next_search = Instant::now() + SEARCH_EVERY;
        }
        Ok(())
    }

    /// Counts one batch, moves bad entries to the dead letters, and acknowledges the rest.
    async fn process(
        &self,
        connection: &mut Connection,
        delivered: Delivered,
    ) -> Result<(), Error> {
        let Delivered { entries, vanished, .. } = delivered;
        // Pending entries whose data is gone can never be counted; acknowledging them ends their redelivery.
        if !vanished.is_empty() {
            let (lost, servers) = (vanished.len(), connection.servers());
            let (partition, first) = &vanished[0];
            tracing::error!(
                entries = lost,
                partition,
                first,
                %servers,
                "{lost} entries were deleted from redis at {servers} before they were counted, first {first} of \
                 partition {partition}; `votectl audit` shows which polls miss ballots"
            );
            metrics::VANISHED_ENTRIES.increment(vanished.len() as u64);
            let ids = vanished.iter().map(|(partition, id)| (*partition, id.as_str()));
            self.streams.acknowledge(connection, ids).await?;
        }
        if entries.is_empty() {
            return Ok(());
        }
        metrics::BATCH_ENTRIES.record(entries.len() as f64);

        // Count in Postgres.
        let spans = BatchSpans::begin(&entries);
        let mut batch = self.sort(&entries).await?;
        self.count(&mut batch, entries.len()).await?;
        record_latency(&batch.votes);
        spans::log_committed(&batch.votes, &entries);

        // Move bad entries to the dead letters, which acknowledges them too.
        for (source, reason) in &batch.dead {
            let entry = &entries[*source];
            tracing::warn!(
                partition = entry.partition,
                entry = entry.id,
                trace_id = spans::trace_id(entry),
                reason,
                "moving an entry to the dead letters"
            );
            self.streams.dead_letter(connection, entry, reason).await?;
            metrics::DEAD_LETTERS.increment(1);
        }

        // Acknowledge the others, only now that they are committed.
        let is_dead = |position| batch.dead.iter().any(|(source, _)| *source == position);
        let counted = entries.iter().enumerate().filter(|(position, _)| !is_dead(*position));
        let ids = counted.map(|(_, entry)| (entry.partition, entry.id.as_str()));
        self.streams.acknowledge(connection, ids).await?;
        self.config.last_failure.clear();
        if let Some(spans) = spans {
            spans.end();
        }
        Ok(())
    }

    /// Sorts entries by the cached polls. If one would be refused, reloads the polls and sorts again, because a poll may
    /// have been created or opened since.
    async fn sort(&self, entries: &[Entry]) -> Result<Batch, Error> {
        let batch = batch::sort(entries, &self.polls.polls());
        if !batch.needs_refresh {
            return Ok(batch);
        }
        let mut backoff = Backoff::new();
        loop {
            let reloaded = self.unless_forced_to_stop(self.polls.reload(), entries.len()).await?;
            match reloaded {
                Ok(polls) => return Ok(batch::sort(entries, &polls)),
                Err(error) => {
                    self.wait_for_postgres(&error.to_string(), &mut backoff, entries.len()).await?;
                }
            }
        }
    }

    /// Counts the batch, retrying for as long as Postgres is down. When Postgres refuses the data, the batch is halved
    /// until the bad vote is alone, which then becomes a dead letter. When Postgres is too slow for a batch, this one and
    /// the next ones are counted in smaller parts; parts grow again when they succeed.
    async fn count(&self, batch: &mut Batch, in_hand: usize) -> Result<(), Error> {
        let mut backoff = Backoff::new();
        let votes = std::mem::take(&mut batch.votes);
        let mut set_aside = std::mem::take(&mut batch.set_aside);
        let mut parts = in_parts(votes, self.part_size.load(Ordering::Relaxed));
        // Ballots to set aside are stored even if every vote was refused.
        while let Some(votes) = parts.pop().or_else(|| (!set_aside.is_empty()).then(Vec::new)) {
            let started = Instant::now();
            let counted =
                self.unless_forced_to_stop(self.store.count(&votes, &set_aside), in_hand).await?;
            match counted {
                Ok(Outcome { counted, without_code }) => {
                    let part_size = self.part_size.load(Ordering::Relaxed);
                    if votes.len() >= part_size {
                        self.part_size.store(part_size.saturating_mul(2), Ordering::Relaxed);
                    }
                    metrics::STORE_DURATION_SECONDS.record(started.elapsed());
                    record_outcomes(counted, &set_aside);
                    set_aside.clear();
                    for (position, vote) in votes.into_iter().enumerate() {
                        match without_code.binary_search(&position) {
                            Ok(_) => batch.dead.push((vote.source, no_such_code(&vote))),
                            Err(_) => batch.votes.push(vote),
                        }
                    }
                    backoff.reset();
                }
                Err(store::Error::Transient(reason)) => {
                    parts.push(votes);
                    self.wait_for_postgres(&reason, &mut backoff, in_hand).await?;
                }
                Err(store::Error::TooSlow(reason)) => {
                    let half = votes.len().div_ceil(2).max(1);
                    self.part_size.store(half, Ordering::Relaxed);
                    parts.extend(in_parts(votes, half));
                    self.wait_for_postgres(&reason, &mut backoff, in_hand).await?;
                }
                Err(store::Error::Rejected(reason)) if votes.is_empty() => {
                    let (ballots, servers) = (set_aside.len(), &self.config.postgres);
                    tracing::error!(
                        ballots,
                        %servers,
                        "postgres at {servers} refuses to keep {ballots} ballots that do not count, so they are left \
                         out: {reason}"
                    );
                    set_aside.clear();
                }
                Err(store::Error::Rejected(reason)) => {
                    self.split(votes, &reason, &mut parts, batch);
                }
            }
        }
        Ok(())
    }

    /// Logs why Postgres failed and waits before the next attempt.
    async fn wait_for_postgres(
        &self,
        reason: &str,
        backoff: &mut Backoff,
        in_hand: usize,
    ) -> Result<(), Error> {
        let wait = backoff.next_wait();
        let wait_ms = wait.as_millis() as u64;
        let servers = &self.config.postgres;
        self.config.last_failure.set(format!("postgres at {servers}: {reason}"));
        tracing::warn!(
            wait_ms,
            %servers,
            "postgres at {servers} failed, retrying in {wait_ms} ms: {reason}"
        );
        metrics::RETRIES.with(["postgres"]).increment(1);
        self.unless_forced_to_stop(tokio::time::sleep(wait), in_hand).await
    }

    /// Awaits `work`, or fails with [`Error::Stopping`] when the grace period leaves no time for it.
    async fn unless_forced_to_stop<T>(
        &self,
        work: impl Future<Output = T>,
        in_hand: usize,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.force_stop.cancelled() => Err(Error::Stopping(in_hand)),
        }
    }

    /// Removes this consumer from its groups, unless entries are pending under its name.
    async fn leave(mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match self.streams.leave(&mut connection).await {
            Ok(pending) => tracing::info!(pending, "worker stopped and left the consumer group"),
            Err(error) => {
                let servers = connection.servers();
                tracing::warn!(
                    %servers,
                    "worker stopped but could not leave the consumer group in redis at {servers}; other replicas \
                     remove its name within {} ms: {error}",
                    self.config.consumer_expiry_ms
                );
            }
        }
    }

    /// Halves a batch that Postgres refused, or marks the vote as dead when it is alone.
    fn split(
        &self,
        mut votes: Vec<Vote>,
        reason: &str,
        parts: &mut Vec<Vec<Vote>>,
        batch: &mut Batch,
    ) {
        if votes.len() <= 1 {
            batch.dead.extend(votes.iter().map(|vote| (vote.source, reason.to_owned())));
            return;
        }
        let (refused, servers) = (votes.len(), &self.config.postgres);
        tracing::warn!(
            votes = refused,
            %servers,
            "postgres at {servers} refuses a batch of {refused} votes, retrying it at once in halves: {reason}"
        );
        let second = votes.split_off(votes.len() / 2);
        parts.push(second);
        parts.push(votes);
    }
}

/// Divides votes into parts of at most this size, the first part last. Votes of none are one empty part, because there
/// may be ballots to set aside.
fn in_parts(mut votes: Vec<Vote>, size: usize) -> Vec<Vec<Vote>> {
    let mut parts = Vec::new();
    while votes.len() > size {
        parts.push(votes.split_off(votes.len() - size));
    }
    parts.push(votes);
    parts
}

/// The reason of a dead letter whose voter has no voting code.
/// The words by which a dead letter of a voter without a voting code is known.
pub(crate) const NO_SUCH_CODE: &str = "needs voting codes, and the voter of this ballot has none that was issued, or it was \
     revoked before";

fn no_such_code(vote: &Vote) -> String {
    format!("poll {} {NO_SUCH_CODE}: no producer accepts such a ballot", vote.ballot.poll)
}

/// Adds a committed transaction to the counters of votes by outcome.
fn record_outcomes(counted: store::Counted, set_aside: &[batch::SetAside]) {
    let count = |outcome: &'static str, n: u64| {
        metrics::VOTES.with([outcome]).increment(n);
    };
    count("counted", (counted.counted - counted.replaced).unsigned_abs());
    count("replaced", counted.replaced.unsigned_abs());
    count("unchanged", counted.unchanged.unsigned_abs());
    for batch::SetAside { reason, .. } in set_aside {
        count(reason.as_str(), 1);
    }
}

/// Records for each vote the time from its entry ID, which is when Redis stored it, until now, just after the commit.
fn record_latency(votes: &[Vote]) {
    let now_ms = votestream_schema::poll::now_ms();
    let latency = metrics::BALLOT_TO_COMMIT_SECONDS.handle();
    for vote in votes {
        latency.record((now_ms - vote.entry.ms).max(0) as f64 / 1_000.0);
    }
}
