//! Which charts a report shows, and of what.

use crate::chart::{Axis, Chart, Scale, Series, Style, draw, stack};
use crate::histogram::Distribution;
use crate::plan::Plan;
use crate::report::{Point, Report};

/// Points of a series over time.
fn over_time(report: &Report, of: impl Fn(&Point) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    let step = report.series.interval_seconds;
    report
        .series
        .points
        .iter()
        .enumerate()
        .map(|(at, point)| ((at as f64 + 0.5) * step, of(point)))
        .collect()
}

fn line(name: &'static str, colour: u8, points: Vec<(f64, Option<f64>)>) -> Series {
    Series { name, colour, style: Style::Line, points }
}

pub(crate) fn charts(report: &Report) -> anyhow::Result<Vec<Chart>> {
    let series = &report.series;
    let (step, warm_up) = (series.interval_seconds, series.warm_up_seconds);
    let during = (series.load_seconds / step.max(1e-9)).ceil() as usize;
    let load = Axis { label: "seconds since the start", max: during as f64 * step, ticks: None };
    let whole = Axis { max: series.points.len() as f64 * step, ..load.clone() };
    let per_second =
        |of: fn(&Point) -> u64| over_time(report, |point| Some(of(point) as f64 / step));
    let within = |mut points: Vec<(f64, Option<f64>)>| {
        points.truncate(during);
        points
    };
    let quantile = |name: &'static str, of: fn(&Point) -> &Distribution| {
        over_time(report, move |point| {
            (of(point).count > 0).then(|| of(point).named_us(name) as f64)
        })
    };
    let latency = |name| within(quantile(name, |point| &point.latency));
    let screen = |name| quantile(name, |point| &point.click_to_screen);
    let mut outcomes = vec![
        Series { style: Style::Area, ..line("errors", 4, per_second(|p| p.errors)) },
        Series { style: Style::Area, ..line("refused", 3, per_second(|p| p.refused)) },
        Series { style: Style::Area, ..line("acknowledged", 2, per_second(|p| p.acknowledged)) },
    ];
    outcomes.retain(|one| one.points.iter().any(|(_, y)| *y > Some(0.0)));
    stack(&mut outcomes);
    let intended =
        Series { style: Style::Dashed, ..line("intended", 0, per_second(|p| p.intended)) };
    let rates = [
        line("acknowledged", 2, per_second(|p| p.acknowledged)),
        line("sent", 1, per_second(|p| p.sent)),
        intended,
    ];
    let behind = [
        line("acknowledged, not on screen", 1, over_time(report, |p| p.behind.map(|n| n as f64))),
        line("lag and pending entries", 3, over_time(report, |p| p.backlog.map(|n| n as f64))),
    ];
    let drawn = [
        draw(
            "Rate: intended, sent, acknowledged (per second)",
            &whole,
            Scale::Count,
            &rates,
            warm_up,
        ),
        draw(
            "Latency over time, by intended start",
            &load,
            Scale::Time,
            &[
                line("max", 4, latency("max")),
                line("p99", 3, latency("p99")),
                line("p90", 5, latency("p90")),
                line("p50", 1, latency("p50")),
            ],
            warm_up,
        ),
        distribution_chart(&[
            ("ballots", 1, Style::Line, &report.ballots.latency),
            ("ballot pages", 2, Style::Line, &report.ballots.page_latency),
            (
                "click to screen",
                5,
                Style::Line,
                report
                    .screen
                    .as_ref()
                    .map_or(&Distribution::default(), |screen| &screen.from_click),
            ),
            ("the generator's own lateness", 0, Style::Dashed, &report.schedule.lateness),
        ])?,
        draw("Outcomes (per second)", &whole, Scale::Count, &outcomes, warm_up),
        draw(
            "Click to screen over time",
            &whole,
            Scale::Time,
            &[
                line("max", 4, screen("max")),
                line("p99", 3, screen("p99")),
                line("p50", 1, screen("p50")),
            ],
            warm_up,
        ),
        draw("Waiting to be counted", &whole, Scale::Count, &behind, warm_up),
        draw(
            "Frames to all viewers (per second)",
            &whole,
            Scale::Count,
            &[line("frames", 5, per_second(|p| p.frames))],
            warm_up,
        )
        .filter(|_| report.viewers.as_ref().is_some_and(|viewers| viewers.watching > 1)),
        knee_chart(report),
    ];
    Ok(drawn.into_iter().flatten().collect())
}

/// Quantiles against latency, the x axis in nines.
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
        series.push(Series { name, colour: *colour, style: *style, points: points.collect() });
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

/// Rate of each step against its p99.
fn knee_chart(report: &Report) -> Option<Chart> {
    let knee = report.knee.as_ref()?;
    let steps = || report.phases.iter().filter(|phase| phase.latency.count > 0);
    let max = steps().map(|phase| phase.rate_to).fold(0.0, f64::max) * 1.02;
    let quantile = |name| {
        steps().map(|phase| (phase.rate_to, Some(phase.latency.named_us(name) as f64))).collect()
    };
    let limit = knee.p99_limit_us as f64;
    let limit = Series {
        style: Style::Dashed,
        ..line("limit of the p99", 0, vec![(0.0, Some(limit)), (max, Some(limit))])
    };
    let axis = Axis { label: "voters per second", max, ticks: None };
    draw(
        "The knee: latency by rate",
        &axis,
        Scale::Time,
        &[line("p99", 3, quantile("p99")), line("p50", 1, quantile("p50")), limit],
        0.0,
    )
}

pub(crate) fn comparison_charts(first: &Report, second: &Report) -> anyhow::Result<Vec<Chart>> {
    let reach = |report: &Report| report.series.load_seconds;
    let axis = Axis {
        label: "seconds since the start",
        max: reach(first).max(reach(second)),
        ticks: None,
    };
    let p99 = |report: &Report| {
        let mut points = over_time(report, |point| {
            (point.latency.count > 0).then(|| point.latency.named_us("p99") as f64)
        });
        points.retain(|(at, _)| *at <= axis.max);
        points
    };
    let acknowledged = |report: &Report| {
        let step = report.series.interval_seconds.max(1e-9);
        let mut points = over_time(report, |point| Some(point.acknowledged as f64 / step));
        points.retain(|(at, _)| *at <= axis.max);
        points
    };
    let pair = |one, two| {
        [Series { style: Style::Dashed, ..line("first", 0, one) }, line("second", 1, two)]
    };
    let drawn = [
        draw(
            "Acknowledged per second",
            &axis,
            Scale::Count,
            &pair(acknowledged(first), acknowledged(second)),
            0.0,
        ),
        draw("Latency p99 over time", &axis, Scale::Time, &pair(p99(first), p99(second)), 0.0),
        distribution_chart(&[
            ("first", 0, Style::Dashed, &first.ballots.latency),
            ("second", 1, Style::Line, &second.ballots.latency),
        ])?,
    ];
    Ok(drawn.into_iter().flatten().collect())
}
