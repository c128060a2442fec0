//! The audit of a run: compares the votes that were counted with those that were acknowledged.
//!
//! The terms are those of Jepsen's total-queue checker: *lost* (acknowledged, not counted),
//! *duplicated* (counted more than once), *phantom* (counted, never cast; Jepsen's "unexpected"),
//! and for ballots without a reply *indeterminate-counted* (Jepsen's "recovered") and
//! *indeterminate-absent*.
//!
//! Over HTTP only sums can be compared. A loss and a phantom of the same choice cancel out, and a
//! surplus may be somebody else's votes, so it makes the audit void. With the database every voter
//! is checked by name.
//!
//! Invariant: votes are lost only once counting is over. Until then they are *missing*, and the
//! audit is incomplete.

use serde::{Deserialize, Serialize};

use crate::audit::balance::{Balance, balance};
use crate::audit::by_name::ByNameFindings;
use crate::audit::findings::{Findings, NamedFinding, OptionBalance};
use crate::audit::ledger::Ledger;
use crate::poll::{Counting, Poll, Snapshot};
use crate::text::{number, one_or_many, seconds};

/// The result of the audit in one word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AuditVerdict {
    /// Everything that was acknowledged is counted once, with the choice that should be stored.
    Balanced,
    /// At least one vote is lost, duplicated, phantom or counted for the wrong choice.
    Violated,
    /// Other traffic or a failed reading makes the comparison impossible.
    Void,
    /// Votes are missing, but counting was not over when the wait ended.
    Incomplete,
    /// The run is one shard of several, and only the merged reports can be compared.
    Partial,
    /// No audit was requested.
    #[default]
    Skipped,
}

/// The source that the verdict is based on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The sums of the public tally.
    #[default]
    Http,
    /// The row of every voter in the database.
    Database,
}

/// The audit as it stands in the report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Audit {
    /// The result of the audit in one word.
    pub verdict: AuditVerdict,
    /// The source that the verdict is based on.
    pub basis: Basis,
    /// The number of faults of each kind.
    pub findings: Findings,
    /// Acknowledged ballots that were not counted when the wait ended, although counting was not
    /// over. They are not lost.
    pub missing: u64,
    /// Over HTTP: counted voters or votes that are not this run's. They make the audit void.
    pub surplus: u64,
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
    /// How long the tally was watched after that, in seconds. Later changes would not be seen.
    pub watched_seconds: Option<f64>,
    /// The first hundred faults by name. They are there only if the database was read.
    pub named: Vec<NamedFinding>,
    /// Sentences that a reader of the result must know.
    pub notes: Vec<String>,
    /// The generator's record of expected votes.
    pub ledger: Ledger,
}

impl Audit {
    /// Returns the audit over HTTP, which compares the tallies before and after the run with the
    /// ledger. `counting` says whether more votes may still follow.
    pub(crate) fn over_http(
        ledger: Ledger,
        poll: &Poll,
        before: Snapshot,
        after: Snapshot,
        counting: Counting,
    ) -> Self {
        let balance = balance(&ledger, poll, &before, &after);
        let mut audit = Self {
            verdict: verdict(&balance, counting),
            findings: balance.findings,
            surplus: balance.surplus,
            options: balance.options,
            before: Some(before),
            after: Some(after),
            ..Self::of(ledger)
        };
        match audit.verdict {
            AuditVerdict::Void => audit.notes.push(format!(
                "Others voted: {} more than this run can have cast. Over HTTP their votes cannot be \
                 separated from ours; --database-url names every voter.",
                one_or_many(audit.surplus, "vote is counted", "votes are counted")
            )),
            AuditVerdict::Incomplete => audit.leave_open(counting),
            AuditVerdict::Violated if counting == Counting::Unstated && audit.findings.lost > 0 => audit.notes.push(
                "The results do not say how far counting has come. So missing votes count as lost, \
                 because the tally has stood still."
                    .to_owned(),
            ),
            _ => {}
        }
        if audit.indeterminate_voters > 0 {
            audit.notes.push(format!(
                "{} voters have no certain answer (no reply, or a 5xx). Over HTTP up to that many losses \
                 could hide behind them.",
                number(audit.indeterminate_voters)
            ));
        }
        audit
    }

