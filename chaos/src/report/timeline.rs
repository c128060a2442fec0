//! The timeline of a run: faults as bands over charts of the rate, the errors and the backlog.
//!
//! Absent on purpose: SVG elements, which are in the template. This module computes numbers and paths.

use std::fmt::Write as _;

use super::{Report, StepReport};
use crate::sampler::{Outcomes, Sample};

const WIDTH: f64 = 1_100.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 26.0;
const PANEL: f64 = 110.0;
const GAP: f64 = 30.0;
/// The largest number of labels on the time axis.
const TICKS: f64 = 12.0;

/// The band of one fault: the time in which it was active, and the time until everything had recovered.
#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) number: usize,
    pub(crate) title: String,
    pub(crate) struck_x: f64,
    pub(crate) struck_width: f64,
    pub(crate) healed_x: f64,
    pub(crate) healed_width: f64,
    pub(crate) middle_x: f64,
}

/// One line or area in a chart.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) class: &'static str,
    pub(crate) path: String,
}

/// One of the charts, which stand under each other.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    pub(crate) most: String,
    pub(crate) curves: Vec<Curve>,
}

/// A label on the time axis, in pixels from the left.
#[derive(Debug)]
pub(crate) struct Tick {
    pub(crate) x: f64,
    pub(crate) label: String,
}

/// All elements of the timeline, with coordinates in pixels.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    pub(crate) bands: Vec<Band>,
    pub(crate) panels: Vec<Panel>,
    pub(crate) ticks: Vec<Tick>,
}

impl Timeline {
    /// Computes the timeline of a run.
    pub(crate) fn of(report: &Report) -> Self {
        let samples = &report.samples;
        let end_s = samples.last().map_or(1.0, |sample| sample.at_s).max(report.load_s).max(1.0);
        let x = |s: f64| round(LEFT + (WIDTH - LEFT - RIGHT) * (s / end_s).clamp(0.0, 1.0));
        let rate = |of: fn(&Outcomes) -> u64| -> Vec<(f64, Option<f64>)> {
            samples.windows(2).map(|pair| (x(pair[1].at_s), Some(per_second(pair, of)))).collect()
        };
        // The charts, from top to bottom.
        let backlog =
            samples.iter().map(|s| (x(s.at_s), s.backlog.map(|entries| entries as f64))).collect();
        let panels = [
            ("ballots acknowledged per second", vec![("acknowledged", rate(|o| o.acknowledged))]),
            (
                "errors per second: 503 (filled), no answer (line)",
                vec![
                    ("unavailable", rate(|o| o.unavailable + o.server_errors)),
                    ("no-answer", rate(|o| o.no_answer)),
                ],
            ),
            (
                "entries that wait to be counted; a gap where Redis did not answer",
                vec![("backlog", backlog)],
            ),
        ];
        let panels: Vec<Panel> = panels
            .into_iter()
            .enumerate()
            .map(|(nth, (title, curves))| panel(nth, title, &curves))
            .collect();
        // The bands of the faults cover all charts.
        let bottom = panels.last().map_or(TOP, |panel| panel.bottom);
        let struck = report.steps.iter().enumerate().filter(|(_, step)| step.skipped.is_none());
        Self {
            width: WIDTH,
            height: bottom + 24.0,
            left: LEFT,
            right: WIDTH - RIGHT,
            top: TOP,
            bottom,
            bands: struck.map(|(nth, step)| band(nth + 1, step, x)).collect(),
            panels,
            ticks: ticks(end_s).map(|s| Tick { x: x(s), label: format!("{s:.0} s") }).collect(),
        }
    }
}

fn per_second(pair: &[Sample], of: fn(&Outcomes) -> u64) -> f64 {
    let seconds = (pair[1].at_s - pair[0].at_s).max(1e-3);
    of(&pair[1].outcomes.since(&pair[0].outcomes)) as f64 / seconds
}

fn band(number: usize, step: &StepReport, x: impl Fn(f64) -> f64) -> Band {
    let [struck, healed, over] = [step.struck_s, step.healed_s, step.over_s].map(x);
    Band {
        number,
        title: format!("{number}: {}", step.step.title()),
        struck_x: struck,
        struck_width: round((healed - struck).max(1.0)),
        healed_x: healed,
        healed_width: round((over - healed).max(0.5)),
        middle_x: round((struck + healed) / 2.0),
    }
}

type Points = Vec<(f64, Option<f64>)>;

fn panel(nth: usize, title: &'static str, curves: &[(&'static str, Points)]) -> Panel {
    let top = TOP + 16.0 + nth as f64 * (PANEL + GAP);
    let bottom = top + PANEL;
    let values = curves.iter().flat_map(|(_, points)| points).filter_map(|(_, value)| *value);
    let most = nice(values.fold(1.0, f64::max));
    let curves = curves.iter().map(|(class, points)| {
        let y = |value: f64| round(bottom - PANEL * (value / most));
        let area = !matches!(*class, "no-answer" | "acknowledged");
        Curve { class, path: path(points, y, area.then_some(bottom)) }
    });
    Panel { title, top, bottom, most: format!("{most:.0}"), curves: curves.collect() }
}

/// Returns an SVG path through the points. It is interrupted where a value is missing, and closed along `floor` for an
/// area.
fn path(points: &Points, y: impl Fn(f64) -> f64, floor: Option<f64>) -> String {
    let mut path = String::new();
    for run in points.split(|(_, value)| value.is_none()).filter(|run| !run.is_empty()) {
        let mut command = 'M';
        for (x, value) in run {
            // Writing to a String cannot fail.
            let _ = write!(path, "{command}{x} {}", y(value.unwrap_or_default()));
            command = 'L';
        }
        if let Some(floor) = floor {
            let (first, last) = (run[0].0, run[run.len() - 1].0);
            let _ = write!(path, "L{last} {floor}L{first} {floor}Z");
        }
    }
    path
}

/// Returns the next larger of 1, 2, 5, 10, 20, 50 and so on.
fn nice(value: f64) -> f64 {
    let magnitude = 10_f64.powf(value.max(1.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * magnitude >= value);
    step.unwrap_or(10.0) * magnitude
}

fn ticks(end_s: f64) -> impl Iterator<Item = f64> {
    let step = nice(end_s / TICKS);
    (0..).map(move |nth| f64::from(nth) * step).take_while(move |s| *s <= end_s)
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::super::tests::kept;
    use super::*;

    #[test]
    fn faults_lie_over_the_time_in_which_they_struck() {
        let timeline = Timeline::of(&kept());
        assert_eq!((timeline.bands.len(), timeline.panels.len()), (1, 3));
        let band = &timeline.bands[0];
        assert!(band.struck_x > timeline.left && band.healed_x > band.struck_x);
        assert_eq!(round(band.struck_x + band.struck_width), band.healed_x);
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let points = vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(2.0)), (3.0, Some(3.0))];
        assert_eq!(path(&points, |y| y, None), "M0 1M2 2L3 3");
        assert_eq!(path(&points, |y| y, Some(9.0)), "M0 1L0 9L0 9ZM2 2L3 3L3 9L2 9Z");
    }

    #[test]
    fn scales_are_round() {
        assert_eq!([0.0, 3.0, 77.0, 200.0, 201.0].map(nice), [1.0, 5.0, 100.0, 200.0, 500.0]);
    }
}
