//! One run, from the checks of the target to the report.

pub(crate) mod knee;
pub(crate) mod monitor;
pub(crate) mod preflight;
pub(crate) mod progress;
pub(crate) mod report_builder;
pub(crate) mod scrape;
pub(crate) mod stop;
pub(crate) mod verify;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::audit::by_name::ByNameAudit;
use crate::audit::database::Database;
use crate::audit::findings::{Findings, NamedFinding};
use crate::config::Config;
use crate::http::request;
use crate::measure::clock::{Clock, micros, utc_now};
use crate::poll::Poll;
use crate::report::data::Report;
use crate::run::monitor::Monitor;
use crate::run::preflight::{Prepared, prepare};
use crate::run::progress::{Progress, Stage};
use crate::run::report_builder::{LoadResult, ReportBuilder};
use crate::run::stop::{Stop, TICK};
use crate::run::verify::{EndedLoad, ProgressView, audit};
use crate::viewers::audience::ViewersConfig;
use crate::viewers::click_to_screen::ClickToScreen;
use crate::viewers::thread::ViewersThread;
use crate::voters::expected_vote::VoterRecord;
use crate::voters::outcome::OutcomeClass;
use crate::workers::journal::Journal;
use crate::workers::recorder::{Recorder, RecorderConfig};
use crate::workers::worker::{WorkerConfig, WorkerThread};

/// A completed run, with the data that another harness needs for an audit by name of its own.
#[derive(Debug)]
pub struct CompletedRun {
    /// The report, as [`run()`] returns it.
    pub report: Report,
    /// Every voter who may be counted. It is empty unless the run keeps voters by name.
    pub voters_by_name: Vec<VoterRecord>,
    /// The number of 503 replies without a `Retry-After` header.
    pub unavailable_without_retry_after: u64,
    /// The error after which nothing was written to the journal any more.
    pub journal_error: Option<std::io::Error>,
    poll: Arc<Poll>,
}

impl CompletedRun {
    /// Compares the voters of this run, and `others` who voted outside of it, with the rows of the
    /// database. It assumes that nobody had voted before.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub async fn audit_by_name(
        &self,
        database_url: &str,
        others: &[VoterRecord],
    ) -> anyhow::Result<(Findings, Vec<NamedFinding>)> {
        let mut database = Database::open(database_url, None, &self.poll).await?;
        let stored = database.stored_votes(&self.poll).await?;
        let voters_by_name = [self.voters_by_name.as_slice(), others].concat();
        let before = HashSet::new();
        let check = ByNameAudit {
            poll: &self.poll,
            voters_by_name: &voters_by_name,
            before: &before,
            is_part: false,
        };
        let checked = check.run(&stored);
        Ok((checked.findings, checked.named))
    }
}

/// Loads the target and audits it. `show` receives the progress a few times a second.
///
/// # Errors
/// Returns an error for bad arguments, and for a refused or unreachable target. No load has been
/// sent then.
pub async fn run(
    config: &Config,
    stop: &Stop,
    show: &mut (dyn FnMut(&Progress) + Send),
) -> anyhow::Result<Report> {
    Ok(drive(config, stop, show).await?.report)
}

