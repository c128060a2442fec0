//! Counts a poll again from the entries of its log.

use std::collections::HashMap;

use votestream_schema::Choices;

use crate::entry::{LogEntry, Outcome, StreamEntry};

/// The votes of each option, by its position; options behind the last one here have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Votes(Vec<i64>);

impl Votes {
    /// Adds `by` votes for each chosen option.
    pub(crate) fn add(&mut self, choices: Choices, by: i64) {
        for position in choices.positions() {
            *self.at(position) += by;
        }
    }

    /// Adds the votes of each option.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for (position, votes) in other.0.iter().enumerate() {
            *self.at(position) += votes;
        }
    }

    /// The votes of the option at this position.
    pub(crate) fn of(&self, position: usize) -> i64 {
        self.0.get(position).copied().unwrap_or(0)
    }

    fn at(&mut self, position: usize) -> &mut i64 {
        if self.0.len() <= position {
            self.0.resize(position + 1, 0);
        }
        &mut self.0[position]
    }
}

/// The count of a poll, from the entries of its log so far.
#[derive(Clone, Debug, Default)]
pub struct Recount {
    /// The ballots that count, by their stream entries.
    standing: HashMap<StreamEntry, Choices>,
    votes: Votes,
    /// The number of ballots set aside because another one of the voter counts.
    superseded: u64,
    /// The number of ballots set aside because they were out of time.
    out_of_time: u64,
}

/// An entry that contradicts the entries before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The same stream entry counts already.
    #[error("the ballot of stream entry {0} counts twice")]
    Twice(StreamEntry),
    /// It takes the place of a ballot that does not count.
    #[error("the ballot of stream entry {0} replaces {1}, which does not count")]
    ReplacesNothing(StreamEntry, StreamEntry),
    /// It is set aside, and counts.
    #[error(
        "the ballot of stream entry {0} counts, and is set aside later without another in its place"
    )]
    SetAsideLater(StreamEntry),
}

impl Recount {
    /// Takes the next entry. Returns the choices of the ballot whose place it took, if it took one.
    ///
    /// # Errors
    /// Returns an error if it contradicts the entries before it; it changes nothing then.
    pub fn add(&mut self, entry: &LogEntry) -> Result<Option<Choices>, Contradiction> {
        if entry.outcome != Outcome::Counts {
            if self.standing.contains_key(&entry.entry) {
                return Err(Contradiction::SetAsideLater(entry.entry));
            }
            match entry.outcome {
                Outcome::OutOfTime => self.out_of_time += 1,
                _ => self.superseded += 1,
            }
            return Ok(None);
        }
        if entry.replaces != Some(entry.entry) && self.standing.contains_key(&entry.entry) {
            return Err(Contradiction::Twice(entry.entry));
        }
        let mut replaced = None;
        if let Some(before) = entry.replaces {
            let Some(choices) = self.standing.remove(&before) else {
                return Err(Contradiction::ReplacesNothing(entry.entry, before));
            };
            self.votes.add(choices, -1);
            replaced = Some(choices);
        }
        self.standing.insert(entry.entry, entry.choices);
        self.votes.add(entry.choices, 1);
        Ok(replaced)
    }

    /// The votes of the option at this position.
    pub fn votes(&self, position: usize) -> i64 {
        self.votes.of(position)
    }

    /// The number of options that have, or had, a vote: one more than the highest position.
    pub fn options(&self) -> usize {
        self.votes.0.len()
    }

    /// The number of people whose ballot counts.
    pub fn voters(&self) -> u64 {
        self.standing.len() as u64
    }

    /// The stream entries of all ballots that count now, in no order.
    pub fn standing(&self) -> impl Iterator<Item = StreamEntry> {
        self.standing.keys().copied()
    }

    /// Whether the ballot of this stream entry counts now.
    pub fn counts(&self, entry: StreamEntry) -> bool {
        self.standing.contains_key(&entry)
    }

    /// The number of entries of ballots that were set aside at once, because another counts or because they were out of time.
    pub fn set_aside(&self) -> u64 {
        self.superseded + self.out_of_time
    }
}

#[cfg(test)]
mod tests {
    use votestream_schema::{BallotId, EntryId};

    use super::*;
    use crate::entry::Nonce;

    fn at(seq: i64) -> StreamEntry {
        StreamEntry { partition: 0, id: EntryId { ms: 1_000, seq } }
    }

    fn entry(seq: i64, mask: i64, replaces: Option<i64>) -> LogEntry {
        LogEntry {
            outcome: Outcome::Counts,
            entry: at(seq),
            ballot: BallotId::new(),
            choices: Choices::from_mask(mask).unwrap(),
            replaces: replaces.map(at),
            nonce: Nonce([0; 16]),
        }
    }

    #[test]
    fn a_ballot_counts_until_another_takes_its_place() {
        let mut recount = Recount::default();
        recount.add(&entry(1, 0b01, None)).unwrap();
        recount.add(&entry(2, 0b10, None)).unwrap();
        recount.add(&entry(3, 0b110, Some(1))).unwrap();
        let votes = [0, 1, 2, 3].map(|position| recount.votes(position));
        assert_eq!((votes, recount.voters()), ([0, 2, 1, 0], 2));
        assert!(!recount.counts(at(1)) && recount.counts(at(3)));
        // A ballot that was set aside may count after all, in the place of the other.
        recount.add(&LogEntry { outcome: Outcome::Superseded, ..entry(4, 1, None) }).unwrap();
        recount.add(&entry(4, 1, Some(3))).unwrap();
        assert_eq!((recount.votes(0), recount.voters(), recount.set_aside()), (1, 2, 1));
    }

    #[test]
    fn contradictions_are_named() {
        let mut recount = Recount::default();
        recount.add(&entry(1, 1, None)).unwrap();
        assert_eq!(recount.add(&entry(1, 1, None)), Err(Contradiction::Twice(at(1))));
        let replaces_nothing = Err(Contradiction::ReplacesNothing(at(2), at(9)));
        assert_eq!(recount.add(&entry(2, 1, Some(9))), replaces_nothing);
        let late = LogEntry { outcome: Outcome::OutOfTime, ..entry(1, 1, None) };
        assert_eq!(recount.add(&late), Err(Contradiction::SetAsideLater(at(1))));
        assert_eq!((recount.voters(), recount.votes(0)), (1, 1));
    }
}
