//! One run from the first look at the target to its report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::assemble::{Assembly, Load};
use crate::audit::{Audit, Basis, Verdict};
use crate::clock::{Clock, micros, utc_now};
use crate::config::Config;
use crate::deep::Check;
use crate::drain::{Drain, Look, Waiting};
use crate::lane;
use crate::ledger::{Ledger, Witness};
use crate::outcome::Class;
use crate::poll::Snapshot;
use crate::preflight::{Prepared, prepare};
use crate::progress::{Progress, Stage};
use crate::recorder::{Frame, Recorder};
use crate::report::Report;
use crate::request;
use crate::screen::Screen;
use crate::viewer;
use crate::watch::Watch;

/// How a run is ended before its time.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Ends the load; what was acknowledged is still waited for and audited.
    pub load: CancellationToken,
    /// Ends that wait, too; the audit is then void.
    pub wait: CancellationToken,
}

/// How often the run looks at itself.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// Loads the target as told and audits it; `show` is called a few times a second.
///
/// # Errors
/// Bad arguments, a refused or unreachable target: before any load was sent.
pub async fn run(config: &Config, stop: &Stop, show: &mut (dyn FnMut(&Progress) + Send)) -> anyhow::Result<Report> {
    show(&Progress::default());
    let mut prepared = prepare(config).await?;
    let interval_us = micros(config.interval());
    let viewers = admit(config, &prepared, stop, interval_us, show).await?;
    let disturbed = disturbance(config, &mut prepared).await;

    let clock = Clock::starting_in(Duration::from_millis(20));
    let started_at = utc_now();
    let lanes = start_lanes(config, &prepared, &viewers, stop, clock)?;
    let watch = Watch::new(config, clock, interval_us);
    let cpu_before = crate::host::cpu_time();
    let (watch, records) = load(config, &mut prepared, &viewers, lanes, watch, stop, show).await?;
    let cpu = crate::host::cpu_time().saturating_sub(cpu_before);
    let over_us = clock.now_us();
    let ended_early = stop.load.is_cancelled() && !watch.knee_passed;

    let mut record = Recorder::new(frame(config, interval_us, false));
    for part in &records {
        record.add(part);
    }
    let ledger = std::mem::take(&mut record.ledger);
    let witnesses = std::mem::take(&mut record.witnesses);
    let mut view = View { watch, viewers: &viewers, show };
    let mut audit = audit(config, &mut prepared, &mut view, ledger, &witnesses, stop, disturbed).await;
    audit.contradicted = record.contradicted;
    let watch = view.watch;
    let sights = viewers.map(viewer::Running::join).transpose()?;
    prepared.scraper.scrape().await;
    let sent = record.outcomes.of(Class::Acknowledged) + record.outcomes.of(Class::Indeterminate);
    let metrics = prepared.scraper.report(sent);
    let load = Load { record, over_us, cpu, started_at, ended_early };
    Ok(Assembly { config, poll: &prepared.poll, load, watch, sights, audit, metrics }.report())
}

fn frame(config: &Config, interval_us: u64, watches_screen: bool) -> Frame {
    Frame {
        interval_us,
        warm_up_us: (config.plan.warm_up_seconds * 1e6) as u64,
        phases: config.plan.phases.len(),
        by_name: config.database_url.is_some(),
        watches_screen,
    }
}

