//! Counts votes in Postgres, a batch per transaction.
//!
//! Invariants: votes, tallies, series and set-aside ballots change in one transaction, by exactly the rows that the
//! upsert wrote; the same rows are queued for the public log of their poll. Counting the same batch again changes
//! nothing. In a poll with voting codes a vote counts only if its voter has a code in Postgres, whatever Redis said.
//!
//! Nearly all voters are new, and a plain insert takes half as long as an upsert. So the store tries an insert first.
//! When a voter of the batch is already stored, Postgres refuses the insert; the store then upserts this batch and the
//! next ones, since more such voters are likely to follow (see `docs/adr/0005-new-voters-first.md`).

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;
use votestream_schema::code::CodeHash;
use votestream_service::postgres::{
    Pool, Session, Warnings, describe, describe_checkout, is_data_error,
};

use crate::metrics;
use crate::pipeline::batch::{SetAside, Vote};
use crate::pipeline::log_queue::{Change, LogQueue};

/// Counts any votes, of new voters and of voters already stored.
const UPSERT: &str = concat!(
    include_str!("../../sql/upsert.sql"),
    include_str!("../../sql/tally.sql"),
    include_str!("../../sql/upserted.sql")
);
/// Counts votes of new voters only; fails with a unique violation if a voter is already stored.
const INSERT: &str = concat!(
    include_str!("../../sql/insert.sql"),
    include_str!("../../sql/tally.sql"),
    include_str!("../../sql/counted.sql")
);
/// The number of batches that are upserted after a refused insert, before an insert is tried again.
const UPSERTS_AFTER_ONE: u32 = 64;

/// The number of votes of a batch by their effect on the tally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Rows written: new voters and replaced votes.
    pub counted: i64,
    /// The part of `counted` that replaced an earlier choice of the same voter.
    pub replaced: i64,
    /// Votes without effect: entries delivered again, and ballots that lose to the stored one.
    pub unchanged: i64,
}

/// The result of counting a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The number of votes by their effect.
    pub counted: Counted,
    /// The positions, in ascending order, of votes that were not counted because their voter has no voting code.
    pub without_code: Vec<usize>,
}

/// A batch was not counted; nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres is unreachable, slow or misconfigured. The same batch may succeed later.
    #[error("{0}")]
    Transient(String),
    /// Postgres did not count the batch in time. Half of it may succeed.
    #[error("{0}")]
    TooSlow(String),
    /// Postgres refuses the data itself. The same batch would be refused again.
    #[error("{0}")]
    Rejected(String),
}

/// The tables in Postgres that hold votes and tallies. Clones share the state that chooses the statement.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
    response_timeout: Duration,
    partitions: u16,
    /// The number of batches to upsert before a plain insert is tried again.
    upserts_left: Arc<AtomicU32>,
}

impl Store {
    /// Creates a store over this pool, for a deployment of this many partitions. A transaction that takes longer than
    /// `response_timeout` counts as failed, because a frozen server enforces no time-out of its own.
    pub fn new(pool: Pool, response_timeout: Duration, partitions: u16) -> Self {
        Self { pool, response_timeout, partitions, upserts_left: Arc::default() }
    }

