//! Waits until the pipeline has counted everything that it acknowledged, and then watches for votes
//! that should not follow.

use std::time::{Duration, Instant};

use crate::audit::balance::balance;
use crate::audit::ledger::Ledger;
use crate::http::client::ApiClient;
use crate::poll::{Poll, Snapshot};
use crate::units::rounded;

/// The pause between two readings of the tally.
const LOOK: Duration = Duration::from_millis(100);

/// The votes to wait for, and how long to wait.
pub(crate) struct DrainGoal<'a> {
    pub(crate) poll: &'a Poll,
    pub(crate) ledger: &'a Ledger,
    pub(crate) before: &'a Snapshot,
    /// Stop waiting when votes are missing and the tally has not changed for this long.
    pub(crate) still_max: Duration,
    /// Once nothing is missing, keep watching for this long.
    pub(crate) settle: Duration,
}

/// How far the pipeline is, according to the last tally.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DrainState {
    /// Votes are missing. The number is the voters of the run that are counted so far.
    Draining(u64),
    /// Nothing is missing. The number is the voters that are counted; more may still follow.
    Settling(u64),
    /// Waiting is over, because all is counted and quiet, or the time is up.
    Done,
}

/// A wait in progress: the last tally, and when it last changed.
pub(crate) struct DrainWait<'a> {
    goal: DrainGoal<'a>,
    began: Instant,
    moved: Instant,
    /// Since when as many voters are counted as were acknowledged, no matter which ones.
    full: Option<Instant>,
    last: Option<Snapshot>,
    drained_after: Option<Duration>,
    failure: Option<String>,
}

/// The result of the wait.
pub(crate) struct Drained {
    /// The last tally that could be read.
    pub(crate) after: Option<Snapshot>,
    /// The time in seconds until no vote was missing any more; `None` if that did not happen.
    pub(crate) after_seconds: Option<f64>,
    /// The reason why the last reading failed; `None` if it succeeded.
    pub(crate) failure: Option<String>,
}

impl<'a> DrainWait<'a> {
    pub(crate) fn new(goal: DrainGoal<'a>) -> Self {
        let now = Instant::now();
        Self {
            goal,
            began: now,
            moved: now,
            full: None,
            last: None,
            drained_after: None,
            failure: None,
        }
    }

    /// Reads the tally once. It pauses first, unless this is the first reading.
    pub(crate) async fn look(&mut self, client: &mut ApiClient) -> DrainState {
        if self.last.is_some() || self.failure.is_some() {
            tokio::time::sleep(LOOK).await;
        }
        match client.tally(self.goal.poll).await {
            Ok(Some(tally)) => {
                self.failure = None;
                self.take(tally, Instant::now())
            }
            Ok(None) => {
                self.failure = Some("the results became hidden during the run".to_owned());
                DrainState::Done
            }
            Err(error) => {
                self.failure = Some(format!("the tally cannot be read: {error:#}"));
                self.verdict(Instant::now(), false)
            }
        }
    }

    fn take(&mut self, tally: Snapshot, now: Instant) -> DrainState {
        let same = |last: &Snapshot| (last.voters, &last.votes) == (tally.voters, &tally.votes);
        if !self.last.as_ref().is_some_and(same) {
            self.moved = now;
        }
        let (found, _) = balance(self.goal.ledger, self.goal.poll, self.goal.before, &tally);
        // Until a voter's second ballot is counted, its first choice looks like a wrong one.
        let complete = found.lost == 0 && found.wrong_choice == 0;
        let gained = tally.voters.saturating_sub(self.goal.before.voters);
        if gained >= self.goal.ledger.certain() {
            self.full.get_or_insert(now);
        }
        self.last = Some(tally);
        if complete && self.drained_after.is_none() {
            self.drained_after = Some(now - self.began);
        } else if !complete {
            self.drained_after = None;
        }
        self.verdict(now, complete)
    }

