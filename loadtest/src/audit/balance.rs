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

/// The comparison of the tally's gain with the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Balance {
    /// The faults. A phantom is never among them, because sums do not show who cast a vote.
    pub(crate) findings: Findings,
    /// Voters or votes beyond those that this run can have cast. They are other people's, or
    /// somebody is counted twice.
    pub(crate) surplus: u64,
    /// Whether fewer voters are counted than must be. Other people's votes cannot explain that.
    pub(crate) lacks_voters: bool,
    /// The account of each option.
    pub(crate) options: Vec<OptionBalance>,
}

impl Balance {
    /// Returns whether everything that must be counted is there with its choices.
    pub(crate) fn is_complete(&self) -> bool {
        self.findings.lost == 0 && self.findings.wrong_choice == 0
    }
}

/// Compares the gain of the tally from `before` to `after` with the ledger.
pub(crate) fn balance(
    ledger: &Ledger,
    poll: &Poll,
    before: &Snapshot,
    after: &Snapshot,
) -> Balance {
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
    // Strangers and missing voters explain some of the surplus and of the missing votes of each
    // option. Votes that are still missing were counted for another option than the voter chose. A
    // surplus beside which nothing is missing may be a stranger's, whom the indeterminate hide.
    let choices = u64::from(poll.choices());
    let votes = (0..poll.options.len()).map(|at| gain(after.votes[at], before.votes[at]));
    let (votes_missing, duplicated) = exceed(votes.sum(), voters * i128::from(choices));
    let missing = missing.saturating_sub(voters_missing * choices + votes_missing);
    let surplus = surplus.saturating_sub(voters_surplus * choices + duplicated);
    let counted =
        (voters - i128::from(bounds.voters.0)).clamp(0, i128::from(ledger.indeterminate()));
    let indeterminate_counted = u64::try_from(counted).unwrap_or(0);
    let wrong_choice = if missing > 0 { missing.max(surplus) } else { 0 };
    let findings = Findings {
        lost: voters_missing + votes_missing,
        duplicated,
        phantom: 0,
        wrong_choice,
        indeterminate_counted,
        indeterminate_absent: ledger.indeterminate() - indeterminate_counted,
    };
    Balance {
        findings,
        surplus: voters_surplus + if wrong_choice == 0 { surplus } else { 0 },
        lacks_voters: voters_missing > 0,
        options,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{VotePolicy, sample};
    use crate::voters::expected_vote::ExpectedVote;

    fn shot(voters: u64, votes: &[u64]) -> Snapshot {
        Snapshot { version: voters, voters, votes: votes.to_vec(), ..Snapshot::default() }
    }

    /// Returns the findings and the surplus if 60 cats and 40 dogs were acknowledged, on top of 7 and 3 from before
    /// the run.
    fn findings(voters: u64, votes: [u64; 2], indeterminate: u64) -> (Findings, u64) {
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
        let balance = balance(&ledger, &poll, &shot(10, &[7, 3]), &after);
        (balance.findings, balance.surplus)
    }

    #[test]
    fn every_fault_has_its_name() {
        let none = Findings::default();
        assert_eq!(findings(100, [60, 40], 0), (none, 0));
        assert_eq!(findings(99, [59, 40], 0), (Findings { lost: 1, ..none }, 0));
        assert_eq!(findings(100, [61, 40], 0), (Findings { duplicated: 1, ..none }, 0));
        assert_eq!(findings(100, [59, 41], 0), (Findings { wrong_choice: 1, ..none }, 0));
        assert_eq!(findings(100, [59, 40], 0), (Findings { lost: 1, ..none }, 0));
        assert_eq!(findings(99, [58, 41], 0), (Findings { lost: 1, wrong_choice: 1, ..none }, 0));
    }

    #[test]
    fn a_surplus_is_no_phantom_because_others_may_have_voted() {
        assert_eq!(findings(101, [61, 40], 0), (Findings::default(), 1));
        assert_eq!(findings(130, [60, 70], 0), (Findings::default(), 30));
    }

    #[test]
    fn indeterminate_ballots_may_go_either_way() {
        let some = |counted, absent| Findings {
            indeterminate_counted: counted,
            indeterminate_absent: absent,
            ..Findings::default()
        };
        assert_eq!(findings(100, [60, 40], 5), (some(0, 5), 0));
        assert_eq!(findings(103, [63, 40], 5), (some(3, 2), 0));
        assert_eq!(findings(106, [66, 40], 5), (some(5, 0), 1));
        // All five may be absent, and three others have voted for dogs.
        assert_eq!(findings(103, [60, 43], 5), (some(3, 2), 3));
        assert_eq!(findings(103, [59, 44], 5), (Findings { wrong_choice: 4, ..some(3, 2) }, 0));
    }

    #[test]
    fn a_tally_that_shrinks_is_a_loss() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let found =
            balance(&Ledger::default(), &poll, &shot(10, &[7, 3]), &shot(8, &[5, 3])).findings;
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
        let lost = balance(&ledger, &poll, &before, &shot(9, &[9, 9, 0, 0])).findings;
        assert_eq!(lost, Findings { lost: 1, ..Findings::default() });
        let wrong = balance(&ledger, &poll, &before, &shot(10, &[10, 9, 1, 0])).findings;
        assert_eq!(wrong, Findings { wrong_choice: 1, ..Findings::default() });
    }
}
