//! Builds the report of a run from its figures.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::audit::result::{Audit, AuditVerdict};
use crate::config::Config;
use crate::measure::clock::{micros, utc_now};
use crate::measure::intervals::Intervals;
use crate::poll::Poll;
use crate::report::data::{
    Ballots, Generator, Knee, MetricsReport, PhaseReport, Point, Report, SCHEMA_VERSION, Schedule,
    ScreenReport, Series, Setup, ViewersReport, outcome_name,
};
use crate::report::slo::Slo;
use crate::report::verdict::{self, ACHIEVED_MIN};
use crate::run::knee::{is_within, knee_limit_us};
use crate::run::monitor::Monitor;
use crate::units::rounded;
use crate::viewers::click_to_screen::{ClickToScreen, ScreenLatencies};
use crate::viewers::stats::ViewerStats;
use crate::voters::challenge::Challenges;
use crate::voters::outcome::{Outcome, OutcomeCounts};
use crate::workers::recorder::Recorder;

/// The figures of the load after it has ended.
pub(crate) struct LoadResult {
    /// The figures of all workers together.
    pub(crate) record: Recorder,
    /// The most connections that sent ballots.
    pub(crate) connections_max: usize,
    /// The time at which the last voter finished, in µs since the start.
    pub(crate) over_us: u64,
    /// The processor time of the process during the load.
    pub(crate) cpu: Duration,
    /// The start of the load, as RFC 3339.
    pub(crate) started_at: String,
    /// Whether the operator ended the load early.
    pub(crate) ended_early: bool,
}

/// Everything that goes into the report.
pub(crate) struct ReportBuilder<'a> {
    pub(crate) config: &'a Config,
    pub(crate) poll: &'a Poll,
    pub(crate) load: LoadResult,
    pub(crate) monitor: Monitor,
    pub(crate) stats: Option<ViewerStats>,
    pub(crate) audit: Audit,
    pub(crate) metrics: Option<MetricsReport>,
}