    /// Counts `votes`, which are one per (poll, voter) and sorted by it, and stores the ballots that were set aside.
    /// Leaves out the votes of voters without a voting code where one is needed.
    /// When this returns `Ok`, the transaction is committed and flushed to disk.
    ///
    /// # Errors
    /// Returns [`Error::Rejected`] when Postgres refuses the data, [`Error::TooSlow`] when a time-out ended the statement,
    /// and [`Error::Transient`] for every other failure, such as a commit that no synchronous standby has confirmed.
    /// Nothing is counted then.
    pub async fn count(&self, votes: &[Vote], set_aside: &[SetAside]) -> Result<Outcome, Error> {
        if votes.is_empty() && set_aside.is_empty() {
            return Ok(Outcome::default());
        }
        let session = self.pool.get().await;
        let mut session = session.map_err(|e| Error::Transient(describe_checkout(e)))?;
        let warnings = session.warnings();
        let counting = self.insert_or_upsert(&mut session, &warnings, votes, set_aside);
        let Ok(outcome) = tokio::time::timeout(self.response_timeout, counting).await else {
            // The session still owes an answer, so the pool must not lend it again.
            session.give_up();
            let reason = format!("postgres did not answer within {:?}", self.response_timeout);
            return Err(Error::TooSlow(reason));
        };
        if outcome.is_ok() && warnings.are_there() {
            // The batch is committed here, and no standby may have it. Counting it again waits for the standby again.
            let reason =
                "the wait for a synchronous standby was cancelled, so the commit is not safe";
            return Err(Error::Transient(reason.to_owned()));
        }
        record_disk(&outcome);
        outcome.map_err(|error| {
            session.judge(&error);
            match error.code() {
                Some(&SqlState::QUERY_CANCELED) => Error::TooSlow(describe(&error)),
                _ if is_data_error(&error) => Error::Rejected(describe(&error)),
                _ => Error::Transient(describe(&error)),
            }
        })
    }

    /// Chooses the statement: inserts as long as all voters are new, and upserts for a while after one was not.
    async fn insert_or_upsert(
        &self,
        session: &mut Session,
        warnings: &Warnings,
        votes: &[Vote],
        set_aside: &[SetAside],
    ) -> Result<Outcome, tokio_postgres::Error> {
        let left = self.upserts_left.load(Ordering::Relaxed);
        if left > 0 {
            self.upserts_left.store(left - 1, Ordering::Relaxed);
            return self.count_with(Statement::Upsert, session, warnings, votes, set_aside).await;
        }
        match self.count_with(Statement::Insert, session, warnings, votes, set_aside).await {
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                tracing::debug!("a voter of this batch is already stored; upserting the batch");
                metrics::REFUSED_INSERTS.increment(1);
                self.upserts_left.store(UPSERTS_AFTER_ONE, Ordering::Relaxed);
                self.count_with(Statement::Upsert, session, warnings, votes, set_aside).await
            }
            outcome => outcome,
        }
    }

    /// Counts a batch with one of the two statements, in a transaction of its own.
    async fn count_with(
        &self,
        statement: Statement,
        session: &mut Session,
        warnings: &Warnings,
        votes: &[Vote],
        set_aside: &[SetAside],
    ) -> Result<Outcome, tokio_postgres::Error> {
        let transaction = session.begin().await?;
        let mut counted = Counted::default();
        let mut losers = set_aside.to_vec();
        let without_code = without_code(&transaction, votes).await?;
        let votes = left_out(votes, &without_code);
        let mut for_log = LogQueue::new(self.partitions);
        // The votes, and with them tally and series.
        if !votes.is_empty() {
            let columns = Columns::of(&votes);
            match statement {
                // All votes count if the statement succeeds, so it queues them as well.
                Statement::Insert => {
                    let mut queue = LogQueue::new(self.partitions);
                    queue.add_new(&votes);
                    counted = columns.insert(&transaction, &queue).await?;
                }
                Statement::Upsert => {
                    let changes;
                    (counted, changes) = columns.upsert(&transaction).await?;
                    for_log.add_changes(&votes, &changes);
                }
            }
            if counted.replaced > 0 {
                columns.restore_set_aside(&transaction).await?;
            }
            // The statement does not say which votes lost, so all are offered; `set_aside.sql` skips those that count.
            if counted.unchanged > 0 {
                losers.extend(votes.iter().map(Vote::set_aside));
            }
        }
        if !losers.is_empty() {
            let stored = store_set_aside(&transaction, &losers).await?;
            for_log.add_set_aside(&losers, &stored);
        }
        for_log.store(&transaction).await?;
        warnings.forget();
        transaction.commit().await?;
        Ok(Outcome { counted, without_code })
    }
}

