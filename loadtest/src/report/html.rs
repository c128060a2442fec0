//! Draws a report as one HTML file that needs neither a network nor scripts.
//!
//! Text and markup are in `templates/`. This module fills them with figures.

use askama::Template;

use crate::audit::result::{AuditVerdict, Basis};
use crate::measure::histogram::Distribution;
use crate::report::chart::Chart;
use crate::report::charts::{charts, comparison_charts};
use crate::report::compare::Comparison;
use crate::report::data::Report;
use crate::report::facts::facts;
use crate::report::slo::SAMPLES_MIN;
use crate::report::tables::{Table, tables};
use crate::report::verdict::EXIT_INCOMPLETE;
use crate::text::{duration, moment, number, rate, seconds};

/// A figure that stands out at the top of the page.
struct Tile {
    label: String,
    value: String,
    note: String,
    /// The tone of the figure: `good`, `bad`, `warn` or empty.
    tone: &'static str,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    title: String,
    tone: &'static str,
    basis: &'static str,
    audit_tiles: Vec<Tile>,
    tiles: Vec<Tile>,
    charts: Vec<Chart>,
    tables: Vec<Table>,
    facts: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparisonPage<'a> {
    first: String,
    second: String,
    comparison: &'a Comparison,
    charts: Vec<Chart>,
}

/// Draws a report as HTML.
///
/// # Errors
/// Returns an error if a histogram of the report is damaged.
pub fn render(report: &Report) -> anyhow::Result<String> {
    let page = Page {
        report,
        title: title(report),
        tone: tone(report),
        basis: basis(report),
        audit_tiles: audit_tiles(report),
        tiles: tiles(report),
        charts: charts(report)?,
        tables: tables(report),
        facts: facts(report),
    };
    Ok(page.render()?)
}

/// Draws a comparison of two reports as HTML.
///
/// # Errors
/// Returns an error if a histogram of one of the reports is damaged.
pub fn render_comparison(
    first: &Report,
    second: &Report,
    comparison: &Comparison,
) -> anyhow::Result<String> {
    let name = |report: &Report| format!("{}, {}", title(report), moment(&report.setup.started_at));
    let page = ComparisonPage {
        first: name(first),
        second: name(second),
        comparison,
        charts: comparison_charts(first, second)?,
    };
    Ok(page.render()?)
}

fn title(report: &Report) -> String {
    let plan = report.setup.plan.as_ref().map_or("load", |plan| plan.name.as_str());
    let poll = report.setup.poll.as_ref().map_or("a poll", |poll| poll.title.as_str());
    format!("{plan} on {poll}")
}

fn tone(report: &Report) -> &'static str {
    match report.verdict.exit_code {
        0 => "good",
        1 | EXIT_INCOMPLETE => "warn",
        _ => "bad",
    }
}

fn basis(report: &Report) -> &'static str {
    match (report.audit.verdict, report.audit.basis) {
        (AuditVerdict::Balanced | AuditVerdict::Violated, Basis::Database) => {
            "Checked by name: every voter's row in the database, and the tally against all rows."
        }
        (AuditVerdict::Balanced | AuditVerdict::Violated, Basis::Http) => {
            "Checked by sums: what the public tally gained against what was acknowledged. Sums do not show single voters."
        }
        (AuditVerdict::Incomplete, _) => {
            "Not established: the deployment was still counting when the wait ended."
        }
        _ => "Not established.",
    }
}

fn audit_tiles(report: &Report) -> Vec<Tile> {
    let audit = &report.audit;
    let judged = matches!(audit.verdict, AuditVerdict::Balanced | AuditVerdict::Violated);
    let fault = |label: &str, count: u64, note: &str| Tile {
        label: label.to_owned(),
        value: if judged { number(count) } else { "?".to_owned() },
        note: note.to_owned(),
        tone: match (judged, count) {
            (false, _) => "warn",
            (true, 0) => "good",
            _ => "bad",
        },
    };
    let plain = |label: &str, count: u64, note: &str| Tile {
        label: label.to_owned(),
        value: number(count),
        note: note.to_owned(),
        tone: "",
    };
    let found = &audit.findings;
    vec![
        plain("acknowledged", audit.acknowledged_voters, "voters who were told yes"),
        fault("lost", found.lost, "acknowledged, not counted"),
        fault("duplicated", found.duplicated, "counted more than once"),
        fault("phantom", found.phantom, "counted, never cast"),
        fault("wrong choice", found.wrong_choice, "counted for another option"),
        plain("indeterminate", audit.indeterminate_voters, &indeterminate_note(report)),
    ]
}

fn indeterminate_note(report: &Report) -> String {
    let found = &report.audit.findings;
    match report.audit.indeterminate_voters {
        0 => "every voter has a certain answer".to_owned(),
        _ => format!(
            "without a certain answer: {} counted, {} absent",
            number(found.indeterminate_counted),
            number(found.indeterminate_absent)
        ),
    }
}

fn tiles(report: &Report) -> Vec<Tile> {
    let tile = |label: &str, value: String, note: String| Tile {
        label: label.to_owned(),
        value,
        note,
        tone: "",
    };
    let ballots = &report.ballots;
    let time =
        |distribution: &Distribution, name: &str| duration(distribution.named_us(name) as f64);
    let mut tiles = vec![
        tile(
            "acknowledged per second",
            rate(ballots.acknowledged_per_second),
            format!("over {}", seconds(ballots.measured_seconds)),
        ),
        tile("latency p50", time(&ballots.latency, "p50"), "from the intended start".to_owned()),
        tile(
            "latency p99",
            time(&ballots.latency, "p99"),
            match ballots.latency.count {
                few if few < SAMPLES_MIN => format!("only {few} samples"),
                _ => format!("max {}", time(&ballots.latency, "max")),
            },
        ),
        Tile {
            tone: if ballots.errors > 0 { "bad" } else { "" },
            ..tile(
                "errors",
                format!("{:.3}%", ballots.error_ratio * 100.0),
                format!("{} of {} requests", number(ballots.errors), number(ballots.measured)),
            )
        },
    ];
    if let Some(ratio) = report.schedule.achieved_ratio {
        let note = format!(
            "{} of {}",
            number(report.schedule.sent_in_time),
            number(report.schedule.intended)
        );
        tiles.push(Tile {
            tone: if report.schedule.void { "bad" } else { "" },
            ..tile("sent in time", format!("{:.2}%", ratio * 100.0), note)
        });
    }
    if let Some(screen) = report.screen.as_ref().filter(|screen| screen.from_click.count > 0) {
        tiles.push(tile(
            "click to screen p99",
            time(&screen.from_click, "p99"),
            format!("p50 {}", time(&screen.from_click, "p50")),
        ));
    }
    if let Some(after) = report.audit.drained_after_seconds {
        tiles.push(tile(
            "all counted after",
            duration(after * 1e6),
            "from the last reply".to_owned(),
        ));
    }
    if let Some(knee) = &report.knee {
        let value =
            knee.rate_per_second.map_or_else(|| "none".to_owned(), |at| format!("{}/s", rate(at)));
        let place = if knee.found { "highest step" } else { "or beyond: highest step" };
        tiles.push(tile(
            "knee",
            value,
            format!("{place} with p99 below {}", duration(knee.p99_limit_us as f64)),
        ));
    }
    if let Some(viewers) = report.viewers.as_ref().filter(|viewers| viewers.with_state > 1) {
        tiles.push(tile(
            "viewers",
            number(viewers.with_state),
            format!("first state p99 {}", time(&viewers.first_state, "p99")),
        ));
    }
    tiles
}
