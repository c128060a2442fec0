//! The report of `votectl verify`.

use serde::Serialize;

/// The outcome of a check. The worst of all is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was checked and is right.
    Good,
    /// It could not be checked.
    Unknown,
    /// It was checked and is wrong.
    Wrong,
}

impl Verdict {
    /// The word in the printed report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "UNKNOWN",
            Self::Wrong => "WRONG",
        }
    }

    /// The exit code: 0, 1 or 2.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Unknown => 1,
            Self::Wrong => 2,
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name: `signature`, `history`, `entries`, `tiles`, `count`, `tally`, `witnesses`, and for receipts `receipt`, `log`, `standing`.
    pub check: &'static str,
    /// Its outcome.
    pub verdict: Verdict,
    /// The outcome in words.
    pub words: String,
}

/// The checks of one receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptReport {
    /// The file.
    pub receipt: String,
    /// The checks, in their order.
    pub checks: Vec<Check>,
}

impl ReceiptReport {
    /// The worst of its checks; unknown if there is none.
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(|it| it.verdict).max().unwrap_or(Verdict::Unknown)
    }
}

/// The checkpoint against which everything was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// The number of entries.
    pub size: u64,
    /// The root hash, in base64.
    pub root: String,
    /// Signatures of others below it, such as witnesses. They were not checked.
    pub cosignatures: Vec<String>,
    /// The newest checkpoint that witnesses have signed, as a signed note.
    pub cosigned: Option<String>,
}

/// The count of an option from the entries of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Its label, as published.
    pub label: String,
    /// The votes in the log.
    pub votes: i64,
}

/// Everything that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The address of the poll.
    pub url: String,
    /// The name of the log, once it is known.
    pub origin: Option<String>,
    /// The worst of all checks.
    pub verdict: Verdict,
    /// The checkpoint, once its signature was checked.
    pub checkpoint: Option<Checkpoint>,
    /// The people who count, from the entries; `None` if they could not be read.
    pub voters: Option<u64>,
    /// The votes of the options, from the entries.
    pub counted: Vec<Counted>,
    /// The checks of the log.
    pub checks: Vec<Check>,
    /// The checks of each receipt.
    pub receipts: Vec<ReceiptReport>,
    /// Signed checkpoints that contradict each other, if there are any.
    pub evidence: Vec<String>,
}

/// The checks so far.
#[derive(Debug, Default)]
pub(super) struct Checks(pub(super) Vec<Check>);

impl Checks {
    pub(super) fn good(&mut self, check: &'static str, words: impl Into<String>) {
        self.0.push(Check { check, verdict: Verdict::Good, words: words.into() });
    }

    pub(super) fn unknown(&mut self, check: &'static str, words: impl Into<String>) {
        self.0.push(Check { check, verdict: Verdict::Unknown, words: words.into() });
    }

    pub(super) fn wrong(&mut self, check: &'static str, words: impl Into<String>) {
        self.0.push(Check { check, verdict: Verdict::Wrong, words: words.into() });
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.0.iter().any(|it| it.verdict == Verdict::Wrong)
    }
}
