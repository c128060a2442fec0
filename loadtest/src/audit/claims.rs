//! Matches voters whose row is not known with rows whose voter is not known, by their choices.
//!
//! A voter whose ballot was acknowledged must have a row, and one without an answer may have one. So
//! the former claim rows first, and the latter claim only the rows that are left.
//! Invariant: no row stays unclaimed, and no acknowledged voter without a row, if another way to
//! match them avoids it. The match is a maximum flow (Ford and Fulkerson) between expectations and
//! choices; its size depends on the different choices, not on the number of voters.

use std::collections::{BTreeMap, HashSet};

use crate::voters::expected_vote::ExpectedVote;

/// The voters that claim rows, and the rows, both counted by their choices.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    voters: BTreeMap<ExpectedVote, u64>,
    /// Rows without a claim, by choices.
    free: BTreeMap<u64, u64>,
    /// The number of rows of these choices that voters with this expectation hold.
    held: BTreeMap<(ExpectedVote, u64), u64>,
}

/// The result of [`Claims::settle`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// The expectations of acknowledged voters that found no row, with their number.
    pub(crate) lost: Vec<(ExpectedVote, u64)>,
    /// Voters without an answer that have a row.
    pub(crate) indeterminate_counted: u64,
    /// Voters without an answer that have none.
    pub(crate) indeterminate_absent: u64,
    /// Rows that nobody claims, by choices.
    pub(crate) unclaimed: BTreeMap<u64, u64>,
}

impl Claims {
    /// Adds a voter whose row is not known.
    pub(crate) fn voter(&mut self, expected: ExpectedVote) {
        *self.voters.entry(expected).or_default() += 1;
    }

    /// Adds a row whose voter is not known.
    pub(crate) fn row(&mut self, choices: u64) {
        *self.free.entry(choices).or_default() += 1;
    }

    /// Matches voters and rows, acknowledged voters first.
    pub(crate) fn settle(mut self) -> Claimed {
        let mut claimed = Claimed::default();
        let voters = std::mem::take(&mut self.voters);
        let (certain, possible): (Vec<_>, Vec<_>) =
            voters.into_iter().partition(|(expected, _)| expected.certain.is_some());
        for (expected, count) in certain {
            let without = count - self.claim(expected, count);
            if without > 0 {
                claimed.lost.push((expected, without));
            }
        }
        for (expected, count) in possible {
            let with = self.claim(expected, count);
            claimed.indeterminate_counted += with;
            claimed.indeterminate_absent += count - with;
        }
        self.free.retain(|_, rows| *rows > 0);
        claimed.unclaimed = self.free;
        claimed
    }

    /// Claims up to `count` rows for voters with this expectation. Returns the number of rows.
    fn claim(&mut self, expected: ExpectedVote, count: u64) -> u64 {
        let mut got = 0;
        while got < count {
            let moved = self.push(expected, count - got, &mut HashSet::new());
            if moved == 0 {
                break;
            }
            got += moved;
        }
        got
    }

    /// Gives up to `wanted` rows to voters with this expectation. If none is free, others that hold
    /// one are moved to another row of theirs. Returns the number of rows.
    fn push(&mut self, expected: ExpectedVote, wanted: u64, seen: &mut HashSet<u64>) -> u64 {
        for choices in rows_of(expected) {
            if !seen.insert(choices) {
                continue;
            }
            let free = self.free.get(&choices).copied().unwrap_or(0).min(wanted);
            if free > 0 {
                *self.free.entry(choices).or_default() -= free;
                *self.held.entry((expected, choices)).or_default() += free;
                return free;
            }
            let holders: Vec<_> = self.holders(choices, expected);
            for (other, held) in holders {
                let moved = self.push(other, wanted.min(held), seen);
                if moved > 0 {
                    *self.held.entry((other, choices)).or_default() -= moved;
                    *self.held.entry((expected, choices)).or_default() += moved;
                    return moved;
                }
            }
        }
        0
    }

    /// Returns the others that hold rows of these choices, with their number.
    fn holders(&self, choices: u64, except: ExpectedVote) -> Vec<(ExpectedVote, u64)> {
        let held = self.held.iter();
        held.filter(|((other, of), count)| *of == choices && *other != except && **count > 0)
            .map(|((other, _), count)| (*other, *count))
            .collect()
    }
}

/// Returns the choices of the rows that a voter may have, the acknowledged ones first.
fn rows_of(expected: ExpectedVote) -> impl Iterator<Item = u64> {
    let other = expected.possible.filter(|_| !expected.is_settled() || expected.certain.is_none());
    expected.certain.into_iter().chain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(voters: &[(Option<u64>, Option<u64>, u64)], rows: &[(u64, u64)]) -> Claimed {
        let mut claims = Claims::default();
        for (certain, possible, count) in voters {
            for _ in 0..*count {
                claims.voter(ExpectedVote { certain: *certain, possible: *possible });
            }
        }
        for (choices, count) in rows {
            for _ in 0..*count {
                claims.row(*choices);
            }
        }
        claims.settle()
    }

    #[test]
    fn acknowledged_voters_claim_before_those_without_an_answer() {
        let found = settled(&[(None, Some(1), 16), (Some(1), None, 100)], &[(1, 103)]);
        let expected =
            Claimed { indeterminate_counted: 3, indeterminate_absent: 13, ..Claimed::default() };
        assert_eq!(found, expected);
        let found = settled(&[(None, Some(1), 16), (Some(1), None, 100)], &[(1, 99)]);
        let lost = vec![(ExpectedVote { certain: Some(1), possible: None }, 1)];
        assert_eq!((found.lost, found.indeterminate_absent), (lost, 16));
    }

    #[test]
    fn who_may_have_either_row_leaves_the_one_that_another_needs() {
        // Three voters may have a row of 1 or of 2, one voter only of 1, and one without an answer
        // only of 2.
        let voters = [(Some(1), Some(2), 3), (Some(1), None, 1), (None, Some(2), 1)];
        let found = settled(&voters, &[(1, 2), (2, 3)]);
        let expected = Claimed { indeterminate_counted: 1, ..Claimed::default() };
        assert_eq!(found, expected);
    }

    #[test]
    fn chains_of_swaps_are_found() {
        let voters = [(Some(1), Some(2), 1), (Some(2), Some(4), 1), (Some(1), None, 1)];
        assert_eq!(settled(&voters, &[(1, 1), (2, 1), (4, 1)]), Claimed::default());
    }

    #[test]
    fn a_row_that_fits_nobody_is_unclaimed() {
        let found = settled(&[(Some(1), None, 1)], &[(1, 1), (2, 2)]);
        assert_eq!(found.unclaimed, BTreeMap::from([(2, 2)]));
    }
}
