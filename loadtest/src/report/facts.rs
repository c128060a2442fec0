//! The set-up of a run as a list of names and values.

use crate::poll::VotePolicy;
use crate::report::data::Report;
use crate::text::{bytes, duration, moment, number, plural, seconds};
use crate::voters::challenge::Challenges;

/// Returns the known facts about the set-up. Unknown ones are left out.
pub(crate) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let setup = &report.setup;
    let mut facts = vec![("target", setup.target.clone())];
    let mut fact =
        |name: &'static str, text: Option<String>| facts.extend(text.map(|text| (name, text)));
    fact("results", setup.results.clone());
    fact(
        "poll",
        setup.poll.as_ref().map(|poll| {
            let policy = match poll.vote_policy {
                VotePolicy::KeepFirst => "the first ballot stands",
                VotePolicy::Replace => "the newest ballot stands",
            };
            format!("{}: {} options, {policy}", poll.slug, poll.options.len())
        }),
    );
    fact(
        "plan",
        setup.plan.as_ref().map(|plan| match setup.closed_connections {
            Some(connections) => {
                format!("closed model: {connections} connections for {}", seconds(plan.seconds()))
            }
            None => format!(
                "{}: {} voters in {}",
                plan.name,
                number(plan.voters()),
                seconds(plan.seconds())
            ),
        }),
    );
    fact(
        "warm-up",
        (report.series.warm_up_seconds > 0.0).then(|| {
            format!("{}, left out of the figures", seconds(report.series.warm_up_seconds))
        }),
    );
    fact("unusual voters", mix_text(report));
    fact("weights", setup.weights.clone());
    fact("started", Some(moment(&setup.started_at)));
    fact("ended", Some(moment(&setup.ended_at) + if setup.ended_early { ", early" } else { "" }));
    fact(
        "generator",
        Some(format!(
            "{}, {} and at most {} for ballots, on {}",
            plural(setup.parts, "process", "es"),
            plural(setup.threads, "thread", "s"),
            plural(setup.connections_max, "connection", "s"),
            setup.machine
        )),
    );
    fact(
        "its needs",
        Some(format!(
            "{:.1} µs of processor a request, {:.2} cores busy, {} resident at most",
            report.generator.cpu_us_per_request,
            report.generator.cores_busy,
            bytes(report.generator.resident_bytes_max)
        )),
    );
    fact("challenges", report.challenges.as_ref().map(challenges_text));
    fact("viewers", report.viewers.as_ref().map(|viewers| format!(
        "{} watching, {} stalled; {} reconnects, {} silences above 20 s, {} versions out of order, {} stale frames",
        number(viewers.with_state),
        number(viewers.stalled),
        number(viewers.reconnects),
        number(viewers.gaps),
        number(viewers.regressions),
        number(viewers.stale_frames)
    )));
    fact(
        "metrics",
        report.metrics.as_ref().map(|metrics| {
            let commits: Vec<String> = metrics
                .ballot_to_commit_us
                .iter()
                .map(|(name, us)| format!("{name} ≤ {}", duration(*us as f64)))
                .collect();
            let commits = if commits.is_empty() {
                String::new()
            } else {
                format!("; ballot to commit {}", commits.join(", "))
            };
            let shown = |backlog: Option<u64>| backlog.map_or_else(|| "unknown".to_owned(), number);
            match metrics.backlog_max {
                None => format!("no address shows the backlog{commits}"),
                Some(most) => format!(
                    "backlog at most {}, {} at the end{commits}",
                    number(most),
                    shown(metrics.backlog_end)
                ),
            }
        }),
    );
    let connections = &report.ballots.connect_time;
    fact(
        "connections",
        (connections.count > 0).then(|| {
            format!(
                "{} opened; connect time p50 {}, p99 {}, max {}",
                number(connections.count),
                duration(connections.named_us("p50") as f64),
                duration(connections.named_us("p99") as f64),
                duration(connections.named_us("max") as f64)
            )
        }),
    );
    fact("command", setup.command_line.clone());
    fact("seed", Some(setup.seed.to_string()));
    fact("version", Some(setup.version.clone()));
    facts
}

/// Says what challenges cost. A voter's latency includes the time for its calculation.
pub(crate) fn challenges_text(challenges: &Challenges) -> String {
    let solved = challenges.solved.max(1);
    let mut text = format!(
        "{} asked for, {} solved with {} hashes and {} of processor each, which the latencies include",
        number(challenges.asked),
        number(challenges.solved),
        number(challenges.hashes / solved),
        duration(challenges.cpu_us as f64 / solved as f64)
    );
    if let Some(kind) = &challenges.impossible_kind {
        text +=
            &format!("; {} of the kind `{kind}` cannot be solved", number(challenges.impossible));
    }
    text
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
    let named: Vec<String> = shares
        .iter()
        .filter(|(_, share)| *share > 0.0)
        .map(|(name, share)| format!("{:.3}% {name}", share * 100.0).replace(".000%", "%"))
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}