    fn verdict(&self, now: Instant, complete: bool) -> DrainState {
        let still_for = now - self.moved;
        let gained = self
            .last
            .as_ref()
            .map_or(0, |last| last.voters.saturating_sub(self.goal.before.voters));
        match complete {
            // If other people vote, the tally never stands still. So once enough voters are
            // counted, the wait is bounded.
            _ if self
                .full
                .is_some_and(|full| now - full >= self.goal.still_max + self.goal.settle) =>
            {
                DrainState::Done
            }
            true if still_for >= self.goal.settle => DrainState::Done,
            true => DrainState::Settling(gained),
            false if still_for >= self.goal.still_max => DrainState::Done,
            false => DrainState::Draining(gained),
        }
    }

    pub(crate) fn end(self) -> Drained {
        Drained {
            after: self.last,
            after_seconds: self.drained_after.map(|after| rounded(after.as_secs_f64())),
            failure: self.failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{VotePolicy, sample};
    use crate::voters::expected_vote::ExpectedVote;

    fn shot(voters: u64, votes: [u64; 2]) -> Snapshot {
        Snapshot { version: voters, voters, votes: votes.to_vec(), at: String::new() }
    }

    /// Returns the goal to count this ledger, and to watch for a second after that.
    fn goal<'a>(
        poll: &'a Poll,
        ledger: &'a Ledger,
        before: &'a Snapshot,
        still_max: Duration,
    ) -> DrainGoal<'a> {
        DrainGoal { poll, ledger, before, still_max, settle: Duration::from_secs(1) }
    }

    #[test]
    fn waiting_ends_only_when_all_is_counted_and_quiet() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::Replace);
        let mut ledger = Ledger::default();
        ledger.enter(ExpectedVote { certain: Some(2), possible: None });
        let before = shot(0, [0, 0]);
        let second = Duration::from_secs(1);
        let mut waiting = DrainWait::new(goal(&poll, &ledger, &before, second * 30));
        let start = Instant::now();
        assert_eq!(waiting.take(shot(0, [0, 0]), start), DrainState::Draining(0));
        // The voter is counted, but still with its first choice.
        assert_eq!(waiting.take(shot(1, [1, 0]), start + second), DrainState::Draining(1));
        assert_eq!(waiting.take(shot(1, [0, 1]), start + second * 2), DrainState::Settling(1));
        assert_eq!(waiting.take(shot(1, [0, 1]), start + second * 3), DrainState::Done);
        assert!(waiting.end().after_seconds.is_some());
    }

    #[test]
    fn what_is_missing_is_waited_for_as_long_as_the_tally_moves() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let mut ledger = Ledger::default();
        for _ in 0..9 {
            ledger.enter(ExpectedVote { certain: Some(1), possible: None });
        }
        let before = shot(0, [0, 0]);
        let second = Duration::from_secs(1);
        let mut waiting = DrainWait::new(goal(&poll, &ledger, &before, second * 5));
        let start = Instant::now();
        for counted in 0..8 {
            let look =
                waiting.take(shot(counted, [counted, 0]), start + second * 4 * counted as u32);
            assert_eq!(look, DrainState::Draining(counted));
        }
        assert_eq!(waiting.take(shot(7, [7, 0]), start + second * 34), DrainState::Done);
        assert_eq!(waiting.end().after_seconds, None);
    }

    #[test]
    fn a_tally_that_others_keep_moving_is_not_watched_for_ever() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let (ledger, before, second) = (Ledger::default(), shot(0, [0, 0]), Duration::from_secs(1));
        let mut waiting = DrainWait::new(goal(&poll, &ledger, &before, second * 5));
        let start = Instant::now();
        for n in 0..12_u32 {
            let look = waiting.take(shot(u64::from(n), [u64::from(n), 0]), start + second * n / 2);
            assert_eq!(look, DrainState::Settling(u64::from(n)));
        }
        assert_eq!(waiting.take(shot(12, [12, 0]), start + second * 6), DrainState::Done);
    }
}
