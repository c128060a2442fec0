//! The audit by name: compares every voter of the run with its row in the database, and the tally
//! with the sum of the rows.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::audit::claims::Claims;
use crate::audit::database::StoredVotes;
use crate::audit::findings::{Findings, NamedFinding};
use crate::audit::row_key::RowKeys;
use crate::poll::Poll;
use crate::voters::expected_vote::{ExpectedVote, VoterRecord};

/// The most findings that are listed by name; the others are only counted.
const NAMED_MAX: usize = 100;

/// The replies to all voters of a run, to be compared with the rows of the database.
pub(crate) struct ByNameAudit<'a> {
    pub(crate) poll: &'a Poll,
    pub(crate) voters_by_name: &'a [VoterRecord],
    /// Voters who had a row before the run, so that their rows are no phantoms.
    pub(crate) before: &'a HashSet<u128>,
    /// Whether other generators vote at the same time. Then rows of unknown voters are theirs, and
    /// no phantoms.
    pub(crate) is_part: bool,
}

/// The result of [`ByNameAudit::run`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ByNameFindings {
    pub(crate) findings: Findings,
    pub(crate) named: Vec<NamedFinding>,
    /// Voters of the run whose own row was found.
    pub(crate) recognised: u64,
    /// Voters of the run whose row is not known, because no cookie names it.
    pub(crate) unnamed: u64,
}

impl ByNameAudit<'_> {
    /// Compares every voter with its row, and the tally with the sum of all rows.
    pub(crate) fn run(&self, stored: &StoredVotes) -> ByNameFindings {
        let mut out = ByNameFindings::default();
        let mut open: HashMap<u128, ExpectedVote> =
            HashMap::with_capacity(self.voters_by_name.len());
        // Voters whose row is not known are compared by their choices alone.
        let keys = RowKeys::new(self.poll, &stored.keys);
        let mut unnamed = Claims::default();
        for record in self.voters_by_name {
            match record.voter.and_then(|id| keys.of(id)) {
                Some(voter) => _ = open.insert(voter, record.expected),
                None => {
                    out.unnamed += 1;
                    unnamed.voter(record.expected);
                }
            }
        }
        // Compare every row with the voter of its key. Rows of unknown voters are strangers.
        let mut strangers: Vec<(u128, u64)> = Vec::new();
        for (voter, choices) in &stored.rows {
            match open.remove(voter) {
                Some(expected) => {
                    out.recognised += 1;
                    self.check_row(&mut out, *voter, &expected, *choices);
                }
                None if self.before.contains(voter) => {}
                None => {
                    strangers.push((*voter, *choices));
                    unnamed.row(*choices);
                }
            }
        }
        // Voters without a row are lost, if they were acknowledged.
        for (voter, expected) in &open {
            self.check_absent(&mut out, &id(*voter), expected);
        }
        self.check_unnamed(&mut out, unnamed, &strangers);
        self.check_tally(&mut out, stored);
        out
    }

    /// Compares the voters whose row is not known with the rows of strangers. A row that none of
    /// them can have is a phantom.
    fn check_unnamed(&self, out: &mut ByNameFindings, unnamed: Claims, strangers: &[(u128, u64)]) {
        let mut claimed = unnamed.settle();
        out.findings.indeterminate_counted += claimed.indeterminate_counted;
        out.findings.indeterminate_absent += claimed.indeterminate_absent;
        for (expected, count) in &claimed.lost {
            out.findings.lost += count;
            let who = format!("{count} voters without a name");
            out.name("lost", &who, &self.show(expected.certain), "no row".to_owned());
        }
        if self.is_part {
            return;
        }
        for (voter, choices) in strangers {
            if let Some(left) = claimed.unclaimed.get_mut(choices).filter(|left| **left > 0) {
                *left -= 1;
                out.findings.phantom += 1;
                out.name("phantom", &id(*voter), "no ballot", self.show(Some(*choices)));
            }
        }
    }

    fn check_row(
        &self,
        out: &mut ByNameFindings,
        voter: u128,
        expected: &ExpectedVote,
        choices: u64,
    ) {
        if !expected.allows(Some(choices)) {
            out.findings.wrong_choice += 1;
            let expected = self.show(expected.certain.or(expected.possible));
            out.name("wrong_choice", &id(voter), &expected, self.show(Some(choices)));
        } else if expected.certain.is_none() {
            out.findings.indeterminate_counted += 1;
        }
    }

    fn check_absent(&self, out: &mut ByNameFindings, who: &str, expected: &ExpectedVote) {
        if expected.certain.is_some() {
            out.findings.lost += 1;
            out.name("lost", who, &self.show(expected.certain), "no row".to_owned());
        } else {
            out.findings.indeterminate_absent += 1;
        }
    }

    /// Compares the tally with the sum of the rows, in votes of each option and in voters.
    fn check_tally(&self, out: &mut ByNameFindings, stored: &StoredVotes) {
        let (mut over, mut under) = (0, 0);
        for (at, option) in self.poll.options.iter().enumerate() {
            let rows =
                stored.rows.iter().filter(|(_, choices)| choices & (1 << at) != 0).count() as u64;
            let votes = stored.votes.get(at).copied().unwrap_or(0);
            if votes != rows {
                let finding = if votes > rows { "duplicated" } else { "lost" };
                out.name(
                    finding,
                    &format!("tally of {}", option.slug),
                    &format!("{rows} rows"),
                    format!("{votes} votes"),
                );
            }
            over += votes.saturating_sub(rows);
            under += rows.saturating_sub(votes);
        }
        let rows = stored.rows.len() as u64;
        if stored.voters != rows {
            let finding = if stored.voters > rows { "duplicated" } else { "lost" };
            out.name(
                finding,
                "voters of the tally",
                &format!("{rows} rows"),
                format!("{} voters", stored.voters),
            );
        }
        let swapped = over.min(under);
        out.findings.wrong_choice += swapped;
        out.findings.duplicated += (over - swapped).max(stored.voters.saturating_sub(rows));
        out.findings.lost += (under - swapped).max(rows.saturating_sub(stored.voters));
    }

    fn show(&self, choices: Option<u64>) -> String {
        choices.map_or_else(|| "nothing".to_owned(), |mask| self.poll.slugs(mask).join(", "))
    }
}

