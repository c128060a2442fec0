//! Derives the verdict and the exit code from the other figures of a report.
//!
//! Invariant: a lost, duplicated or phantom vote, or a wrong choice, outweighs everything else. A
//! figure that could not be measured never counts as met.

use crate::audit::result::AuditVerdict;
use crate::report::data::{LoadVerdict, Report};
use crate::text::number;

/// A run in which a smaller share of the voters was sent in time is void.
pub(crate) const ACHIEVED_MIN: f64 = 0.99;

/// Exit code: all thresholds were met, and the audit found no fault.
pub const EXIT_OK: u8 = 0;
/// Exit code: a threshold was missed, or the run or its audit is void.
pub const EXIT_MISSED: u8 = 1;
/// Exit code: votes were lost, duplicated, phantom or counted for the wrong choice.
pub const EXIT_AUDIT: u8 = 2;
/// Exit code: bad arguments, or a refused or unreachable target. No load was sent.
pub const EXIT_USAGE: u8 = 3;

/// Returns the verdict of a report whose other fields are complete.
pub(crate) fn of(report: &Report) -> LoadVerdict {
    let mut reasons = Vec::new();
    let found = &report.audit.findings;
    let faults = [
        (found.lost, "lost: acknowledged, not counted"),
        (found.duplicated, "duplicated: counted more than once"),
        (found.phantom, "phantom: counted, never cast"),
        (
            found.wrong_choice,
            "wrong choice: counted for another option than the one that should stand",
        ),
    ];
    // Faults come first, then a void audit or run, then missed thresholds.
    if report.audit.verdict == AuditVerdict::Violated {
        for (count, what) in faults.into_iter().filter(|(count, _)| *count > 0) {
            reasons.push(format!("{} {what}", number(count)));
        }
    }
    let violated = !reasons.is_empty();
    if report.audit.verdict == AuditVerdict::Void {
        reasons.push(format!("audit void: {}", report.audit.notes.join(" ")));
    }
    if report.schedule.void {
        reasons.push(schedule_reason(report));
    }
    for slo in report.slos.iter().filter(|slo| !slo.kept) {
        let measured = slo.measured.as_deref().unwrap_or("nothing");
        reasons.push(format!("{} missed: measured {measured}", slo.slo));
    }
    let audited = match report.audit.verdict {
        AuditVerdict::Balanced => {
            format!(
                "{} acknowledged voters, every one counted once",
                number(report.audit.acknowledged_voters)
            )
        }
        AuditVerdict::Violated => "not every acknowledged ballot was counted once".to_owned(),
        AuditVerdict::Void => "audit void".to_owned(),
        AuditVerdict::Partial => "one shard: merge all reports for the audit".to_owned(),
        AuditVerdict::Skipped => "not audited".to_owned(),
    };
    let (exit_code, headline) = match (violated, reasons.is_empty()) {
        (true, _) => (EXIT_AUDIT, format!("FAILED: {audited}")),
        (false, true) => (EXIT_OK, format!("OK: {audited}")),
        (false, false) if report.schedule.void => {
            (EXIT_MISSED, format!("VOID: the schedule was not kept; {audited}"))
        }
        (false, false) => (EXIT_MISSED, format!("MISSED: {audited}")),
    };
    LoadVerdict { exit_code, headline, reasons }
}

fn schedule_reason(report: &Report) -> String {
    let ratio = report.schedule.achieved_ratio.unwrap_or(0.0) * 100.0;
    let limit = report.setup.connections_max;
    format!(
        "run void: only {ratio:.1}% of the timetable was sent in time. Either the target kept all {} connections \
         busy (it is slower than this rate: see the latencies, raise --connections-max or lower --rate), or the \
         generator lacks processor time (then use --threads or --shard)",
        number(limit)
    )
}