/// Lets the viewers in and waits until they have a state.
async fn admit(
    config: &Config,
    prepared: &Prepared,
    stop: &Stop,
    interval_us: u64,
    show: &mut (dyn FnMut(&Progress) + Send),
) -> anyhow::Result<Option<viewer::Running>> {
    let Some(results) = &prepared.results else { return Ok(None) };
    // One viewer at least watches for the run's ballots, unless other shards' ballots mix with ours.
    let watching = if config.shard.is_part() || results.before.is_none() { config.viewers } else { config.viewers.max(1) };
    if watching + config.stalled_viewers == 0 {
        return Ok(None);
    }
    let path = format!("/api/polls/{}/events", prepared.poll.slug);
    let orders = viewer::Orders {
        request: request::get(&results.route.target, &path, "accept: text/event-stream\r\n"),
        route: results.route.clone(),
        watching,
        stalled: config.stalled_viewers,
        arrivals_per_second: config.viewers_per_second,
        clock: Clock::starting_in(Duration::ZERO),
        interval_us,
        stop: CancellationToken::new(),
    };
    let running = viewer::Running::start(orders)?;
    let all = (watching + config.stalled_viewers) as u64;
    let patience = Duration::from_secs_f64(all as f64 / config.viewers_per_second) + Duration::from_secs(10);
    let deadline = Instant::now() + patience;
    let mut progress = Progress { stage: Stage::Admitting, ..Progress::default() };
    loop {
        let (ready, open) = {
            let sights = running.sights();
            (sights.with_state + sights.stalled + sights.hidden, sights.open)
        };
        progress.viewers = Some((open, watching as u64));
        show(&progress);
        if ready >= all || Instant::now() > deadline || stop.load.is_cancelled() {
            return Ok(Some(running));
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Whether somebody else is voting; takes the tally from which the run is counted.
async fn disturbance(config: &Config, prepared: &mut Prepared) -> Option<String> {
    let results = prepared.results.as_mut()?;
    let first = results.before.clone()?;
    if !config.audit || config.shard.is_part() {
        return None;
    }
    tokio::time::sleep(OTHERS_WATCH).await;
    match results.client.tally(&prepared.poll).await {
        Ok(Some(second)) => {
            let moved = (first.voters, &first.votes) != (second.voters, &second.votes);
            results.before = Some(second);
            moved.then(|| {
                "the tally moved before the load began: somebody else votes, or an older backlog is still being \
                 counted. Nothing can be balanced against a moving tally."
                    .to_owned()
            })
        }
        Ok(None) => Some("the results became hidden".to_owned()),
        Err(error) => Some(format!("the tally cannot be read: {error:#}")),
    }
}

/// For how long the tally must stand still before the load.
const OTHERS_WATCH: Duration = Duration::from_millis(700);

fn start_lanes(
    config: &Config,
    prepared: &Prepared,
    viewers: &Option<viewer::Running>,
    stop: &Stop,
    clock: Clock,
) -> anyhow::Result<Vec<lane::Running>> {
    let interval_us = micros(config.interval());
    let before = prepared.results.as_ref().and_then(|results| results.before.as_ref());
    let screen = before.filter(|_| viewers.is_some() && !config.shard.is_part());
    let frame = frame(config, interval_us, screen.is_some());
    let orders = lane::Orders {
        plan: Arc::new(config.plan.clone()),
        closed: None,
        voters_max: config.voters_max,
        crowd: prepared.crowd.clone(),
        route: prepared.route.clone(),
        clock,
        connections_max: config.connections_max.div_ceil(config.threads),
        reply_time_max: config.reply_time_max,
        stop: stop.load.clone(),
    };
    let lanes = (0..config.threads).map(|thread| {
        let part = |whole: usize| whole / config.threads + usize::from(thread < whole % config.threads);
        let orders = lane::Orders { closed: config.closed_connections.map(part), ..orders.clone() };
        let lane = config.shard.lane(thread as u64, config.threads as u64);
        lane::Running::start(orders, lane, Recorder::new(frame.clone()))
    });
    let lanes = lanes.collect::<anyhow::Result<Vec<_>>>()?;
    if let (Some(viewers), Some(before)) = (viewers, screen) {
        let mut sights = viewers.sights();
        sights.lanes = lanes.iter().map(lane::Running::recorder).collect();
        sights.screen = Some(Screen::new(before.voters, frame.warm_up_us, interval_us));
    }
    if let Some(viewers) = viewers {
        viewers.sights().load = Some(clock);
    }
    Ok(lanes)
}

/// Watches the lanes until all voters are through.
async fn load(
    config: &Config,
    prepared: &mut Prepared,
    viewers: &Option<viewer::Running>,
    lanes: Vec<lane::Running>,
    mut watch: Watch,
    stop: &Stop,
    show: &mut (dyn FnMut(&Progress) + Send),
) -> anyhow::Result<(Watch, Vec<Recorder>)> {
    let mut scraped = Instant::now();
    while !lanes.iter().all(lane::Running::is_through) {
        tokio::time::sleep(TICK.min(config.interval())).await;
        if !prepared.scraper.is_idle() && scraped.elapsed() >= Duration::from_secs(1) {
            scraped = Instant::now();
            watch.backlog(prepared.scraper.scrape().await);
        }
        if watch.is_due() {
            let progress = watch.look(&lanes, viewers.as_ref());
            show(&progress);
        }
        watch.book_behind(viewers.as_ref());
        if config.plan.seeks_knee && watch.has_passed_knee(&lanes, config) {
            stop.load.cancel();
        }
    }
    let records = lanes.into_iter().map(lane::Running::join).collect::<anyhow::Result<Vec<_>>>()?;
    Ok((watch, records))
}

/// What is shown while waiting.
struct View<'a> {
    watch: Watch,
    viewers: &'a Option<viewer::Running>,
    show: &'a mut (dyn FnMut(&Progress) + Send),
}

impl View<'_> {
    fn show(&mut self, stage: Stage, counted: Option<(u64, u64)>) {
        self.watch.book_behind(self.viewers.as_ref());
        let progress = self.watch.wait(stage, counted, self.viewers.as_ref());
        (self.show)(&progress);
    }
}

/// Waits for the pipeline to drain, and audits.
async fn audit(
    config: &Config,
    prepared: &mut Prepared,
    view: &mut View<'_>,
    ledger: Ledger,
    witnesses: &[Witness],
    stop: &Stop,
    disturbed: Option<String>,
) -> Audit {
    if !config.audit {
        return Audit::without(Verdict::Skipped, ledger, "Not audited, as asked.");
    }
    let over_http = over_http(config, prepared, view, &ledger, stop).await;
    let mut audit = match (over_http, disturbed) {
        (Some(Ok(mut audit)), Some(why)) => {
            audit.verdict = Verdict::Void;
            audit.notes.insert(0, why);
            audit
        }
        (Some(Ok(audit)), None) => audit,
        (Some(Err(why)), _) => Audit::without(Verdict::Void, ledger, &why),
        (None, _) => Audit::without(
            Verdict::Skipped,
            ledger,
            "No tally to balance: give --results (and a poll whose results are visible) or --database-url.",
        ),
    };
    if prepared.database.is_some() {
        deepen(config, prepared, view, &mut audit, witnesses, stop).await;
    }
    audit
}

/// The audit over HTTP; `None` without a visible tally, an error when it could not be finished.
async fn over_http(
    config: &Config,
    prepared: &mut Prepared,
    view: &mut View<'_>,
    ledger: &Ledger,
    stop: &Stop,
) -> Option<Result<Audit, String>> {
    let results = prepared.results.as_mut()?;
    let before: Snapshot = results.before.clone()?;
    let settle = if config.shard.is_part() { config.settle.max(Duration::from_secs(2)) } else { config.settle };
    let drain = Drain { poll: &prepared.poll, ledger, before: &before, still_max: config.drain_time_max, settle };
    let mut waiting = Waiting::new(drain);
    let expected = ledger.certain();
    let mut shown = Instant::now();
    loop {
        let (stage, counted) = match waiting.look(&mut results.client).await {
            Look::Draining(counted) => (Stage::Draining, counted),
            Look::Settling(counted) => (Stage::Settling, counted),
            Look::Done => break,
        };
        if stop.wait.is_cancelled() {
            return Some(Err("ended by the operator before the pipeline had drained.".to_owned()));
        }
        if shown.elapsed() >= TICK {
            shown = Instant::now();
            view.watch.backlog(prepared.scraper.scrape().await);
            view.show(stage, Some((counted, expected)));
        }
    }
    let drained = waiting.end();
    let (Some(after), None) = (drained.after, &drained.failure) else {
        return Some(Err(drained.failure.unwrap_or_else(|| "the tally could not be read".to_owned())));
    };
    let mut audit = Audit::over_http(ledger.clone(), &prepared.poll, before, after);
    audit.drained_after_seconds = drained.after_seconds;
    if config.shard.is_part() {
        audit.verdict = Verdict::Partial;
        audit.notes = vec!["Other shards vote at the same time: `loadtest merge` balances all of them.".to_owned()];
    }
    Some(Ok(audit))
}

/// Puts every voter's row in the place of the sums.
async fn deepen(
    config: &Config,
    prepared: &mut Prepared,
    view: &mut View<'_>,
    audit: &mut Audit,
    witnesses: &[Witness],
    stop: &Stop,
) {
    let Some((database, before)) = prepared.database.as_mut() else { return };
    let check = Check { poll: &prepared.poll, witnesses, before, is_part: config.shard.is_part() };
    let mut still_since = Instant::now();
    let mut counted_before = u64::MAX;
    let checked = loop {
        let checked = match database.books(&prepared.poll).await {
            Ok(books) => check.run(&books),
            Err(error) => {
                audit.verdict = Verdict::Void;
                audit.notes.push(format!("The database cannot be read: {error:#}."));
                return;
            }
        };
        let counted = database.counted().await.unwrap_or(0);
        if counted != counted_before {
            (counted_before, still_since) = (counted, Instant::now());
        }
        let complete = checked.findings.lost == 0 && checked.findings.wrong_choice == 0;
        if complete || still_since.elapsed() > config.drain_time_max || stop.wait.is_cancelled() {
            break checked;
        }
        view.show(Stage::Draining, None);
        tokio::time::sleep(TICK).await;
    };
    audit.basis = Basis::Database;
    if audit.findings.is_violated() && audit.verdict == Verdict::Violated && !checked.findings.is_violated() {
        audit.notes.push("Every voter's row is right, but the public tally does not agree with it.".to_owned());
        return;
    }
    audit.notes.retain(|note| !note.contains("--database-url"));
    audit.findings = checked.findings;
    audit.named = checked.named;
    if audit.verdict != Verdict::Void {
        audit.verdict = match checked.findings.is_violated() {
            true => Verdict::Violated,
            false if config.shard.is_part() => Verdict::Partial,
            false => Verdict::Balanced,
        };
    }
}
