//! Notices that no ballot is stored although ballots come in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use votestream_service::CancellationToken;
use votestream_service::health::Gate;

use crate::metrics;

/// After this time without a stored ballot the producer is not ready. A shorter hitch is nothing that a load balancer
/// could help with.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// Without a ballot for this time nobody knows whether the next one would be refused, so the producer is ready again.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// Time between two reports.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// The ballots that were not stored since the last one that was; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    series: Arc<Mutex<Option<Series>>>,
}

/// Ballots that were refused one after the other.
#[derive(Clone, Debug)]
struct Series {
    began: Instant,
    last: Instant,
    ballots: usize,
    reason: String,
    /// Whether another gate has told the reason of the last refusal.
    is_told: bool,
}

/// No ballot is stored.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("every ballot is refused, {ballots} in {seconds} s: {reason}")]
pub struct EveryBallotRefused {
    ballots: usize,
    seconds: u64,
    reason: String,
}

impl Refusals {
    /// Notes ballots that were not stored, with the reason.
    pub(crate) fn refused(&self, ballots: usize, reason: &str) {
        self.note(ballots, reason, false);
    }

    /// Notes a ballot that was refused before Redis was asked, for a reason that keeps another gate closed.
    pub(crate) fn not_asked(&self, reason: &str) {
        self.note(1, reason, true);
    }

    fn note(&self, ballots: usize, reason: &str, is_told: bool) {
        let now = Instant::now();
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let known = series.take().filter(|series| now - series.last < KNOWN_FOR);
        let (began, before) = known.map_or((now, 0), |known| (known.began, known.ballots));
        let reason = reason.to_owned();
        *series = Some(Series { began, last: now, ballots: before + ballots, reason, is_told });
    }

    /// Notes that Redis has stored a ballot, or looked for its voter: it takes ballots.
    pub(super) fn stored(&self) {
        *self.series.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Reports to `gate` until `shutdown`, and sets the metric.
    pub async fn run(self, gate: Gate, shutdown: CancellationToken) {
        gate.watch(REPORT_EVERY, shutdown, || std::future::ready(self.check())).await;
    }

    fn check(&self) -> Result<(), EveryBallotRefused> {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let series = series.filter(|series| series.last.elapsed() < KNOWN_FOR);
        let lasted = series.as_ref().map_or(Duration::ZERO, |series| series.last - series.began);
        metrics::BALLOTS_REFUSED_SECONDS.set(lasted.as_secs_f64());
        match series {
            Some(Series { ballots, reason, is_told: false, .. }) if lasted >= REFUSED_FOR => {
                Err(EveryBallotRefused { ballots, seconds: lasted.as_secs(), reason })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn after(wait_s: u64) {
        tokio::time::advance(Duration::from_secs(wait_s)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_series_of_refused_ballots_is_told_with_its_reason_until_one_is_stored() {
        let refusals = Refusals::default();
        refusals.refused(3, "OOM");
        assert_eq!(refusals.check(), Ok(()), "one refusal is no series");
        after(6).await;
        refusals.refused(1, "MISCONF");
        let told = refusals.check().unwrap_err().to_string();
        assert_eq!(told, "every ballot is refused, 4 in 6 s: MISCONF");
        refusals.stored();
        assert_eq!(refusals.check(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_gate_tells_opens_and_closes_with_that_gate() {
        let refusals = Refusals::default();
        for _ in 0..3 {
            refusals.not_asked("not durable");
            assert_eq!(refusals.check(), Ok(()));
            after(4).await;
        }
        refusals.refused(1, "OOM");
        let told = refusals.check().unwrap_err().to_string();
        assert_eq!(told, "every ballot is refused, 4 in 12 s: OOM", "the series goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn without_ballots_nobody_knows_whether_the_next_is_refused() {
        let refusals = Refusals::default();
        refusals.refused(1, "OOM");
        after(6).await;
        refusals.refused(1, "OOM");
        assert!(refusals.check().is_err());
        after(KNOWN_FOR.as_secs()).await;
        assert_eq!(refusals.check(), Ok(()));
        refusals.refused(1, "OOM");
        assert_eq!(refusals.check(), Ok(()), "a new series begins");
    }
}
