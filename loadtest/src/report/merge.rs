//! Merges the reports of several load testers that loaded the same poll together.
//!
//! Reports of runs that did not overlap in time, or that differ in their options, are refused: they
//! are no parts of one load.
//!
//! Histograms are added, never averaged. Ledgers are added and compared again with the earliest and
//! the latest tally.
//! Absent on purpose: the latency from click to screen, which no single load tester can measure.

use anyhow::{Context as _, bail, ensure};

use crate::audit::findings::Findings;
use crate::audit::ledger::Ledger;
use crate::audit::result::{Audit, AuditVerdict, Basis};
use crate::measure::histogram::{Distribution, Latencies};
use crate::report::data::{Point, Report};
use crate::report::slo::Slo;
use crate::report::verdict::{self, ACHIEVED_MIN};
use crate::units::rounded;

/// Merges the reports of one load. The thresholds of the first report apply to the whole.
///
/// # Errors
/// Returns an error if the reports do not belong together, or a shard is missing or there twice.
pub fn merge(reports: &[Report]) -> anyhow::Result<Report> {
    let (first, rest) = reports.split_first().context("no report was given to merge")?;
    for report in rest {
        if let Some(what) = difference(first, report) {
            bail!("the reports are no parts of one load: they have different {what}");
        }
    }
    check_shards(reports)?;
    check_times(reports)?;
    let mut merged = first.clone();
    for report in rest {
        add(&mut merged, report)?;
    }
    merged.setup.shard = None;
    merged.setup.command_line = None;
    merged.setup.parts = reports.iter().map(|report| report.setup.parts).sum();
    merged.audit = audit(reports)?;
    merged.screen = None;
    let schedule = &mut merged.schedule;
    if schedule.model == "open" && schedule.intended > 0 {
        let ratio = rounded(schedule.sent_in_time as f64 / schedule.intended as f64);
        schedule.achieved_ratio = Some(ratio);
        schedule.void = ratio < ACHIEVED_MIN && merged.knee.is_none();
    }
    let slos = first.slos.iter().map(|result| result.slo.parse::<Slo>());
    let slos = slos.collect::<anyhow::Result<Vec<_>>>()?;
    merged.slos = Slo::check_all(&slos, &merged);
    merged.verdict = verdict::of(&merged);
    Ok(merged)
}

/// Returns the first setting in which two reports differ, although parts of one load cannot.
fn difference(first: &Report, other: &Report) -> Option<&'static str> {
    let (one, two) = (&first.setup, &other.setup);
    let slos = |report: &Report| -> Vec<String> {
        report.slos.iter().map(|result| result.slo.clone()).collect()
    };
    let settings = [
        ("polls", one.poll == two.poll),
        ("plans", one.plan == two.plan),
        ("seeds", one.seed == two.seed),
        ("results", one.results == two.results),
        ("mixes of voters", one.mix == two.mix),
        ("weights of the options", one.weights == two.weights),
        ("limits of errors", one.errors_max_ratio == two.errors_max_ratio),
        ("thresholds", slos(first) == slos(other)),
        ("intervals", first.series.interval_seconds == other.series.interval_seconds),
        ("ways to audit", first.audit.basis == other.audit.basis),
    ];
    settings.into_iter().find(|(_, same)| !same).map(|(what, _)| what)
}

/// Checks that at some moment all runs were under way.
fn check_times(reports: &[Report]) -> anyhow::Result<()> {
    let moment = |text: &str| text.parse::<jiff::Timestamp>();
    let mut starts = Vec::new();
    let mut ends = Vec::new();
    for report in reports {
        let setup = &report.setup;
        let time = || format!("shard {:?} has no readable times", setup.shard);
        starts.push(moment(&setup.started_at).with_context(time)?);
        ends.push(moment(&setup.ended_at).with_context(time)?);
    }
    let (last_start, first_end) = (starts.iter().max(), ends.iter().min());
    if let (Some(start), Some(end)) = (last_start, first_end) {
        ensure!(
            start <= end,
            "the reports are no parts of one load: one run began at {start}, when another had ended at {end}"
        );
    }
    Ok(())
}

