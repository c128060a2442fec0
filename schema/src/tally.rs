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
}