impl ByNameFindings {
    /// Returns whether every voter has the row that it must have.
    pub(crate) fn is_complete(&self) -> bool {
        self.findings.lost == 0 && self.findings.wrong_choice == 0
    }

    fn name(&mut self, finding: &str, who: &str, expected: &str, found: String) {
        if self.named.len() < NAMED_MAX {
            let (finding, who, expected) =
                (finding.to_owned(), who.to_owned(), expected.to_owned());
            self.named.push(NamedFinding { finding, who, expected, found });
        }
    }
}

fn id(voter: u128) -> String {
    Uuid::from_u128(voter).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{VotePolicy, VoterPolicy, sample};

    fn checked(
        rows: &[(u128, u64)],
        votes: [u64; 2],
        voters: u64,
        is_part: bool,
    ) -> ByNameFindings {
        let record = |voter, certain, possible| VoterRecord {
            voter,
            expected: ExpectedVote { certain, possible },
        };
        let voters_by_name = [
            record(Some(1), Some(1), None),
            record(Some(2), Some(2), None),
            record(Some(3), None, Some(1)),
            record(None, None, Some(2)),
        ];
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let before = HashSet::from([100]);
        let check =
            ByNameAudit { poll: &poll, voters_by_name: &voters_by_name, before: &before, is_part };
        check.run(&StoredVotes {
            rows: rows.to_vec(),
            votes: votes.to_vec(),
            voters,
            ..StoredVotes::default()
        })
    }

    #[test]
    fn honest_books_are_balanced() {
        let found = checked(&[(100, 1), (1, 1), (2, 2)], [2, 1], 3, false);
        assert_eq!(found.findings, Findings { indeterminate_absent: 2, ..Findings::default() });
        let found = checked(&[(100, 1), (1, 1), (2, 2), (3, 1), (9, 2)], [3, 2], 5, false);
        assert_eq!(found.findings, Findings { indeterminate_counted: 2, ..Findings::default() });
    }

    #[test]
    fn every_fault_is_named() {
        let absent = Findings { indeterminate_absent: 2, ..Findings::default() };
        let lost = checked(&[(100, 1), (1, 1)], [2, 0], 2, false);
        assert_eq!(lost.findings, Findings { lost: 1, ..absent });
        assert_eq!(
            (lost.named[0].finding.as_str(), lost.named[0].who.as_str()),
            ("lost", "00000000-0000-0000-0000-000000000002")
        );

        let wrong = checked(&[(100, 1), (1, 2), (2, 2)], [1, 2], 3, false);
        assert_eq!(wrong.findings, Findings { wrong_choice: 1, ..absent });
        assert_eq!(
            (wrong.named[0].expected.as_str(), wrong.named[0].found.as_str()),
            ("cats", "dogs")
        );

        let phantom = checked(&[(100, 1), (1, 1), (2, 2), (8, 1)], [3, 1], 4, false);
        assert_eq!(phantom.findings, Findings { phantom: 1, ..absent });

        let twice = checked(&[(100, 1), (1, 1), (2, 2)], [3, 1], 4, false);
        assert_eq!(twice.findings, Findings { duplicated: 1, ..absent });
    }

    #[test]
    fn in_a_poll_with_codes_acknowledged_voters_claim_their_rows_first() {
        // The row belongs to the code, so the id in the cookie of those who loaded the page is not
        // that of their row.
        let poll = Poll {
            voter_policy: VoterPolicy::Code,
            ..sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst)
        };
        let hung_up = |voter| VoterRecord {
            voter: Some(voter),
            expected: ExpectedVote { certain: None, possible: Some(1) },
        };
        let acknowledged = VoterRecord {
            voter: None,
            expected: ExpectedVote { certain: Some(1), possible: None },
        };
        let voters_by_name = [hung_up(1), hung_up(2), acknowledged, acknowledged];
        let before = HashSet::new();
        let check = ByNameAudit {
            poll: &poll,
            voters_by_name: &voters_by_name,
            before: &before,
            is_part: false,
        };
        let rows = vec![(77, 1), (78, 1), (79, 1)];
        let found = check.run(&StoredVotes {
            rows,
            votes: vec![3, 0],
            voters: 3,
            ..StoredVotes::default()
        });
        let expected =
            Findings { indeterminate_counted: 1, indeterminate_absent: 1, ..Findings::default() };
        assert_eq!((found.findings, found.unnamed), (expected, 4));
    }

    #[test]
    fn strangers_of_other_shards_are_no_phantoms() {
        let found = checked(&[(100, 1), (1, 1), (2, 2), (8, 1)], [3, 1], 4, true);
        assert!(!found.findings.is_violated());
    }
}