/// Loads the target as [`run()`] does, for a harness with an audit of its own.
///
/// # Errors
/// Returns the same errors as [`run()`].
pub async fn drive(
    config: &Config,
    stop: &Stop,
    show: &mut (dyn FnMut(&Progress) + Send),
) -> anyhow::Result<CompletedRun> {
    show(&Progress::default());
    // Before the load: check the target, open the viewers, and see whether somebody else votes.
    let journal = config.journal.as_deref().map(Journal::open).transpose()?.map(Arc::new);
    let mut prepared = prepare(config).await?;
    let interval_us = micros(config.interval());
    let viewers = admit(config, &prepared, stop, interval_us, show).await?;
    let disturbed = disturbance(config, &mut prepared).await;

    // The load: all threads start at the same instant and record until their voters have finished.
    let clock = Clock::starting_in(head_start(config)?);
    let started_at = config.start_at.map_or_else(utc_now, |start| format!("{start:.3}"));
    let workers = start_workers(config, &prepared, &viewers, stop, clock, journal.as_ref())?;
    let monitor = Monitor::new(config, clock, interval_us);
    let cpu_before = crate::measure::machine::process_time();
    let (monitor, records) =
        load(config, &mut prepared, &viewers, workers, monitor, stop, show).await?;
    let cpu = crate::measure::machine::process_time().saturating_sub(cpu_before);
    let ended_early = stop.load.is_cancelled() && !monitor.knee_passed;
    let journal_error = journal.and_then(|journal| journal.take_error());

    // After the load: wait for the count, audit, and end the viewers, who have seen the last votes by then.
    let mut record = Recorder::new(recorder_config(config, interval_us, false));
    for part in &records {
        record.add(part);
    }
    // The run has noticed the last reply a moment after it came.
    let over_us = record.last_us.min(clock.now_us());
    let last_reply = clock.instant(over_us);
    let ledger = std::mem::take(&mut record.ledger);
    let voters_by_name = std::mem::take(&mut record.voters_by_name);
    let ended = EndedLoad { ledger, voters_by_name: &voters_by_name, last_reply };
    let mut view = ProgressView { monitor, viewers: &viewers, show };
    let mut audit = audit(config, &mut prepared, &mut view, ended, stop, disturbed).await;
    audit.contradicted = record.contradicted;
    let monitor = view.monitor;
    let stats = viewers.map(ViewersThread::join).transpose()?;
    prepared.scraper.scrape().await;
    let sent = record.outcomes.of(OutcomeClass::Acknowledged)
        + record.outcomes.of(OutcomeClass::Indeterminate);
    let metrics = prepared.scraper.report(sent);
    let (unavailable_without_retry_after, poll) =
        (record.unavailable_without_retry_after, Arc::clone(&prepared.poll));
    // The report is built from the figures of all of them.
    let load = LoadResult {
        record,
        connections_max: prepared.connections_max,
        over_us,
        cpu,
        started_at,
        ended_early,
    };
    let report =
        ReportBuilder { config, poll: &prepared.poll, load, monitor, stats, audit, metrics }
            .report();
    Ok(CompletedRun {
        report,
        voters_by_name,
        unavailable_without_retry_after,
        journal_error,
        poll,
    })
}

/// Returns how long to wait before the load begins.
///
/// # Errors
/// Returns an error if the time at which it should begin has passed.
fn head_start(config: &Config) -> anyhow::Result<Duration> {
    let Some(start) = config.start_at else { return Ok(Duration::from_millis(20)) };
    let ahead = start.duration_since(jiff::Timestamp::now());
    Duration::try_from(ahead).map_err(|_| {
        anyhow::anyhow!("the start at {start} has passed: choose a later time for all shards")
    })
}

fn recorder_config(config: &Config, interval_us: u64, watches_screen: bool) -> RecorderConfig {
    RecorderConfig {
        interval_us,
        warm_up_us: (config.plan.warm_up_seconds * 1e6) as u64,
        phases: config.plan.phases.len(),
        by_name: config.database_url.is_some() || config.cookies.is_some(),
        watches_screen,
    }
}

