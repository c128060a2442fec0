//! New voters of one client network that this replica has taken out of the shared limit.
//!
//! Redis is asked for several new voters at a time: for all that wait, and a few more. While one question is under way,
//! further voters of the network wait for the same answer, so a rush from one address costs few questions.
//!
//! Invariant: a question that was sent is always finished, whatever becomes of the request that asked, so no new voter
//! that Redis has granted is lost.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::rate::{Rate, Refusal};
use super::shared_limit::{Account, Granted, SharedLimit};

/// After a question that failed, voters of the network are refused for this long without asking again.
const FAILED_FOR: Duration = Duration::from_millis(200);
/// The longest wait that a refused voter is asked for.
const RETRY_S_MAX: u32 = 60;
/// After this time without a voter, what is left is given back.
const IDLE_AFTER: Duration = Duration::from_secs(5);

/// The share of one network.
pub(super) struct Lease {
    account: Account,
    /// New voters that are asked for beyond those who wait.
    spare: u32,
    /// Time in which the network may bring one more new voter.
    interval: Duration,
    state: Mutex<State>,
    /// Held while Redis is asked.
    asking: tokio::sync::Mutex<()>,
    /// Voters who wait for an answer.
    waiting: AtomicU32,
}

struct State {
    /// New voters who may vote.
    voters: u32,
    /// New voters who have voted and are not counted in Redis yet.
    voted: u32,
    /// Until then Redis has none left.
    empty_until: Instant,
    /// The time that was given to the last refused voter. Each gets a later one, so that they do not all come back at once.
    next_place: Instant,
    failed: Option<(Instant, String)>,
    used_at: Instant,
}

impl Lease {
    pub(super) fn new(account: Account, rate: Rate, spare: u32) -> Self {
        let now = Instant::now();
        let state = State {
            voters: 0,
            voted: 0,
            empty_until: now,
            next_place: now,
            failed: None,
            used_at: now,
        };
        Self {
            account,
            spare,
            interval: Duration::from_secs(60) / rate.per_minute,
            state: Mutex::new(state),
            asking: tokio::sync::Mutex::default(),
            waiting: AtomicU32::new(0),
        }
    }

    /// Takes one new voter, and asks Redis if there is none here.
    pub(super) async fn take(self: &Arc<Self>, limit: &Arc<SharedLimit>) -> Result<(), Refusal> {
        if let Some(known) = self.lock().take(self.interval) {
            return known;
        }
        let (lease, limit) = (self.clone(), limit.clone());
        // A task of its own: whoever stops waiting must not lose what Redis grants.
        let asked = tokio::spawn(async move { lease.ask(&limit).await });
        asked.await.unwrap_or_else(|_| Err(Refusal::Unknown("the service is stopping".to_owned())))
    }

    async fn ask(&self, limit: &SharedLimit) -> Result<(), Refusal> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let asking = self.asking.lock().await;
        let waiting = self.waiting.fetch_sub(1, Ordering::Relaxed);
        // The answer to somebody else's question may have been enough.
        if let Some(known) = self.lock().take(self.interval) {
            return known;
        }
        let voted = std::mem::take(&mut self.lock().voted);
        let answer = limit.ask(&self.account, (waiting + self.spare).into(), voted).await;
        let taken = {
            let mut state = self.lock();
            match answer {
                Ok(granted) => state.grant(granted),
                Err(error) => {
                    state.voted += voted;
                    state.failed = Some((Instant::now() + FAILED_FOR, error.to_string()));
                }
            }
            state.take(self.interval)
        };
        drop(asking);
        taken.unwrap_or(Err(Refusal::Limited { retry_after_s: 1 }))
    }

    /// Notes that a new voter who was taken has voted.
    pub(super) fn voted(&self) {
        self.lock().voted += 1;
    }

    /// Gives back a new voter who was taken and has not voted.
    pub(super) fn give_back(&self) {
        self.lock().voters += 1;
    }

    /// Tells Redis who has voted, and gives back what nobody has used for a while, or all of it if `is_last`. Returns
    /// whether the lease can be forgotten.
    pub(super) async fn settle(&self, limit: &SharedLimit, is_last: bool) -> bool {
        let asking = self.asking.lock().await;
        let (unused, voted, is_idle) = {
            let mut state = self.lock();
            let is_idle = is_last || state.used_at.elapsed() >= IDLE_AFTER;
            let unused = if is_idle { std::mem::take(&mut state.voters) } else { 0 };
            (unused, std::mem::take(&mut state.voted), is_idle)
        };
        if unused > 0 || voted > 0 {
            let told = limit.ask(&self.account, -i64::from(unused), voted).await;
            if let Err(error) = told {
                tracing::debug!(%error, "a network's new voters are counted later");
                let mut state = self.lock();
                state.voters += unused;
                state.voted += voted;
                return false;
            }
        }
        drop(asking);
        is_idle && self.waiting.load(Ordering::Relaxed) == 0 && self.lock().is_unused()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes one new voter, or tells why there is none; `None` if Redis has to be asked.
    fn take(&mut self, interval: Duration) -> Option<Result<(), Refusal>> {
        let now = Instant::now();
        self.used_at = now;
        if self.voters > 0 {
            self.voters -= 1;
            return Some(Ok(()));
        }
        if let Some((until, reason)) = &self.failed
            && now < *until
        {
            return Some(Err(Refusal::Unknown(reason.clone())));
        }
        (now < self.empty_until).then(|| {
            let latest = now + Duration::from_secs(RETRY_S_MAX.into());
            self.next_place = (self.next_place.max(now) + interval).min(latest);
            let wait = self.next_place.max(self.empty_until).min(latest) - now;
            Err(Refusal::Limited { retry_after_s: wait.as_secs_f64().ceil().max(1.0) as u32 })
        })
    }

    fn grant(&mut self, granted: Granted) {
        self.failed = None;
        self.voters += granted.voters;
        if granted.voters == 0 {
            self.empty_until =
                Instant::now() + Duration::from_millis(granted.wait_ms.max(1).into());
        }
    }

    fn is_unused(&self) -> bool {
        self.voters == 0 && self.voted == 0 && self.used_at.elapsed() >= IDLE_AFTER
    }
}
