//! One run: the load flows, faults strike and are healed, all is counted, the books are balanced.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use votestream_loadtest::{
    Config as LoadConfig, Driven, Plan, Profile, Shape, Stop, Target, drive,
};
use votestream_schema::VoterId;
use votestream_schema::poll::now_ms;

use crate::audit;
use crate::config::Config;
use crate::fault::Fault;
use crate::inject::{Cure, Struck, heal, strike};
use crate::probe::{Probe, Recovery};
use crate::report::{Report, StepReport, Verdict};
use crate::sampler::{self, Outcomes, Shared, lock};
use crate::schedule::{self, Step};
use crate::site::{POLL, Site};

/// Shares of unusual voters: second ballots have to be refused or harmless, rubbish uncounted.
const MIX: &str = "twice=10%,other-connection=5%,rubbish=1%,hang-up=1%,fresh=5%,form=10%";
/// Above a producer's own patience, so that it is the producer who gives up.
const REPLY_WITHIN: Duration = Duration::from_secs(6);
/// The plan is longer than the run, which ends it when it has seen enough.
const PLAN_MARGIN: Duration = Duration::from_secs(120);
/// A step that takes longer than it was laid out for moves the rest; up to this factor.
const OVERTIME: f64 = 1.5;
/// Quiet after a fault, before the next.
const QUIET: Duration = Duration::from_secs(1);

/// Makes one run; says what happens on standard error.
///
/// # Errors
/// When it cannot be made, for a reason other than a broken promise.
pub(crate) async fn run(config: &Config, stop: CancellationToken) -> anyhow::Result<Report> {
    let programs = match &config.programs {
        Some(folder) => folder.clone(),
        None => std::env::current_exe()?.with_file_name(""),
    };
    let steps = schedule::draw(config.seed, config.duration, &config.deck(), config.once);
    if steps.is_empty() {
        bail!("no fault fits into {} s", config.duration.as_secs());
    }
    say(
        0.0,
        &format!("seed {}: {} faults; starting servers and services", config.seed, steps.len()),
    );
    let started_at = format!("{:.0}", jiff::Timestamp::now());
    let strikes = steps.iter().flat_map(|step| &step.strikes);
    let small_disks = strikes.map(|strike| strike.fault).any(Fault::needs_small_disk);
    let mut site = Site::open(&programs, config.keep, small_disks, stop.clone()).await?;
    let load = Load::start(config, &site, planned(config, &steps)).await?;
    let began = Instant::now();
    let sampling = sampler::run(site.seen.clone(), began, site.keys.clone(), site.partitions);
    let sampling = tokio::spawn(sampling);
    let mut probe = Probe::default();
    let mut done = Vec::new();
    let limit = planned(config, &steps).mul_f64(OVERTIME);
    for step in &steps {
        let late = began.elapsed() > limit && !config.once;
        if stop.is_cancelled() || late || load.task.is_finished() {
            break;
        }
        done.push(play(config, &mut site, &mut probe, step, began).await?);
        site.pause(QUIET).await?;
    }
    let load_s = began.elapsed().as_secs_f64();
    say(load_s, "the load ends; waiting until all is counted");
    let driven = load.end(&mut site).await?;
    let drained = audit::drain(&mut site, Duration::from_secs(config.recovery_max)).await?;
    sampling.abort();
    let books = audit::balance(&mut site, &driven, &probe).await?;
    let mut report = assemble(config, &site, &driven, probe, books);
    report.started_at = started_at;
    report.load_s = load_s;
    report.drain_s = drained.map(|time| time.as_secs_f64());
    report.not_reached = steps.len() - done.len();
    report.steps = done;
    report.verdict = report.judge();
    tokio::task::block_in_place(|| drop(site));
    Ok(report)
}

/// How long the schedule takes when all goes well.
fn planned(config: &Config, steps: &[Step]) -> Duration {
    let last = steps.last().map_or(Duration::ZERO, |step| step.at + step.hold);
    if config.once { last.mul_f64(1.5) } else { config.duration }
}

/// One step: strike, hold, heal, recover.
async fn play(
    config: &Config,
    site: &mut Site,
    probe: &mut Probe,
    step: &Step,
    began: Instant,
) -> anyhow::Result<StepReport> {
    let since = |began: Instant| began.elapsed().as_secs_f64();
    site.pause(step.at.saturating_sub(began.elapsed())).await?;
    let mut report = StepReport {
        step: step.clone(),
        struck_s: since(began),
        healed_s: since(began),
        over_s: since(began),
        outcomes: Outcomes::default(),
        recovery: Recovery::default(),
        notes: Vec::new(),
        skipped: None,
    };
    let before = outcomes(&site.seen);
    say(report.struck_s, &format!("{} for {:.1} s", step.title(), step.hold.as_secs_f64()));
    let mut cures: Vec<Cure> = Vec::new();
    for one in &step.strikes {
        let struck = strike(site, *one).await;
        match struck.with_context(|| format!("{} could not be brought about", one.fault))? {
            Struck::Under(cure, note) => {
                cures.push(cure);
                report.notes.extend(Some(note).filter(|note| !note.is_empty()));
            }
            Struck::Skipped(why) => report.skipped = Some(format!("{}: {why}", one.fault)),
        }
    }
    if cures.is_empty() {
        say(since(began), &format!("  skipped: {}", report.skipped.as_deref().unwrap_or_default()));
        return Ok(report);
    }
    // A fault that is struck together with one that cannot be is a fault all the same.
    report.notes.extend(report.skipped.take());
    site.pause(step.hold).await?;
    for cure in cures {
        let note = heal(site, cure).await.with_context(|| format!("healing {}", step.title()))?;
        report.notes.extend(Some(note).filter(|note| !note.is_empty()));
    }
    site.clear_links();
    let (healed, healed_ms) = (Instant::now(), now_ms());
    report.healed_s = since(began);
    let within = Duration::from_secs(config.recovery_max);
    report.recovery = probe.recover(site, healed, healed_ms, within).await?;
    report.over_s = since(began);
    report.outcomes = outcomes(&site.seen).since(&before);
    say(report.over_s, &format!("  {}", in_words(&report)));
    Ok(report)
}

