//! Polls that close while faults strike.
//!
//! One after the other is created with `votectl`. Voters vote in it until it closes, by its closing time or by
//! `votectl poll close`, and watchers note each result that a frame, a reply, the page or the export calls final. At the
//! end every such result must hold all acknowledged ballots of its poll, and every poll must have become final.

mod audit;
mod ledger;
mod results;
mod state;
mod voters;
mod watchers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedRwLockWriteGuard;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use votestream_loadtest::{Findings, NamedFinding};
use votestream_schema::poll::now_ms;

use crate::testbed::{OPTIONS, Testbed};
use ledger::PollLedger;
use state::State;

/// The shortest pause between the creations of two polls.
const CREATE_EVERY: Duration = Duration::from_secs(4);
/// The most polls of one run, so that a long one does not spend its time on them.
const POLLS_MAX: u32 = 120;
/// The time from the creation of a poll to its end.
const OPEN_FOR: Duration = Duration::from_secs(8);
/// Voters go on for this long after the closing time.
const VOTED_AFTER: Duration = Duration::from_millis(500);
const TRY_EVERY: Duration = Duration::from_millis(300);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Held while a dump of the database is made and restored: no definition of a poll changes meanwhile.
pub(crate) type DefinitionsLock = OwnedRwLockWriteGuard<()>;

/// The polls of a run, with the tasks that create, fill, close and watch them.
#[derive(Debug)]
pub(crate) struct ClosingPolls {
    state: Arc<State>,
    maker: JoinHandle<()>,
}

/// What the polls showed, at the end of a run.
#[derive(Debug, Default)]
pub(crate) struct ClosingVerdict {
    /// The number of polls that were created.
    pub(crate) polls: u64,
    /// The number of ballots that were acknowledged in all of them.
    pub(crate) acknowledged: u64,
    /// Descriptions of results that were called final without an acknowledged ballot.
    pub(crate) falsely_final: Vec<String>,
    /// Descriptions of polls that were not called final everywhere.
    pub(crate) never_final: Vec<String>,
    /// Descriptions of answers that no voter should get.
    pub(crate) wrong: Vec<String>,
}

impl ClosingPolls {
    /// Begins to create polls, for a run of this duration.
    pub(crate) fn begin(testbed: &Testbed, began: Instant, duration: Duration) -> Self {
        let state = Arc::new(State {
            program: testbed.programs.join("votectl"),
            seen: testbed.seen.clone(),
            cookies: testbed.cookies.clone(),
            vote_port: testbed.vote_proxy.port(),
            results_port: testbed.results_proxy.port(),
            began,
            stop: CancellationToken::new(),
            over: CancellationToken::new(),
            definitions: Arc::default(),
            polls: std::sync::Mutex::default(),
            wrong: std::sync::Mutex::default(),
        });
        let every = CREATE_EVERY.max(duration / POLLS_MAX);
        let maker = tokio::spawn(make(state.clone(), every));
        Self { state, maker }
    }

    /// Returns the next closing time that is known, in milliseconds since the epoch.
    pub(crate) fn next_closing_ms(&self) -> Option<i64> {
        let now_ms = now_ms();
        let polls = self.state.polls();
        polls.values().filter_map(|poll| poll.closes_at_ms).filter(|at| *at > now_ms).min()
    }

    /// Waits until no definition is being changed, and keeps them unchanged until the lock is dropped.
    pub(crate) async fn keep_definitions(&self) -> DefinitionsLock {
        self.state.definitions.clone().write_owned().await
    }

    /// Creates no further poll, and waits up to `within` until all have closed and every voter has an answer.
    ///
    /// # Errors
    /// Returns an error if a service cannot be started again.
    pub(crate) async fn close(
        &mut self,
        testbed: &mut Testbed,
        within: Duration,
    ) -> anyhow::Result<()> {
        self.state.stop.cancel();
        let deadline = Instant::now() + within;
        while !self.maker.is_finished() && Instant::now() < deadline {
            testbed.pause(LOOK_EVERY).await?;
        }
        Ok(())
    }

