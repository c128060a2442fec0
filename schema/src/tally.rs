//! The votes of a poll, counted by option.

use crate::Choices;

/// The number of votes of each option at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// A number that grows with every change, by which a viewer names the state it has seen.
    pub version: i64,
    /// People counted. Where several choices are allowed, the votes add up to more.
    pub voters: i64,
    /// The votes of each option, by its position.
    pub votes: Vec<i64>,
}

impl Tally {
    /// Counts these votes; the stored tally must be equal to the result.
    pub fn recount(options: usize, votes: impl IntoIterator<Item = Choices>) -> Self {
        let mut tally = Self { votes: vec![0; options], ..Self::default() };
        for choices in votes {
            tally.voters += 1;
            for position in choices.positions().filter(|position| *position < options) {
                tally.votes[position] += 1;
            }
        }
        tally
    }

    /// An option's share of all people counted, in percent; 0 while nobody has voted.
    pub fn share_percent(&self, position: usize) -> f64 {
        let votes = self.votes.get(position).copied().unwrap_or(0);
        if self.voters == 0 { 0.0 } else { votes as f64 * 100.0 / self.voters as f64 }
    }

    /// The shares of all options as they are shown, with one decimal.
    ///
    /// Where each person has one vote, the shares add up to exactly 100.0 %: each is rounded down, and the tenths that are
    /// left go to the largest remainders, of equal ones to the option that comes first (the method of Hare and
    /// Niemeyer). Where people have several votes, each share is rounded for itself, halves up. `figures.js` of the
    /// dashboard computes the same.
    pub fn shares(&self) -> Vec<Share> {
        let voters = self.voters.max(0);
        let thousandths = |votes: &i64| i128::from(*votes) * 1_000;
        let mut tenths: Vec<i64> = self
            .votes
            .iter()
            .map(|votes| (thousandths(votes) / i128::from(voters.max(1))) as i64)
            .collect();
        let mut order: Vec<usize> = (0..self.votes.len()).collect();
        let remainder =
            |position: usize| thousandths(&self.votes[position]) % i128::from(voters.max(1));
        if voters > 0 && self.votes.iter().sum::<i64>() == voters {
            // A stable sort: of equal remainders the first option comes first.
            order.sort_by_key(|position| std::cmp::Reverse(remainder(*position)));
            let left = 1_000 - tenths.iter().sum::<i64>();
            for position in order.into_iter().take(usize::try_from(left).unwrap_or(0)) {
                tenths[position] += 1;
            }
        } else if voters > 0 {
            for position in order {
                tenths[position] += i64::from(2 * remainder(position) >= i128::from(voters));
            }
        }
        let share = |(votes, tenths): (&i64, i64)| Share {
            tenths,
            is_some: *votes > 0,
            is_all: voters > 0 && *votes >= voters,
        };
        self.votes.iter().zip(tenths).map(share).collect()
    }
}

/// A share as it is shown. Only nobody reads 0.0 %, and only everybody 100.0 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Tenths of a percent, 0 to 1000, rounded.
    pub tenths: i64,
    is_some: bool,
    is_all: bool,
}

impl Share {
    /// The sign before the share (`<`, `>` or none) and the tenths of a percent behind it, as people read them.
    pub fn shown(self) -> (&'static str, i64) {
        match self.tenths {
            ..=0 if self.is_some => ("<", 1),
            1_000.. if !self.is_all => (">", 999),
            tenths => ("", tenths),
        }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, tenths) = self.shown();
        f.pad(&format!("{sign}{}.{}%", tenths / 10, tenths % 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voter_counts_once_for_each_option_chosen() {
        let votes = [0b01, 0b11, 0b10, 0b10].map(|mask| Choices::from_mask(mask).unwrap());
        let tally = Tally::recount(2, votes);
        assert_eq!((tally.voters, tally.votes.as_slice()), (4, &[2, 3][..]));
        assert_eq!(tally.share_percent(0), 50.0);
        assert_eq!(Tally::default().share_percent(0), 0.0);
    }

    #[test]
    fn shares_add_up_and_only_nobody_and_everybody_read_so() {
        let shown = |voters, votes: &[i64]| {
            let tally = Tally { version: 1, voters, votes: votes.to_vec() };
            tally.shares().iter().map(Share::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shown(16, &[9, 7]), ["56.3%", "43.7%"]);
        assert_eq!(shown(3, &[1, 1, 1]), ["33.4%", "33.3%", "33.3%"]);
        assert_eq!(shown(7, &[2, 2, 3]), ["28.6%", "28.6%", "42.8%"]);
        assert_eq!(shown(0, &[0, 0]), ["0.0%", "0.0%"]);
        assert_eq!(shown(5, &[5, 0]), ["100.0%", "0.0%"]);
        assert_eq!(shown(10_000, &[9_999, 1]), [">99.9%", "<0.1%"]);
        assert_eq!(shown(16, &[9, 9, 7]), ["56.3%", "56.3%", "43.8%"], "several votes each");
        for votes in [[1, 2, 3, 5, 8], [9, 9, 9, 1, 1], [1_000_003, 7, 7, 7, 1]] {
            let tally = Tally { version: 1, voters: votes.iter().sum(), votes: votes.to_vec() };
            assert_eq!(tally.shares().iter().map(|share| share.tenths).sum::<i64>(), 1_000);
        }
    }
}