/// Opens the viewers and waits until each has received a state of the poll.
async fn admit(
    config: &Config,
    prepared: &Prepared,
    stop: &Stop,
    interval_us: u64,
    show: &mut (dyn FnMut(&Progress) + Send),
) -> anyhow::Result<Option<ViewersThread>> {
    let Some(results) = &prepared.results else { return Ok(None) };
    // At least one viewer watches for the ballots of the run. It could not recognise them among
    // those of other shards.
    let watching = if config.shard.is_part() || results.before.is_none() {
        config.viewers
    } else {
        config.viewers.max(1)
    };
    if watching + config.stalled_viewers == 0 {
        return Ok(None);
    }
    let path = format!("/api/polls/{}/events", prepared.poll.slug);
    let viewers_config = ViewersConfig {
        request: request::get(&results.endpoint, &path, "accept: text/event-stream\r\n"),
        endpoint: results.endpoint.clone(),
        watching,
        stalled: config.stalled_viewers,
        arrivals_per_second: config.viewers_per_second,
        clock: Clock::starting_in(Duration::ZERO),
        interval_us,
        stop: CancellationToken::new(),
    };
    let viewers = ViewersThread::start(viewers_config)?;
    let all = (watching + config.stalled_viewers) as u64;
    let patience =
        Duration::from_secs_f64(all as f64 / config.viewers_per_second) + Duration::from_secs(10);
    let deadline = Instant::now() + patience;
    let mut progress = Progress { stage: Stage::Admitting, ..Progress::default() };
    loop {
        let (ready, open) = {
            let stats = viewers.stats();
            (stats.with_state + stats.stalled + stats.hidden, stats.open)
        };
        progress.viewers = Some((open, watching as u64));
        show(&progress);
        if ready >= all || Instant::now() > deadline || stop.load.is_cancelled() {
            return Ok(Some(viewers));
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Returns the reason if the tally changes before the load begins. It also takes the tally from
/// which the gain is counted.
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

/// How long the tally must not change before the load begins.
const OTHERS_WATCH: Duration = Duration::from_millis(700);

fn start_workers(
    config: &Config,
    prepared: &Prepared,
    viewers: &Option<ViewersThread>,
    stop: &Stop,
    clock: Clock,
    journal: Option<&Arc<Journal>>,
) -> anyhow::Result<Vec<WorkerThread>> {
    let interval_us = micros(config.interval());
    let before = prepared.results.as_ref().and_then(|results| results.before.as_ref());
    let screen = before.filter(|_| viewers.is_some() && !config.shard.is_part());
    let recorder_config = recorder_config(config, interval_us, screen.is_some());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let worker_config = WorkerConfig {
        solvers: Arc::new(Semaphore::new(processors)),
        plan: Arc::new(config.plan.clone()),
        closed: None,
        voters_max: config.voters_max,
        crowd: prepared.crowd.clone(),
        endpoints: prepared.endpoints.clone(),
        clock,
        connections_max: prepared.connections_max.div_ceil(config.threads),
        reply_time_max: config.reply_time_max,
        journal: journal.cloned(),
        stop: stop.load.clone(),
    };
    let workers = (0..config.threads).map(|thread| {
        let part =
            |whole: usize| whole / config.threads + usize::from(thread < whole % config.threads);
        let worker_config =
            WorkerConfig { closed: config.closed_connections.map(part), ..worker_config.clone() };
        let slice = config.shard.slice(thread as u64, config.threads as u64);
        WorkerThread::start(worker_config, slice, Recorder::new(recorder_config.clone()))
    });
    let workers = workers.collect::<anyhow::Result<Vec<_>>>()?;
    // The viewers collect the acknowledgements from the workers to match them with frames.
    if let (Some(viewers), Some(before)) = (viewers, screen) {
        let planned_us = (config.plan.seconds() * 1e6) as u64;
        let mut stats = viewers.stats();
        stats.recorders = workers.iter().map(WorkerThread::recorder).collect();
        stats.screen = Some(ClickToScreen::new(
            before.voters,
            recorder_config.warm_up_us,
            interval_us,
            planned_us,
        ));
    }
    if let Some(viewers) = viewers {
        viewers.stats().load = Some(clock);
    }
    Ok(workers)
}

/// Watches the workers until all voters have finished.
async fn load(
    config: &Config,
    prepared: &mut Prepared,
    viewers: &Option<ViewersThread>,
    workers: Vec<WorkerThread>,
    mut monitor: Monitor,
    stop: &Stop,
    show: &mut (dyn FnMut(&Progress) + Send),
) -> anyhow::Result<(Monitor, Vec<Recorder>)> {
    let mut scraped = Instant::now();
    while !workers.iter().all(WorkerThread::is_through) {
        tokio::time::sleep(TICK.min(config.interval())).await;
        if !prepared.scraper.is_idle() && scraped.elapsed() >= Duration::from_secs(1) {
            scraped = Instant::now();
            monitor.backlog(prepared.scraper.scrape().await);
        }
        if monitor.is_due() {
            let progress = monitor.look(&workers, viewers.as_ref());
            show(&progress);
        }
        monitor.book_behind(viewers.as_ref());
        if config.plan.seeks_knee && monitor.has_passed_knee(&workers, config) {
            stop.load.cancel();
        }
    }
    show(&monitor.look(&workers, viewers.as_ref()));
    let records =
        workers.into_iter().map(WorkerThread::join).collect::<anyhow::Result<Vec<_>>>()?;
    Ok((monitor, records))
}
