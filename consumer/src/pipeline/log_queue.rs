//! Queues ballots for the public log of their poll, in the transaction that counts them.

use std::collections::{HashMap, HashSet};

use tokio_postgres::types::Type;
use uuid::Uuid;
use votestream_schema::{Ballot, EntryId};
use votestream_transparency::entry::{Outcome, StreamEntry};

use crate::pipeline::batch::{Reason, SetAside, Vote};
use crate::pipeline::log_record::LogRecord;

/// A ballot that counts since an upsert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    ballot: Uuid,
    /// The entry of the vote in whose place it counts.
    replaces: Option<EntryId>,
}

impl Change {
    /// Reads the arrays that `upserted.sql` returns; they are NULL if nothing changed.
    pub(super) fn read(row: &tokio_postgres::Row) -> Vec<Self> {
        let ballots: Vec<Uuid> = row.get::<_, Option<_>>(2).unwrap_or_default();
        let ms: Vec<Option<i64>> = row.get::<_, Option<_>>(3).unwrap_or_default();
        let seq: Vec<Option<i64>> = row.get::<_, Option<_>>(4).unwrap_or_default();
        let replaced =
            ms.into_iter().zip(seq).map(|(ms, seq)| Some(EntryId { ms: ms?, seq: seq? }));
        let changes = ballots.into_iter().zip(replaced);
        changes.map(|(ballot, replaces)| Self { ballot, replaces }).collect()
    }
}

/// Rows for the table `log_queue`: numbers of polls, and ballots of each.
#[derive(Debug)]
pub(super) struct LogQueue {
    partitions: u16,
    /// The number of the poll of each row.
    pub(super) polls: Vec<i32>,
    /// The ballots of each row.
    pub(super) ballots: Vec<Vec<u8>>,
}

impl LogQueue {
    /// Creates an empty queue for a deployment of this many partitions.
    pub(super) fn new(partitions: u16) -> Self {
        Self { partitions, polls: Vec::new(), ballots: Vec::new() }
    }

    /// Adds the votes of new voters.
    pub(super) fn add_new(&mut self, votes: &[Vote]) {
        for vote in votes.iter().filter(|vote| vote.is_logged) {
            self.add(&vote.ballot, vote.entry, Outcome::Counts, None);
        }
    }

    /// Adds those of these votes that count since an upsert.
    pub(super) fn add_changes(&mut self, votes: &[Vote], changes: &[Change]) {
        if !votes.iter().any(|vote| vote.is_logged) {
            return;
        }
        let by_ballot: HashMap<Uuid, &Vote> =
            votes.iter().map(|vote| (vote.ballot.id.0, vote)).collect();
        for Change { ballot, replaces } in changes {
            if let Some(vote) = by_ballot.get(ballot).filter(|vote| vote.is_logged) {
                self.add(&vote.ballot, vote.entry, Outcome::Counts, *replaces);
            }
        }
    }

    /// Adds those ballots that were set aside now, and not before.
    pub(super) fn add_set_aside(&mut self, losers: &[SetAside], stored: &[Uuid]) {
        let mut stored: HashSet<&Uuid> = stored.iter().collect();
        for SetAside { ballot, entry, reason, is_logged } in losers {
            // A ballot may be among the losers in two entries; it is set aside once.
            if stored.remove(&ballot.id.0) && *is_logged {
                let outcome = match reason {
                    Reason::Superseded => Outcome::Superseded,
                    Reason::OutOfTime => Outcome::OutOfTime,
                };
                self.add(ballot, *entry, outcome, None);
            }
        }
    }

    fn add(&mut self, ballot: &Ballot, id: EntryId, outcome: Outcome, replaces: Option<EntryId>) {
        // Votes are sorted by poll, so most batches make one row for each poll.
        if self.polls.last() != Some(&ballot.poll.0) {
            self.polls.push(ballot.poll.0);
            self.ballots.push(Vec::new());
        }
        let entry = StreamEntry { partition: ballot.voter.partition(self.partitions), id };
        let record =
            LogRecord { outcome, entry, ballot: ballot.id, choices: ballot.choices, replaces };
        record.write(self.ballots.last_mut().expect("a row was added if there was none"));
    }

    /// Stores the rows in the caller's transaction.
    pub(super) async fn store(
        &self,
        client: &tokio_postgres::Client,
    ) -> Result<(), tokio_postgres::Error> {
        if self.polls.is_empty() {
            return Ok(());
        }
        let rows = [(&self.polls as _, Type::INT4_ARRAY), (&self.ballots as _, Type::BYTEA_ARRAY)];
        client.query_typed(include_str!("../../sql/log/queue_for_log.sql"), &rows).await.map(drop)
    }
}
