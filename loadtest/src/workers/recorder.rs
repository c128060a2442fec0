//! The figures that one worker has recorded so far.
//!
//! Requests and replies are counted in the interval in which they happened, and a latency in the
//! interval in which its voter *should* have started.
//! Invariant: the warm-up changes no figure, but everything goes into the ledger.

use crate::audit::ledger::Ledger;
use crate::measure::histogram::Latencies;
use crate::measure::intervals::{Intervals, Join};
use crate::voters::challenge::Challenges;
use crate::voters::expected_vote::{ExpectedVote, VoterRecord};
use crate::voters::outcome::{Outcome, OutcomeCounts, RequestKind};

/// The settings of a recorder.
#[derive(Debug, Clone)]
pub(crate) struct RecorderConfig {
    /// The length of an interval of the series in µs.
    pub(crate) interval_us: u64,
    /// The end of the warm-up in µs.
    pub(crate) warm_up_us: u64,
    /// The number of phases of the plan.
    pub(crate) phases: usize,
    /// Whether to keep every voter by name, for the audit by name.
    pub(crate) by_name: bool,
    /// Whether to keep the times of acknowledgements, for the latency from click to screen.
    pub(crate) watches_screen: bool,
}

/// The figures of one interval of the series.
#[derive(Debug, Clone)]
pub(crate) struct Interval {
    pub(crate) intended: u64,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    /// Voters whose first acknowledgement came in this interval.
    pub(crate) acknowledged_voters: u64,
    pub(crate) refused: u64,
    pub(crate) errors: u64,
    pub(crate) latencies: Latencies,
}

impl Join for Interval {
    fn join(&mut self, later: &Self) {
        self.intended += later.intended;
        self.sent += later.sent;
        self.acknowledged += later.acknowledged;
        self.acknowledged_voters += later.acknowledged_voters;
        self.refused += later.refused;
        self.errors += later.errors;
        self.latencies.add(&later.latencies);
    }
}

impl Default for Interval {
    fn default() -> Self {
        Self {
            intended: 0,
            sent: 0,
            acknowledged: 0,
            acknowledged_voters: 0,
            refused: 0,
            errors: 0,
            latencies: Latencies::with_digits(2),
        }
    }
}

/// The figures of one phase of the plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct PhaseRecord {
    pub(crate) intended: u64,
    pub(crate) sent: u64,
    /// Voters who have started before the phase was over.
    pub(crate) sent_in_time: u64,
    pub(crate) acknowledged: u64,
    pub(crate) errors: u64,
    pub(crate) latencies: Latencies,
}

impl PhaseRecord {
    /// Adds the figures of another worker for the same phase.
    pub(crate) fn add(&mut self, other: &Self) {
        self.intended += other.intended;
        self.sent += other.sent;
        self.sent_in_time += other.sent_in_time;
        self.acknowledged += other.acknowledged;
        self.errors += other.errors;
        self.latencies.add(&other.latencies);
    }
}

/// A request that was sent, with its place in the timetable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// The time at which it should have started, in µs.
    pub(crate) due_us: u64,
    /// The position of its phase in the plan.
    pub(crate) phase: usize,
    /// The kind of the request.
    pub(crate) kind: RequestKind,
}

/// An event of a voter that matters for the latency from click to screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VoterEvent {
    /// The voter's ballot was acknowledged.
    Acknowledged {
        /// The time at which the voter should have started, in µs.
        clicked_us: u64,
        /// The time at which the acknowledgement came, in µs.
        acknowledged_us: u64,
    },
    /// No reply came. The voter may be counted all the same.
    Unanswered {
        /// The time at which the voter should have started, in µs.
        clicked_us: u64,
    },
}

/// All figures of one worker.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    pub(crate) config: RecorderConfig,
    /// The latency of ballots from their intended start.
    pub(crate) ballots: Latencies,
    /// The latency of ballot pages from their intended start.
    pub(crate) pages: Latencies,
    /// The time it took to open each connection.
    pub(crate) connect_times: Latencies,
    /// The latency of ballots by outcome, in the order of [`Outcome::ALL`].
    pub(crate) by_outcome: Vec<Latencies>,
    /// Connections that the machine of the load tester could not open.
    pub(crate) own_faults: u64,
    /// The error of the first of them.
    pub(crate) own_fault: Option<String>,
    /// The time from the intended start of a voter to its handover to a connection, which is the
    /// load tester's own lateness.
    pub(crate) lateness: Latencies,
    pub(crate) intervals: Intervals<Interval>,
    pub(crate) phases: Vec<PhaseRecord>,
    /// The outcome of every request for a ballot, with the warm-up.
    pub(crate) outcomes: OutcomeCounts,
    /// The number of requests after the warm-up.
    pub(crate) measured: u64,
    pub(crate) errors: u64,
    pub(crate) ledger: Ledger,
    pub(crate) voters_by_name: Vec<VoterRecord>,
    /// Events of voters that [`crate::viewers::stats`] has not collected yet.
    pub(crate) voter_events: Vec<VoterEvent>,
    /// Voters who are due so far.
    pub(crate) due: u64,
    pub(crate) through: u64,
    /// The time at which the last voter finished, in µs.
    pub(crate) last_us: u64,
    /// The processor time of the worker's thread.
    pub(crate) cpu: std::time::Duration,
    /// Second ballots whose "already voted" reply named other choices than those that should be
    /// stored.
    pub(crate) contradicted: u64,
    /// The number of 503 replies without a `Retry-After` header.
    pub(crate) unavailable_without_retry_after: u64,
    pub(crate) challenges: Challenges,
    /// The first few replies that should not have come, word for word.
    pub(crate) samples: Vec<String>,
}