/// The two statements that count votes.
#[derive(Clone, Copy, Debug)]
enum Statement {
    Insert,
    Upsert,
}

/// Exports whether the disk has room for votes. Other errors say nothing about it.
fn record_disk(outcome: &Result<Outcome, tokio_postgres::Error>) {
    match outcome {
        Ok(_) => metrics::POSTGRES_DISK_FULL.set(0.0),
        Err(error) if error.code() == Some(&SqlState::DISK_FULL) => {
            metrics::POSTGRES_DISK_FULL.set(1.0);
        }
        Err(_) => {}
    }
}

/// Upserts votes, which are one per (poll, voter) and sorted by it, in the caller's transaction. The benchmark
/// measures this statement alone.
///
/// # Errors
/// Returns the Postgres error if the statement fails; nothing is counted then.
pub async fn upsert(
    client: &tokio_postgres::Client,
    votes: &[Vote],
) -> Result<Counted, tokio_postgres::Error> {
    Ok(Columns::of(votes).upsert(client).await?.0)
}

/// Returns the positions of the votes whose voter needs a voting code and has none.
async fn without_code(
    client: &tokio_postgres::Client,
    votes: &[Vote],
) -> Result<Vec<usize>, tokio_postgres::Error> {
    let (positions, votes): (Vec<usize>, Vec<&Vote>) =
        votes.iter().enumerate().filter(|(_, vote)| vote.needs_code).unzip();
    if votes.is_empty() {
        return Ok(Vec::new());
    }
    let polls: Vec<i32> = votes.iter().map(|vote| vote.ballot.poll.0).collect();
    let hashes: Vec<Uuid> = votes.iter().map(|vote| CodeHash::of(vote.ballot.voter).0).collect();
    let entry_ms: Vec<i64> = votes.iter().map(|vote| vote.entry.ms).collect();
    let rows = client
        .query_typed(
            include_str!("../../sql/without_code.sql"),
            &[
                (&polls, Type::INT4_ARRAY),
                (&hashes, Type::UUID_ARRAY),
                (&entry_ms, Type::INT8_ARRAY),
            ],
        )
        .await?;
    let position = |row: &tokio_postgres::Row| positions[row.get::<_, i64>(0) as usize - 1];
    Ok(rows.iter().map(position).collect())
}

/// Returns the votes without those at these ascending positions.
fn left_out<'a>(votes: &'a [Vote], positions: &[usize]) -> Cow<'a, [Vote]> {
    if positions.is_empty() {
        return Cow::Borrowed(votes);
    }
    let kept = votes.iter().enumerate().filter(|(at, _)| positions.binary_search(at).is_err());
    Cow::Owned(kept.map(|(_, vote)| *vote).collect())
}

/// The votes of a batch as one array per column, because the statements take them with `unnest`.
struct Columns {
    polls: Vec<i32>,
    voters: Vec<Uuid>,
    choices: Vec<i64>,
    entry_ms: Vec<i64>,
    entry_seq: Vec<i64>,
    ballots: Vec<Uuid>,
    /// The polls in which a newer ballot replaces an older one, each once.
    replacing: Vec<i32>,
}

impl Columns {
    fn of(votes: &[Vote]) -> Self {
        // Votes are sorted by poll, so `dedup` leaves each poll once.
        let replacing = votes.iter().filter(|vote| vote.replaces);
        let mut replacing: Vec<i32> = replacing.map(|vote| vote.ballot.poll.0).collect();
        replacing.dedup();
        Self {
            replacing,
            polls: votes.iter().map(|vote| vote.ballot.poll.0).collect(),
            voters: votes.iter().map(|vote| vote.ballot.voter.0).collect(),
            choices: votes.iter().map(|vote| vote.ballot.choices.mask()).collect(),
            entry_ms: votes.iter().map(|vote| vote.entry.ms).collect(),
            entry_seq: votes.iter().map(|vote| vote.entry.seq).collect(),
            ballots: votes.iter().map(|vote| vote.ballot.id.0).collect(),
        }
    }

