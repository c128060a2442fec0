//! The report of a run as one HTML file, which needs no network and no script.

use std::time::Duration;

use askama::Template;

use super::timeline::Timeline;
use super::{EXIT_OK, Report, StepReport, mib};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    tone: &'static str,
    tiles: Vec<Tile>,
    timeline: Timeline,
    rows: Vec<Row<'a>>,
    memory: Vec<[String; 5]>,
}

struct Tile {
    label: &'static str,
    value: String,
    note: &'static str,
    tone: &'static str,
}

struct Row<'a> {
    number: usize,
    step: &'a StepReport,
    title: String,
    descriptions: Vec<&'static str>,
    at: String,
    held: String,
    times: [String; 4],
}

/// Renders the report of a run.
///
/// # Errors
/// Returns an error if the template fails, which no report makes it do.
pub(crate) fn render(report: &Report) -> anyhow::Result<String> {
    let tone = if report.verdict.exit_code == EXIT_OK { "good" } else { "bad" };
    let page = Page {
        report,
        tone,
        tiles: tiles(report),
        timeline: Timeline::of(report),
        rows: report.steps.iter().enumerate().map(|(nth, step)| row(nth + 1, step)).collect(),
        memory: memory(report),
    };
    Ok(page.render()?)
}

fn tiles(report: &Report) -> Vec<Tile> {
    let found = &report.findings;
    let must_be_none = |label, count: u64, note| {
        let tone = if count == 0 { "good" } else { "bad" };
        Tile { label, value: count.to_string(), note, tone }
    };
    let plain = |label, value: String, note| Tile { label, value, note, tone: "" };
    let slowest = report.steps.iter().filter_map(|step| step.recovery.counted).max();
    vec![
        plain("acknowledged", report.acknowledged.to_string(), "voters whose ballot was accepted"),
        must_be_none("lost", found.lost, "acknowledged, not counted"),
        must_be_none("duplicated", found.duplicated, "counted more than once"),
        must_be_none("phantom", found.phantom, "counted, never cast"),
        must_be_none("wrong choice", found.wrong_choice, "counted for another option"),
        must_be_none(
            "falsely final",
            report.falsely_final.len() as u64,
            "results without an acknowledged ballot",
        ),
        figures(report),
        receipts(report),
        plain("polls closed", report.polls_closed.to_string(), "during the run"),
        must_be_none("5xx except 503", report.outcomes.server_errors, "wrong answers"),
        plain("503", report.outcomes.unavailable.to_string(), "with Retry-After"),
        plain("no answer", report.outcomes.no_answer.to_string(), "connections lost, time-outs"),
        plain("slowest recovery", seconds(slowest), "from the healing to a new ballot counted"),
    ]
}

/// The figures of the overview that looked well while their service was silent, or that nobody could look.
fn figures(report: &Report) -> Tile {
    let (label, count) = ("falsely well", report.overview.falsely_well.len());
    let (value, note, tone) = match (&report.overview.unchecked, count) {
        (Some(_), _) => ("?".to_owned(), "the overview was not checked", ""),
        (None, 0) => ("0".to_owned(), "figures of the overview, in silence", "good"),
        (None, _) => (count.to_string(), "figures of the overview, in silence", "bad"),
    };
    Tile { label, value, note, tone }
}

fn receipts(report: &Report) -> Tile {
    let (label, value) = ("receipts", report.receipts.kept.to_string());
    let (note, tone) = match (&report.receipts.fault, report.receipts.is_restored) {
        (None, _) => ("all in the public log", "good"),
        (Some(_), true) => ("some show that the database was restored", ""),
        (Some(_), false) => ("not all in the public log", "bad"),
    };
    Tile { label, value, note, tone }
}

fn row(number: usize, step: &StepReport) -> Row<'_> {
    let recovery = &step.recovery;
    let times = [recovery.answered, recovery.counted, recovery.caught_up, recovery.ready];
    Row {
        number,
        step,
        title: step.step.title().replace('>', "→"),
        descriptions: step.step.strikes.iter().map(|strike| strike.fault.description()).collect(),
        at: format!("{:.0}", step.struck_s),
        held: format!("{:.1}", step.healed_s - step.struck_s),
        times: times.map(seconds),
    }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
}

fn memory(report: &Report) -> Vec<[String; 5]> {
    let row = |(service, memory): (&&'static str, &crate::sampler::Memory)| {
        let starts = report.starts.get(*service).copied().unwrap_or_default();
        let [first, most, last] =
            [memory.first_bytes, memory.max_bytes, memory.last_bytes].map(mib);
        let numbers = [starts, first, most, last].map(|number| number.to_string());
        let [starts, first, most, last] = numbers;
        [(*service).to_owned(), starts, first, most, last]
    };
    report.memory.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::kept;
    use super::*;

    #[test]
    fn the_page_stands_alone_and_escapes_what_it_shows() {
        let mut report = kept();
        report.verdict = report.judge();
        let page = render(&report).unwrap();
        assert!(page.contains("KEPT: 1901 ballots") && page.contains("a &#60;note&#62;"));
        assert!(page.contains("<svg") && page.contains("kill-consumer (consumer-1)"));
        for outside in ["http://", "https://", "<script", "NaN"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
