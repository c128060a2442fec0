//! Observes the services from outside during a run: answers, backlog, memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use votestream_loadtest::{Outcome, Progress};
use votestream_schema::Keys;

use crate::connection::redis_connection;

/// The interval between two samples.
pub(crate) const SAMPLE_EVERY: Duration = Duration::from_millis(500);
const REDIS_WITHIN: Duration = Duration::from_millis(400);

/// One observation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// The time since the load began in seconds.
    pub(crate) at_s: f64,
    /// The outcomes of all requests so far.
    pub(crate) outcomes: Outcomes,
    /// The number of entries in all streams; `None` if Redis did not answer.
    pub(crate) backlog: Option<u64>,
}

/// The resident memory of a service in bytes, over all its starts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) first_bytes: u64,
    pub(crate) max_bytes: u64,
    pub(crate) last_bytes: u64,
}

/// The number of requests by outcome, in the categories of the timeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    /// Answers that acknowledged a ballot.
    pub(crate) acknowledged: u64,
    /// Answers with status 503.
    pub(crate) unavailable: u64,
    /// Requests without an answer: no connection, a lost connection, or a time-out.
    pub(crate) no_answer: u64,
    /// Answers with any other 5xx status.
    pub(crate) server_errors: u64,
}

impl Outcomes {
    /// Returns the outcomes of the load so far.
    pub(crate) fn of(progress: &Progress) -> Self {
        let of = |wanted: Outcome| {
            let all = Outcome::ALL.iter().zip(progress.outcomes);
            all.filter(|(outcome, _)| **outcome == wanted).map(|(_, count)| count).sum::<u64>()
        };
        Self {
            acknowledged: of(Outcome::Acknowledged),
            unavailable: of(Outcome::Unavailable),
            no_answer: of(Outcome::NotConnected) + of(Outcome::Broken) + of(Outcome::TimedOut),
            server_errors: of(Outcome::ServerError),
        }
    }

    /// Returns the outcomes since an earlier observation.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            acknowledged: self.acknowledged.saturating_sub(earlier.acknowledged),
            unavailable: self.unavailable.saturating_sub(earlier.unavailable),
            no_answer: self.no_answer.saturating_sub(earlier.no_answer),
            server_errors: self.server_errors.saturating_sub(earlier.server_errors),
        }
    }
}

/// Facts that the testbed and the load publish for the sampler, and its observations.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The process id of each service. The testbed keeps them up to date.
    pub(crate) pids: BTreeMap<&'static str, u32>,
    /// The address of Redis for the operator.
    pub(crate) redis_url: String,
    /// The address of the database for the owner of its tables.
    pub(crate) database_url: String,
    /// The latest progress of the load.
    pub(crate) progress: Progress,
    pub(crate) samples: Vec<Sample>,
    pub(crate) memory: BTreeMap<&'static str, Memory>,
}

/// The observations, shared by testbed, load and sampler.
pub(crate) type Shared = Arc<Mutex<Seen>>;

pub(crate) fn lock(shared: &Shared) -> MutexGuard<'_, Seen> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes samples until the task is aborted.
pub(crate) async fn run(shared: Shared, began: Instant, keys: Keys, partitions: u16) {
    let mut connection = None;
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    loop {
        ticks.tick().await;
        let url = lock(&shared).redis_url.clone();
        if connection.as_ref().is_none_or(|(known, _)| *known != url) {
            let connecting = tokio::time::timeout(REDIS_WITHIN, redis_connection(&url)).await;
            connection = connecting.ok().and_then(Result::ok).map(|redis| (url, redis));
        }
        let mut backlog = None;
        if let Some((_, redis)) = &mut connection {
            let mut ask = redis::pipe();
            for partition in 0..partitions {
                ask.cmd("XLEN").arg(keys.stream(partition));
            }
            let asked =
                tokio::time::timeout(REDIS_WITHIN, ask.query_async::<Vec<u64>>(redis)).await;
            backlog = asked.ok().and_then(Result::ok).map(|lengths| lengths.iter().sum());
        }
        if backlog.is_none() {
            connection = None;
        }
        let mut seen = lock(&shared);
        for (service, pid) in seen.pids.clone() {
            if let Some(bytes) = resident_bytes(pid) {
                let memory = seen.memory.entry(service).or_default();
                if memory.first_bytes == 0 {
                    memory.first_bytes = bytes;
                }
                memory.max_bytes = memory.max_bytes.max(bytes);
                memory.last_bytes = bytes;
            }
        }
        let outcomes = Outcomes::of(&seen.progress);
        seen.samples.push(Sample { at_s: began.elapsed().as_secs_f64(), outcomes, backlog });
    }
}

/// Returns the resident memory of a process in bytes; `None` if it is gone.
fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_by_category() {
        let mut progress = Progress::default();
        for (count, outcome) in progress.outcomes.iter_mut().zip(Outcome::ALL) {
            *count = match outcome {
                Outcome::Acknowledged => 7,
                Outcome::Unavailable => 3,
                Outcome::TimedOut | Outcome::Broken | Outcome::NotConnected => 1,
                Outcome::ServerError => 2,
                _ => 50,
            };
        }
        let now = Outcomes::of(&progress);
        let wanted = Outcomes { acknowledged: 7, unavailable: 3, no_answer: 3, server_errors: 2 };
        assert_eq!(now, wanted);
        assert_eq!(now.since(&now), Outcomes::default());
    }

    #[test]
    fn our_own_memory_is_seen() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
