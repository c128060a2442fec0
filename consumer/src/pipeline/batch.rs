//! Sorts delivered entries into votes to count, ballots to set aside, and dead letters.
//!
//! Invariant: the votes of a batch have at most one row per (poll, voter) and are sorted by it, as the statement that
//! counts them requires. A bad entry never affects the others.
//! Absent on purpose: the database. Whether a vote replaces a stored one is decided in `upsert.sql`.

use std::cmp::Ordering;

use votestream_schema::{Ballot, EntryId, codec};

use crate::polls::Polls;
use crate::streams::entry::Entry;

/// A decoded ballot and the entry ID that decides its time and order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The ballot as the voter submitted it.
    pub ballot: Ballot,
    /// The ID of its entry; for a replayed dead letter, the ID of the original entry.
    pub entry: EntryId,
    /// Index of its entry in the slice given to [`sort`].
    pub source: usize,
    /// Whether a newer ballot of a voter replaces the older one in this poll; otherwise the oldest one counts.
    pub replaces: bool,
    /// Whether the vote counts only if the voter has a voting code.
    pub needs_code: bool,
    /// Whether the poll has a public log.
    pub is_logged: bool,
}

/// Why a ballot that was accepted does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Another ballot of the same voter counts instead.
    Superseded,
    /// The poll was not open at the time in the entry's ID.
    OutOfTime,
}

impl Reason {
    /// Returns the name stored in `set_aside.reason`, which is also the metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::OutOfTime => "out_of_time",
        }
    }
}

/// A ballot that was accepted and does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The ballot.
    pub ballot: Ballot,
    /// The ID of the entry under which it first came in.
    pub entry: EntryId,
    /// Why it does not count.
    pub reason: Reason,
    /// Whether the poll has a public log.
    pub is_logged: bool,
}

/// One batch, sorted by what is to be done with each entry.
#[derive(Debug, Default)]
pub struct Batch {
    /// Votes to count: one per (poll, voter), sorted by it.
    pub votes: Vec<Vote>,
    /// Ballots that will not count, whatever the database holds.
    pub set_aside: Vec<SetAside>,
    /// Indices of entries to move to the dead letters, with the reason that operators will read.
    pub dead: Vec<(usize, String)>,
    /// Whether an entry was refused because of the cached poll, so that it has to be sorted again with fresh polls
    /// before it may become a dead letter.
    pub needs_refresh: bool,
}

/// Decodes the entries, checks each against its poll, and keeps one vote per voter.
pub fn sort(entries: &[Entry], polls: &Polls) -> Batch {
    let mut batch = Batch { votes: Vec::with_capacity(entries.len()), ..Batch::default() };
    // Decode each entry and check it against the rules of its poll.
    for (source, entry) in entries.iter().enumerate() {
        let (ballot, id) = match read(entry) {
            Ok(read) => read,
            Err(malformed) => {
                batch.dead.push((source, malformed.to_string()));
                continue;
            }
        };
        match polls.get(&ballot.poll) {
            Some(poll) if poll.secrecy.is_sealed() => batch.dead.push((source, sealed(&ballot))),
            Some(poll) if poll.allows(ballot.choices) && poll.takes_entry_at(id.ms) => {
                let replaces = poll.vote_policy.replaces();
                let needs_code = poll.voter_policy.needs_code();
                let is_logged = poll.secrecy.receipts;
                batch.votes.push(Vote {
                    ballot,
                    entry: id,
                    source,
                    replaces,
                    needs_code,
                    is_logged,
                });
                continue;
            }
            Some(poll) if poll.allows(ballot.choices) => {
                let (reason, is_logged) = (Reason::OutOfTime, poll.secrecy.receipts);
                batch.set_aside.push(SetAside { ballot, entry: id, reason, is_logged });
            }
            Some(_) => batch.dead.push((source, not_allowed(&ballot))),
            None => batch.dead.push((source, no_such_poll(&ballot))),
        }
        // Only refused entries reach this line. The cached poll may be older than they are.
        batch.needs_refresh = true;
    }
    keep_one_per_voter(&mut batch);
    batch
}

/// Decodes the ballot of an entry, and the ID that decides its time and order.
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

fn sealed(ballot: &Ballot) -> String {
    format!(
        "poll {} is sealed: every ballot was counted before, and it counts no more",
        ballot.poll
    )
}

fn not_allowed(ballot: &Ballot) -> String {
    // The log has this reason, and must not have the choices.
    format!("its choices are not among those that poll {} allows", ballot.poll)
}

/// Keeps one vote per voter, by the poll's policy, because Postgres refuses a statement that upserts a row twice.
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
            set_aside.push(later.set_aside());
        }
        same
    });
}

impl Vote {
    /// The ballot of this vote, while another ballot of the voter counts.
    pub(crate) fn set_aside(&self) -> SetAside {
        let Self { ballot, entry, is_logged, .. } = *self;
        SetAside { ballot, entry, reason: Reason::Superseded, is_logged }
    }
}

fn same_voter(a: &Vote, b: &Vote) -> Ordering {
    (a.ballot.poll, a.ballot.voter).cmp(&(b.ballot.poll, b.ballot.voter))
}
