//! Holds what was counted against what was acknowledged.
//!
//! The words are those of Jepsen's total-queue checker: *lost* (acknowledged, not counted),
//! *duplicated* (counted more than once), *phantom* (counted, never cast; Jepsen's "unexpected"),
//! and for ballots without a reply *indeterminate-counted* (its "recovered") and
//! *indeterminate-absent*. Over HTTP only sums can be balanced: a loss and an invention of the same
//! choice cancel out, and a voter counted twice in both votes and voters looks like a phantom. With
//! the database every voter is checked by name.

use serde::{Deserialize, Serialize};

use crate::audit::balance::balance;
use crate::audit::findings::{Findings, NamedFinding, OptionBalance};
use crate::audit::ledger::Ledger;
use crate::poll::{Poll, Snapshot};

/// What the audit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditVerdict {
    /// Everything acknowledged is counted once, as it should stand.
    Balanced,
    /// Something is lost, duplicated, invented or wrong.
    Violated,
    /// Other traffic or a failing reader: nothing can be said.
    Void,
    /// One shard of several: only the merged reports can be balanced.
    Partial,
    /// Not asked for, or no access to any tally.
    #[default]
    Skipped,
}

/// What the verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Sums of the public tally.
    #[default]
    Http,
    /// Every voter's row.
    Database,
}

/// The audit of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Audit {
    /// What it came to.
    pub verdict: AuditVerdict,
    /// What that rests on.
    pub basis: Basis,
    /// What was found.
    pub findings: Findings,
    /// Voters of whom at least one ballot was acknowledged.
    pub acknowledged_voters: u64,
    /// Voters of whom nobody knows: no ballot acknowledged, at least one without a reply.
    pub indeterminate_voters: u64,
    /// "Already voted" replies that named other choices than those that should stand.
    pub contradicted: u64,
    /// Account by option (over HTTP).
    pub options: Vec<OptionBalance>,
    /// The tally before and after.
    pub before: Option<Snapshot>,
    /// The tally after all was drained.
    pub after: Option<Snapshot>,
    /// From the last reply until all that was acknowledged was counted, s.
    pub drained_after_seconds: Option<f64>,
    /// The first hundred voters that something is wrong with (with the database).
    pub named: Vec<NamedFinding>,
    /// What a reader must know.
    pub notes: Vec<String>,
    /// The generator's books, by standing.
    pub ledger: Ledger,
}

impl Audit {
    /// The audit over HTTP: the tallies before and after against the ledger.
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

    /// An audit without verdict.
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