    /// Makes the audit incomplete: votes that seem to be lost are missing, and may still be counted.
    pub(crate) fn leave_open(&mut self, counting: Counting) {
        self.verdict = AuditVerdict::Incomplete;
        self.missing = self.findings.lost.max(self.findings.wrong_choice);
        self.findings.lost = 0;
        self.findings.wrong_choice = 0;
        self.named.retain(|named| !matches!(named.finding.as_str(), "lost" | "wrong_choice"));
        let state = match counting {
            Counting::Waiting(waiting) => {
                one_or_many(waiting, "accepted ballot waits", "accepted ballots wait")
            }
            _ => "the deployment does not know whether ballots still wait".to_owned(),
        };
        self.notes.insert(
            0,
            format!(
                "Counting was not over when the wait ended: {} acknowledged and not counted yet, and {state}. \
                 Raise --drain-timeout.",
                one_or_many(self.missing, "ballot is", "ballots are")
            ),
        );
    }

    /// Puts the findings by name in the place of the sums. `is_part` says that other shards vote at
    /// the same time.
    pub(crate) fn by_name(&mut self, checked: ByNameFindings, counting: Counting, is_part: bool) {
        self.basis = Basis::Database;
        if self.verdict == AuditVerdict::Violated && !checked.findings.is_violated() {
            self.notes.push(
                "Every voter's row is right, but the public tally does not agree with it."
                    .to_owned(),
            );
            return;
        }
        self.notes.clear(); // they are about the limits of sums
        if checked.unnamed > 0 {
            self.notes.push(format!(
                "No cookie names the rows of {} voters (a poll with voting codes, or no reply): they are checked \
                 by number and choice.",
                number(checked.unnamed)
            ));
        }
        let (is_complete, findings) = (checked.is_complete(), checked.findings);
        self.findings = findings;
        self.named = checked.named;
        self.missing = 0;
        self.surplus = 0;
        let is_over = matches!(counting, Counting::Settled | Counting::Unstated);
        if !is_complete && !is_over {
            self.leave_open(counting);
        }
        self.verdict = match self.findings.is_violated() {
            true => AuditVerdict::Violated,
            false if !is_complete && !is_over => AuditVerdict::Incomplete,
            false if is_part => AuditVerdict::Partial,
            false => AuditVerdict::Balanced,
        };
        self.watched(self.watched_seconds);
    }

    /// Makes the audit void for this reason.
    pub(crate) fn void(&mut self, why: String) {
        self.verdict = AuditVerdict::Void;
        self.notes.insert(0, why);
    }

    /// Notes that others voted in the poll during the run. Their votes may explain every difference
    /// between sums except missing voters, and every row without a ballot of ours.
    pub(crate) fn others_voted(&mut self, why: String) {
        let found = &self.findings;
        let is_certain = match self.basis {
            Basis::Http => self.lacks_voters(),
            Basis::Database => found.lost + found.duplicated + found.wrong_choice > 0,
        };
        match (self.verdict, self.basis) {
            (AuditVerdict::Violated, _) if !is_certain => self.void(why),
            (AuditVerdict::Balanced, Basis::Http) => self.void(why),
            _ => self.notes.push(why),
        }
    }

    /// Notes that the deployment accepted ballots that are not ours, in this poll or in another one.
    pub(crate) fn others_may_have_voted(&mut self, why: String) {
        match self.verdict {
            AuditVerdict::Violated => self.others_voted(why),
            _ => self.notes.push(why),
        }
    }

    fn lacks_voters(&self) -> bool {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return false };
        after.voters.saturating_sub(before.voters) < self.ledger.certain()
    }

    /// Records how long the tally was watched after everything was counted.
    pub(crate) fn watched(&mut self, watched: Option<f64>) {
        self.watched_seconds = watched;
        if let (AuditVerdict::Balanced, Some(watched)) = (self.verdict, watched) {
            self.notes.push(format!(
                "The tally was watched for {} after everything was counted. Nothing more was counted in that time.",
                seconds(watched)
            ));
        }
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

/// Judges a comparison of sums.
fn verdict(balance: &Balance, counting: Counting) -> AuditVerdict {
    if balance.surplus > 0 && !balance.lacks_voters {
        return AuditVerdict::Void;
    }
    match counting {
        Counting::Waiting(_) => AuditVerdict::Incomplete,
        Counting::Unknown if !balance.is_complete() => AuditVerdict::Incomplete,
        _ if balance.findings.is_violated() => AuditVerdict::Violated,
        _ => AuditVerdict::Balanced,
    }
}
