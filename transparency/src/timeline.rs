//! The result of a poll at each past second, from the entries of its log.
//!
//! A ballot stands at a second if it came in by the end of that second, and no ballot that came in by then has taken its place.
//! The time of a ballot is that of its stream entry: the moment at which Redis accepted it.

use std::collections::BTreeMap;

use votestream_schema::Choices;

use crate::audit::Reason;
use crate::entry::{self, LogEntry, Outcome, StreamEntry};
use crate::recount::{Contradiction, Recount, Votes};

/// Reads the entries of a log in their order, from the first one, to make a [`Timeline`].
#[derive(Debug, Default)]
pub struct Replay {
    recount: Recount,
    changes: BTreeMap<i64, Standing>,
    entries: u64,
}

impl Replay {
    /// Takes all entries of the next bundle.
    ///
    /// # Errors
    /// Returns what is wrong with the first entry that cannot be added; those before it are.
    pub fn add_bundle(&mut self, bundle: &[u8]) -> Result<(), Reason> {
        for line in entry::lines(bundle)? {
            self.add(&line.parse()?)?;
        }
        Ok(())
    }

    /// The number of entries so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// Returns an error if it contradicts the entries before it; it changes nothing then.
    pub fn add(&mut self, entry: &LogEntry) -> Result<(), Contradiction> {
        let replaced = self.recount.add(entry)?;
        self.entries += 1;
        if entry.outcome != Outcome::Counts {
            return Ok(());
        }
        let second = second_of(entry.entry);
        self.change(second, entry.choices, 1);
        if let (Some(before), Some(choices)) = (entry.replaces, replaced) {
            self.change(second.max(second_of(before)), choices, -1);
        }
        Ok(())
    }

    fn change(&mut self, second: i64, choices: Choices, by: i64) {
        let change = self.changes.entry(second).or_default();
        change.voters += by;
        change.votes.add(choices, by);
    }

    /// Returns the result at each second.
    pub fn finish(self) -> Timeline {
        let mut today: BTreeMap<i64, i64> = BTreeMap::new();
        for entry in self.recount.standing() {
            *today.entry(second_of(entry)).or_default() += 1;
        }
        Timeline { changes: self.changes.into_iter().collect(), today: today.into_iter().collect() }
    }
}

/// The result of a poll at each second.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// How the result changed in each second of Unix time in which it did, ascending.
    changes: Vec<(i64, Standing)>,
    /// The ballots that stand after the last entry, by the second in which they came in, ascending.
    today: Vec<(i64, i64)>,
}

/// The result at the end of a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// People whose ballot stood.
    pub voters: i64,
    votes: Votes,
}

impl Standing {
    /// The votes of the option at this position.
    pub fn votes(&self, position: usize) -> i64 {
        self.votes.of(position)
    }
}

impl Timeline {
    /// The result at the end of this second of Unix time.
    pub fn at(&self, second: i64) -> Standing {
        let mut standing = Standing::default();
        for (_, change) in self.changes.iter().take_while(|(of, _)| *of <= second) {
            standing.voters += change.voters;
            standing.votes.add_all(&change.votes);
        }
        standing
    }

    /// The number of ballots that came in until the end of this second and stand after the last entry.
    pub fn standing_today(&self, second: i64) -> i64 {
        self.today.iter().take_while(|(of, _)| *of <= second).map(|(_, ballots)| ballots).sum()
    }
}

/// The second of Unix time in which Redis accepted a ballot.
fn second_of(entry: StreamEntry) -> i64 {
    entry.id.ms.div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use votestream_schema::{BallotId, EntryId};

    use super::*;
    use crate::entry::Nonce;

    fn at(ms: i64) -> StreamEntry {
        StreamEntry { partition: 0, id: EntryId { ms, seq: 0 } }
    }

    fn counts(ms: i64, mask: i64, replaces_ms: Option<i64>) -> LogEntry {
        LogEntry {
            outcome: Outcome::Counts,
            entry: at(ms),
            ballot: BallotId::new(),
            choices: Choices::from_mask(mask).unwrap(),
            replaces: replaces_ms.map(at),
            nonce: Nonce([0; 16]),
        }
    }

    fn of(entries: &[LogEntry]) -> Timeline {
        let mut replay = Replay::default();
        for entry in entries {
            replay.add(entry).unwrap();
        }
        replay.finish()
    }

    #[test]
    fn a_ballot_stands_from_its_second_until_another_takes_its_place() {
        let late = LogEntry { outcome: Outcome::OutOfTime, ..counts(2_500, 1, None) };
        let timeline = of(&[
            counts(1_999, 0b01, None),
            counts(2_000, 0b10, None),
            late,
            counts(5_000, 0b110, Some(1_999)),
        ]);
        let at = |second| {
            let standing = timeline.at(second);
            (standing.voters, [0, 1, 2, 9].map(|position| standing.votes(position)))
        };
        assert_eq!(at(0), (0, [0; 4]));
        assert_eq!(at(1), (1, [1, 0, 0, 0]));
        assert_eq!((at(2), at(4)), ((2, [1, 1, 0, 0]), (2, [1, 1, 0, 0])));
        assert_eq!(at(5), (2, [0, 2, 1, 0]));
        let mut bundled = Replay::default();
        let lines = [counts(1_000, 1, None).to_string(), counts(2_000, 1, None).to_string()];
        bundled.add_bundle(&entry::bundle(lines.iter().map(String::as_str))).unwrap();
        assert_eq!((bundled.entries(), bundled.finish().at(2).voters), (2, 2));
        assert_eq!([0, 1, 2, 5].map(|second| timeline.standing_today(second)), [0, 0, 1, 2]);
    }

    #[test]
    fn a_ballot_that_was_replaced_by_an_earlier_one_never_stood() {
        // Redelivery may bring the earlier of two ballots last.
        let timeline = of(&[counts(5_000, 0b01, None), counts(3_000, 0b10, Some(5_000))]);
        for second in [3, 4, 5, 6] {
            let standing = timeline.at(second);
            assert_eq!((standing.voters, standing.votes(0), standing.votes(1)), (1, 0, 1));
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let mut replay = Replay::default();
        replay.add(&counts(1_000, 1, None)).unwrap();
        assert!(replay.add(&counts(1_000, 1, None)).is_err());
        assert_eq!(replay.finish().at(1).voters, 1);
    }
}