fn in_words(report: &StepReport) -> String {
    let Recovery { answered, counted, caught_up, .. } = report.recovery;
    let time = |time: Option<Duration>| {
        time.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
    };
    let notes = if report.notes.is_empty() {
        String::new()
    } else {
        format!(" [{}]", report.notes.join("; "))
    };
    format!(
        "healed; answered again after {}, counted {}, caught up {}; {} acknowledged, {} × 503, {} without answer{notes}",
        time(answered),
        time(counted),
        time(caught_up),
        report.outcomes.acknowledged,
        report.outcomes.unavailable,
        report.outcomes.no_answer
    )
}

fn outcomes(seen: &Shared) -> Outcomes {
    Outcomes::of(&lock(seen).progress)
}

fn say(at_s: f64, what: &str) {
    eprintln!("{at_s:>7.1} s  {what}");
}

/// The load tester at work.
struct Load {
    stop: Stop,
    task: JoinHandle<anyhow::Result<Driven>>,
}

impl Load {
    /// Starts it; every voter has a cookie signed beforehand, so that a ballot without an answer
    /// has a name, too.
    async fn start(config: &Config, site: &Site, planned: Duration) -> anyhow::Result<Self> {
        let seconds = (planned + PLAN_MARGIN).as_secs_f64();
        let shape = Shape { rate: Some(config.rate), seconds: Some(seconds), ..Shape::default() };
        let target = |port| Target::parse(&format!("http://127.0.0.1:{port}"));
        let plan = Plan::of(Profile::Constant, &shape)?;
        let mut load = LoadConfig::new(target(site.door.port())?, POLL, plan);
        load.results = Some(target(site.window.port())?);
        load.viewers = config.viewers;
        load.mix = MIX.parse()?;
        load.seed = config.seed;
        load.reply_time_max = REPLY_WITHIN;
        load.audit = false;
        let now_s = now_ms() / 1_000;
        let cookie = |_| format!("voter={}", site.cookies.sign("voter", VoterId::new(), now_s));
        let voters = (config.rate * seconds) as u64;
        // Signing keeps this thread busy for a while; the proxies must go on.
        let cookies = tokio::task::block_in_place(|| (0..voters).map(cookie).collect());
        load.cookies = Some(Arc::new(cookies));
        let (stop, seen) = (Stop::default(), site.seen.clone());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut show = |progress: &votestream_loadtest::Progress| {
                lock(&seen).progress = progress.clone();
            };
            drive(&load, &stopped, &mut show).await
        });
        let load = Self { stop, task };
        let deadline = Instant::now() + Duration::from_secs(30);
        while Outcomes::of(&lock(&site.seen).progress).acknowledged == 0 {
            if load.task.is_finished() {
                load.task.await??;
                bail!("the load ended before it began");
            }
            anyhow::ensure!(Instant::now() < deadline, "nothing is acknowledged: {}", site.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(load)
    }

    /// Ends it, and waits for the answers that are still to come.
    async fn end(self, site: &mut Site) -> anyhow::Result<Driven> {
        self.stop.load.cancel();
        while !self.task.is_finished() {
            site.pause(Duration::from_millis(50)).await?;
        }
        self.task.await.context("the load panicked")?.context("the load")
    }
}

fn assemble(
    config: &Config,
    site: &Site,
    driven: &Driven,
    probe: Probe,
    books: audit::Books,
) -> Report {
    let seen = lock(&site.seen);
    let certain = |witnesses: &[votestream_loadtest::Witness]| {
        witnesses.iter().filter(|witness| witness.standing.certain.is_some()).count() as u64
    };
    let viewers = driven.report.viewers.as_ref();
    Report {
        seed: config.seed,
        command: config.again(),
        started_at: String::new(),
        machine: driven.report.setup.machine.clone(),
        load_s: 0.0,
        drain_s: None,
        rate: config.rate,
        steps: Vec::new(),
        not_reached: 0,
        samples: seen.samples.clone(),
        outcomes: Outcomes::of(&seen.progress),
        findings: books.findings,
        named: books.named,
        acknowledged: certain(&driven.witnesses) + certain(&probe.witnesses),
        unexplained: driven.unexplained,
        memory: seen.memory.clone(),
        memory_max_bytes: config.memory_max << 20,
        starts: site.services.iter().map(|service| (service.name, service.starts)).collect(),
        deaths: site.deaths.clone(),
        wrong: probe.wrong,
        replies: driven.report.samples.clone(),
        dead_letters: books.dead_letters,
        poisoned: site.poisoned,
        unbalanced: books.unbalanced,
        misshown: books.misshown,
        reconnects: viewers.map_or(0, |viewers| viewers.reconnects),
        regressions: viewers.map_or(0, |viewers| viewers.regressions),
        verdict: Verdict::default(),
    }
}
