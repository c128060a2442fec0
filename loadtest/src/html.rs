//! The report as one HTML file that needs nothing else: no network, no script.
//!
//! Text and markup are in `templates/`; here is only what they are filled with.

use askama::Template;

use crate::assemble::by_class;
use crate::audit::Verdict;
use crate::chart::{Axis, Chart, Scale, Series, Style, draw, stack};
use crate::compare::Comparison;
use crate::histogram::{Distribution, QUANTILES};
use crate::outcome::Outcome;
use crate::report::{Point, Report};
use crate::text::{bytes, duration, number, rate, seconds};

/// A figure that stands out.
struct Tile {
    label: String,
    value: String,
    note: String,
    /// `good`, `bad`, `warn` or nothing.
    tone: &'static str,
}

/// A table with a heading.
struct Table {
    title: &'static str,
    note: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    title: String,
    tone: &'static str,
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

/// Draws a report.
///
/// # Errors
/// When the report's histograms were damaged.
pub fn render(report: &Report) -> anyhow::Result<String> {
    let page = Page {
        report,
        title: title(report),
        tone: tone(report),
        audit_tiles: audit_tiles(report),
        tiles: tiles(report),
        charts: charts(report)?,
        tables: tables(report),
        facts: facts(report),
    };
    Ok(page.render()?)
}

/// Draws a comparison.
///
/// # Errors
/// When a report's histograms were damaged.
pub fn render_comparison(first: &Report, second: &Report, comparison: &Comparison) -> anyhow::Result<String> {
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

fn moment(rfc3339: &str) -> String {
    rfc3339.get(..19).unwrap_or(rfc3339).replace('T', " ") + " UTC"
}

fn tone(report: &Report) -> &'static str {
    match report.verdict.exit_code {
        0 => "good",
        1 => "warn",
        _ => "bad",
    }
}

fn audit_tiles(report: &Report) -> Vec<Tile> {
    let audit = &report.audit;
    let judged = matches!(audit.verdict, Verdict::Balanced | Verdict::Violated);
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
        0 => "no voter was left without a reply".to_owned(),
        _ => format!("without a reply: {} counted, {} absent", number(found.indeterminate_counted), number(found.indeterminate_absent)),
    }
}

fn tiles(report: &Report) -> Vec<Tile> {
    let tile = |label: &str, value: String, note: String| Tile { label: label.to_owned(), value, note, tone: "" };
    let ballots = &report.ballots;
    let time = |distribution: &Distribution, name: &str| duration(distribution.named_us(name) as f64);
    let mut tiles = vec![
        tile("acknowledged per second", rate(ballots.acknowledged_per_second), format!("over {}", seconds(ballots.measured_seconds))),
        tile("latency p50", time(&ballots.latency, "p50"), "from the intended start".to_owned()),
        tile("latency p99", time(&ballots.latency, "p99"), format!("max {}", time(&ballots.latency, "max"))),
        Tile {
            tone: if ballots.errors > 0 { "bad" } else { "" },
            ..tile("errors", format!("{:.3}%", ballots.error_ratio * 100.0), format!("{} of {} requests", number(ballots.errors), number(ballots.measured)))
        },
    ];
    if let Some(ratio) = report.schedule.achieved_ratio {
        let note = format!("{} of {}", number(report.schedule.sent_in_time), number(report.schedule.intended));
        tiles.push(Tile { tone: if report.schedule.void { "bad" } else { "" }, ..tile("sent in time", format!("{:.2}%", ratio * 100.0), note) });
    }
    if let Some(screen) = report.screen.as_ref().filter(|screen| screen.from_click.count > 0) {
        tiles.push(tile("click to screen p99", time(&screen.from_click, "p99"), format!("p50 {}", time(&screen.from_click, "p50"))));
    }
    if let Some(after) = report.audit.drained_after_seconds {
        tiles.push(tile("all counted after", duration(after * 1e6), "from the last reply".to_owned()));
    }
    if let Some(knee) = &report.knee {
        let value = knee.rate_per_second.map_or_else(|| "none".to_owned(), |at| format!("{}/s", rate(at)));
        let place = if knee.found { "highest step" } else { "or beyond: highest step" };
        tiles.push(tile("knee", value, format!("{place} with p99 below {}", duration(knee.p99_limit_us as f64))));
    }
    if let Some(viewers) = report.viewers.as_ref().filter(|viewers| viewers.with_state > 1) {
        tiles.push(tile("viewers", number(viewers.with_state), format!("first state p99 {}", time(&viewers.first_state, "p99"))));
    }
    tiles
}

