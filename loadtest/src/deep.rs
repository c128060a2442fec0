//! The deep audit: every voter of the run against its row, the tally against the rows.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::audit::{Findings, Named};
use crate::database::Books;
use crate::ledger::{Standing, Witness};
use crate::poll::Poll;

/// Voters named one by one.
const NAMED_MAX: usize = 100;

/// What the rows say about each voter.
pub(crate) struct Check<'a> {
    pub(crate) poll: &'a Poll,
    pub(crate) witnesses: &'a [Witness],
    /// Who had voted before the run.
    pub(crate) before: &'a HashSet<u128>,
    /// Whether other generators vote at the same time, so that strangers are nobody's phantom.
    pub(crate) is_part: bool,
}

/// What [`Check::run`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) findings: Findings,
    pub(crate) named: Vec<Named>,
}

impl Check<'_> {
    /// Holds every voter against its row, and the tally against all rows.
    pub(crate) fn run(&self, books: &Books) -> Checked {
        let mut out = Checked::default();
        let mut open: HashMap<u128, Standing> = HashMap::with_capacity(self.witnesses.len());
        // Voters whose reply never told their id: known by their standing only.
        let mut unnamed: Vec<Standing> = Vec::new();
        for witness in self.witnesses {
            match witness.voter {
                Some(voter) => _ = open.insert(voter, witness.standing),
                None => unnamed.push(witness.standing),
            }
        }
        let mut strangers = Vec::new();
        for (voter, choices) in &books.rows {
            match open.remove(voter) {
                Some(standing) => self.check_row(&mut out, *voter, &standing, *choices),
                None if self.before.contains(voter) => {}
                None => strangers.push((*voter, *choices)),
            }
        }
        for (voter, standing) in &open {
            self.check_absent(&mut out, &id(*voter), standing);
        }
        for (voter, choices) in strangers {
            match unnamed.iter().position(|standing| standing.allows(Some(choices))) {
                Some(at) => {
                    let standing = unnamed.swap_remove(at);
                    out.findings.indeterminate_counted += u64::from(standing.certain.is_none());
                }
                None if self.is_part => {}
                None => {
                    out.findings.phantom += 1;
                    out.name("phantom", &id(voter), "no ballot", self.show(Some(choices)));
                }
            }
        }
        for standing in &unnamed {
            self.check_absent(&mut out, "a voter without a cookie", standing);
        }
        self.check_tally(&mut out, books);
        out
    }

    fn check_row(&self, out: &mut Checked, voter: u128, standing: &Standing, choices: u64) {
        if !standing.allows(Some(choices)) {
            out.findings.wrong_choice += 1;
            let expected = self.show(standing.certain.or(standing.possible));
            out.name("wrong_choice", &id(voter), &expected, self.show(Some(choices)));
        } else if standing.certain.is_none() {
            out.findings.indeterminate_counted += 1;
        }
    }

    fn check_absent(&self, out: &mut Checked, who: &str, standing: &Standing) {
        if standing.certain.is_some() {
            out.findings.lost += 1;
            out.name("lost", who, &self.show(standing.certain), "no row".to_owned());
        } else {
            out.findings.indeterminate_absent += 1;
        }
    }

    /// The tally must be what the rows add up to.
    fn check_tally(&self, out: &mut Checked, books: &Books) {
        let (mut over, mut under) = (0, 0);
        for (at, option) in self.poll.options.iter().enumerate() {
            let rows =
                books.rows.iter().filter(|(_, choices)| choices & (1 << at) != 0).count() as u64;
            let votes = books.votes.get(at).copied().unwrap_or(0);
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
        let rows = books.rows.len() as u64;
        if books.voters != rows {
            let finding = if books.voters > rows { "duplicated" } else { "lost" };
            out.name(
                finding,
                "voters of the tally",
                &format!("{rows} rows"),
                format!("{} voters", books.voters),
            );
        }
        let swapped = over.min(under);
        out.findings.wrong_choice += swapped;
        out.findings.duplicated += (over - swapped).max(books.voters.saturating_sub(rows));
        out.findings.lost += (under - swapped).max(rows.saturating_sub(books.voters));
    }

    fn show(&self, choices: Option<u64>) -> String {
        choices.map_or_else(|| "nothing".to_owned(), |mask| self.poll.slugs(mask).join(", "))
    }
}

impl Checked {
    fn name(&mut self, finding: &str, who: &str, expected: &str, found: String) {
        if self.named.len() < NAMED_MAX {
            let (finding, who, expected) =
                (finding.to_owned(), who.to_owned(), expected.to_owned());
            self.named.push(Named { finding, who, expected, found });
        }
    }
}

fn id(voter: u128) -> String {
    Uuid::from_u128(voter).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{VotePolicy, sample};

    fn checked(rows: &[(u128, u64)], votes: [u64; 2], voters: u64, is_part: bool) -> Checked {
        let witness =
            |voter, certain, possible| Witness { voter, standing: Standing { certain, possible } };
        let witnesses = [
            witness(Some(1), Some(1), None),
            witness(Some(2), Some(2), None),
            witness(Some(3), None, Some(1)),
            witness(None, None, Some(2)),
        ];
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let before = HashSet::from([100]);
        let check = Check { poll: &poll, witnesses: &witnesses, before: &before, is_part };
        check.run(&Books { rows: rows.to_vec(), votes: votes.to_vec(), voters })
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
    fn strangers_of_other_shards_are_no_phantoms() {
        let found = checked(&[(100, 1), (1, 1), (2, 2), (8, 1)], [3, 1], 4, true);
        assert!(!found.findings.is_violated());
    }
}
