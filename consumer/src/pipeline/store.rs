//! Counts votes in Postgres.
//!
//! Invariant: rows, tallies, series and ballots set aside move in one transaction, by exactly what
//! the upsert changed; counting the same batch again changes nothing.
//!
//! Nearly all voters are new, and a plain insert takes half as long as an upsert. So that is tried
//! first; a batch that it refuses is upserted, and so are the next ones, since where one voter is known
//! others may be (see `docs/adr/0005-new-voters-first.md`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use uuid::Uuid;
use votestream_schema::Ballot;
use votestream_service::postgres::{Pool, describe, describe_checkout, is_data_error};

use crate::metrics;
use crate::pipeline::batch::{Reason, Vote};

/// The statement that counts any votes.
const UPSERT: &str =
    concat!(include_str!("../../sql/upsert.sql"), include_str!("../../sql/tally.sql"));
/// The statement that counts votes of new voters alone.
const INSERT: &str =
    concat!(include_str!("../../sql/insert.sql"), include_str!("../../sql/tally.sql"));
/// How many batches are upserted after one in which a voter was not new.
const UPSERTS_AFTER_ONE: u32 = 64;

/// What counting a batch changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Rows written: new voters and replaced votes.
    pub counted: i64,
    /// Of these, votes that took the place of another.
    pub replaced: i64,
    /// Votes that left the tally as it was: replays, and ballots that another one beats.
    pub unchanged: i64,
}

/// Why a batch was not counted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database, or the way to it: the same batch may succeed later.
    #[error("{0}")]
    Transient(String),
    /// The database refuses the data: the same batch would be refused again.
    #[error("{0}")]
    Rejected(String),
}

/// The tables that count.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
    answer_within: Duration,
    /// Batches yet to be upserted before new voters are hoped for again.
    upserts_left: Arc<AtomicU32>,
}

impl Store {
    /// Over this pool; a server that has not answered a transaction within `answer_within` counts as
    /// away (a frozen one enforces no time-out of its own).
    pub fn new(pool: Pool, answer_within: Duration) -> Self {
        Self { pool, answer_within, upserts_left: Arc::default() }
    }

    /// Counts `votes`, one per (poll, voter) and sorted by it, and remembers the ballots that do not
    /// stand. Committed, flushed to disk, when this returns `Ok`.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the data is at fault, else [`Error::Transient`]; nothing is counted.
    pub async fn count(
        &self,
        votes: &[Vote],
        set_aside: &[(Ballot, Reason)],
    ) -> Result<Counted, Error> {
        if votes.is_empty() && set_aside.is_empty() {
            return Ok(Counted::default());
        }
        let session = self.pool.get().await;
        let mut session = session.map_err(|e| Error::Transient(describe_checkout(e)))?;
        let counting = self.insert_or_upsert(&mut session, votes, set_aside);
        let Ok(outcome) = tokio::time::timeout(self.answer_within, counting).await else {
            session.give_up();
            return Err(Error::Transient(format!("no answer within {:?}", self.answer_within)));
        };
        outcome.map_err(|error| {
            session.judge(&error);
            match is_data_error(&error) {
                true => Error::Rejected(describe(&error)),
                false => Error::Transient(describe(&error)),
            }
        })
    }

    async fn insert_or_upsert(
        &self,
        client: &mut tokio_postgres::Client,
        votes: &[Vote],
        set_aside: &[(Ballot, Reason)],
    ) -> Result<Counted, tokio_postgres::Error> {
        let left = self.upserts_left.load(Ordering::Relaxed);
        if left > 0 {
            self.upserts_left.store(left - 1, Ordering::Relaxed);
            return count_in_transaction(client, UPSERT, votes, set_aside).await;
        }
        match count_in_transaction(client, INSERT, votes, set_aside).await {
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                tracing::debug!("not all voters are new");
                metrics::REFUSED_INSERTS.increment(1);
                self.upserts_left.store(UPSERTS_AFTER_ONE, Ordering::Relaxed);
                count_in_transaction(client, UPSERT, votes, set_aside).await
            }
            outcome => outcome,
        }
    }
}

