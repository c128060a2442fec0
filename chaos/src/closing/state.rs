//! The polls that close during a run, shared by the tasks that create them, vote in them and watch them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use votestream_schema::voter::KeyRing;

use super::ledger::{PollLedger, Shown, Source};
use crate::sampler::{Shared, lock};
use crate::votectl::Votectl;

/// One poll.
#[derive(Debug, Default)]
pub(super) struct ClosingPoll {
    pub(super) ledger: PollLedger,
    /// Its closing time in milliseconds since the epoch, within about a tenth of a second; `None` while it is not set.
    pub(super) closes_at_ms: Option<i64>,
}

/// All polls, and everything that their tasks need.
#[derive(Debug)]
pub(super) struct State {
    /// The path of `votectl`.
    pub(super) program: PathBuf,
    /// Observations of the run, with the addresses of both servers.
    pub(super) seen: Shared,
    pub(super) cookies: KeyRing,
    /// The port to which voters connect.
    pub(super) vote_port: u16,
    /// The port to which viewers connect.
    pub(super) results_port: u16,
    /// When the load began.
    pub(super) began: Instant,
    /// Cancelled when no further poll is to be created.
    pub(super) stop: CancellationToken,
    /// Cancelled when nobody needs to watch any more.
    pub(super) over: CancellationToken,
    /// Held for reading while a definition in Postgres changes, and for writing from a dump to its restore, so that no
    /// change is lost with the restore.
    pub(super) definitions: std::sync::Arc<RwLock<()>>,
    pub(super) polls: Mutex<BTreeMap<String, ClosingPoll>>,
    /// Descriptions of answers that no voter should get.
    pub(super) wrong: Mutex<Vec<String>>,
}

impl State {
    /// Returns `votectl` with the present addresses of both servers.
    pub(super) fn votectl(&self) -> Votectl {
        let seen = lock(&self.seen);
        Votectl {
            program: self.program.clone(),
            redis_url: seen.redis_url.clone(),
            database_url: seen.database_url.clone(),
        }
    }

    /// Returns all polls.
    pub(super) fn polls(&self) -> MutexGuard<'_, BTreeMap<String, ClosingPoll>> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the answers that no voter should get.
    pub(super) fn wrong(&self) -> MutexGuard<'_, Vec<String>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a result that was seen. A final result without a ballot that is acknowledged already is printed at once; the
    /// judgement waits until all answers are there.
    pub(super) fn note(&self, slug: &str, source: Source, shown: Shown) {
        let at_s = self.began.elapsed().as_secs_f64();
        let mut polls = self.polls();
        let ledger = &mut polls.entry(slug.to_owned()).or_default().ledger;
        if ledger.claim(source, shown, at_s)
            && let Some(latest) = ledger.false_claims(slug).last()
        {
            eprintln!("{at_s:>7.1} s  FALSELY FINAL: {latest}");
        }
    }

    /// Whether this source has called the result of the poll final.
    pub(super) fn has_claimed(&self, slug: &str, source: Source) -> bool {
        self.polls().get(slug).is_some_and(|poll| !poll.ledger.silent().contains(&source))
    }
}