/// Checks that every shard is there exactly once.
fn check_shards(reports: &[Report]) -> anyhow::Result<()> {
    let mut present: Vec<u64> = Vec::new();
    let of = reports[0].setup.shard.context("the first report is of a run without --shard")?.of;
    for report in reports {
        let shard = report.setup.shard.context("one of the reports is of a run without --shard")?;
        ensure!(shard.of == of, "one report is a part of {of}, another of {}", shard.of);
        ensure!(!present.contains(&shard.nth), "shard {shard} is there twice");
        present.push(shard.nth);
    }
    let missing: Vec<String> =
        (1..=of).filter(|nth| !present.contains(nth)).map(|nth| format!("{nth}/{of}")).collect();
    if !missing.is_empty() {
        bail!("the report of shard {} is missing", missing.join(", "));
    }
    Ok(())
}

fn add(sum: &mut Report, other: &Report) -> anyhow::Result<()> {
    // Ballots and schedule are summed, and ratios are computed again.
    let (ballots, more) = (&mut sum.ballots, &other.ballots);
    for (name, count) in &more.outcomes {
        *ballots.outcomes.entry(name.clone()).or_default() += count;
    }
    ballots.measured += more.measured;
    ballots.errors += more.errors;
    ballots.error_ratio = rounded(ballots.errors as f64 / ballots.measured.max(1) as f64);
    let acknowledged = ballots.acknowledged_per_second * ballots.measured_seconds
        + more.acknowledged_per_second * more.measured_seconds;
    ballots.measured_seconds = ballots.measured_seconds.max(more.measured_seconds);
    ballots.acknowledged_per_second = rounded(acknowledged / ballots.measured_seconds.max(1e-9));
    add_distribution(&mut ballots.latency, &more.latency)?;
    add_distribution(&mut ballots.page_latency, &more.page_latency)?;
    add_distribution(&mut ballots.connect_time, &more.connect_time)?;
    for (outcome, latency) in &more.latency_by_outcome {
        let sum = ballots.latency_by_outcome.entry(outcome.clone()).or_default();
        add_distribution(sum, latency)?;
    }
    sum.schedule.intended += other.schedule.intended;
    sum.schedule.sent += other.schedule.sent;
    sum.schedule.sent_in_time += other.schedule.sent_in_time;
    add_distribution(&mut sum.schedule.lateness, &other.schedule.lateness)?;
    if let Some(challenges) = &other.challenges {
        sum.challenges.get_or_insert_default().add(challenges);
    }
    add_phases(sum, other)?;
    add_viewers(sum, other)?;
    // Series are summed interval by interval.
    if sum.series.points.len() < other.series.points.len() {
        sum.series.points.resize(other.series.points.len(), Point::default());
    }
    for (point, more) in sum.series.points.iter_mut().zip(&other.series.points) {
        add_point(point, more)?;
    }
    sum.series.load_seconds = sum.series.load_seconds.max(other.series.load_seconds);
    sum.setup.threads += other.setup.threads;
    sum.setup.connections_max += other.setup.connections_max;
    sum.setup.started_at = sum.setup.started_at.clone().min(other.setup.started_at.clone());
    sum.setup.ended_at = sum.setup.ended_at.clone().max(other.setup.ended_at.clone());
    sum.setup.ended_early |= other.setup.ended_early;
    // Processor time a request is an average over all requests.
    let (generator, more) = (&mut sum.generator, &other.generator);
    let cpu_us = generator.cpu_us_per_request * generator.requests as f64
        + more.cpu_us_per_request * more.requests as f64;
    generator.requests += more.requests;
    generator.cpu_us_per_request = rounded(cpu_us / generator.requests.max(1) as f64);
    generator.cpu_seconds += more.cpu_seconds;
    generator.cores_busy += more.cores_busy;
    generator.faults += more.faults;
    generator.fault = generator.fault.take().or_else(|| more.fault.clone());
    sum.generator.resident_bytes_max =
        sum.generator.resident_bytes_max.max(other.generator.resident_bytes_max);
    sum.samples.extend(other.samples.iter().cloned());
    sum.samples.truncate(16);
    sum.metrics = sum.metrics.take().or_else(|| other.metrics.clone());
    Ok(())
}

fn add_phases(sum: &mut Report, other: &Report) -> anyhow::Result<()> {
    ensure!(sum.phases.len() == other.phases.len(), "the reports have different numbers of phases");
    for (phase, more) in sum.phases.iter_mut().zip(&other.phases) {
        phase.intended += more.intended;
        phase.sent_in_time += more.sent_in_time;
        phase.acknowledged += more.acknowledged;
        phase.errors += more.errors;
        add_distribution(&mut phase.latency, &more.latency)?;
        phase.within_limits = match (phase.within_limits, more.within_limits) {
            (Some(one), Some(two)) => Some(one && two),
            _ => None,
        };
    }
    if let Some(knee) = &mut sum.knee {
        let passed = sum.phases.iter().filter(|phase| phase.within_limits == Some(true));
        knee.rate_per_second = passed.map(|phase| phase.rate_to).max_by(f64::total_cmp);
        knee.found = sum.phases.iter().any(|phase| phase.within_limits == Some(false));
    }
    Ok(())
}