    /// Inserts the votes of new voters, and queues them for the log. Returns how many rows it wrote.
    async fn insert(
        &self,
        client: &tokio_postgres::Client,
        queue: &LogQueue,
    ) -> Result<Counted, tokio_postgres::Error> {
        let mut parameters = self.parameters();
        parameters.push((&queue.polls, Type::INT4_ARRAY));
        parameters.push((&queue.ballots, Type::BYTEA_ARRAY));
        let rows = client.query_typed(INSERT, &parameters).await?;
        Ok(self.counted(rows.first()))
    }

    /// Upserts the votes. Returns how many rows it wrote, and the ballots that count since.
    async fn upsert(
        &self,
        client: &tokio_postgres::Client,
    ) -> Result<(Counted, Vec<Change>), tokio_postgres::Error> {
        let rows = client.query_typed(UPSERT, &self.parameters()).await?;
        let row = rows.first();
        let changes = row.map_or_else(Vec::new, Change::read);
        Ok((self.counted(row), changes))
    }

    fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        vec![
            (&self.polls, Type::INT4_ARRAY),
            (&self.voters, Type::UUID_ARRAY),
            (&self.choices, Type::INT8_ARRAY),
            (&self.entry_ms, Type::INT8_ARRAY),
            (&self.entry_seq, Type::INT8_ARRAY),
            (&self.ballots, Type::UUID_ARRAY),
            (&self.replacing, Type::INT4_ARRAY),
        ]
    }

    fn counted(&self, row: Option<&tokio_postgres::Row>) -> Counted {
        let get = |column| row.map_or(0, |row| row.get(column));
        let counted = get(0);
        let unchanged = self.voters.len() as i64 - counted;
        Counted { counted, replaced: get(1), unchanged }
    }

    /// Takes ballots out of `set_aside` that count after all, because a replacing vote is a ballot that lost before.
    async fn restore_set_aside(
        &self,
        client: &tokio_postgres::Client,
    ) -> Result<(), tokio_postgres::Error> {
        client
            .query_typed(
                include_str!("../../sql/restore_set_aside.sql"),
                &[(&self.polls, Type::INT4_ARRAY), (&self.voters, Type::UUID_ARRAY)],
            )
            .await
            .map(drop)
    }
}

/// Stores which of these ballots do not count, with the reason; ballots that do count are skipped. Returns the ids of those that
/// were not stored before.
async fn store_set_aside(
    client: &tokio_postgres::Client,
    losers: &[SetAside],
) -> Result<Vec<Uuid>, tokio_postgres::Error> {
    let ballots: Vec<Uuid> = losers.iter().map(|it| it.ballot.id.0).collect();
    let polls: Vec<i32> = losers.iter().map(|it| it.ballot.poll.0).collect();
    let voters: Vec<Uuid> = losers.iter().map(|it| it.ballot.voter.0).collect();
    let reasons: Vec<&str> = losers.iter().map(|it| it.reason.as_str()).collect();
    let entry_ms: Vec<i64> = losers.iter().map(|it| it.entry.ms).collect();
    let entry_seq: Vec<i64> = losers.iter().map(|it| it.entry.seq).collect();
    let rows = client
        .query_typed(
            include_str!("../../sql/set_aside.sql"),
            &[
                (&ballots, Type::UUID_ARRAY),
                (&polls, Type::INT4_ARRAY),
                (&voters, Type::UUID_ARRAY),
                (&reasons, Type::TEXT_ARRAY),
                (&entry_ms, Type::INT8_ARRAY),
                (&entry_seq, Type::INT8_ARRAY),
            ],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
