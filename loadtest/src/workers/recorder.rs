//! What one lane has measured so far.
//!
//! Events are booked where they happened: sends and replies in the interval of their own moment, a
//! latency in the interval in which its voter *should* have started. Invariant: nothing of the
//! warm-up reaches the figures; everything reaches the ledger.

use crate::audit::ledger::Ledger;
use crate::measure::histogram::Latencies;
use crate::voters::expected_vote::{ExpectedVote, VoterRecord};
use crate::voters::outcome::{Outcome, OutcomeCounts, RequestKind};

/// What is fixed before the load starts.
#[derive(Debug, Clone)]
pub(crate) struct RecorderConfig {
    /// Length of an interval of the series, µs.
    pub(crate) interval_us: u64,
    /// End of the warm-up, µs.
    pub(crate) warm_up_us: u64,
    /// Number of phases.
    pub(crate) phases: usize,
    /// Keep every voter by name, for the deep audit.
    pub(crate) by_name: bool,
    /// Keep the moments of acknowledgements, for click-to-screen.
    pub(crate) watches_screen: bool,
}

/// One interval of the series.
#[derive(Debug, Clone)]
pub(crate) struct Interval {
    pub(crate) intended: u64,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) errors: u64,
    pub(crate) latencies: Latencies,
}

impl Default for Interval {
    fn default() -> Self {
        Self {
            intended: 0,
            sent: 0,
            acknowledged: 0,
            refused: 0,
            errors: 0,
            latencies: Latencies::with_digits(2),
        }
    }
}

/// One phase of the plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct PhaseRecord {
    pub(crate) intended: u64,
    pub(crate) sent: u64,
    /// Sent before the phase was over.
    pub(crate) sent_in_time: u64,
    pub(crate) acknowledged: u64,
    pub(crate) errors: u64,
    pub(crate) latencies: Latencies,
}

impl PhaseRecord {
    /// Adds another lane's figures of the same phase.
    pub(crate) fn add(&mut self, other: &Self) {
        self.intended += other.intended;
        self.sent += other.sent;
        self.sent_in_time += other.sent_in_time;
        self.acknowledged += other.acknowledged;
        self.errors += other.errors;
        self.latencies.add(&other.latencies);
    }
}

/// A ballot on its way, as the timetable has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// When it should have started, µs.
    pub(crate) due_us: u64,
    /// Its phase.
    pub(crate) phase: usize,
    /// What it was.
    pub(crate) kind: RequestKind,
}

/// What happened to a voter that the screen waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VoterEvent {
    /// A yes came.
    Acknowledged {
        /// When the voter was meant to start, µs.
        clicked_us: u64,
        /// When the yes came, µs.
        acknowledged_us: u64,
    },
    /// No reply came: the voter may be counted all the same.
    Unanswered {
        /// When the voter was meant to start, µs.
        clicked_us: u64,
    },
}

/// All of a lane's figures.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    pub(crate) config: RecorderConfig,
    /// Latency of ballots from their intended start.
    pub(crate) ballots: Latencies,
    /// Latency of ballot pages.
    pub(crate) pages: Latencies,
    /// How late the generator itself was: from the intended start to the hand-over to a connection.
    pub(crate) lateness: Latencies,
    pub(crate) intervals: Vec<Interval>,
    pub(crate) phases: Vec<PhaseRecord>,
    /// Every request of a ballot, warm-up included.
    pub(crate) outcomes: OutcomeCounts,
    /// After the warm-up: requests, those that should not have ended as they did.
    pub(crate) measured: u64,
    pub(crate) errors: u64,
    pub(crate) ledger: Ledger,
    pub(crate) voters_by_name: Vec<VoterRecord>,
    /// Since the screen last asked.
    pub(crate) news: Vec<VoterEvent>,
    /// Voters who are due, and who are through.
    pub(crate) due: u64,
    pub(crate) through: u64,
    /// Processor time of the lane's thread.
    pub(crate) cpu: std::time::Duration,
    /// Second ballots under `keep_first` that were told of other choices than those that should stand.
    pub(crate) contradicted: u64,
    /// 503s that did not say when to try again.
    pub(crate) unavailable_without_retry_after: u64,
    /// The first few replies that should not have been, as they came.
    pub(crate) samples: Vec<String>,
}

impl Recorder {
    pub(crate) fn new(config: RecorderConfig) -> Self {
        Self {
            ballots: Latencies::default(),
            pages: Latencies::default(),
            lateness: Latencies::default(),
            intervals: Vec::new(),
            phases: vec![PhaseRecord::default(); config.phases],
            outcomes: OutcomeCounts::default(),
            measured: 0,
            errors: 0,
            ledger: Ledger::default(),
            voters_by_name: Vec::new(),
            news: Vec::new(),
            due: 0,
            through: 0,
            cpu: std::time::Duration::ZERO,
            contradicted: 0,
            unavailable_without_retry_after: 0,
            samples: Vec::new(),
            config,
        }
    }

