//! One run: voters vote, faults are injected and healed, all ballots are counted, and the records are compared.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use votestream_loadtest::{
    CompletedRun, Config as LoadConfig, Plan, Profile, Shape, Stop, Target, drive,
};
use votestream_schema::VoterId;
use votestream_schema::poll::now_ms;
use votestream_schema::voter::CookieKind;

use crate::audit;
use crate::closing::{ClosingPolls, ClosingVerdict};
use crate::config::Config;
use crate::fault::Fault;
use crate::inject::{Cure, Injection, heal, strike};
use crate::overview::{OverviewVerdict, Watch};
use crate::probe::{Probe, Recovery};
use crate::report::{Report, RunVerdict, StepReport};
use crate::sampler::{self, Outcomes, Shared, lock};
use crate::schedule::{self, Step, Strike};
use crate::testbed::{POLL, Testbed};

/// The shares of unusual voters. Second ballots must be refused or have no effect, and malformed ones must not count.
const MIX: &str = "twice=10%,other-connection=5%,rubbish=1%,hang-up=1%,fresh=5%,form=10%";
/// Longer than a producer waits for Redis, so that the producer gives up first and answers 503.
const REPLY_WITHIN: Duration = Duration::from_secs(6);
/// The load is planned longer than the run, which ends it.
const PLAN_MARGIN: Duration = Duration::from_secs(120);
/// Steps that take longer than planned delay the later ones. The run ends after its duration times this factor.
const OVERTIME: f64 = 1.5;
/// The longest time for every poll that has closed to become final, once all ballots are counted.
const FINAL_WITHIN: Duration = Duration::from_secs(20);
/// The pause after a fault, before the next one.
const QUIET: Duration = Duration::from_secs(1);

/// Carries out one run, and prints its progress on standard error.
///
/// # Errors
/// Returns an error if the run cannot be carried out: a program is missing, a server does not start, or a fault cannot be
/// injected. A broken promise is no error, but part of the report.
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
    // Start the servers, the services and the load.
    let started_at = format!("{:.0}", jiff::Timestamp::now());
    let strikes = steps.iter().flat_map(|step| &step.strikes);
    let small_disks = strikes.map(|strike| strike.fault).any(Fault::needs_small_disk);
    let mut testbed = Testbed::open(&programs, config.keep, small_disks, stop.clone()).await?;
    let mut overview = Watch::start(&testbed)?;
    let load = Load::start(config, &testbed, planned(config, &steps)).await?;
    overview.scraped().await;
    let began = Instant::now();
    let sampling =
        sampler::run(testbed.seen.clone(), began, testbed.keys.clone(), testbed.partitions);
    let sampling = tokio::spawn(sampling);
    let mut probe = Probe::default();
    let mut polls = ClosingPolls::begin(&testbed, began, planned(config, &steps));
    let mut done = Vec::new();
    let limit = planned(config, &steps).mul_f64(OVERTIME);
    // Inject one step of the schedule after the other.
    for step in &steps {
        let late = began.elapsed() > limit && !config.once;
        if stop.is_cancelled() || late || load.task.is_finished() {
            break;
        }
        done.push(play(config, (&mut testbed, &polls), &mut probe, step, began).await?);
        testbed.pause(QUIET).await?;
    }
    // End the load, wait until all is counted, and compare the records.
    let load_s = began.elapsed().as_secs_f64();
    say(load_s, "the load ends; waiting until all ballots are counted");
    let driven = load.end(&mut testbed).await?;
    let within = Duration::from_secs(config.recovery_max);
    polls.close(&mut testbed, within).await?;
    let drained = audit::drain(&mut testbed, within).await?;
    sampling.abort();
    let overview = overview.end().await?;
    if let Some(why) = &overview.unchecked {
        say(load_s, &format!("the overview was not checked: {why}"));
    }
    if done.iter().any(|done: &StepReport| turns_streams_back(&done.step)) {
        take_note(&testbed);
    }
    let is_restored = done.iter().any(|done: &StepReport| restores_postgres(&done.step));
    let mut audited = audit::balance(&mut testbed, &driven, &probe, is_restored).await?;
    let found = (&mut audited.findings, &mut audited.named);
    let closing = polls.judge(&mut testbed, FINAL_WITHIN, found).await?;
    let mut report = assemble(config, &testbed, &driven, probe, audited, closing);
    report.started_at = started_at;
    report.load_s = load_s;
    report.drain_s = drained.map(|time| time.as_secs_f64());
    report.not_reached = steps.len() - done.len();
    report.steps = done;
    report.overview = overview;
    report.verdict = report.judge();
    tokio::task::block_in_place(|| drop(testbed));
    Ok(report)
}

