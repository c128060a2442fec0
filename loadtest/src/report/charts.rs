//! The charts of a report, and the figures that each of them shows.

use crate::measure::histogram::Distribution;
use crate::plan::timetable::Plan;
use crate::report::chart::{Axis, Chart, ChartSeries, Scale, Style, draw, stack};
use crate::report::data::{PhaseReport, Point, Report};

type Points = Vec<(f64, Option<f64>)>;

/// Returns all charts of a report that have something to show.
///
/// # Errors
/// Returns an error if a histogram of the report is damaged.
pub(crate) fn charts(report: &Report) -> anyhow::Result<Vec<Chart>> {
    let none = Distribution::default();
    let click = report.screen.as_ref().map_or(&none, |screen| &screen.from_click);
    let drawn = [
        rates(report),
        latencies(report),
        distribution_chart(&[
            ("ballots", 1, Style::Line, &report.ballots.latency),
            ("ballot pages", 2, Style::Line, &report.ballots.page_latency),
            ("click to screen", 5, Style::Line, click),
            ("the generator's own lateness", 0, Style::Dashed, &report.schedule.lateness),
        ])?,
        outcomes(report),
        click_to_screen(report),
        backlog(report),
        frames(report),
        knee_chart(report),
    ];
    Ok(drawn.into_iter().flatten().collect())
}

/// Returns the time axis of the whole run, with the wait for the count.
fn whole(report: &Report) -> Axis {
    let max = report.series.points.len() as f64 * report.series.interval_seconds;
    Axis { label: "seconds since the start", max, ticks: None }
}

/// Returns the time axis of the load alone.
fn load(report: &Report) -> Axis {
    Axis { max: report.series.load_seconds, ..whole(report) }
}

fn over_time(report: &Report, of: impl Fn(&Point) -> Option<f64>) -> Points {
    let step = report.series.interval_seconds;
    let points = report.series.points.iter().enumerate();
    points.map(|(at, point)| ((at as f64 + 0.5) * step, of(point))).collect()
}

/// Returns rates. Several short intervals are drawn as one if few events fall into each, because
/// the rhythm of the intervals would else show instead of the rate.
fn per_second(report: &Report, of: fn(&Point) -> u64) -> Points {
    let step = report.series.interval_seconds.max(1e-9);
    let points = &report.series.points;
    let total: u64 = points.iter().map(|point| point.sent).sum();
    let busy = points.iter().filter(|point| point.sent > 0).count().max(1);
    let wanted = (EVENTS_MIN * busy as f64 / total.max(1) as f64).ceil() as usize;
    let group = wanted.clamp(1, (1.0 / step).round().max(1.0) as usize);
    let drawn = points.chunks(group).enumerate().map(|(nth, chunk)| {
        let middle = (nth * group) as f64 + chunk.len() as f64 / 2.0;
        let sum: u64 = chunk.iter().map(of).sum();
        (middle * step, Some(sum as f64 / (chunk.len() as f64 * step)))
    });
    drawn.collect()
}

/// An interval of a rate is drawn with at least this many events, but is no longer than a second.
const EVENTS_MIN: f64 = 50.0;

fn quantile(report: &Report, name: &str, of: fn(&Point) -> &Distribution) -> Points {
    over_time(report, |point| (of(point).count > 0).then(|| of(point).named_us(name) as f64))
}

/// Returns the points at which a value was sampled. Between two samples the value is unknown, not
/// 0.
fn looks(report: &Report, of: impl Fn(&Point) -> Option<u64>) -> Points {
    let mut points = over_time(report, |point| of(point).map(|count| count as f64));
    points.retain(|(_, y)| y.is_some());
    points
}

/// Returns the rate of the plan over time, without the randomness of the arrivals.
fn intended(plan: &Plan) -> Points {
    let (mut start, mut points) = (0.0, vec![(0.0, Some(0.0))]);
    for phase in &plan.phases {
        points.push((start, Some(phase.rate_from)));
        start += phase.seconds;
        points.push((start, Some(phase.rate_to)));
    }
    points.push((start, Some(0.0)));
    points
}