    /// A voter of the timetable is due.
    pub(crate) fn intend(&mut self, due_us: u64, phase: usize) {
        self.due += 1;
        self.interval(due_us).intended += 1;
        self.phases[phase].intended += 1;
    }

    /// A voter's first request goes out, in a phase that ends at `phase_end_us`.
    pub(crate) fn start(&mut self, due_us: u64, phase: usize, now_us: u64, phase_end_us: u64) {
        self.interval(now_us).sent += 1;
        let record = &mut self.phases[phase];
        record.sent += 1;
        if now_us <= phase_end_us.saturating_add(GRACE_US) {
            record.sent_in_time += 1;
        }
        if due_us >= self.config.warm_up_us {
            self.lateness.record(now_us.saturating_sub(due_us));
        }
    }

    /// A ballot (or rubbish) has its outcome.
    pub(crate) fn finish(&mut self, sent: Sent, outcome: Outcome, now_us: u64) {
        let error = sent.kind.is_error(outcome);
        self.outcomes.count(outcome);
        let interval = self.interval(now_us);
        match outcome {
            Outcome::Acknowledged => interval.acknowledged += 1,
            _ if error => {}
            _ => interval.refused += 1,
        }
        interval.errors += u64::from(error);
        if sent.due_us < self.config.warm_up_us {
            return;
        }
        self.measured += 1;
        self.errors += u64::from(error);
        let record = &mut self.phases[sent.phase];
        record.acknowledged += u64::from(outcome == Outcome::Acknowledged);
        record.errors += u64::from(error);
        if !matches!(outcome, Outcome::HungUp | Outcome::NotConnected | Outcome::NoPage) {
            let latency = now_us.saturating_sub(sent.due_us);
            record.latencies.record(latency);
            self.ballots.record(latency);
            self.interval(sent.due_us).latencies.record(latency);
        }
    }

    /// A ballot page has come.
    pub(crate) fn page(&mut self, due_us: u64, now_us: u64) {
        if due_us >= self.config.warm_up_us {
            self.pages.record(now_us.saturating_sub(due_us));
        }
    }

    /// Something happened that the screen waits for.
    pub(crate) fn note(&mut self, news: VoterEvent) {
        if self.config.watches_screen {
            self.news.push(news);
        }
    }

    /// A voter is through.
    pub(crate) fn settle(&mut self, voter: Option<u128>, expected: ExpectedVote) {
        self.through += 1;
        self.ledger.enter(expected);
        if self.config.by_name && expected != ExpectedVote::default() {
            self.voters_by_name.push(VoterRecord { voter, expected });
        }
    }

    /// Keeps a reply that should not have been, if there are few yet.
    pub(crate) fn sample(&mut self, what: impl FnOnce() -> String) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(what());
        }
    }

    fn interval(&mut self, us: u64) -> &mut Interval {
        let at =
            usize::try_from(us / self.config.interval_us).unwrap_or(usize::MAX).min(INTERVALS_MAX);
        if at >= self.intervals.len() {
            self.intervals.resize_with(at + 1, Interval::default);
        }
        &mut self.intervals[at]
    }

    /// Adds another lane's figures.
    pub(crate) fn add(&mut self, other: &Self) {
        self.ballots.add(&other.ballots);
        self.pages.add(&other.pages);
        self.lateness.add(&other.lateness);
        for (at, interval) in other.intervals.iter().enumerate() {
            let sum = self.interval(at as u64 * self.config.interval_us);
            sum.intended += interval.intended;
            sum.sent += interval.sent;
            sum.acknowledged += interval.acknowledged;
            sum.refused += interval.refused;
            sum.errors += interval.errors;
            sum.latencies.add(&interval.latencies);
        }
        for (sum, phase) in self.phases.iter_mut().zip(&other.phases) {
            sum.add(phase);
        }
        self.outcomes.add(&other.outcomes);
        self.measured += other.measured;
        self.errors += other.errors;
        self.ledger.add(&other.ledger);
        self.voters_by_name.extend_from_slice(&other.voters_by_name);
        self.due += other.due;
        self.through += other.through;
        self.cpu += other.cpu;
        self.contradicted += other.contradicted;
        self.unavailable_without_retry_after += other.unavailable_without_retry_after;
        for sample in &other.samples {
            self.sample(|| sample.clone());
        }
    }
}

/// Longest series; what comes later is booked in its last interval.
const INTERVALS_MAX: usize = 4096;

/// Replies kept word for word.
const SAMPLES_MAX: usize = 8;

/// A send so much after the end of its phase still counts as on schedule: the last arrivals of a
/// phase are due a moment before its end. Unit: µs.
const GRACE_US: u64 = 100_000;
