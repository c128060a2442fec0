//! The report of a run as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Report, StepReport, mib};
use crate::overview::BOUND;

/// Renders the report of a run.
pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut out, report);
    out
}

fn write_all(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out, "# Chaos\n\n**{}**\n", report.verdict.headline)?;
    for reason in &report.verdict.reasons {
        writeln!(out, "- {reason}")?;
    }
    writeln!(out, "\n`{}` · {} · {}\n", report.command, report.started_at, report.machine)?;
    write_audit(out, report)?;
    if let (Some(fault), true) = (&report.receipts.fault, report.receipts.is_restored) {
        writeln!(
            out,
            "\n**Not all receipts are good**, which shows that the database was restored:\n"
        )?;
        writeln!(out, "```\n{fault}\n```")?;
    }
    write_steps(out, report)?;
    write_overview(out, report)?;
    write_memory(out, report)?;
    if !report.named.is_empty() {
        writeln!(out, "\n## Voters\n\n| finding | who | expected | found |\n|---|---|---|---|")?;
        for named in &report.named {
            let (finding, who) = (&named.finding, &named.who);
            writeln!(out, "| {finding} | {who} | {} | {} |", named.expected, named.found)?;
        }
    }
    Ok(())
}

fn write_audit(out: &mut String, report: &Report) -> std::fmt::Result {
    let found = &report.findings;
    let drained = report.drain_s.map_or("never".to_owned(), |s| format!("{s:.1} s"));
    writeln!(out, "| audit | |\n|---|---|")?;
    let struck = report.steps.iter().filter(|step| step.skipped.is_none());
    let faults = struck.map(|step| step.step.strikes.len() as u64).sum();
    for (name, count) in [
        ("faults", faults),
        ("acknowledged", report.acknowledged),
        ("lost", found.lost),
        ("duplicated", found.duplicated),
        ("phantom", found.phantom),
        ("wrong choice", found.wrong_choice),
        ("falsely final", report.falsely_final.len() as u64),
        ("polls that closed", report.polls_closed),
        ("receipts", report.receipts.kept),
        ("figures falsely well", report.overview.falsely_well.len() as u64),
        ("without an answer, and counted", found.indeterminate_counted),
        ("without an answer, and not counted", found.indeterminate_absent),
        ("answers 503, with Retry-After", report.outcomes.unavailable),
        ("answers 503, without", report.unexplained),
        ("other answers 5xx", report.outcomes.server_errors),
        ("no connection, no answer", report.outcomes.no_answer),
        ("malformed entries", report.poisoned),
        ("dead letters", report.dead_letters),
        ("reconnects of viewers", report.reconnects),
    ] {
        writeln!(out, "| {name} | {count} |")?;
    }
    writeln!(out, "| load, at {:.0} voters/s | {:.0} s |", report.rate, report.load_s)?;
    writeln!(out, "| from the end of the load until all was counted | {drained} |")
}

fn write_steps(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "\n## Faults\n\nAll times are in seconds. *Answered*, *counted*, *caught up* and *ready* are measured from \
         the healing: until a new ballot was acknowledged, until it was counted, until all ballots \
         accepted before the healing were counted, and until every service was ready.\n\n\
         | at | fault | held | 503 | no answer | answered | counted | caught up | ready |\n\
         |---:|---|---:|---:|---:|---:|---:|---:|---:|"
    )?;
    for step in &report.steps {
        write_step(out, step)?;
    }
    if report.not_reached > 0 {
        writeln!(out, "\n{} steps of the schedule were not reached.", report.not_reached)?;
    }
    Ok(())
}

fn write_step(out: &mut String, step: &StepReport) -> std::fmt::Result {
    let title = step.step.title().replace('>', "→");
    if let Some(why) = &step.skipped {
        return writeln!(out, "| {:.0} | {title} | skipped: {why} | | | | | | |", step.struck_s);
    }
    let time = |time: Option<Duration>| {
        time.map_or("**never**".to_owned(), |time| format!("{:.1}", time.as_secs_f64()))
    };
    let notes = match step.notes.as_slice() {
        [] => String::new(),
        notes => format!("<br>{}", notes.join("; ")),
    };
    writeln!(
        out,
        "| {:.0} | {title}{notes} | {:.1} | {} | {} | {} | {} | {} | {} |",
        step.struck_s,
        step.healed_s - step.struck_s,
        step.outcomes.unavailable,
        step.outcomes.no_answer,
        time(step.recovery.answered),
        time(step.recovery.counted),
        time(step.recovery.caught_up),
        time(step.recovery.ready),
    )
}

fn write_overview(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out, "\n## Overview\n")?;
    if let Some(why) = &report.overview.unchecked {
        return writeln!(out, "**Not checked:** {why}.");
    }
    writeln!(
        out,
        "Each second a Prometheus evaluated the figures of the overview dashboard. Once every replica of a service has been \
         silent for {} s, no figure about it may be green or blue; one that shows the time of the silence has until its \
         threshold.\n\n\
         | figure | looks | looked well | looks in silence |\n|---|---:|---:|---:|",
        BOUND.as_secs()
    )?;
    for (panel, looks) in &report.overview.looks {
        writeln!(out, "| {panel} | {} | {} | {} |", looks.all, looks.well, looks.in_silence)?;
    }
    Ok(())
}

fn write_memory(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "\n## Memory, in MiB resident\n\nAllowed: {}.\n\n\
         | service | starts | first | most | last |\n|---|---:|---:|---:|---:|",
        mib(report.memory_max_bytes)
    )?;
    for (service, memory) in &report.memory {
        let starts = report.starts.get(service).copied().unwrap_or_default();
        let [first, most, last] =
            [memory.first_bytes, memory.max_bytes, memory.last_bytes].map(mib);
        writeln!(out, "| {service} | {starts} | {first} | {most} | {last} |")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::kept;
    use super::*;
    use crate::audit::ReceiptCheck;

    #[test]
    fn verdict_seed_and_recovery_are_reported() {
        let mut report = kept();
        report.verdict = report.judge();
        let text = render(&report);
        for part in [
            "# Chaos\n\n**KEPT: 1901 ballots",
            "`make chaos SEED=7`",
            "| lost | 0 |",
            "| falsely final | 0 |",
            "| receipts | 1700 |",
            "| figures falsely well | 0 |",
            "| Viewers | 10 | 7 | 3 |",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(
            text.contains("| 2 | kill-consumer (consumer-1)<br>a <note> | 2.0 | 8 | 0 | 0.3 |")
        );
        report.receipts =
            ReceiptCheck { kept: 9, fault: Some("EVIDENCE".to_owned()), is_restored: true };
        assert!(render(&report).contains("database was restored:\n\n```\nEVIDENCE\n```"));
        report.overview.unchecked = Some("there is none".to_owned());
        assert!(render(&report).contains("**Not checked:** there is none."));
        report.steps[0].recovery.counted = None;
        assert!(render(&report).contains("| **never** |"));
    }
}
