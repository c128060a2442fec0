//! Derives the verdict and the exit code from the other figures of a report.
//!
//! Invariant: a lost, duplicated or phantom vote, or a wrong choice, outweighs everything else. A
//! figure that could not be measured never counts as met, and a run in which nothing was acknowledged
//! proves nothing.

use crate::audit::result::{AuditVerdict, Basis};
use crate::report::data::{LoadVerdict, Report};
use crate::text::{number, one_or_many, plural};
use crate::voters::outcome::Outcome;

/// A run in which a smaller share of the voters was sent in time is void.
pub(crate) const ACHIEVED_MIN: f64 = 0.99;

/// The share of wrong outcomes that is allowed, unless the operator sets another.
const ERRORS_MAX: f64 = 0.01;

/// Exit code: all thresholds were met, and the audit found no fault.
pub const EXIT_OK: u8 = 0;
/// Exit code: a threshold was missed, or the run or its audit is void.
pub const EXIT_MISSED: u8 = 1;
/// Exit code: votes were lost, duplicated, phantom or counted for the wrong choice.
pub const EXIT_AUDIT: u8 = 2;
/// Exit code: bad arguments, or a refused or unreachable target. No load was sent.
pub const EXIT_USAGE: u8 = 3;
/// Exit code: a report or a journal could not be written.
pub const EXIT_WRITE: u8 = 4;
/// Exit code: the deployment was still counting when the wait ended, so nothing is known to be lost.
pub const EXIT_INCOMPLETE: u8 = 5;

/// Returns the verdict of a report whose other fields are complete.
pub(crate) fn of(report: &Report) -> LoadVerdict {
    // Faults come first, then an open or void audit, then a void run, then missed thresholds.
    let mut reasons = faults(report);
    let violated = !reasons.is_empty();
    let incomplete = report.audit.verdict == AuditVerdict::Incomplete;
    if incomplete {
        reasons.push(format!("audit incomplete: {}", report.audit.notes.join(" ")));
    }
    if report.audit.verdict == AuditVerdict::Void {
        reasons.push(format!("audit void: {}", report.audit.notes.join(" ")));
    }
    let nothing = has_acknowledged_nothing(report);
    if nothing {
        reasons.push("run void: no ballot was acknowledged, so nothing is proved".to_owned());
    }
    if report.schedule.void {
        reasons.push(schedule_reason(report));
    }
    reasons.extend(challenge_reason(report));
    reasons.extend(fault_reason(report));
    reasons.extend(errors_reason(report));
    for slo in report.slos.iter().filter(|slo| !slo.kept) {
        let measured = slo.measured.as_deref().unwrap_or("nothing");
        reasons.push(match &slo.not_judged {
            Some(why) => format!("{} {why} (measured {measured})", slo.slo),
            None => format!("{} missed: measured {measured}", slo.slo),
        });
    }
    let is_void = report.schedule.void
        || nothing
        || report.generator.faults > 0
        || report.audit.verdict == AuditVerdict::Void;
    let (exit_code, word) = match (violated, incomplete, reasons.is_empty()) {
        (true, ..) => (EXIT_AUDIT, "FAILED"),
        (_, true, _) => (EXIT_INCOMPLETE, "INCOMPLETE"),
        (.., true) => (EXIT_OK, "OK"),
        _ if is_void => (EXIT_MISSED, "VOID"),
        _ => (EXIT_MISSED, "MISSED"),
    };
    let audited = if nothing { "nothing was acknowledged".to_owned() } else { audited(report) };
    let schedule = if report.schedule.void { "the schedule was not kept; " } else { "" };
    let headline =
        format!("{word}: {schedule}{audited}{}{}", errors_text(report), limits_text(report));
    LoadVerdict { exit_code, headline, reasons }
}

fn faults(report: &Report) -> Vec<String> {
    if report.audit.verdict != AuditVerdict::Violated {
        return Vec::new();
    }
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
    let found = faults.into_iter().filter(|(count, _)| *count > 0);
    found.map(|(count, what)| format!("{} {what}", number(count))).collect()
}

/// Returns the result of the audit in a few words. Only an audit by name knows of every voter.
fn audited(report: &Report) -> String {
    let acknowledged = plural(report.audit.acknowledged_voters, "acknowledged voter", "s");
    match (report.audit.verdict, report.audit.basis) {
        (AuditVerdict::Balanced, Basis::Database) => {
            format!("{acknowledged}, every one counted once")
        }
        (AuditVerdict::Balanced, Basis::Http) => {
            format!("{acknowledged}, and the tally gained their votes (sums over HTTP)")
        }
        (AuditVerdict::Violated, _) => "not every acknowledged ballot was counted once".to_owned(),
        (AuditVerdict::Void, _) => "audit void".to_owned(),
        (AuditVerdict::Incomplete, _) => format!(
            "{acknowledged}, {} not counted yet when the wait ended",
            number(report.audit.missing)
        ),
        (AuditVerdict::Partial, _) => "one shard: merge all reports for the audit".to_owned(),
        (AuditVerdict::Skipped, _) => "not audited".to_owned(),
    }
}