fn line(name: &'static str, colour: u8, points: Points) -> ChartSeries {
    ChartSeries { name, colour, style: Style::Line, points }
}

fn dashed(name: &'static str, colour: u8, points: Points) -> ChartSeries {
    ChartSeries { name, colour, style: Style::Dashed, points }
}

fn rates(report: &Report) -> Option<Chart> {
    let is_open = report.setup.closed_connections.is_none() && report.setup.shard.is_none();
    let plan = report.setup.plan.as_ref().filter(|_| is_open);
    // Older reports know only the ballots.
    let is_known = report.series.points.iter().any(|point| point.acknowledged_voters > 0);
    let voters: fn(&Point) -> u64 =
        if is_known { |point| point.acknowledged_voters } else { |point| point.acknowledged };
    let series = [
        line("acknowledged", 2, per_second(report, voters)),
        line("sent", 1, per_second(report, |point| point.sent)),
        dashed("intended", 0, plan.map(intended).unwrap_or_default()),
    ];
    let axis = whole(report);
    // A run that was ended early does not reach the end of its plan.
    let series = series.map(|one| one.until(axis.max));
    let title = "Voters per second: intended, sent, acknowledged";
    draw(title, &axis, Scale::Count, &series, report.series.warm_up_seconds)
}

fn latencies(report: &Report) -> Option<Chart> {
    let axis = load(report);
    let of = |name| quantile(report, name, |point| &point.latency);
    let series = [
        line("p50", 1, of("p50")),
        line("p90", 5, of("p90")),
        line("p99", 3, of("p99")),
        dashed("max", 4, of("max")),
    ];
    let series = series.map(|one| one.until(axis.max));
    let title = "Latency over time, by intended start";
    draw(title, &axis, Scale::Time, &series, report.series.warm_up_seconds)
}

fn outcomes(report: &Report) -> Option<Chart> {
    let area = |name, colour, of| ChartSeries {
        style: Style::Area,
        ..line(name, colour, per_second(report, of))
    };
    let mut series = vec![
        area("errors", 4, |point| point.errors),
        area("refused", 3, |point| point.refused),
        area("acknowledged", 2, |point| point.acknowledged),
    ];
    series.retain(|one| one.points.iter().any(|(_, y)| *y > Some(0.0)));
    stack(&mut series);
    let title = "Replies per second";
    draw(title, &whole(report), Scale::Count, &series, report.series.warm_up_seconds)
}

fn click_to_screen(report: &Report) -> Option<Chart> {
    let of = |name| quantile(report, name, |point| &point.click_to_screen);
    let series =
        [line("p50", 1, of("p50")), line("p99", 3, of("p99")), dashed("max", 4, of("max"))];
    let title = "Click to screen over time";
    draw(title, &whole(report), Scale::Time, &series, report.series.warm_up_seconds)
}

fn backlog(report: &Report) -> Option<Chart> {
    let series = [
        line("acknowledged, not on screen", 1, looks(report, |point| point.behind)),
        line("lag and pending entries", 3, looks(report, |point| point.backlog)),
    ];
    let title = "Waiting to be counted";
    draw(title, &whole(report), Scale::Count, &series, report.series.warm_up_seconds)
}

fn frames(report: &Report) -> Option<Chart> {
    report.viewers.as_ref().filter(|viewers| viewers.watching > 1)?;
    let series = [line("frames", 5, per_second(report, |point| point.frames))];
    let title = "Frames to all viewers, per second";
    draw(title, &whole(report), Scale::Count, &series, report.series.warm_up_seconds)
}

