//! Compares the gain of the public tally with the ledger.
//!
//! Only sums can be compared here, so a finding is a number of voters or votes, never a name.

use crate::audit::findings::{Findings, OptionBalance};
use crate::audit::ledger::Ledger;
use crate::poll::{Poll, Snapshot};

/// Returns by how much `gain` is below `low` and above `high`. One of the two is always 0.
fn off(gain: i128, low: u64, high: u64) -> (u64, u64) {
    (exceed(gain, i128::from(low)).0, exceed(gain, i128::from(high)).1)
}

/// Returns by how much `number` is below `other`, and by how much it is above.
fn exceed(number: i128, other: i128) -> (u64, u64) {
    let positive = |difference: i128| u64::try_from(difference.max(0)).unwrap_or(u64::MAX);
    (positive(other - number), positive(number - other))
}

/// Compares the gain of the tally from `before` to `after` with the ledger. Returns the findings,
/// and the account of each option.
pub(crate) fn balance(
    ledger: &Ledger,
    poll: &Poll,
    before: &Snapshot,
    after: &Snapshot,
) -> (Findings, Vec<OptionBalance>) {
    let bounds = ledger.bounds(poll.options.len());
    let gain = |after: u64, before: u64| i128::from(after) - i128::from(before);
    let (mut missing, mut surplus) = (0, 0);
    let mut options = Vec::new();
    for (at, option) in poll.options.iter().enumerate() {
        let (low, high) = bounds.votes[at];
        let (too_few, too_many) = off(gain(after.votes[at], before.votes[at]), low, high);
        missing += too_few;
        surplus += too_many;
        options.push(OptionBalance {
            slug: option.slug.clone(),
            before: before.votes[at],
            after: after.votes[at],
            expected_min: low,
            expected_max: high,
        });
    }
    let voters = gain(after.voters, before.voters);
    let (voters_missing, voters_surplus) = off(voters, bounds.voters.0, bounds.voters.1);
    // Each counted voter brings this many votes. More votes than that are duplicated, and fewer are
    // lost.
    // Phantoms and missing voters explain some of the surplus and of the missing votes of each
    // option. The
    // rest was counted for another option than the voter chose.
    let choices = u64::from(poll.choices());
    let votes = (0..poll.options.len()).map(|at| gain(after.votes[at], before.votes[at]));
    let (votes_missing, duplicated) = exceed(votes.sum(), voters * i128::from(choices));
    let missing = missing.saturating_sub(voters_missing * choices + votes_missing);
    let surplus = surplus.saturating_sub(voters_surplus * choices + duplicated);
    let counted =
        (voters - i128::from(bounds.voters.0)).clamp(0, i128::from(ledger.indeterminate()));
    let indeterminate_counted = u64::try_from(counted).unwrap_or(0);
    let findings = Findings {
        lost: voters_missing + votes_missing,
        duplicated,
        phantom: voters_surplus,
        wrong_choice: missing.max(surplus),
        indeterminate_counted,
        indeterminate_absent: ledger.indeterminate() - indeterminate_counted,
    };
    (findings, options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{VotePolicy, sample};
    use crate::voters::expected_vote::ExpectedVote;

    fn shot(voters: u64, votes: &[u64]) -> Snapshot {
        Snapshot { version: voters, voters, votes: votes.to_vec(), at: String::new() }
    }

    /// Returns the findings if 60 cats and 40 dogs were acknowledged, on top of 7 and 3 from before
    /// the run.
    fn findings(voters: u64, votes: [u64; 2], indeterminate: u64) -> Findings {
        let mut ledger = Ledger::default();
        for nth in 0..100 {
            ledger.enter(ExpectedVote {
                certain: Some(if nth < 60 { 1 } else { 2 }),
                possible: None,
            });
        }
        for _ in 0..indeterminate {
            ledger.enter(ExpectedVote { certain: None, possible: Some(1) });
        }
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let after = shot(10 + voters, &[7 + votes[0], 3 + votes[1]]);
        balance(&ledger, &poll, &shot(10, &[7, 3]), &after).0
    }

    #[test]
    fn every_fault_has_its_name() {
        let none = Findings::default();
        assert_eq!(findings(100, [60, 40], 0), none);
        assert_eq!(findings(99, [59, 40], 0), Findings { lost: 1, ..none });
        assert_eq!(findings(101, [61, 40], 0), Findings { phantom: 1, ..none });
        assert_eq!(findings(100, [61, 40], 0), Findings { duplicated: 1, ..none });
        assert_eq!(findings(100, [59, 41], 0), Findings { wrong_choice: 1, ..none });
        assert_eq!(findings(100, [59, 40], 0), Findings { lost: 1, ..none });
        assert_eq!(findings(99, [58, 41], 0), Findings { lost: 1, wrong_choice: 1, ..none });
    }

    #[test]
    fn indeterminate_ballots_may_go_either_way() {
        let some = |counted, absent| Findings {
            indeterminate_counted: counted,
            indeterminate_absent: absent,
            ..Findings::default()
        };
        assert_eq!(findings(100, [60, 40], 5), some(0, 5));
        assert_eq!(findings(103, [63, 40], 5), some(3, 2));
        assert_eq!(findings(106, [66, 40], 5), Findings { phantom: 1, ..some(5, 0) });
        assert_eq!(findings(103, [60, 43], 5), Findings { wrong_choice: 3, ..some(3, 2) });
    }

    #[test]
    fn a_tally_that_shrinks_is_a_loss() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let found = balance(&Ledger::default(), &poll, &shot(10, &[7, 3]), &shot(8, &[5, 3])).0;
        assert_eq!(found, Findings { lost: 2, ..Findings::default() });
    }

    #[test]
    fn several_choices_are_balanced_in_votes() {
        let poll = sample(&["a", "b", "c", "d"], 4, VotePolicy::KeepFirst);
        let mut ledger = Ledger::default();
        for _ in 0..10 {
            ledger.enter(ExpectedVote { certain: Some(0b0011), possible: None });
        }
        let before = shot(0, &[0; 4]);
        let lost = balance(&ledger, &poll, &before, &shot(9, &[9, 9, 0, 0])).0;
        assert_eq!(lost, Findings { lost: 1, ..Findings::default() });
        let wrong = balance(&ledger, &poll, &before, &shot(10, &[10, 9, 1, 0])).0;
        assert_eq!(wrong, Findings { wrong_choice: 1, ..Findings::default() });
    }
}
