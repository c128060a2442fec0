//! Watches a run in progress: for the live view, for the series that only the run itself can
//! sample, and for the knee.

use std::time::Instant;

use crate::config::Config;
use crate::measure::clock::Clock;
use crate::measure::histogram::Latencies;
use crate::measure::intervals::Intervals;
use crate::run::knee::{is_within, knee_limit_us};
use crate::run::progress::{Progress, Stage};
use crate::run::stop::TICK;
use crate::viewers::thread::ViewersThread;
use crate::voters::outcome::{OutcomeClass, OutcomeCounts};
use crate::workers::recorder::PhaseRecord;
use crate::workers::worker::WorkerThread;

/// A step that ended this long ago has its last replies, or they are too late anyway. Unit: µs.
const STEP_PATIENCE_US: u64 = 500_000;

/// The number of steps in a row that must fail before the load ends.
const FAILED_STEPS: usize = 2;

/// Collects the figures of all workers and viewers while the run goes on.
pub(crate) struct Monitor {
    clock: Clock,
    warm_up_us: u64,
    viewers: u64,
    ends_us: Vec<u64>,
    looked: Instant,
    last: Totals,
    progress: Progress,
    /// Acknowledged voters who are not on screen, by interval.
    pub(crate) behind: Intervals<Option<u64>>,
    /// Lag and pending entries, by interval.
    pub(crate) backlogs: Intervals<Option<u64>>,
    /// Whether the load was ended because the last steps exceeded the limits.
    pub(crate) knee_passed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    intended: u64,
    sent: u64,
    acknowledged: u64,
    frames: u64,
}

impl Monitor {
    pub(crate) fn new(config: &Config, clock: Clock, interval_us: u64) -> Self {
        Self {
            clock,
            warm_up_us: (config.plan.warm_up_seconds * 1e6) as u64,
            viewers: config.viewers as u64,
            ends_us: config.plan.ends_us(),
            looked: Instant::now(),
            last: Totals::default(),
            progress: Progress { load_seconds: config.plan.seconds(), ..Progress::default() },
            behind: Intervals::new(interval_us),
            backlogs: Intervals::new(interval_us),
            knee_passed: false,
        }
    }

    /// Returns whether the last look is long enough ago for rates to mean something.
    pub(crate) fn is_due(&self) -> bool {
        self.looked.elapsed() >= TICK
    }

    /// Collects the figures of all workers, and returns the progress.
    pub(crate) fn look(
        &mut self,
        workers: &[WorkerThread],
        viewers: Option<&ViewersThread>,
    ) -> Progress {
        let (mut latencies, mut outcomes, mut totals) =
            (Latencies::default(), OutcomeCounts::default(), Totals::default());
        let (mut errors, mut in_flight) = (0, 0);
        for worker in workers {
            let record = worker.figures();
            latencies.add(&record.ballots);
            outcomes.add(&record.outcomes);
            totals.intended += record.phases.iter().map(|phase| phase.intended).sum::<u64>();
            totals.sent += record.phases.iter().map(|phase| phase.sent).sum::<u64>();
            errors += record.errors;
            in_flight += record.due.saturating_sub(record.through);
        }
        totals.acknowledged = outcomes.of(OutcomeClass::Acknowledged);
        let now_us = self.clock.now_us();
        let stage = if now_us < self.warm_up_us { Stage::WarmUp } else { Stage::Load };
        let shown = viewers.and_then(|viewers| {
            viewers
                .stats()
                .screen
                .as_ref()
                .map(crate::viewers::click_to_screen::ClickToScreen::shown)
        });
        self.progress = Progress {
            stage,
            seconds: now_us as f64 / 1e6,
            quantiles_us: [0.5, 0.9, 0.99, 1.0].map(|at| latencies.quantile_us(at)),
            acknowledged: totals.acknowledged,
            refused: outcomes.of(OutcomeClass::Refused),
            indeterminate: outcomes.of(OutcomeClass::Indeterminate),
            errors,
            outcomes: outcomes.0,
            in_flight,
            counted: shown.map(|shown| (shown, totals.acknowledged)),
            ..self.progress
        };
        self.book_rates(totals, viewers);
        self.progress.clone()
    }

    /// Returns the progress after the load has ended.
    pub(crate) fn wait(
        &mut self,
        stage: Stage,
        counted: Option<(u64, u64)>,
        viewers: Option<&ViewersThread>,
    ) -> Progress {
        self.progress.stage = stage;
        self.progress.seconds = self.clock.now_us() as f64 / 1e6;
        self.progress.in_flight = 0;
        if counted.is_some() {
            self.progress.counted = counted;
        }
        self.book_rates(Totals { frames: 0, ..self.last }, viewers);
        self.progress.clone()
    }

    fn book_rates(&mut self, mut totals: Totals, viewers: Option<&ViewersThread>) {
        if let Some(viewers) = viewers {
            let stats = viewers.stats();
            totals.frames = stats.frames;
            self.progress.viewers = (self.viewers > 0).then_some((stats.open, self.viewers));
        }
        let seconds = self.looked.elapsed().as_secs_f64().max(1e-3);
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        self.progress.intended_per_second = rate(totals.intended, self.last.intended);
        self.progress.sent_per_second = rate(totals.sent, self.last.sent);
        self.progress.acknowledged_per_second = rate(totals.acknowledged, self.last.acknowledged);
        self.progress.frames_per_second = rate(totals.frames, self.last.frames);
        self.last = totals;
        self.looked = Instant::now();
    }

    /// Records how many acknowledged voters are not on screen.
    pub(crate) fn book_behind(&mut self, viewers: Option<&ViewersThread>) {
        let behind = viewers.and_then(|viewers| {
            let mut stats = viewers.stats();
            stats.collect();
            stats.screen.as_ref().map(crate::viewers::click_to_screen::ClickToScreen::behind)
        });
        *self.behind.at(self.clock.now_us()) = behind;
    }

    /// Records the lag and the pending entries.
    pub(crate) fn backlog(&mut self, backlog: Option<u64>) {
        if backlog.is_some() {
            self.progress.backlog = backlog;
            *self.backlogs.at(self.clock.now_us()) = backlog;
        }
    }

    /// Returns whether the last completed steps all exceeded the limits.
    pub(crate) fn has_passed_knee(&mut self, workers: &[WorkerThread], config: &Config) -> bool {
        let now_us = self.clock.now_us();
        let over = self.ends_us.iter().filter(|end| **end + STEP_PATIENCE_US < now_us).count();
        let warm_up = usize::from(config.plan.warm_up_seconds > 0.0);
        if over < warm_up + FAILED_STEPS || self.knee_passed {
            return self.knee_passed;
        }
        let failed = (over - FAILED_STEPS..over).all(|phase| {
            let mut sum = PhaseRecord::default();
            for worker in workers {
                sum.add(&worker.figures().phases[phase]);
            }
            !is_within(&sum, knee_limit_us(config))
        });
        self.knee_passed = failed;
        failed
    }
}
