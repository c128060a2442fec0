//! The figures of a report as tables.

use crate::measure::histogram::{Distribution, QUANTILES};
use crate::report::data::{Report, SloResult, outcome_name};
use crate::report::outcomes::by_class;
use crate::text::{duration, number, rate, seconds};
use crate::voters::outcome::Outcome;

/// A table with a title and a note.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) note: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Returns all tables of a report that have rows.
pub(crate) fn tables(report: &Report) -> Vec<Table> {
    let tables = [
        slo_table(report),
        option_table(report),
        named_table(report),
        quantile_table(report),
        outcome_table(report),
        phase_table(report),
    ];
    tables.into_iter().flatten().filter(|table| !table.rows.is_empty()).collect()
}

fn words(head: &[&str]) -> Vec<String> {
    head.iter().map(|word| (*word).to_owned()).collect()
}

fn slo_table(report: &Report) -> Option<Table> {
    let rows = report.slos.iter().map(|slo| {
        let measured = slo.measured.clone().unwrap_or_else(|| "not measured".to_owned());
        vec![slo.slo.clone(), measured, slo_word(slo).to_owned()]
    });
    Some(Table {
        title: "Thresholds",
        note: String::new(),
        head: words(&["threshold", "measured", ""]),
        rows: rows.collect(),
    })
}

/// Returns the result of a threshold in a few words.
pub(crate) fn slo_word(slo: &SloResult) -> &'static str {
    match (&slo.not_judged, slo.kept) {
        (Some(_), _) => "not judged",
        (None, true) => "kept",
        (None, false) => "missed",
    }
}

fn option_table(report: &Report) -> Option<Table> {
    let rows = report.audit.options.iter().map(|option| {
        let expected = match option.expected_min == option.expected_max {
            true => number(option.expected_min),
            false => format!("{} to {}", number(option.expected_min), number(option.expected_max)),
        };
        let gained = i128::from(option.after) - i128::from(option.before);
        vec![
            option.slug.clone(),
            number(option.before),
            number(option.after),
            signed(gained),
            expected,
        ]
    });
    Some(Table {
        title: "The balance of the tally",
        note:
            "What each option gained against what the acknowledged ballots should have brought it."
                .to_owned(),
        head: words(&["option", "before", "after", "gained", "should have gained"]),
        rows: rows.collect(),
    })
}

fn signed(number_of: i128) -> String {
    let sign = if number_of < 0 { "−" } else { "" };
    let size = u64::try_from(number_of.unsigned_abs()).unwrap_or(u64::MAX);
    format!("{sign}{}", number(size))
}

fn named_table(report: &Report) -> Option<Table> {
    let rows = report.audit.named.iter();
    let rows = rows.map(|named| {
        vec![
            named.finding.replace('_', " "),
            named.who.clone(),
            named.expected.clone(),
            named.found.clone(),
        ]
    });
    Some(Table {
        title: "By name",
        note: "From the database; at most one hundred.".to_owned(),
        head: words(&["finding", "who", "expected", "found"]),
        rows: rows.collect(),
    })
}

fn quantile_table(report: &Report) -> Option<Table> {
    let mut rows = Vec::new();
    let mut row = |name: &str, distribution: &Distribution| {
        if distribution.count > 0 {
            let mut cells =
                vec![name.to_owned(), number(distribution.count), duration(distribution.mean_us)];
            cells.extend(
                QUANTILES.iter().map(|(_, name)| duration(distribution.named_us(name) as f64)),
            );
            rows.push(cells);
        }
    };
    row("ballots", &report.ballots.latency);
    row("ballot pages", &report.ballots.page_latency);
    if let Some(screen) = &report.screen {
        row("click to screen", &screen.from_click);
        row("acknowledged to screen", &screen.from_acknowledgement);
    }
    if let Some(viewers) = &report.viewers {
        row("viewers: first state", &viewers.first_state);
        if viewers.with_state > 1 {
            row("viewers: behind the first", &viewers.spread);
        }
    }
    // One outcome is what all ballots had.
    let outcomes = &report.ballots.latency_by_outcome;
    for outcome in Outcome::ALL.into_iter().filter(|_| outcomes.len() > 1) {
        if let Some(latency) = outcomes.get(&outcome_name(outcome)) {
            row(outcome.label(), latency);
        }
    }
    row("opening a connection", &report.ballots.connect_time);
    row("the generator's lateness", &report.schedule.lateness);
    let mut head = words(&["", "count", "mean"]);
    head.extend(QUANTILES.iter().map(|(_, name)| (*name).to_owned()));
    let note = "Ballots count from their intended start, so a target that stalls shows it in every ballot it made wait.";
    Some(Table { title: "Quantiles", note: note.to_owned(), head, rows })
}

fn outcome_table(report: &Report) -> Option<Table> {
    let mut rows: Vec<Vec<String>> = Outcome::ALL
        .into_iter()
        .filter(|outcome| report.outcome(*outcome) > 0)
        .map(|outcome| vec![outcome.label().to_owned(), number(report.outcome(outcome))])
        .collect();
    let classes = by_class(report).into_iter().filter(|(_, count)| *count > 0);
    let sums: Vec<String> =
        classes.map(|(name, count)| format!("{} {name}", number(count))).collect();
    rows.sort_by_key(|row| row[0].clone());
    Some(Table {
        title: "Replies",
        note: format!("In the audit's words: {}. Warm-up included.", sums.join(", ")),
        head: words(&["outcome", "requests"]),
        rows,
    })
}

fn phase_table(report: &Report) -> Option<Table> {
    if report.phases.len() < 2 {
        return None;
    }
    let rows = report.phases.iter().map(|phase| {
        let rates = match phase.rate_from == phase.rate_to {
            true => rate(phase.rate_to),
            false => format!("{} to {}", rate(phase.rate_from), rate(phase.rate_to)),
        };
        let time = |name| duration(phase.latency.named_us(name) as f64);
        let within = match phase.within_limits {
            Some(true) => "within",
            Some(false) => "beyond",
            None => "",
        };
        vec![
            phase.name.clone(),
            seconds(phase.seconds),
            rates,
            format!("{} of {}", number(phase.sent_in_time), number(phase.intended)),
            number(phase.acknowledged),
            number(phase.errors),
            time("p50"),
            time("p99"),
            time("max"),
            within.to_owned(),
        ]
    });
    Some(Table {
        title: "Phases",
        note: String::new(),
        head: words(&[
            "phase",
            "length",
            "per second",
            "sent in time",
            "acknowledged",
            "errors",
            "p50",
            "p99",
            "max",
            "",
        ]),
        rows: rows.collect(),
    })
}