/// Names challenges that no load tester can solve.
fn challenge_reason(report: &Report) -> Option<String> {
    let challenges = report.challenges.as_ref()?;
    let kind = challenges.impossible_kind.as_ref()?;
    Some(format!(
        "{} refused, because the target asks for a challenge of the kind `{kind}`, which no load tester can solve. Set \
         CHALLENGE=off for the load test, or leave out CHALLENGE_VERIFIER_URL so that it asks for a proof of work",
        one_or_many(challenges.impossible, "ballot was", "ballots were")
    ))
}

/// Returns whether voters cast valid ballots and none of them was acknowledged.
fn has_acknowledged_nothing(report: &Report) -> bool {
    let mix = &report.setup.mix;
    let valid = mix.rubbish + mix.hang_up < 1.0;
    valid && report.outcome(Outcome::Acknowledged) == 0
}

fn errors_text(report: &Report) -> String {
    match report.ballots.errors {
        0 => String::new(),
        errors => format!(
            "; {} ({:.3}%)",
            plural(errors, "wrong outcome", "s"),
            report.ballots.error_ratio * 100.0
        ),
    }
}

/// Returns the knee, and how many thresholds were kept.
fn limits_text(report: &Report) -> String {
    let mut text = String::new();
    if let Some(knee) = &report.knee {
        text += &match (knee.rate_per_second, knee.found) {
            (Some(rate), true) => format!("; knee at {}/s", crate::text::rate(rate)),
            (Some(rate), false) => format!("; knee beyond {}/s", crate::text::rate(rate)),
            (None, _) => "; knee below the first step".to_owned(),
        };
    }
    let kept = report.slos.iter().filter(|slo| slo.kept).count();
    if !report.slos.is_empty() {
        let all = report.slos.len() as u64;
        text += &format!("; {kept} of {} kept", plural(all, "threshold", "s"));
    }
    text
}

/// Returns the reason if more outcomes were wrong than allowed. A search for the highest rate goes
/// beyond it on purpose.
pub(crate) fn errors_reason(report: &Report) -> Option<String> {
    let ballots = &report.ballots;
    let allowed = report.setup.errors_max_ratio.unwrap_or(ERRORS_MAX);
    if report.knee.is_some() || ballots.error_ratio <= allowed {
        return None;
    }
    let kinds = Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::Acknowledged);
    let mut kinds: Vec<_> =
        kinds.map(|outcome| (report.outcome(outcome), outcome.label())).collect();
    kinds.retain(|(count, _)| *count > 0);
    kinds.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let kinds: Vec<String> =
        kinds.iter().take(3).map(|(count, label)| format!("{} {label}", number(*count))).collect();
    let redirect = report.samples.iter().find_map(|sample| sample.split_once("redirected to "));
    Some(format!(
        "{:.3}% of the outcomes were wrong, {:.3}% are allowed: {}{}",
        ballots.error_ratio * 100.0,
        allowed * 100.0,
        kinds.join(", "),
        redirect.map_or_else(String::new, |(_, to)| format!(", to {to}"))
    ))
}

pub(crate) fn schedule_reason(report: &Report) -> String {
    let ratio = report.schedule.achieved_ratio.unwrap_or(0.0) * 100.0;
    let limit = report.setup.connections_max;
    format!(
        "run void: only {ratio:.1}% of the timetable was sent in time. Either the target kept all {} connections \
         busy (it is slower than this rate: see the latencies, raise --connections-max or lower --rate), or the \
         load tester lacked processor time: {} (then use --threads or --shard, or lower --rate)",
        number(limit),
        busy_text(report)
    )
}

/// Returns how much processor time the load tester used.
pub(crate) fn busy_text(report: &Report) -> String {
    format!(
        "it kept {:.2} cores busy with {} of its own, on {}",
        report.generator.cores_busy,
        plural(report.setup.threads, "thread", "s"),
        report.setup.machine
    )
}

/// Returns the reason if the machine of the load tester could not open connections.
fn fault_reason(report: &Report) -> Option<String> {
    let fault = report.generator.fault.as_ref()?;
    Some(format!(
        "run void: the load tester's own machine could not open {}: {fault}. That says nothing about the target. \
         Raise its limits of files and ports, lower --connections-max, or divide the load with --shard",
        plural(report.generator.faults, "connection", "s")
    ))
}
