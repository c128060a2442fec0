//! The figures over time as CSV, one line an interval, for spreadsheets and plots.

use std::fmt::Write as _;

use crate::report::data::{Point, Report};

/// The names of the columns, in order. Units come last.
const COLUMNS: &str = "seconds,intended,sent,acknowledged,acknowledged_voters,refused,errors,\
     latency_count,latency_p50_us,latency_p99_us,latency_max_us,frames,\
     click_to_screen_p99_us,behind,backlog";

/// Formats the series of a report. A figure that was not measured is an empty cell.
pub(crate) fn to_csv(report: &Report) -> String {
    let mut out = format!("{COLUMNS}\n");
    for (nth, point) in report.series.points.iter().enumerate() {
        let seconds = crate::units::rounded(nth as f64 * report.series.interval_seconds);
        line(&mut out, seconds, point);
    }
    out
}

fn line(out: &mut String, seconds: f64, point: &Point) {
    let cell = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let latency = |name| (point.latency.count > 0).then(|| point.latency.named_us(name));
    let shown = &point.click_to_screen;
    let cells = [
        point.intended.to_string(),
        point.sent.to_string(),
        point.acknowledged.to_string(),
        point.acknowledged_voters.to_string(),
        point.refused.to_string(),
        point.errors.to_string(),
        point.latency.count.to_string(),
        cell(latency("p50")),
        cell(latency("p99")),
        cell(latency("max")),
        point.frames.to_string(),
        cell((shown.count > 0).then(|| shown.named_us("p99"))),
        cell(point.behind),
        cell(point.backlog),
    ];
    writeln!(out, "{seconds},{}", cells.join(",")).expect("writing to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_every_column() {
        let mut report = Report::default();
        report.series.interval_seconds = 0.1;
        report.series.points = vec![Point { sent: 7, behind: Some(3), ..Point::default() }; 3];
        let text = to_csv(&report);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3], "0.2,0,7,0,0,0,0,0,,,,0,,3,");
        let cells = |line: &str| line.split(',').count();
        assert!(lines.iter().all(|line| cells(line) == cells(COLUMNS)), "{text}");
    }
}
