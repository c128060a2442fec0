//! The audit of a run: compares the votes that were counted with those that were acknowledged.
//!
//! The terms are those of Jepsen's total-queue checker: *lost* (acknowledged, not counted),
//! *duplicated* (counted more than once), *phantom* (counted, never cast; Jepsen's "unexpected"),
//! and for ballots without a reply *indeterminate-counted* (Jepsen's "recovered") and
//! *indeterminate-absent*.
//!
//! Over HTTP only sums can be compared. A loss and a phantom of the same choice cancel out, and a
//! voter who is counted twice in both votes and voters looks like a phantom. With the database
//! every voter is checked by name.

use serde::{Deserialize, Serialize};

use crate::audit::balance::balance;
use crate::audit::findings::{Findings, NamedFinding, OptionBalance};
use crate::audit::ledger::Ledger;
use crate::poll::{Poll, Snapshot};

/// The result of the audit in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditVerdict {
    /// Everything that was acknowledged is counted once, with the choice that should be stored.
    Balanced,
    /// At least one vote is lost, duplicated, phantom or counted for the wrong choice.
    Violated,
    /// Other traffic or a failed reading makes the comparison impossible.
    Void,
    /// The run is one shard of several, and only the merged reports can be compared.
    Partial,
    /// No audit was requested, or no tally can be read.
    #[default]
    Skipped,
}

/// The source that the verdict is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The sums of the public tally.
    #[default]
    Http,
    /// The row of every voter in the database.
    Database,
}

/// The audit as it stands in the report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Audit {
    /// The result of the audit in one word.
    pub verdict: AuditVerdict,
    /// The source that the verdict is based on.
    pub basis: Basis,
    /// The number of faults of each kind.
    pub findings: Findings,
    /// Voters who had at least one ballot acknowledged.
    pub acknowledged_voters: u64,
    /// Voters who had no ballot acknowledged and at least one without a reply.
    pub indeterminate_voters: u64,
    /// "Already voted" replies that named other choices than those that should be stored.
    pub contradicted: u64,
    /// The account of each option. It is there only if the tally was read over HTTP.
    pub options: Vec<OptionBalance>,
    /// The tally before the run; absent if the results are hidden.
    pub before: Option<Snapshot>,
    /// The tally after everything was counted.
    pub after: Option<Snapshot>,
    /// The time from the last reply until everything acknowledged was counted, in seconds.
    pub drained_after_seconds: Option<f64>,
    /// The first hundred faults by name. They are there only if the database was read.
    pub named: Vec<NamedFinding>,
    /// Sentences that a reader of the result must know.
    pub notes: Vec<String>,
    /// The generator's record of expected votes.
    pub ledger: Ledger,
}

impl Audit {
    /// Returns the audit over HTTP, which compares the tallies before and after the run with the
    /// ledger.
    pub(crate) fn over_http(
        ledger: Ledger,
        poll: &Poll,
        before: Snapshot,
        after: Snapshot,
    ) -> Self {
        let (findings, options) = balance(&ledger, poll, &before, &after);
        let mut audit = Self {
            verdict: if findings.is_violated() {
                AuditVerdict::Violated
            } else {
                AuditVerdict::Balanced
            },
            findings,
            options,
            before: Some(before),
            after: Some(after),
            ..Self::of(ledger)
        };
        if findings.phantom > 0 {
            audit.notes.push(
                "Counted over HTTP alone: a phantom may also be a ballot that was counted twice, or somebody \
                 else's vote; --database-url names the voters."
                    .to_owned(),
            );
        }
        if audit.indeterminate_voters > 0 {
            audit.notes.push(format!(
                "{} voters had no reply. Over HTTP up to that many losses could hide behind them.",
                audit.indeterminate_voters
            ));
        }
        audit
    }

    /// Returns an audit that has compared nothing, with the reason as its note.
    pub(crate) fn without(verdict: AuditVerdict, ledger: Ledger, why: &str) -> Self {
        Self { verdict, notes: vec![why.to_owned()], ..Self::of(ledger) }
    }

    fn of(ledger: Ledger) -> Self {
        Self {
            acknowledged_voters: ledger.certain(),
            indeterminate_voters: ledger.indeterminate(),
            ledger,
            ..Self::default()
        }
    }
}
