//! Sorts what was delivered: votes to count, ballots to set aside, entries that are dead.
//!
//! Invariant: the votes of a batch have at most one row per (poll, voter) and are sorted by it; a bad
//! entry harms only itself.

use std::cmp::Ordering;

use votestream_schema::{Ballot, EntryId, codec};

use crate::polls::Polls;
use crate::streams::entry::Entry;

/// A ballot with the entry ID that decides its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The ballot.
    pub ballot: Ballot,
    /// Its entry's ID, or its first journey's.
    pub entry: EntryId,
    /// Index of its entry among those delivered.
    pub source: usize,
    /// Whether a newer ballot takes the place of an older one in its poll.
    pub replaces: bool,
}

/// Why an accepted ballot does not stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Another ballot of the same voter stands.
    Superseded,
    /// The poll was not open by the ID of its entry.
    OutOfTime,
}

impl Reason {
    /// As it is stored, and as a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::OutOfTime => "out_of_time",
        }
    }
}

/// A batch, sorted.
#[derive(Debug, Default)]
pub struct Batch {
    /// What is to be counted.
    pub votes: Vec<Vote>,
    /// Ballots that will not stand, whatever the database holds.
    pub set_aside: Vec<(Ballot, Reason)>,
    /// Indices of entries that are no ballots, and why.
    pub dead: Vec<(usize, String)>,
    /// Whether an entry was turned away for what is known of its poll, and a newer poll might take it.
    pub doubtful: bool,
}

/// Sorts entries.
pub fn sort(entries: &[Entry], polls: &Polls) -> Batch {
    let mut batch = Batch { votes: Vec::with_capacity(entries.len()), ..Batch::default() };
    for (source, entry) in entries.iter().enumerate() {
        let (ballot, id) = match read(entry) {
            Ok(read) => read,
            Err(malformed) => {
                batch.dead.push((source, malformed.to_string()));
                continue;
            }
        };
        match polls.get(&ballot.poll) {
            Some(poll) if poll.allows(ballot.choices) && poll.takes_entry_at(id.ms) => {
                let replaces = poll.vote_policy.replaces();
                batch.votes.push(Vote { ballot, entry: id, source, replaces });
                continue;
            }
            Some(poll) if poll.allows(ballot.choices) => {
                batch.set_aside.push((ballot, Reason::OutOfTime));
            }
            Some(_) => batch.dead.push((source, not_allowed(&ballot))),
            None => batch.dead.push((source, no_such_poll(&ballot))),
        }
        batch.doubtful = true;
    }
    keep_one_per_voter(&mut batch);
    batch
}

/// The ballot of an entry, and the ID that decides its time and order.
fn read(entry: &Entry) -> Result<(Ballot, EntryId), codec::Error> {
    if let Some(bytes) = entry.oversized {
        return Err(codec::Error::OversizedEntry(bytes));
    }
    let payload =
        entry.field(codec::FIELD_BALLOT).ok_or(codec::Error::MissingField(codec::FIELD_BALLOT))?;
    Ok((codec::decode(payload)?, entry.effective_id()?))
}

fn no_such_poll(ballot: &Ballot) -> String {
    format!("there is no poll {} that this consumer can read", ballot.poll)
}

fn not_allowed(ballot: &Ballot) -> String {
    let Ballot { choices, poll, .. } = ballot;
    format!("choices {} are not among those that poll {poll} allows", choices.mask())
}

/// Two ballots of one voter in one statement would be refused; the policy decides here already.
fn keep_one_per_voter(batch: &mut Batch) {
    let rank = |vote: &Vote| (vote.entry, vote.ballot.id);
    let by_rank = |a: &Vote, b: &Vote| match a.replaces {
        true => rank(b).cmp(&rank(a)),
        false => rank(a).cmp(&rank(b)),
    };
    let order = |a: &Vote, b: &Vote| same_voter(a, b).then_with(|| by_rank(a, b));
    batch.votes.sort_unstable_by(order);
    let set_aside = &mut batch.set_aside;
    batch.votes.dedup_by(|later, standing| {
        let same = same_voter(later, standing).is_eq();
        if same && later.ballot.id != standing.ballot.id {
            set_aside.push((later.ballot, Reason::Superseded));
        }
        same
    });
}

fn same_voter(a: &Vote, b: &Vote) -> Ordering {
    (a.ballot.poll, a.ballot.voter).cmp(&(b.ballot.poll, b.ballot.voter))
}