fn add_viewers(sum: &mut Report, other: &Report) -> anyhow::Result<()> {
    let (Some(viewers), Some(more)) = (&mut sum.viewers, &other.viewers) else {
        sum.viewers = sum.viewers.take().or_else(|| other.viewers.clone());
        return Ok(());
    };
    viewers.watching += more.watching;
    viewers.open_max += more.open_max;
    viewers.with_state += more.with_state;
    viewers.stalled += more.stalled;
    viewers.reconnects += more.reconnects;
    viewers.refused += more.refused;
    viewers.connect_failures += more.connect_failures;
    viewers.frames += more.frames;
    viewers.bytes += more.bytes;
    viewers.stale_frames += more.stale_frames;
    viewers.regressions += more.regressions;
    viewers.gaps += more.gaps;
    viewers.silence_max_us = viewers.silence_max_us.max(more.silence_max_us);
    add_distribution(&mut viewers.first_state, &more.first_state)?;
    add_distribution(&mut viewers.spread, &more.spread)
}

fn add_point(point: &mut Point, more: &Point) -> anyhow::Result<()> {
    point.intended += more.intended;
    point.sent += more.sent;
    point.acknowledged += more.acknowledged;
    point.acknowledged_voters += more.acknowledged_voters;
    point.refused += more.refused;
    point.errors += more.errors;
    point.frames += more.frames;
    point.behind = None;
    point.backlog = point.backlog.max(more.backlog);
    point.click_to_screen = Distribution::default();
    add_distribution(&mut point.latency, &more.latency)
}

fn add_distribution(sum: &mut Distribution, more: &Distribution) -> anyhow::Result<()> {
    let mut latencies: Latencies = sum.latencies()?;
    if sum.count == 0 {
        latencies = more.latencies()?;
    } else if more.count > 0 {
        latencies.add(&more.latencies()?);
    }
    *sum = (&latencies).into();
    Ok(())
}

/// Compares the sum of all ledgers with the tally.
fn audit(reports: &[Report]) -> anyhow::Result<Audit> {
    let mut ledger = Ledger::default();
    for report in reports {
        ledger.add(&report.audit.ledger);
    }
    let audits = || reports.iter().map(|report| &report.audit);
    let is_open = |audit: &&Audit| {
        use AuditVerdict::{Incomplete, Skipped, Void};
        matches!(audit.verdict, Void | Skipped | Incomplete)
    };
    if let Some(void) = audits().find(is_open) {
        return Ok(Audit::without(void.verdict, ledger, &void.notes.join(" ")));
    }
    let poll = reports[0].setup.poll.as_ref().context("the first report has no poll")?;
    // No shard sends a ballot before it has read the tally. So the earliest tally was read before
    // any ballot.
    let before = audits()
        .filter_map(|audit| audit.before.clone())
        .min_by_key(|shot| (shot.version, shot.voters));
    let after = audits()
        .filter_map(|audit| audit.after.clone())
        .max_by_key(|shot| (shot.version, shot.voters));
    let mut merged = match (before, after) {
        (Some(before), Some(after)) => {
            let counting = after.counting();
            Audit::over_http(ledger, poll, before, after, counting)
        }
        _ => Audit::without(AuditVerdict::Void, ledger, "No tally to balance."),
    };
    merged.contradicted = audits().map(|audit| audit.contradicted).sum();
    merged.drained_after_seconds =
        audits().filter_map(|audit| audit.drained_after_seconds).max_by(f64::total_cmp);
    if audits().all(|audit| audit.basis == Basis::Database) {
        // The rows show losses and wrong choices of each shard. Rows that belong to nobody show only
        // in the sums of all shards, as a surplus.
        let mut findings = Findings::default();
        audits().for_each(|audit| findings.add(&audit.findings));
        merged.basis = Basis::Database;
        merged.named = audits().flat_map(|audit| audit.named.iter().cloned()).take(100).collect();
        merged.findings = findings;
        merged.verdict = match (findings.is_violated(), merged.surplus) {
            (true, _) => AuditVerdict::Violated,
            (false, 0) => AuditVerdict::Balanced,
            (false, _) => AuditVerdict::Void,
        };
    }
    Ok(merged)
}