/// Points of a series over time.
fn over_time(report: &Report, of: impl Fn(&Point) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    let step = report.series.interval_seconds;
    report.series.points.iter().enumerate().map(|(at, point)| ((at as f64 + 0.5) * step, of(point))).collect()
}

fn line(name: &'static str, colour: u8, points: Vec<(f64, Option<f64>)>) -> Series {
    Series { name, colour, style: Style::Line, points }
}

fn charts(report: &Report) -> anyhow::Result<Vec<Chart>> {
    let series = &report.series;
    let (step, warm_up) = (series.interval_seconds, series.warm_up_seconds);
    let during = (series.load_seconds / step.max(1e-9)).ceil() as usize;
    let load = Axis { label: "seconds since the start", max: during as f64 * step, ticks: None };
    let whole = Axis { max: series.points.len() as f64 * step, ..load.clone() };
    let per_second = |of: fn(&Point) -> u64| over_time(report, |point| Some(of(point) as f64 / step));
    let within = |mut points: Vec<(f64, Option<f64>)>| {
        points.truncate(during);
        points
    };
    let quantile = |name: &'static str, of: fn(&Point) -> &Distribution| {
        over_time(report, move |point| (of(point).count > 0).then(|| of(point).named_us(name) as f64))
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
    let intended = Series { style: Style::Dashed, ..line("intended", 0, per_second(|p| p.intended)) };
    let rates = [line("acknowledged", 2, per_second(|p| p.acknowledged)), line("sent", 1, per_second(|p| p.sent)), intended];
    let behind = [
        line("acknowledged, not on screen", 1, over_time(report, |p| p.behind.map(|n| n as f64))),
        line("lag and pending entries", 3, over_time(report, |p| p.backlog.map(|n| n as f64))),
    ];
    let drawn = [
        draw("Rate: intended, sent, acknowledged (per second)", &whole, Scale::Count, &rates, warm_up),
        draw(
            "Latency over time, by intended start",
            &load,
            Scale::Time,
            &[line("max", 4, latency("max")), line("p99", 3, latency("p99")), line("p90", 5, latency("p90")), line("p50", 1, latency("p50"))],
            warm_up,
        ),
        distribution_chart(&[
            ("ballots", 1, Style::Line, &report.ballots.latency),
            ("ballot pages", 2, Style::Line, &report.ballots.page_latency),
            ("click to screen", 5, Style::Line, report.screen.as_ref().map_or(&Distribution::default(), |screen| &screen.from_click)),
            ("the generator's own lateness", 0, Style::Dashed, &report.schedule.lateness),
        ])?,
        draw("Outcomes (per second)", &whole, Scale::Count, &outcomes, warm_up),
        draw(
            "Click to screen over time",
            &whole,
            Scale::Time,
            &[line("max", 4, screen("max")), line("p99", 3, screen("p99")), line("p50", 1, screen("p50"))],
            warm_up,
        ),
        draw("Waiting to be counted", &whole, Scale::Count, &behind, warm_up),
        draw("Frames to all viewers (per second)", &whole, Scale::Count, &[line("frames", 5, per_second(|p| p.frames))], warm_up)
            .filter(|_| report.viewers.as_ref().is_some_and(|viewers| viewers.watching > 1)),
        knee_chart(report),
    ];
    Ok(drawn.into_iter().flatten().collect())
}