/// Draws latency by quantile. The x axis is logarithmic in the share of slower requests: 90 %, 99
/// %, 99.9 %.
fn distribution_chart(
    all: &[(&'static str, u8, Style, &Distribution)],
) -> anyhow::Result<Option<Chart>> {
    let mut series = Vec::new();
    let mut nines_max: f64 = 1.0;
    for (name, colour, style, distribution) in
        all.iter().filter(|(.., distribution)| distribution.count > 0)
    {
        let latencies = distribution.latencies()?;
        let nines = (latencies.count() as f64).log10().clamp(1.0, 5.0);
        nines_max = nines_max.max(nines);
        let points = (0..=200).map(|n| {
            let at = nines * f64::from(n) / 200.0;
            (at, Some(latencies.quantile_us(1.0 - 10_f64.powf(-at)) as f64))
        });
        series.push(ChartSeries { name, colour: *colour, style: *style, points: points.collect() });
    }
    let marks = [
        (0.0, "0%"),
        (0.301, "50%"),
        (1.0, "90%"),
        (2.0, "99%"),
        (3.0, "99.9%"),
        (4.0, "99.99%"),
        (5.0, "99.999%"),
    ];
    let ticks = marks
        .into_iter()
        .filter(|(at, _)| *at <= nines_max)
        .map(|(at, label)| (at, label.to_owned()));
    let axis = Axis {
        label: "share of requests at or below",
        max: nines_max,
        ticks: Some(ticks.collect()),
    };
    Ok(draw("Latency distribution", &axis, Scale::Time, &series, 0.0))
}

/// Draws the latency of each step by its rate.
fn knee_chart(report: &Report) -> Option<Chart> {
    let limit = report.knee.as_ref()?.p99_limit_us as f64;
    let steps = || report.phases.iter().filter(|phase| phase.latency.count > 0);
    let max = steps().map(|phase| phase.rate_to).fold(0.0, f64::max) * 1.02;
    let of = |name| {
        let point =
            |phase: &PhaseReport| (phase.rate_to, Some(phase.latency.named_us(name) as f64));
        steps().map(point).collect::<Points>()
    };
    let series = [
        line("p50", 1, of("p50")),
        line("p99", 3, of("p99")),
        dashed("limit of the p99", 0, vec![(0.0, Some(limit)), (max, Some(limit))]),
    ];
    let axis = Axis { label: "voters per second", max, ticks: None };
    draw("The knee: latency by rate", &axis, Scale::Time, &series, 0.0)
}

/// Returns charts that show two runs together.
///
/// # Errors
/// Returns an error if a histogram of one of the reports is damaged.
pub(crate) fn comparison_charts(first: &Report, second: &Report) -> anyhow::Result<Vec<Chart>> {
    let max = load(first).max.max(load(second).max);
    let axis = Axis { max, ..load(first) };
    let both = |of: fn(&Report) -> Points| {
        [dashed("first", 0, of(first)).until(max), line("second", 1, of(second)).until(max)]
    };
    let rates = both(|report| per_second(report, |point| point.acknowledged));
    let p99 = both(|report| quantile(report, "p99", |point| &point.latency));
    let drawn = [
        draw("Acknowledged per second", &axis, Scale::Count, &rates, 0.0),
        draw("Latency p99 over time", &axis, Scale::Time, &p99, 0.0),
        distribution_chart(&[
            ("first", 0, Style::Dashed, &first.ballots.latency),
            ("second", 1, Style::Line, &second.ballots.latency),
        ])?,
    ];
    Ok(drawn.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_a_straight_line_in_short_intervals_too() {
        // 15 a second in intervals of 100 ms: one and two in turn.
        let mut report = Report::default();
        report.series.interval_seconds = 0.1;
        let point = |nth: u64| Point { sent: 1 + nth % 2, ..Point::default() };
        report.series.points = (0..40).map(point).collect();
        let drawn = per_second(&report, |point| point.sent);
        assert_eq!(drawn.len(), 4);
        assert!(drawn.iter().all(|(_, rate)| *rate == Some(15.0)), "{drawn:?}");
    }
}
