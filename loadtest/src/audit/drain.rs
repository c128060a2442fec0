//! Waits until the pipeline has counted everything that it acknowledged, and then watches for votes
//! that should not follow.
//!
//! Counting is over when the deployment says that nothing waits, in a tally that is young enough to
//! know of our last ballot. A deployment that never says so is watched for as long as an abandoned
//! ballot may take to be counted again.

use std::time::{Duration, Instant};

use crate::audit::balance::balance;
use crate::audit::ledger::Ledger;
use crate::http::client::ApiClient;
use crate::poll::{Counting, Poll, Snapshot};
use crate::units::rounded;

/// The pause between two readings of the tally.
const LOOK: Duration = Duration::from_millis(100);

/// The number of waiting ballots that a tally shows is at most this old: 3 s in the database, and a
/// second for the dashboard to read it.
pub(crate) const WAITING_AGE_MAX: Duration = Duration::from_secs(4);

/// How long to watch a deployment that says when nothing waits.
const SETTLE: Duration = Duration::from_secs(1);

/// How long to watch a deployment that never says so: 30 s until a consumer takes over ballots that
/// another one left behind, and five seconds to count them.
const SETTLE_UNSTATED: Duration = Duration::from_secs(35);

/// A tally that changes this often after enough voters were counted is moved by others. A duplicate
/// moves it once.
const MOVES_MIN: u32 = 3;

/// The votes to wait for, and how long to wait.
pub(crate) struct DrainGoal<'a> {
    pub(crate) poll: &'a Poll,
    pub(crate) ledger: &'a Ledger,
    pub(crate) before: &'a Snapshot,
    /// Stop waiting when votes are missing, or something waits, and the tally has not changed for
    /// this long.
    pub(crate) still_max: Duration,
    /// Once nothing is missing, keep watching for this long; `None` chooses by the deployment.
    pub(crate) settle: Option<Duration>,
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
    /// How often the tally has changed since then.
    moves: u32,
    /// Since when nothing is missing.
    complete: Option<Instant>,
    last: Option<(Snapshot, Instant)>,
    failure: Option<String>,
}

/// The result of the wait.
#[derive(Debug)]
pub(crate) struct Drained {
    /// The last tally that could be read.
    pub(crate) after: Option<Snapshot>,
    /// Whether more votes may still follow.
    pub(crate) counting: Counting,
    /// Whether the tally kept changing although enough voters were counted.
    pub(crate) is_restless: bool,
    /// The time in seconds until no vote was missing any more; `None` if that did not happen.
    pub(crate) after_seconds: Option<f64>,
    /// How long the tally was watched from then on, in seconds.
    pub(crate) watched_seconds: Option<f64>,
    /// The reason why the last reading failed; `None` if it succeeded.
    pub(crate) failure: Option<String>,
}