    /// Waits up to `within` until all results are called final everywhere, looks at each once more, and judges them. Adds
    /// lost, wrong and invented votes to the findings.
    ///
    /// # Errors
    /// Returns the error of Postgres.
    pub(crate) async fn judge(
        self,
        testbed: &mut Testbed,
        within: Duration,
        findings: (&mut Findings, &mut Vec<NamedFinding>),
    ) -> anyhow::Result<ClosingVerdict> {
        let deadline = Instant::now() + within;
        while !self.never_final().is_empty() && Instant::now() < deadline {
            testbed.pause(LOOK_EVERY).await?;
        }
        let slugs: Vec<String> = self.state.polls().keys().cloned().collect();
        for slug in &slugs {
            watchers::look(&self.state, slug).await;
            watchers::look_at_export(&self.state, slug).await;
        }
        self.state.over.cancel();
        let polls = std::mem::take(&mut *self.state.polls());
        audit::compare(&testbed.sql().await?, &polls, findings).await?;
        let falsely_final =
            polls.iter().flat_map(|(slug, poll)| poll.ledger.false_claims(slug)).collect();
        let never_final = polls.iter().filter_map(|(slug, poll)| unsettled(slug, &poll.ledger));
        Ok(ClosingVerdict {
            polls: polls.len() as u64,
            acknowledged: polls.values().map(|poll| poll.ledger.acknowledged()).sum(),
            falsely_final,
            never_final: never_final.collect(),
            wrong: std::mem::take(&mut *self.state.wrong()),
        })
    }

    fn never_final(&self) -> Vec<String> {
        let polls = self.state.polls();
        polls.iter().filter_map(|(slug, poll)| unsettled(slug, &poll.ledger)).collect()
    }
}

impl Drop for ClosingPolls {
    fn drop(&mut self) {
        self.state.stop.cancel();
        self.state.over.cancel();
        self.maker.abort();
    }
}

/// Describes the sources that have not called the result of a poll final.
fn unsettled(slug: &str, ledger: &PollLedger) -> Option<String> {
    let silent = ledger.silent();
    (!silent.is_empty()).then(|| format!("poll {slug} has closed and is not final for {silent:?}"))
}

/// Creates polls until it is stopped, and waits until all have closed.
async fn make(state: Arc<State>, every: Duration) {
    let mut running = JoinSet::new();
    for number in 1_u32.. {
        if state.stop.is_cancelled() {
            break;
        }
        let slug = format!("closing-{number}");
        // They take turns: one closes by its closing time, the next one by hand.
        let is_timed = number % 2 == 1;
        if create(&state, &slug, is_timed).await {
            running.spawn(run(state.clone(), slug, is_timed));
        }
        while running.try_join_next().is_some() {}
        tokio::select! {
            () = state.stop.cancelled() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
    while running.join_next().await.is_some() {}
}

/// Creates a poll. Returns whether votectl says that it did; under a fault it may not.
async fn create(state: &State, slug: &str, is_timed: bool) -> bool {
    let unchanged = state.definitions.clone().read_owned().await;
    let closes = format!("+{}s", OPEN_FOR.as_secs());
    let closes_at_ms = is_timed.then(|| now_ms() + OPEN_FOR.as_millis() as i64);
    let mut words = vec!["poll", "create", "--slug", slug, "--title", "It closes", "--open"];
    words.extend(OPTIONS.iter().flat_map(|option| ["--option", *option]));
    if is_timed {
        words.extend(["--closes-at", closes.as_str()]);
    }
    let is_created = state.votectl().run_aside(&words).await.is_ok();
    if is_created {
        state.polls().entry(slug.to_owned()).or_default().closes_at_ms = closes_at_ms;
    }
    drop(unchanged);
    is_created
}

/// Lets people vote in a poll and watch it, and closes it.
async fn run(state: Arc<State>, slug: String, is_timed: bool) {
    tokio::spawn(watchers::replies(state.clone(), slug.clone()));
    tokio::spawn(watchers::frames(state.clone(), slug.clone()));
    let closed = CancellationToken::new();
    let voting = tokio::spawn(voters::vote(state.clone(), slug.clone(), closed.clone()));
    tokio::time::sleep(OPEN_FOR).await;
    if !is_timed {
        close_by_hand(&state, &slug).await;
    }
    tokio::spawn(watchers::export(state.clone(), slug.clone()));
    tokio::time::sleep(VOTED_AFTER).await;
    closed.cancel();
    // A panic of the voters would end with this task, too.
    let _ = voting.await;
}

/// Closes a poll with votectl, and tries again while a fault prevents it.
async fn close_by_hand(state: &State, slug: &str) {
    while !state.over.is_cancelled() {
        let unchanged = state.definitions.clone().read_owned().await;
        let closes_at_ms = now_ms() + 500;
        let closed = state.votectl().run_aside(&["poll", "close", slug]).await;
        drop(unchanged);
        // An attempt that failed may have closed it nevertheless, and votectl refuses to close it again.
        if closed.is_ok() || is_closed(state, slug).await {
            if let Some(poll) = state.polls().get_mut(slug) {
                poll.closes_at_ms = Some(closes_at_ms);
            }
            return;
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

async fn is_closed(state: &State, slug: &str) -> bool {
    let shown = state.votectl().run_aside(&["poll", "show", slug, "--json"]).await;
    let shown = shown.ok().and_then(|json| serde_json::from_str::<serde_json::Value>(&json).ok());
    shown.is_some_and(|shown| shown["state"] == "closed")
}