impl Recorder {
    pub(crate) fn new(config: RecorderConfig) -> Self {
        Self {
            ballots: Latencies::default(),
            pages: Latencies::default(),
            connect_times: Latencies::default(),
            by_outcome: vec![Latencies::default(); Outcome::ALL.len()],
            own_faults: 0,
            own_fault: None,
            lateness: Latencies::default(),
            intervals: Intervals::new(config.interval_us),
            phases: vec![PhaseRecord::default(); config.phases],
            outcomes: OutcomeCounts::default(),
            measured: 0,
            errors: 0,
            ledger: Ledger::default(),
            voters_by_name: Vec::new(),
            voter_events: Vec::new(),
            due: 0,
            through: 0,
            last_us: 0,
            cpu: std::time::Duration::ZERO,
            contradicted: 0,
            unavailable_without_retry_after: 0,
            challenges: Challenges::default(),
            samples: Vec::new(),
            config,
        }
    }

    /// Records that a voter is due.
    pub(crate) fn intend(&mut self, due_us: u64, phase: usize) {
        self.due += 1;
        self.interval(due_us).intended += 1;
        self.phases[phase].intended += 1;
    }

    /// Records that the first request of a voter is sent, in a phase that ends at `phase_end_us`.
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

    /// Records the outcome of a request for a ballot.
    pub(crate) fn finish(&mut self, sent: Sent, outcome: Outcome, now_us: u64) {
        let error = sent.kind.is_error(outcome);
        self.last_us = self.last_us.max(now_us);
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
            self.by_outcome[outcome as usize].record(latency);
            self.interval(sent.due_us).latencies.record(latency);
        }
    }

    /// Records that a ballot page has come.
    pub(crate) fn page(&mut self, due_us: u64, now_us: u64) {
        if due_us >= self.config.warm_up_us {
            self.pages.record(now_us.saturating_sub(due_us));
        }
    }

    /// Records the first acknowledgement of a voter who should have started at `clicked_us`.
    pub(crate) fn acknowledge(&mut self, clicked_us: u64, acknowledged_us: u64) {
        self.interval(acknowledged_us).acknowledged_voters += 1;
        self.note(VoterEvent::Acknowledged { clicked_us, acknowledged_us });
    }

    /// Keeps an event of a voter, if the latency to the screen is measured.
    pub(crate) fn note(&mut self, event: VoterEvent) {
        if self.config.watches_screen {
            self.voter_events.push(event);
        }
    }

    /// Records that a voter has finished.
    pub(crate) fn settle(&mut self, voter: Option<u128>, expected: ExpectedVote) {
        self.through += 1;
        self.ledger.enter(expected);
        if self.config.by_name && expected != ExpectedVote::default() {
            self.voters_by_name.push(VoterRecord { voter, expected });
        }
    }

    /// Keeps a reply that should not have come, as long as there are few.
    pub(crate) fn sample(&mut self, what: impl FnOnce() -> String) {
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(what());
        }
    }

    fn interval(&mut self, us: u64) -> &mut Interval {
        self.intervals.at(us)
    }

    /// Adds the figures of another worker.
    pub(crate) fn add(&mut self, other: &Self) {
        self.ballots.add(&other.ballots);
        self.pages.add(&other.pages);
        self.connect_times.add(&other.connect_times);
        for (sum, more) in self.by_outcome.iter_mut().zip(&other.by_outcome) {
            sum.add(more);
        }
        self.own_faults += other.own_faults;
        self.own_fault = self.own_fault.take().or_else(|| other.own_fault.clone());
        self.lateness.add(&other.lateness);
        self.intervals.add(&other.intervals, Interval::join);
        self.last_us = self.last_us.max(other.last_us);
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
        self.challenges.add(&other.challenges);
        for sample in &other.samples {
            self.sample(|| sample.clone());
        }
    }
}

/// The most replies that are kept word for word.
const SAMPLES_MAX: usize = 8;

/// A request that is sent this long after the end of its phase still counts as in time, because the
/// last arrivals of a phase are due a moment before its end. Unit: µs.
const GRACE_US: u64 = 100_000;