impl<'a> DrainWait<'a> {
    /// Begins a wait after the last reply to a ballot came at `began`.
    pub(crate) fn new(goal: DrainGoal<'a>, began: Instant) -> Self {
        Self {
            goal,
            began,
            moved: began,
            full: None,
            moves: 0,
            complete: None,
            last: None,
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
                self.verdict(Instant::now())
            }
        }
    }

    fn take(&mut self, tally: Snapshot, now: Instant) -> DrainState {
        let same =
            |(last, _): &(Snapshot, _)| (last.voters, &last.votes) == (tally.voters, &tally.votes);
        if !self.last.as_ref().is_some_and(same) {
            self.moved = now;
            self.moves += u32::from(self.full.is_some());
        }
        let balance = balance(self.goal.ledger, self.goal.poll, self.goal.before, &tally);
        let gained = tally.voters.saturating_sub(self.goal.before.voters);
        if gained >= self.goal.ledger.certain() {
            self.full.get_or_insert(now);
        }
        self.last = Some((tally, now));
        // Until a voter's second ballot is counted, its first choice looks like a wrong one.
        if balance.is_complete() {
            self.complete.get_or_insert(now);
        } else {
            self.complete = None;
        }
        self.verdict(now)
    }

    /// Returns how far counting has come. A tally that is too young to know of our last ballot says
    /// nothing.
    fn counting(&self) -> Counting {
        let Some((last, read)) = &self.last else { return Counting::Unknown };
        match last.counting() {
            Counting::Settled if *read - self.began < WAITING_AGE_MAX => Counting::Unknown,
            counting => counting,
        }
    }

    fn settle(&self) -> Duration {
        self.goal.settle.unwrap_or(match self.counting() {
            Counting::Unstated => SETTLE_UNSTATED,
            Counting::Settled | Counting::Waiting(_) | Counting::Unknown => SETTLE,
        })
    }

    fn verdict(&self, now: Instant) -> DrainState {
        let (still_for, settle) = (now - self.moved, self.settle());
        let is_over = matches!(self.counting(), Counting::Settled | Counting::Unstated);
        let gained = self
            .last
            .as_ref()
            .map_or(0, |(last, _)| last.voters.saturating_sub(self.goal.before.voters));
        // If other people vote, the tally never stands still. So once enough voters are counted,
        // the wait is bounded.
        let patience = self.goal.still_max + settle;
        if self.full.is_some_and(|full| now - full >= patience) {
            return DrainState::Done;
        }
        match self.complete {
            Some(_) if is_over && still_for >= settle => DrainState::Done,
            Some(_) => DrainState::Settling(gained),
            None if still_for >= self.goal.still_max => DrainState::Done,
            None => DrainState::Draining(gained),
        }
    }

    pub(crate) fn end(self) -> Drained {
        let seconds = |duration: Duration| rounded(duration.as_secs_f64());
        let read = self.last.as_ref().map_or(self.began, |(_, read)| *read);
        let is_bounded = self.full.is_some_and(|full| read - full >= self.goal.still_max);
        Drained {
            counting: self.counting(),
            is_restless: is_bounded && self.moves >= MOVES_MIN && read - self.moved < self.settle(),
            after_seconds: self.complete.map(|complete| seconds(complete - self.began)),
            watched_seconds: self.complete.map(|complete| seconds(read - complete)),
            after: self.last.map(|(last, _)| last),
            failure: self.failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{VotePolicy, sample};
    use crate::voters::expected_vote::ExpectedVote;

    const SECOND: Duration = Duration::from_secs(1);

    fn shot(voters: u64, votes: [u64; 2]) -> Snapshot {
        Snapshot { version: voters, voters, votes: votes.to_vec(), ..Snapshot::default() }
    }

    /// Returns a tally of a deployment that says how many ballots wait.
    fn waiting(voters: u64, waiting: Option<u64>) -> Snapshot {
        Snapshot { waiting, is_final: Some(false), ..shot(voters, [voters, 0]) }
    }

    fn ledger(voters: u64) -> Ledger {
        let mut ledger = Ledger::default();
        for _ in 0..voters {
            ledger.enter(ExpectedVote { certain: Some(1), possible: None });
        }
        ledger
    }

    fn goal<'a>(
        poll: &'a Poll,
        ledger: &'a Ledger,
        before: &'a Snapshot,
        still_max: Duration,
    ) -> DrainGoal<'a> {
        DrainGoal { poll, ledger, before, still_max, settle: Some(SECOND) }
    }

    #[test]
    fn changed_mind_is_waited_for_until_it_is_counted() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::Replace);
        let mut ledger = Ledger::default();
        ledger.enter(ExpectedVote { certain: Some(2), possible: None });
        let before = shot(0, [0, 0]);
        let mut waiting =
            DrainWait::new(goal(&poll, &ledger, &before, SECOND * 60), Instant::now());
        let start = Instant::now();
        assert_eq!(waiting.take(shot(0, [0, 0]), start), DrainState::Draining(0));
        // The voter is counted, but still with its first choice.
        assert_eq!(waiting.take(shot(1, [1, 0]), start + SECOND), DrainState::Draining(1));
        assert_eq!(waiting.take(shot(1, [0, 1]), start + SECOND * 2), DrainState::Settling(1));
        assert_eq!(waiting.take(shot(1, [0, 1]), start + SECOND * 3), DrainState::Done);
        assert!(waiting.end().after_seconds.is_some());
    }

    #[test]
    fn what_is_missing_is_waited_for_as_long_as_the_tally_moves() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let (ledger, before) = (ledger(9), shot(0, [0, 0]));
        let mut waiting = DrainWait::new(goal(&poll, &ledger, &before, SECOND * 5), Instant::now());
        let start = Instant::now();
        for counted in 0..8 {
            let look =
                waiting.take(shot(counted, [counted, 0]), start + SECOND * 4 * counted as u32);
            assert_eq!(look, DrainState::Draining(counted));
        }
        assert_eq!(waiting.take(shot(7, [7, 0]), start + SECOND * 34), DrainState::Done);
        assert_eq!(waiting.end().after_seconds, None);
    }

    #[test]
    fn a_tally_that_others_keep_moving_is_not_watched_for_ever() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let (ledger, before) = (Ledger::default(), shot(0, [0, 0]));
        let mut waiting = DrainWait::new(goal(&poll, &ledger, &before, SECOND * 5), Instant::now());
        let start = Instant::now();
        for n in 0..12_u32 {
            let look = waiting.take(shot(u64::from(n), [u64::from(n), 0]), start + SECOND * n / 2);
            assert_eq!(look, DrainState::Settling(u64::from(n)));
        }
        assert_eq!(waiting.take(shot(12, [12, 0]), start + SECOND * 6), DrainState::Done);
        assert!(waiting.end().is_restless);
    }

    #[test]
    fn what_still_waits_when_the_time_is_up_is_not_over() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let (ledger, before) = (ledger(9), waiting(0, Some(0)));
        let mut wait = DrainWait::new(goal(&poll, &ledger, &before, SECOND * 5), Instant::now());
        let start = Instant::now();
        assert_eq!(wait.take(waiting(6, Some(3)), start), DrainState::Draining(6));
        assert_eq!(wait.take(waiting(6, Some(3)), start + SECOND * 6), DrainState::Done);
        let drained = wait.end();
        assert_eq!((drained.counting, drained.is_restless), (Counting::Waiting(3), false));
    }

    #[test]
    fn nothing_waits_only_once_the_last_ballot_must_be_known() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let (ledger, before) = (ledger(9), waiting(0, Some(0)));
        let mut wait = DrainWait::new(goal(&poll, &ledger, &before, SECOND * 9), Instant::now());
        let start = Instant::now();
        // The number is three seconds old, and knows nothing of the ballots of this run.
        assert_eq!(wait.take(waiting(8, Some(0)), start + SECOND * 3), DrainState::Draining(8));
        assert_eq!(wait.counting(), Counting::Unknown);
        assert_eq!(wait.take(waiting(8, Some(0)), start + SECOND * 5), DrainState::Draining(8));
        assert_eq!(wait.counting(), Counting::Settled);
        assert_eq!(wait.take(waiting(9, Some(0)), start + SECOND * 6), DrainState::Settling(9));
        assert_eq!(wait.take(waiting(9, Some(0)), start + SECOND * 7), DrainState::Done);
    }

    #[test]
    fn a_deployment_that_says_nothing_is_watched_beyond_the_claim_of_abandoned_ballots() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let (ledger, before) = (ledger(9), shot(0, [0, 0]));
        let goal = DrainGoal { settle: None, ..goal(&poll, &ledger, &before, SECOND * 60) };
        let mut wait = DrainWait::new(goal, Instant::now());
        let start = Instant::now();
        assert_eq!(wait.take(shot(9, [9, 0]), start), DrainState::Settling(9));
        assert_eq!(wait.take(shot(9, [9, 0]), start + SECOND * 31), DrainState::Settling(9));
        assert_eq!(wait.take(shot(9, [9, 0]), start + SECOND * 36), DrainState::Done);
        assert_eq!(wait.end().watched_seconds, Some(36.0));
    }
}