impl ReportBuilder<'_> {
    pub(crate) fn report(mut self) -> Report {
        if let Some(foreign) =
            self.metrics.as_ref().and_then(|metrics| metrics.foreign_ballots).filter(|n| *n > 0)
        {
            self.judge_foreign(foreign);
        }
        let phases = self.phases();
        let screen = self.stats.as_ref().and_then(|stats| stats.screen.as_ref());
        let shown = screen.map(ClickToScreen::matched).unwrap_or_default();
        let mut report = Report {
            schema_version: SCHEMA_VERSION,
            setup: self.setup(),
            schedule: self.schedule(),
            ballots: self.ballots(),
            knee: self.knee(&phases),
            phases,
            viewers: self.viewers(),
            screen: self.screen(&shown),
            series: self.series(&shown),
            generator: self.generator(),
            challenges: self.challenges(),
            samples: self.samples(),
            metrics: self.metrics,
            audit: self.audit,
            ..Report::default()
        };
        report.slos = Slo::check_all(&self.config.slos, &report);
        report.verdict = verdict::of(&report);
        report
    }

    /// Notes that others voted, in this poll or in another one of the deployment.
    fn judge_foreign(&mut self, foreign: u64) {
        let why = format!(
            "The producers accepted {foreign} ballots that this load tester did not send, in this poll or in another one."
        );
        if !self.config.shard.is_part() && self.audit.verdict != AuditVerdict::Skipped {
            self.audit.others_may_have_voted(why);
        }
    }

    fn setup(&self) -> Setup {
        let config = self.config;
        Setup {
            target: std::iter::once(&config.target)
                .chain(&config.more_targets)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            command_line: config.command_line.clone(),
            results: config.results.as_ref().map(ToString::to_string),
            poll: Some(self.poll.clone()),
            plan: Some(config.plan.clone()),
            closed_connections: config.closed_connections,
            mix: config.mix.clone(),
            weights: config.weights.clone(),
            seed: config.seed,
            shard: config.shard.is_part().then_some(config.shard),
            parts: 1,
            threads: config.threads as u64,
            connections_max: self.load.connections_max as u64,
            started_at: self.load.started_at.clone(),
            ended_at: utc_now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: crate::measure::machine::machine(),
            ended_early: self.load.ended_early,
            errors_max_ratio: Some(config.errors_max),
        }
    }

    /// Returns the phases after the warm-up, each with its figures.
    fn measured(
        &self,
    ) -> impl Iterator<Item = (&crate::plan::timetable::Phase, &crate::workers::recorder::PhaseRecord)>
    {
        let warm_up = usize::from(self.config.plan.warm_up_seconds > 0.0);
        self.config.plan.phases.iter().zip(&self.load.record.phases).skip(warm_up)
    }

    fn schedule(&self) -> Schedule {
        let sum = |of: fn(&crate::workers::recorder::PhaseRecord) -> u64| {
            self.measured().map(|(_, record)| of(record)).sum()
        };
        let (intended, sent_in_time): (u64, u64) = (sum(|r| r.intended), sum(|r| r.sent_in_time));
        let open = self.config.closed_connections.is_none();
        let achieved_ratio =
            (open && intended > 0).then(|| rounded(sent_in_time as f64 / intended as f64));
        // A plan that looks for the highest rate exceeds it on purpose.
        let void = achieved_ratio.is_some_and(|ratio| ratio < ACHIEVED_MIN)
            && !self.config.plan.seeks_knee;
        Schedule {
            model: if open { "open" } else { "closed" }.to_owned(),
            intended,
            sent: sum(|r| r.sent),
            sent_in_time,
            achieved_ratio,
            void,
            lateness: (&self.load.record.lateness).into(),
        }
    }

    fn ballots(&self) -> Ballots {
        let record = &self.load.record;
        let acknowledged: u64 = self.measured().map(|(_, phase)| phase.acknowledged).sum();
        let planned = self.config.plan.seconds();
        let over = self.load.over_us as f64 / 1e6;
        // The closed model may run out of voters before its time is up.
        let is_short = self.config.closed_connections.is_some();
        let end = if self.load.ended_early || self.monitor.knee_passed || is_short {
            over
        } else {
            over.max(planned)
        };
        let measured_seconds = (end - self.config.plan.warm_up_seconds).max(1e-3);
        Ballots {
            outcomes: outcomes(&record.outcomes),
            measured: record.measured,
            errors: record.errors,
            error_ratio: rounded(record.errors as f64 / record.measured.max(1) as f64),
            measured_seconds: rounded(measured_seconds),
            acknowledged_per_second: rounded(acknowledged as f64 / measured_seconds),
            latency: (&record.ballots).into(),
            page_latency: (&record.pages).into(),
            latency_by_outcome: Outcome::ALL
                .into_iter()
                .zip(&record.by_outcome)
                .filter(|(_, latencies)| latencies.count() > 0)
                .map(|(outcome, latencies)| (outcome_name(outcome), latencies.into()))
                .collect(),
            connect_time: (&record.connect_times).into(),
        }
    }

    fn phases(&self) -> Vec<PhaseReport> {
        let limit_us = knee_limit_us(self.config);
        let report = |(phase, record): (
            &crate::plan::timetable::Phase,
            &crate::workers::recorder::PhaseRecord,
        )| PhaseReport {
            name: phase.name.clone(),
            seconds: phase.seconds,
            rate_from: phase.rate_from,
            rate_to: phase.rate_to,
            intended: record.intended,
            sent_in_time: record.sent_in_time,
            acknowledged: record.acknowledged,
            errors: record.errors,
            latency: (&record.latencies).into(),
            within_limits: self.config.plan.seeks_knee.then(|| is_within(record, limit_us)),
        };
        // A step that was cut short shows nothing about its rate.
        let mut end_us = (self.config.plan.warm_up_seconds * 1e6) as u64;
        let mut begun = |phase: &crate::plan::timetable::Phase| {
            end_us += (phase.seconds * 1e6) as u64;
            !(self.config.plan.seeks_knee && self.load.over_us < end_us)
        };
        self.measured().filter(|(phase, _)| begun(phase)).map(report).collect()
    }

    fn knee(&self, phases: &[PhaseReport]) -> Option<Knee> {
        if !self.config.plan.seeks_knee {
            return None;
        }
        let passed = phases.iter().filter(|phase| phase.within_limits == Some(true));
        let rate_per_second = passed.map(|phase| phase.rate_to).max_by(f64::total_cmp);
        let found = phases.iter().any(|phase| {
            phase.within_limits == Some(false)
                && rate_per_second.is_none_or(|rate| phase.rate_to > rate)
        });
        Some(Knee { rate_per_second, p99_limit_us: knee_limit_us(self.config) as u64, found })
    }

    fn viewers(&self) -> Option<ViewersReport> {
        let stats = self.stats.as_ref()?;
        Some(ViewersReport {
            watching: self.config.viewers.max(1) as u64,
            open_max: stats.open_max,
            with_state: stats.with_state,
            stalled: stats.stalled,
            reconnects: stats.reconnects,
            refused: stats.refused,
            connect_failures: stats.connect_failures,
            frames: stats.frames,
            bytes: stats.bytes,
            stale_frames: stats.stale_frames,
            regressions: stats.regressions,
            gaps: stats.gaps,
            silence_max_us: stats.silence_max_us,
            first_state: (&stats.first_state).into(),
            spread: (&stats.spread).into(),
        })
    }

    fn screen(&self, shown: &ScreenLatencies) -> Option<ScreenReport> {
        self.stats.as_ref()?.screen.as_ref()?;
        Some(ScreenReport {
            from_click: (&shown.from_click).into(),
            from_acknowledgement: (&shown.from_acknowledgement).into(),
            never_shown: shown.never,
        })
    }

    fn series(&self, shown: &ScreenLatencies) -> Series {
        // All series are brought to the length of the widest one.
        let first_us = micros(self.config.interval());
        let mut intervals = self.load.record.intervals.clone();
        let (mut behind, mut backlogs) =
            (self.monitor.behind.clone(), self.monitor.backlogs.clone());
        let mut shown = shown.intervals.clone().unwrap_or_else(|| Intervals::new(first_us));
        let stats = self.stats.as_ref();
        let frames = stats.and_then(|stats| stats.frames_by_interval.clone());
        let mut frames = frames.unwrap_or_else(|| Intervals::new(first_us));
        let lengths = [intervals.length_us(), behind.length_us(), backlogs.length_us()];
        let length_us =
            lengths.into_iter().fold(shown.length_us().max(frames.length_us()), u64::max);
        intervals.widen(length_us);
        behind.widen(length_us);
        backlogs.widen(length_us);
        shown.widen(length_us);
        frames.widen(length_us);
        let (intervals, frames) = (intervals.values(), frames.values());
        let (behind, backlogs, shown) = (behind.values(), backlogs.values(), shown.values());
        let length = intervals.len().max(behind.len()).max(backlogs.len()).max(shown.len());
        let point = |at: usize| {
            let interval = intervals.get(at).cloned().unwrap_or_default();
            Point {
                intended: interval.intended,
                sent: interval.sent,
                acknowledged: interval.acknowledged,
                acknowledged_voters: interval.acknowledged_voters,
                refused: interval.refused,
                errors: interval.errors,
                latency: (&interval.latencies).into(),
                frames: frames.get(at).copied().unwrap_or(0),
                click_to_screen: shown.get(at).map(|shown| (&shown.0).into()).unwrap_or_default(),
                behind: behind.get(at).copied().flatten(),
                backlog: backlogs.get(at).copied().flatten(),
            }
        };
        Series {
            interval_seconds: length_us as f64 / 1e6,
            warm_up_seconds: self.config.plan.warm_up_seconds,
            load_seconds: rounded(self.config.plan.seconds().min(self.load.over_us as f64 / 1e6)),
            points: (0..length).map(point).collect(),
        }
    }

    fn generator(&self) -> Generator {
        let requests: u64 =
            self.load.record.outcomes.0.iter().sum::<u64>() + self.load.record.pages.count();
        Generator {
            cpu_seconds: rounded(self.load.cpu.as_secs_f64()),
            cpu_us_per_request: rounded(
                self.load.record.cpu.as_secs_f64() * 1e6 / requests.max(1) as f64,
            ),
            requests,
            resident_bytes_max: crate::measure::machine::resident_bytes_max(),
            cores_busy: rounded(
                self.load.cpu.as_secs_f64() / (self.load.over_us as f64 / 1e6).max(1e-3),
            ),
            faults: self.load.record.own_faults,
            fault: self.load.record.own_fault.clone(),
        }
    }

    fn challenges(&self) -> Option<Challenges> {
        let challenges = &self.load.record.challenges;
        (challenges.asked > 0).then(|| challenges.clone())
    }

    fn samples(&self) -> Vec<String> {
        let viewers = self.stats.as_ref().map_or(&[][..], |stats| &stats.samples);
        self.load.record.samples.iter().chain(viewers).cloned().collect()
    }
}

fn outcomes(counts: &OutcomeCounts) -> BTreeMap<String, u64> {
    let named = Outcome::ALL.into_iter().zip(counts.0);
    named
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| (outcome_name(outcome), count))
        .collect()
}