/// Returns the duration of the schedule if every recovery is fast.
fn planned(config: &Config, steps: &[Step]) -> Duration {
    let last = steps.last().map_or(Duration::ZERO, |step| step.at + step.hold);
    if config.once { last.mul_f64(1.5) } else { config.duration }
}

/// Describes a fault that could not be injected, with services that have ended by themselves: they may be the reason.
fn not_injected(testbed: &Testbed, strike: &Strike) -> String {
    let Strike { fault, target } = strike;
    match testbed.unexpected_exits.as_slice() {
        [] => format!("{fault} ({target}) could not be injected"),
        exits => format!("{fault} ({target}) could not be injected after {}", exits.join("; ")),
    }
}

/// Carries out one step: injects its faults, waits, heals them, and measures the recovery.
async fn play(
    config: &Config,
    (testbed, polls): (&mut Testbed, &ClosingPolls),
    probe: &mut Probe,
    step: &Step,
    began: Instant,
) -> anyhow::Result<StepReport> {
    let since = |began: Instant| began.elapsed().as_secs_f64();
    testbed.pause(step.at.saturating_sub(began.elapsed())).await?;
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
    let before = outcomes(&testbed.seen);
    say(report.struck_s, &format!("{} for {:.1} s", step.title(), step.hold.as_secs_f64()));
    // Inject the faults.
    let mut cures: Vec<Cure> = Vec::new();
    for one in &step.strikes {
        let struck = strike(testbed, polls, *one).await;
        match struck.with_context(|| not_injected(testbed, one))? {
            Injection::Active(cure, note) => {
                cures.push(cure);
                report.notes.extend(Some(note).filter(|note| !note.is_empty()));
            }
            Injection::Skipped(why) => report.skipped = Some(format!("{}: {why}", one.fault)),
        }
    }
    if cures.is_empty() {
        say(since(began), &format!("  skipped: {}", report.skipped.as_deref().unwrap_or_default()));
        return Ok(report);
    }
    // If one of two faults is skipped, the other one is a fault nevertheless, and the reason becomes a note.
    report.notes.extend(report.skipped.take());
    // Wait, and heal them.
    testbed.pause(step.hold).await?;
    cures.sort_by_key(Cure::needs_the_others);
    for cure in cures {
        let note =
            heal(testbed, cure).await.with_context(|| format!("healing {}", step.title()))?;
        report.notes.extend(Some(note).filter(|note| !note.is_empty()));
    }
    testbed.clear_proxies();
    let (healed, healed_ms) = (Instant::now(), now_ms());
    report.healed_s = since(began);
    // Measure the recovery.
    let within = Duration::from_secs(config.recovery_max);
    report.recovery = probe.recover(testbed, healed, healed_ms, within).await?;
    if turns_streams_back(step) {
        take_note(testbed);
    }
    report.over_s = since(began);
    report.outcomes = outcomes(&testbed.seen).since(&before);
    say(report.over_s, &format!("  {}", in_words(&report)));
    Ok(report)
}

fn turns_streams_back(step: &Step) -> bool {
    step.strikes.iter().any(|strike| strike.fault.turns_streams_back())
}

fn restores_postgres(step: &Step) -> bool {
    step.strikes.iter().any(|strike| strike.fault.restores_postgres())
}

/// Takes note of streams that went back, as an operator does, so that results can become final again. The audit at the end
/// judges, so this one may fail.
fn take_note(testbed: &Testbed) {
    let _ = testbed.votectl(&["audit", "--acknowledge-regressions"]);
}

/// Describes the outcome of a step in one line.
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
        "healed; answered after {}, counted after {}, caught up after {}; {} acknowledged, {} × 503, {} without answer{notes}",
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

/// Prints an event with its time in seconds since the load began.
fn say(at_s: f64, event: &str) {
    eprintln!("{at_s:>7.1} s  {event}");
}

/// The running load.
struct Load {
    stop: Stop,
    task: JoinHandle<anyhow::Result<CompletedRun>>,
}

