//! One run from the first look at the target to its report.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::assemble::{Assembly, Load};
use crate::audit::{Findings, Named};
use crate::clock::{Clock, micros, utc_now};
use crate::config::Config;
use crate::database::Database;
use crate::deep::Check;
use crate::journal::Journal;
use crate::lane;
use crate::ledger::Witness;
use crate::outcome::Class;
use crate::poll::Poll;
use crate::preflight::{Prepared, prepare};
use crate::progress::{Progress, Stage};
use crate::reckoning::{View, audit};
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

/// A run with what another harness needs to audit it by name, in its own time.
#[derive(Debug)]
pub struct Driven {
    /// What [`run()`] gives.
    pub report: Report,
    /// Every voter of whom something may be counted; empty unless the run keeps them by name.
    pub witnesses: Vec<Witness>,
    /// 503s that did not say when to try again.
    pub unexplained: u64,
    poll: Arc<Poll>,
}

impl Driven {
    /// Holds every voter of this run, and `others` who were sent past it, against the rows, and
    /// the tally against the rows, as of one moment. Nobody is taken to have voted before.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_by_name(
        &self,
        database_url: &str,
        others: &[Witness],
    ) -> anyhow::Result<(Findings, Vec<Named>)> {
        let mut database = Database::open(database_url, None, &self.poll).await?;
        let books = database.books(&self.poll).await?;
        let witnesses = [self.witnesses.as_slice(), others].concat();
        let before = HashSet::new();
        let check =
            Check { poll: &self.poll, witnesses: &witnesses, before: &before, is_part: false };
        let checked = check.run(&books);
        Ok((checked.findings, checked.named))
    }
}

/// How often the run looks at itself.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// Loads the target as told and audits it; `show` is called a few times a second.
///
/// # Errors
/// Bad arguments, a refused or unreachable target: before any load was sent.
pub async fn run(
    config: &Config,
    stop: &Stop,
    show: &mut (dyn FnMut(&Progress) + Send),
) -> anyhow::Result<Report> {
    Ok(drive(config, stop, show).await?.report)
}

/// As [`run()`], for a harness that audits by itself.
///
/// # Errors
/// As [`run()`].
pub async fn drive(
    config: &Config,
    stop: &Stop,
    show: &mut (dyn FnMut(&Progress) + Send),
) -> anyhow::Result<Driven> {
    show(&Progress::default());
    let mut prepared = prepare(config).await?;
    let interval_us = micros(config.interval());
    let viewers = admit(config, &prepared, stop, interval_us, show).await?;
    let disturbed = disturbance(config, &mut prepared).await;

    let clock = Clock::starting_in(Duration::from_millis(20));
    let started_at = utc_now();
    let journal = config.journal.as_deref().map(Journal::open).transpose()?.map(Arc::new);
    let lanes = start_lanes(config, &prepared, &viewers, stop, clock, journal.as_ref())?;
    let watch = Watch::new(config, clock, interval_us);
    let cpu_before = crate::host::process_time();
    let (watch, records) = load(config, &mut prepared, &viewers, lanes, watch, stop, show).await?;
    let cpu = crate::host::process_time().saturating_sub(cpu_before);
    let over_us = clock.now_us();
    let ended_early = stop.load.is_cancelled() && !watch.knee_passed;
    journal.map_or(Ok(()), |journal| journal.check())?;

    let mut record = Recorder::new(frame(config, interval_us, false));
    for part in &records {
        record.add(part);
    }
    let ledger = std::mem::take(&mut record.ledger);
    let witnesses = std::mem::take(&mut record.witnesses);
    let mut view = View { watch, viewers: &viewers, show };
    let mut audit =
        audit(config, &mut prepared, &mut view, ledger, &witnesses, stop, disturbed).await;
    audit.contradicted = record.contradicted;
    let watch = view.watch;
    let sights = viewers.map(viewer::Running::join).transpose()?;
    prepared.scraper.scrape().await;
    let sent = record.outcomes.of(Class::Acknowledged) + record.outcomes.of(Class::Indeterminate);
    let metrics = prepared.scraper.report(sent);
    let (unexplained, poll) = (record.unexplained, Arc::clone(&prepared.poll));
    let load = Load {
        record,
        connections_max: prepared.connections_max,
        over_us,
        cpu,
        started_at,
        ended_early,
    };
    let report =
        Assembly { config, poll: &prepared.poll, load, watch, sights, audit, metrics }.report();
    Ok(Driven { report, witnesses, unexplained, poll })
}

fn frame(config: &Config, interval_us: u64, watches_screen: bool) -> Frame {
    Frame {
        interval_us,
        warm_up_us: (config.plan.warm_up_seconds * 1e6) as u64,
        phases: config.plan.phases.len(),
        by_name: config.database_url.is_some() || config.cookies.is_some(),
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
    let watching = if config.shard.is_part() || results.before.is_none() {
        config.viewers
    } else {
        config.viewers.max(1)
    };
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
    let patience =
        Duration::from_secs_f64(all as f64 / config.viewers_per_second) + Duration::from_secs(10);
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
    journal: Option<&Arc<Journal>>,
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
        connections_max: prepared.connections_max.div_ceil(config.threads),
        reply_time_max: config.reply_time_max,
        journal: journal.cloned(),
        stop: stop.load.clone(),
    };
    let lanes = (0..config.threads).map(|thread| {
        let part =
            |whole: usize| whole / config.threads + usize::from(thread < whole % config.threads);
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
    show(&watch.look(&lanes, viewers.as_ref()));
    let records = lanes.into_iter().map(lane::Running::join).collect::<anyhow::Result<Vec<_>>>()?;
    Ok((watch, records))
}
