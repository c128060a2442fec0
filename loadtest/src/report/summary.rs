//! Formats a report as a screenful of text.

use crate::audit::result::AuditVerdict;
use crate::report::data::Report;
use crate::report::facts::challenges_text;
use crate::report::outcomes::by_class;
use crate::report::slo::SAMPLES_MIN;
use crate::report::tables::slo_word;
use crate::text::{bytes, duration, number, rate, seconds};

/// Formats the report for standard output.
pub(crate) fn summary(report: &Report) -> String {
    let mut out = String::new();
    let mut row = |name: &str, text: String| out.push_str(&format!("  {name:<16} {text}\n"));
    // The load: schedule, rate and outcomes.
    if let Some(ratio) = report.schedule.achieved_ratio {
        let void = if report.schedule.void { "  VOID" } else { "" };
        let sent = number(report.schedule.sent_in_time);
        row(
            "schedule",
            format!(
                "{sent} of {} sent in time ({:.2}%){void}",
                number(report.schedule.intended),
                ratio * 100.0
            ),
        );
    }
    row(
        "rate",
        format!(
            "{}/s acknowledged over {}",
            rate(report.ballots.acknowledged_per_second),
            seconds(report.ballots.measured_seconds)
        ),
    );
    let classes = by_class(report).map(|(name, count)| format!("{} {name}", number(count)));
    row("ballots", classes.join(", "));
    if let Some(challenges) = &report.challenges {
        row("challenges", challenges_text(challenges));
    }
    row(
        "errors",
        format!(
            "{} of {} ({:.3}%)",
            number(report.ballots.errors),
            number(report.ballots.measured),
            report.ballots.error_ratio * 100.0
        ),
    );
    // The latencies.
    let quantiles = |distribution: &crate::measure::histogram::Distribution| {
        ["p50", "p90", "p99", "p99.9", "max"]
            .map(|name| format!("{name} {}", duration(distribution.named_us(name) as f64)))
            .join("  ")
            + &match distribution.count {
                count if count < SAMPLES_MIN => format!("  (only {count} samples)"),
                _ => String::new(),
            }
    };
    row("latency", quantiles(&report.ballots.latency));
    if let Some(screen) = report.screen.as_ref().filter(|screen| screen.from_click.count > 0) {
        row("click to screen", quantiles(&screen.from_click));
    }
    if let Some(knee) = &report.knee {
        let limit = duration(knee.p99_limit_us as f64);
        row(
            "knee",
            match (knee.rate_per_second, knee.found) {
                (Some(at), true) => format!(
                    "{}/s is the highest step with p99 below {limit} and no error",
                    rate(at)
                ),
                (Some(at), false) => format!(
                    "beyond this plan: {}/s still had p99 below {limit} and no error",
                    rate(at)
                ),
                (None, _) => {
                    format!("below the first step: none had p99 below {limit} without an error")
                }
            },
        );
    }
    if let Some(viewers) =
        report.viewers.as_ref().filter(|viewers| viewers.with_state > 1 || viewers.stalled > 0)
    {
        row(
            "viewers",
            format!(
                "{} of {} had a state (p99 {}), {} frames, {} reconnects, {} gaps",
                number(viewers.with_state),
                number(viewers.watching),
                duration(viewers.first_state.named_us("p99") as f64),
                number(viewers.frames),
                number(viewers.reconnects),
                number(viewers.gaps)
            ),
        );
    }
    // The audit, and the resources of the load tester.
    row("audit", audit(report));
    if let Some(after) = report.audit.drained_after_seconds {
        row("drained", format!("{} after the last reply", seconds(after)));
    }
    row(
        "generator",
        format!(
            "{:.1} µs of processor a request, {:.2} cores busy, {} resident at most",
            report.generator.cpu_us_per_request,
            report.generator.cores_busy,
            bytes(report.generator.resident_bytes_max)
        ),
    );
    // The thresholds, and the details of each fault.
    for slo in &report.slos {
        let measured = slo.measured.as_deref().unwrap_or("nothing measured");
        let why = slo.not_judged.as_ref().map_or_else(String::new, |why| format!("; {why}"));
        let word = slo_word(slo);
        let word = if slo.kept { word.to_owned() } else { word.to_uppercase() };
        row(&word, format!("{}  ({measured}{why})", slo.slo));
    }
    for named in report.audit.named.iter().take(10) {
        row(
            &named.finding,
            format!("{}: expected {}, found {}", named.who, named.expected, named.found),
        );
    }
    for note in &report.audit.notes {
        row("note", note.clone());
    }
    for sample in report.samples.iter().take(3) {
        row("reply", sample.clone());
    }
    let reasons: String =
        report.verdict.reasons.iter().map(|reason| format!("  - {reason}\n")).collect();
    format!("\n{}\n{reasons}\n{out}", report.verdict.headline)
}

fn audit(report: &Report) -> String {
    let found = &report.audit.findings;
    match report.audit.verdict {
        AuditVerdict::Balanced | AuditVerdict::Violated => format!(
            "lost {}, duplicated {}, phantom {}, wrong choice {}, indeterminate-counted {}, \
             indeterminate-absent {}",
            found.lost,
            found.duplicated,
            found.phantom,
            found.wrong_choice,
            found.indeterminate_counted,
            found.indeterminate_absent
        ),
        AuditVerdict::Void => "void".to_owned(),
        AuditVerdict::Incomplete => {
            format!("incomplete: {} not counted yet", number(report.audit.missing))
        }
        AuditVerdict::Partial => "open until all shards are merged".to_owned(),
        AuditVerdict::Skipped => "none".to_owned(),
    }
}