/// Counts votes, one per (poll, voter) and sorted by it, with the one statement that takes any.
///
/// # Errors
/// Postgres'; nothing is counted.
pub async fn upsert(
    client: &impl tokio_postgres::GenericClient,
    votes: &[Vote],
) -> Result<Counted, tokio_postgres::Error> {
    Columns::of(votes).count(client, UPSERT).await
}

async fn count_in_transaction(
    client: &mut tokio_postgres::Client,
    statement: &str,
    votes: &[Vote],
    set_aside: &[(Ballot, Reason)],
) -> Result<Counted, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    let mut counted = Counted::default();
    let mut losers = set_aside.to_vec();
    if !votes.is_empty() {
        let columns = Columns::of(votes);
        counted = columns.count(&transaction, statement).await?;
        if counted.replaced > 0 {
            columns.let_stand_again(&transaction).await?;
        }
        if counted.unchanged > 0 {
            losers.extend(votes.iter().map(|vote| (vote.ballot, Reason::Superseded)));
        }
    }
    if !losers.is_empty() {
        remember_losers(&transaction, &losers).await?;
    }
    transaction.commit().await?;
    Ok(counted)
}

/// Votes as the arrays that the statements unnest.
struct Columns {
    polls: Vec<i32>,
    voters: Vec<Uuid>,
    choices: Vec<i64>,
    entry_ms: Vec<i64>,
    entry_seq: Vec<i64>,
    ballots: Vec<Uuid>,
    /// The polls, each once, in which a newer ballot takes the place of an older one.
    replacing: Vec<i32>,
}

impl Columns {
    fn of(votes: &[Vote]) -> Self {
        // Votes are sorted by poll.
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

    async fn count(
        &self,
        client: &impl tokio_postgres::GenericClient,
        statement: &str,
    ) -> Result<Counted, tokio_postgres::Error> {
        let rows = client
            .query_typed(
                statement,
                &[
                    (&self.polls, Type::INT4_ARRAY),
                    (&self.voters, Type::UUID_ARRAY),
                    (&self.choices, Type::INT8_ARRAY),
                    (&self.entry_ms, Type::INT8_ARRAY),
                    (&self.entry_seq, Type::INT8_ARRAY),
                    (&self.ballots, Type::UUID_ARRAY),
                    (&self.replacing, Type::INT4_ARRAY),
                ],
            )
            .await?;
        let row = rows.first();
        let get = |column| row.map_or(0, |row| row.get(column));
        let counted = get(0);
        let unchanged = self.voters.len() as i64 - counted;
        Ok(Counted { counted, replaced: get(1), unchanged })
    }

    async fn let_stand_again(
        &self,
        client: &impl tokio_postgres::GenericClient,
    ) -> Result<(), tokio_postgres::Error> {
        client
            .query_typed(
                include_str!("../../sql/stand_again.sql"),
                &[(&self.polls, Type::INT4_ARRAY), (&self.voters, Type::UUID_ARRAY)],
            )
            .await
            .map(drop)
    }
}

/// Remembers those of these ballots that do not stand.
async fn remember_losers(
    client: &impl tokio_postgres::GenericClient,
    losers: &[(Ballot, Reason)],
) -> Result<(), tokio_postgres::Error> {
    let ballots: Vec<Uuid> = losers.iter().map(|(ballot, _)| ballot.id.0).collect();
    let polls: Vec<i32> = losers.iter().map(|(ballot, _)| ballot.poll.0).collect();
    let voters: Vec<Uuid> = losers.iter().map(|(ballot, _)| ballot.voter.0).collect();
    let reasons: Vec<&str> = losers.iter().map(|(_, reason)| reason.as_str()).collect();
    client
        .query_typed(
            include_str!("../../sql/set_aside.sql"),
            &[
                (&ballots, Type::UUID_ARRAY),
                (&polls, Type::INT4_ARRAY),
                (&voters, Type::UUID_ARRAY),
                (&reasons, Type::TEXT_ARRAY),
            ],
        )
        .await
        .map(drop)
}