impl Load {
    /// Starts the load and waits until the first ballot is acknowledged. Every voter has a cookie that is signed
    /// beforehand, so that the audit knows the voter of a ballot without an answer, too.
    async fn start(config: &Config, testbed: &Testbed, planned: Duration) -> anyhow::Result<Self> {
        let seconds = (planned + PLAN_MARGIN).as_secs_f64();
        let shape = Shape { rate: Some(config.rate), seconds: Some(seconds), ..Shape::default() };
        let target = |port| Target::parse(&format!("http://127.0.0.1:{port}"));
        let plan = Plan::of(Profile::Constant, &shape)?;
        let mut load = LoadConfig::new(target(testbed.vote_proxy.port())?, POLL, plan);
        load.results = Some(target(testbed.results_proxy.port())?);
        load.viewers = config.viewers;
        load.mix = MIX.parse()?;
        load.seed = config.seed;
        load.reply_time_max = REPLY_WITHIN;
        load.audit = false;
        load.journal = Some(testbed.folder.journal());
        let now_s = now_ms() / 1_000;
        let name = testbed.cookies.cookie_name("voter", CookieKind::Plain);
        let cookie = |_| format!("{name}={}", testbed.cookies.sign("voter", VoterId::new(), now_s));
        let voters = (config.rate * seconds) as u64;
        // Signing blocks this thread for a while, and the proxies need others meanwhile.
        let cookies = tokio::task::block_in_place(|| (0..voters).map(cookie).collect());
        load.cookies = Some(Arc::new(cookies));
        let (stop, seen) = (Stop::default(), testbed.seen.clone());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut show = |progress: &votestream_loadtest::Progress| {
                lock(&seen).progress = progress.clone();
            };
            drive(&load, &stopped, &mut show).await
        });
        let load = Self { stop, task };
        // Faults are injected only once ballots are acknowledged.
        let deadline = Instant::now() + Duration::from_secs(30);
        while Outcomes::of(&lock(&testbed.seen).progress).acknowledged == 0 {
            if load.task.is_finished() {
                load.task.await??;
                bail!("the load ended before its first ballot");
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "no ballot is acknowledged after 30 s: {}",
                testbed.logs()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(load)
    }

    /// Ends the load, and waits for outstanding answers.
    async fn end(self, testbed: &mut Testbed) -> anyhow::Result<CompletedRun> {
        self.stop.load.cancel();
        while !self.task.is_finished() {
            testbed.pause(Duration::from_millis(50)).await?;
        }
        self.task.await.context("the load panicked")?.context("the load failed")
    }
}

/// Collects the results of a run. `run` adds the times, the steps and the verdict.
fn assemble(
    config: &Config,
    testbed: &Testbed,
    driven: &CompletedRun,
    probe: Probe,
    audited: audit::AuditResult,
    closing: ClosingVerdict,
) -> Report {
    let seen = lock(&testbed.seen);
    let certain = |voters: &[votestream_loadtest::VoterRecord]| {
        voters.iter().filter(|voter| voter.expected.certain.is_some()).count() as u64
    };
    let viewers = driven.report.viewers.as_ref();
    Report {
        seed: config.seed,
        command: config.repeat_command(),
        started_at: String::new(),
        machine: driven.report.setup.machine.clone(),
        load_s: 0.0,
        drain_s: None,
        rate: config.rate,
        steps: Vec::new(),
        not_reached: 0,
        samples: seen.samples.clone(),
        outcomes: Outcomes::of(&seen.progress),
        findings: audited.findings,
        named: audited.named,
        acknowledged: certain(&driven.voters_by_name)
            + certain(&probe.voters)
            + closing.acknowledged,
        unexplained: driven.unavailable_without_retry_after,
        memory: seen.memory.clone(),
        memory_max_bytes: config.memory_max << 20,
        starts: testbed.services.iter().map(|service| (service.name, service.starts)).collect(),
        unexpected_exits: testbed.unexpected_exits.clone(),
        wrong: [probe.wrong, closing.wrong].concat(),
        polls_closed: closing.polls,
        falsely_final: closing.falsely_final,
        never_final: closing.never_final,
        overview: OverviewVerdict::default(),
        replies: driven.report.samples.clone(),
        dead_letters: audited.dead_letters,
        poisoned: testbed.poisoned,
        votectl_imbalance: audited.votectl_imbalance,
        dashboard_mismatch: audited.dashboard_mismatch,
        receipts: audited.receipts,
        reconnects: viewers.map_or(0, |viewers| viewers.reconnects),
        regressions: viewers.map_or(0, |viewers| viewers.regressions),
        verdict: RunVerdict::default(),
    }
}
