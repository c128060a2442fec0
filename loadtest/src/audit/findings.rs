//! The faults that an audit finds, and the account of each option.

use serde::{Deserialize, Serialize};

/// The number of faults of each kind. They are counted in voters, or in votes where a poll allows
/// several choices.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Findings {
    /// Ballots that were acknowledged but are not counted.
    pub lost: u64,
    /// Ballots that are counted more than once.
    pub duplicated: u64,
    /// Votes that are counted although nobody cast them.
    pub phantom: u64,
    /// Votes that are counted for another choice than the one that should be stored.
    pub wrong_choice: u64,
    /// Ballots without a reply that are counted. This is no fault.
    pub indeterminate_counted: u64,
    /// Ballots without a reply that are not counted. This is no fault.
    pub indeterminate_absent: u64,
}

impl Findings {
    /// Returns whether anything is lost, duplicated, phantom or counted for the wrong choice.
    pub fn is_violated(&self) -> bool {
        self.lost + self.duplicated + self.phantom + self.wrong_choice > 0
    }

    /// Adds the findings of another part of the load.
    pub(crate) fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.phantom += other.phantom;
        self.wrong_choice += other.wrong_choice;
        self.indeterminate_counted += other.indeterminate_counted;
        self.indeterminate_absent += other.indeterminate_absent;
    }
}

/// The account of one option: its votes before and after the run, and the gain that was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OptionBalance {
    /// The option's short name, as it stands in ballots.
    pub slug: String,
    /// Votes of the option before the run.
    pub before: u64,
    /// Votes of the option after the run.
    pub after: u64,
    /// The least number of votes that the option should have gained.
    pub expected_min: u64,
    /// The largest number of votes that the option may have gained, with every indeterminate
    /// ballot.
    pub expected_max: u64,
}

/// One fault with the name of its voter, found in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NamedFinding {
    /// The kind of fault: `lost`, `duplicated`, `phantom` or `wrong_choice`.
    pub finding: String,
    /// The voter's id, or the name of the tally that is wrong.
    pub who: String,
    /// The choices or the number that should be stored.
    pub expected: String,
    /// The choices or the number that is stored.
    pub found: String,
}