/// Quantiles against latency, the x axis in nines.
fn distribution_chart(all: &[(&'static str, u8, Style, &Distribution)]) -> anyhow::Result<Option<Chart>> {
    let mut series = Vec::new();
    let mut nines_max: f64 = 1.0;
    for (name, colour, style, distribution) in all.iter().filter(|(.., distribution)| distribution.count > 0) {
        let latencies = distribution.latencies()?;
        let nines = (latencies.count() as f64).log10().clamp(1.0, 5.0);
        nines_max = nines_max.max(nines);
        let points = (0..=200).map(|n| {
            let at = nines * f64::from(n) / 200.0;
            (at, Some(latencies.quantile_us(1.0 - 10_f64.powf(-at)) as f64))
        });
        series.push(Series { name, colour: *colour, style: *style, points: points.collect() });
    }
    let marks = [(0.0, "0%"), (0.301, "50%"), (1.0, "90%"), (2.0, "99%"), (3.0, "99.9%"), (4.0, "99.99%"), (5.0, "99.999%")];
    let ticks = marks.into_iter().filter(|(at, _)| *at <= nines_max).map(|(at, label)| (at, label.to_owned()));
    let axis = Axis { label: "share of requests at or below", max: nines_max, ticks: Some(ticks.collect()) };
    Ok(draw("Latency distribution", &axis, Scale::Time, &series, 0.0))
}

/// Rate of each step against its p99.
fn knee_chart(report: &Report) -> Option<Chart> {
    let knee = report.knee.as_ref()?;
    let steps = || report.phases.iter().filter(|phase| phase.latency.count > 0);
    let max = steps().map(|phase| phase.rate_to).fold(0.0, f64::max) * 1.02;
    let quantile = |name| steps().map(|phase| (phase.rate_to, Some(phase.latency.named_us(name) as f64))).collect();
    let limit = knee.p99_limit_us as f64;
    let limit = Series { style: Style::Dashed, ..line("limit of the p99", 0, vec![(0.0, Some(limit)), (max, Some(limit))]) };
    let axis = Axis { label: "voters per second", max, ticks: None };
    draw("The knee: latency by rate", &axis, Scale::Time, &[line("p99", 3, quantile("p99")), line("p50", 1, quantile("p50")), limit], 0.0)
}

fn comparison_charts(first: &Report, second: &Report) -> anyhow::Result<Vec<Chart>> {
    let reach = |report: &Report| report.series.load_seconds;
    let axis = Axis { label: "seconds since the start", max: reach(first).max(reach(second)), ticks: None };
    let p99 = |report: &Report| {
        let mut points = over_time(report, |point| (point.latency.count > 0).then(|| point.latency.named_us("p99") as f64));
        points.retain(|(at, _)| *at <= axis.max);
        points
    };
    let acknowledged = |report: &Report| {
        let step = report.series.interval_seconds.max(1e-9);
        let mut points = over_time(report, |point| Some(point.acknowledged as f64 / step));
        points.retain(|(at, _)| *at <= axis.max);
        points
    };
    let pair = |one, two| [Series { style: Style::Dashed, ..line("first", 0, one) }, line("second", 1, two)];
    let drawn = [
        draw("Acknowledged per second", &axis, Scale::Count, &pair(acknowledged(first), acknowledged(second)), 0.0),
        draw("Latency p99 over time", &axis, Scale::Time, &pair(p99(first), p99(second)), 0.0),
        distribution_chart(&[
            ("first", 0, Style::Dashed, &first.ballots.latency),
            ("second", 1, Style::Line, &second.ballots.latency),
        ])?,
    ];
    Ok(drawn.into_iter().flatten().collect())
}

fn tables(report: &Report) -> Vec<Table> {
    let tables = [slo_table(report), option_table(report), named_table(report), quantile_table(report), outcome_table(report), phase_table(report)];
    tables.into_iter().flatten().filter(|table| !table.rows.is_empty()).collect()
}

fn words(head: &[&str]) -> Vec<String> {
    head.iter().map(|word| (*word).to_owned()).collect()
}

fn slo_table(report: &Report) -> Option<Table> {
    let rows = report.slos.iter().map(|slo| {
        let measured = slo.measured.clone().unwrap_or_else(|| "not measured".to_owned());
        vec![slo.slo.clone(), measured, if slo.kept { "kept" } else { "missed" }.to_owned()]
    });
    Some(Table { title: "Thresholds", note: String::new(), head: words(&["threshold", "measured", ""]), rows: rows.collect() })
}

fn option_table(report: &Report) -> Option<Table> {
    let rows = report.audit.options.iter().map(|option| {
        let expected = match option.expected_min == option.expected_max {
            true => number(option.expected_min),
            false => format!("{} to {}", number(option.expected_min), number(option.expected_max)),
        };
        let gained = i128::from(option.after) - i128::from(option.before);
        vec![option.slug.clone(), number(option.before), number(option.after), gained.to_string(), expected]
    });
    Some(Table {
        title: "The balance of the tally",
        note: "What each option gained against what the acknowledged ballots should have brought it.".to_owned(),
        head: words(&["option", "before", "after", "gained", "should have gained"]),
        rows: rows.collect(),
    })
}

fn named_table(report: &Report) -> Option<Table> {
    let rows = report.audit.named.iter();
    let rows = rows.map(|named| vec![named.finding.replace('_', " "), named.who.clone(), named.expected.clone(), named.found.clone()]);
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
            let mut cells = vec![name.to_owned(), number(distribution.count), duration(distribution.mean_us)];
            cells.extend(QUANTILES.iter().map(|(_, name)| duration(distribution.named_us(name) as f64)));
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
        row("viewers: behind the first", &viewers.spread);
    }
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
    let sums: Vec<String> = classes.map(|(name, count)| format!("{} {name}", number(count))).collect();
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
        head: words(&["phase", "length", "per second", "sent in time", "acknowledged", "errors", "p50", "p99", "max", ""]),
        rows: rows.collect(),
    })
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let setup = &report.setup;
    let mut facts = vec![("target", setup.target.clone())];
    let mut fact = |name: &'static str, text: Option<String>| facts.extend(text.map(|text| (name, text)));
    fact("results", setup.results.clone());
    fact("poll", setup.poll.as_ref().map(|poll| {
        let policy = match poll.vote_policy {
            crate::poll::VotePolicy::KeepFirst => "the first ballot stands",
            crate::poll::VotePolicy::Replace => "the newest ballot stands",
        };
        format!("{}: {} options, {policy}", poll.slug, poll.options.len())
    }));
    fact("plan", setup.plan.as_ref().map(|plan| match setup.closed_connections {
        Some(connections) => format!("closed model: {connections} connections for {}", seconds(plan.seconds())),
        None => format!("{}: {} voters in {}", plan.name, number(plan.voters()), seconds(plan.seconds())),
    }));
    fact("warm-up", (report.series.warm_up_seconds > 0.0).then(|| format!("{}, left out of the figures", seconds(report.series.warm_up_seconds))));
    fact("unusual voters", mix_text(report));
    fact("weights", setup.weights.clone());
    fact("started", Some(moment(&setup.started_at)));
    fact("ended", Some(moment(&setup.ended_at) + if setup.ended_early { ", early" } else { "" }));
    fact("generator", Some(format!(
        "{} process(es), {} thread(s), at most {} connections, on {}",
        setup.parts,
        setup.threads,
        number(setup.connections_max),
        setup.machine
    )));
    fact("its needs", Some(format!(
        "{:.1} µs of processor a request, {} resident at most",
        report.generator.cpu_us_per_request,
        bytes(report.generator.resident_bytes_max)
    )));
    fact("viewers", report.viewers.as_ref().map(|viewers| format!(
        "{} watching, {} stalled; {} reconnects, {} silences above 20 s, {} versions out of order, {} stale frames",
        number(viewers.with_state),
        number(viewers.stalled),
        number(viewers.reconnects),
        number(viewers.gaps),
        number(viewers.regressions),
        number(viewers.stale_frames)
    )));
    fact("metrics", report.metrics.as_ref().map(|metrics| {
        let commits: Vec<String> = metrics.ballot_to_commit_us.iter().map(|(name, us)| format!("{name} ≤ {}", duration(*us as f64))).collect();
        let commits = if commits.is_empty() { String::new() } else { format!("; ballot to commit {}", commits.join(", ")) };
        format!("backlog at most {}, {} at the end{commits}", number(metrics.backlog_max), number(metrics.backlog_end))
    }));
    fact("seed", Some(setup.seed.to_string()));
    fact("version", Some(setup.version.clone()));
    facts
}

fn mix_text(report: &Report) -> Option<String> {
    let mix = &report.setup.mix;
    let shares = [
        ("vote twice", mix.twice),
        ("change their mind", mix.change),
        ("come back on another connection", mix.other_connection),
        ("send rubbish", mix.rubbish),
        ("hang up", mix.hang_up),
        ("load the page first", mix.page),
        ("post the form", mix.form),
        ("open a connection of their own", mix.fresh),
    ];
    let named: Vec<String> =
        shares.iter().filter(|(_, share)| *share > 0.0).map(|(name, share)| format!("{:.3}% {name}", share * 100.0).replace(".000%", "%")).collect();
    (!named.is_empty()).then(|| named.join(", "))
}
