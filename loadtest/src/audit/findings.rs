//! The faults that an audit finds, and the account of each option.

use serde::{Deserialize, Serialize};

/// What was found, counted in voters (in votes where a poll allows several choices).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Findings {
    /// Acknowledged, not counted.
    pub lost: u64,
    /// Counted more than once.
    pub duplicated: u64,
    /// Counted, never cast.
    pub phantom: u64,
    /// Counted with another choice than the one that should stand.
    pub wrong_choice: u64,
    /// Without a reply, and counted.
    pub indeterminate_counted: u64,
    /// Without a reply, and not counted.
    pub indeterminate_absent: u64,
}

impl Findings {
    /// Whether anything is lost, duplicated, invented or wrong.
    pub fn is_violated(&self) -> bool {
        self.lost + self.duplicated + self.phantom + self.wrong_choice > 0
    }

    /// Adds those of another part.
    pub(crate) fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.phantom += other.phantom;
        self.wrong_choice += other.wrong_choice;
        self.indeterminate_counted += other.indeterminate_counted;
        self.indeterminate_absent += other.indeterminate_absent;
    }
}

/// One option's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionBalance {
    /// The option.
    pub slug: String,
    /// Votes before the run.
    pub before: u64,
    /// Votes after it.
    pub after: u64,
    /// Votes it should have gained: at least.
    pub expected_min: u64,
    /// Votes it should have gained: at most (with every indeterminate ballot).
    pub expected_max: u64,
}

/// One voter the database told about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFinding {
    /// `lost`, `phantom`, `wrong_choice` …
    pub finding: String,
    /// The voter's id, or the option for a finding about a tally.
    pub who: String,
    /// What should have been.
    pub expected: String,
    /// What is.
    pub found: String,
}
