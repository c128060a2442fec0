//! The generator's own record of the votes that should be counted, and of those that may be.
//!
//! The replies to each voter's ballots come down to an [`ExpectedVote`]. The ledger counts voters
//! by equal expectations, so its size does not grow with the crowd.
//! Absent on purpose: the votes that were counted. Those are in the tally and the database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::voters::expected_vote::ExpectedVote;

/// A number of voters who have the same expected vote, as one entry of the JSON report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LedgerEntry {
    /// The vote that is expected of each of them.
    #[serde(flatten)]
    pub expected: ExpectedVote,
    /// The number of voters with this expectation.
    pub voters: u64,
}

/// The expected votes of one worker, or of a whole run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(from = "Vec<LedgerEntry>", into = "Vec<LedgerEntry>")]
#[schemars(with = "Vec<LedgerEntry>")]
pub struct Ledger {
    voters: BTreeMap<ExpectedVote, u64>,
}

/// The bounds between which the gain of a correct tally lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Voters: the least and the largest gain.
    pub(crate) voters: (u64, u64),
    /// Votes by option position: the least and the largest gain.
    pub(crate) votes: Vec<(u64, u64)>,
}

impl Ledger {
    /// Adds a voter who has finished. A voter who may not be counted at all changes nothing.
    pub(crate) fn enter(&mut self, expected: ExpectedVote) {
        if expected != ExpectedVote::default() {
            *self.voters.entry(expected).or_default() += 1;
        }
    }

    /// Adds all voters of another ledger.
    pub(crate) fn add(&mut self, other: &Self) {
        for (expected, voters) in &other.voters {
            *self.voters.entry(*expected).or_default() += voters;
        }
    }

    /// Returns the number of voters who must be counted.
    pub(crate) fn certain(&self) -> u64 {
        self.sum(|expected| expected.certain.is_some())
    }

    /// Returns the number of voters who may or may not be counted, because no reply came.
    pub(crate) fn indeterminate(&self) -> u64 {
        self.sum(|expected| expected.certain.is_none())
    }

    fn sum(&self, is: impl Fn(&ExpectedVote) -> bool) -> u64 {
        self.voters.iter().filter(|(expected, _)| is(expected)).map(|(_, voters)| voters).sum()
    }

    /// Returns the bounds between which the tally of a poll with this many options must gain.
    pub(crate) fn bounds(&self, options: usize) -> Bounds {
        let mut bounds = Bounds {
            voters: (self.certain(), self.certain() + self.indeterminate()),
            votes: vec![(0, 0); options],
        };
        for (expected, voters) in &self.voters {
            for (at, (low, high)) in bounds.votes.iter_mut().enumerate() {
                let holds =
                    |choices: Option<u64>| choices.is_some_and(|mask| mask & (1 << at) != 0);
                if holds(expected.certain) && (expected.is_settled() || holds(expected.possible)) {
                    *low += voters;
                }
                if holds(expected.certain) || holds(expected.possible) {
                    *high += voters;
                }
            }
        }
        bounds
    }
}

impl From<Vec<LedgerEntry>> for Ledger {
    fn from(entries: Vec<LedgerEntry>) -> Self {
        let mut ledger = Self::default();
        for entry in entries {
            *ledger.voters.entry(entry.expected).or_default() += entry.voters;
        }
        ledger
    }
}

impl From<Ledger> for Vec<LedgerEntry> {
    fn from(ledger: Ledger) -> Self {
        ledger
            .voters
            .into_iter()
            .map(|(expected, voters)| LedgerEntry { expected, voters })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::VotePolicy::{KeepFirst, Replace};
    use crate::voters::expected_vote::tests::after;
    use crate::voters::outcome::Outcome;

    const CATS: u64 = 1;
    const DOGS: u64 = 2;

    #[test]
    fn refused_ballots_are_not_expected() {
        let mut ledger = Ledger::default();
        ledger.enter(after(KeepFirst, &[(CATS, Outcome::RefusedForbidden, None)]));
        assert_eq!(ledger, Ledger::default());
    }

    #[test]
    fn bounds_hold_every_possible_count() {
        let mut ledger = Ledger::default();
        for _ in 0..3 {
            ledger.enter(after(Replace, &[(CATS, Outcome::Acknowledged, None)]));
        }
        ledger.enter(after(
            Replace,
            &[(CATS, Outcome::Acknowledged, None), (DOGS, Outcome::TimedOut, None)],
        ));
        ledger.enter(after(Replace, &[(DOGS, Outcome::Broken, None)]));
        let bounds = ledger.bounds(2);
        assert_eq!(bounds.voters, (4, 5));
        assert_eq!(bounds.votes, [(3, 4), (0, 2)]);
    }

    #[test]
    fn books_survive_json() {
        let mut ledger = Ledger::default();
        ledger.enter(ExpectedVote { certain: Some(CATS), possible: Some(DOGS) });
        let json = serde_json::to_string(&ledger).unwrap();
        assert_eq!(json, r#"[{"certain":1,"possible":2,"voters":1}]"#);
        assert_eq!(serde_json::from_str::<Ledger>(&json).unwrap(), ledger);
    }
}
