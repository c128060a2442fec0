//! Keeps this replica's copy of the polls: it is read from Redis within a second of each change, and stays while Redis is away.
//!
//! A page may be a second out of date. Whether a ballot is in time is decided by the register function, never
//! by this copy. Of drafts it knows slugs and numbers alone, so that no page can reveal more of them.

pub(crate) mod followers;
mod sign_of_life;
pub(crate) mod states;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use votestream_schema::projection::presence::UNREADABLE_MAX;
use votestream_schema::projection::{self, epoch};
use votestream_schema::{Keys, Poll, PollId};
use votestream_service::CancellationToken;
use votestream_service::health::Gate;
use votestream_service::redis::{Connection, Error, Pool};

use sign_of_life::SignOfLife;

/// Time between two looks at whether the polls have changed. An open page learns of a change within two seconds, and spreads
/// its own reload over one of them.
const REFRESH_EVERY: Duration = Duration::from_millis(500);
/// The polls are read at least this often: a release before this one does not count its changes.
const READ_AT_LEAST_EVERY: Duration = Duration::from_secs(10);

type Polls = HashMap<String, Arc<Poll>>;

/// All that Redis holds of polls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    /// The polls that are no drafts, by slug.
    polls: Polls,
    /// The drafts, as [`projection::draft_notes`] has them.
    drafts: HashSet<String>,
}

impl Known {
    /// Adds to a reading without any poll those that were known before. The consumers repair a Redis that has lost all polls;
    /// until then the old ones stay, except those that are known to be drafts now.
    fn or_before(mut self, before: &Self) -> Self {
        if self.polls.is_empty() {
            let stays = |(slug, _): &(&String, &Arc<Poll>)| !self.drafts.contains(*slug);
            let kept = before.polls.iter().filter(stays);
            self.polls = kept.map(|(slug, poll)| (slug.clone(), poll.clone())).collect();
        }
        self
    }
}

/// The polls by slug. Clones are cheap and see each refresh.
#[derive(Clone, Debug)]
pub struct Catalog {
    known: watch::Receiver<Arc<Known>>,
    same_time: SameTime,
}

/// Whether Redis and Postgres are of the same time, unless a consumer has noted in Redis that they are not. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SameTime {
    is_refuted: Arc<AtomicBool>,
}

impl SameTime {
    /// Returns whether nobody has found otherwise.
    pub fn is_so(&self) -> bool {
        !self.is_refuted.load(Ordering::Relaxed)
    }
}

impl Catalog {
    /// Returns the poll with this slug, if this replica knows it.
    pub fn get(&self, slug: &str) -> Option<Arc<Poll>> {
        self.known.borrow().polls.get(slug).cloned()
    }

    /// Whether there is a draft with this slug.
    pub fn is_draft(&self, slug: &str) -> bool {
        let known = self.known.borrow();
        // A note with a number is no slug.
        let is_slug = projection::read_draft_note(slug).1.is_none();
        is_slug && known.drafts.contains(slug) && !known.polls.contains_key(slug)
    }

    /// Returns the poll with this number, if this replica knows it.
    pub fn by_id(&self, id: PollId) -> Option<Arc<Poll>> {
        self.known.borrow().polls.values().find(|poll| poll.id == id).cloned()
    }

    /// The slug of the draft with this number, if there is one.
    pub fn draft_by_id(&self, id: PollId) -> Option<String> {
        let known = self.known.borrow();
        let mut notes = known.drafts.iter().map(|note| projection::read_draft_note(note));
        let (slug, _) = notes.find(|(_, number)| *number == Some(id))?;
        Some(slug.to_owned())
    }

    /// Whether Redis and Postgres are of the same time.
    pub fn same_time(&self) -> SameTime {
        self.same_time.clone()
    }

    /// Returns whether polls were ever read. Before that, an unknown slug may well be a poll.
    pub fn is_loaded(&self) -> bool {
        let known = self.known.borrow();
        !known.polls.is_empty() || !known.drafts.is_empty()
    }
}

/// The task that keeps a [`Catalog`] up to date.
#[derive(Debug)]
pub struct Refresher {
    pool: Pool,
    keys: Keys,
    known: watch::Sender<Arc<Known>>,
    sign_of_life: SignOfLife,
    same_time: SameTime,
    deployment_gate: Gate,
    last: Mutex<Option<Reading>>,
}

/// A reading of all polls.
#[derive(Clone, Debug)]
struct Reading {
    at: Instant,
    /// The number of changes before it; `None` if nobody counts them.
    revision: Option<i64>,
    /// The slugs of polls that could not be read.
    unreadable: Vec<String>,
}

/// Creates an empty catalog, and the task that fills it. The gate is closed while Redis and Postgres are of different times.
pub fn new(pool: Pool, keys: Keys, deployment_gate: Gate) -> (Catalog, Refresher) {
    let (sender, known) = watch::channel(Arc::default());
    let (sign_of_life, same_time) = (SignOfLife::new(), SameTime::default());
    let catalog = Catalog { known, same_time: same_time.clone() };
    let last = Mutex::default();
    let refresher =
        Refresher { pool, keys, known: sender, sign_of_life, same_time, deployment_gate, last };
    (catalog, refresher)
}

impl Refresher {
    /// Reads the polls whenever they change until `shutdown`, and reports to `gate` whether Redis answers.
    pub async fn run(self, gate: Gate, shutdown: CancellationToken) {
        gate.watch(REFRESH_EVERY, shutdown, || self.refresh()).await;
        if let Ok(mut connection) = self.pool.get().await {
            // A field that stays is forgotten after a minute.
            let _ = self.sign_of_life.remove(&mut connection, &self.keys).await;
        }
    }

    async fn refresh(&self) -> Result<(), Error> {
        let mut connection = self.pool.get().await?;
        let noted = sign_of_life::cmd(&epoch::noted(&self.keys));
        let mismatch: Option<String> = noted.query_async(&mut *connection).await?;
        self.same_time.is_refuted.store(mismatch.is_some(), Ordering::Relaxed);
        self.deployment_gate.report(mismatch.map_or(Ok(()), Err));
        // Asked first: every change made before is in the polls that are read then.
        let time = redis::cmd("TIME");
        let time = connection.query_at(&self.keys.polls(), &time).await?;
        let (seconds, micros): (i64, i64) =
            redis::from_redis_value(time).map_err(redis::RedisError::from)?;
        let read_at_ms = seconds * 1_000 + micros / 1_000;
        let counted = sign_of_life::cmd(&projection::polls_revision(&self.keys));
        let revision: Option<i64> = counted.query_async(&mut *connection).await?;
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let unchanged = last.filter(|last| last.holds_at(revision));
        let unreadable = match unchanged {
            Some(Reading { unreadable, .. }) => unreadable,
            None => self.read(&mut connection, revision).await?,
        };
        self.sign_of_life.write(&mut connection, &self.keys, read_at_ms, unreadable).await?;
        Ok(())
    }

    /// Reads all polls, and returns the slugs of those that do not parse.
    async fn read(
        &self,
        connection: &mut Connection,
        revision: Option<i64>,
    ) -> Result<Vec<String>, Error> {
        let at = Instant::now();
        let definitions: HashMap<String, String> =
            redis::cmd("HGETALL").arg(self.keys.polls()).query_async(connection).await?;
        let (mut unreadable, servers) = (Vec::new(), connection.servers().clone());
        let polls: Polls = definitions
            .into_iter()
            .filter_map(|(slug, json)| match projection::read_definition(&json) {
                Ok(poll) => Some((slug, Arc::new(poll))),
                Err(error) => {
                    tracing::warn!(
                        slug,
                        %servers,
                        "poll `{slug}` is left out, its definition in redis at {servers} does not parse, reading it \
                         again when it changes: {error}"
                    );
                    if unreadable.len() < UNREADABLE_MAX {
                        unreadable.push(slug);
                    }
                    None
                }
            })
            .collect();
        let drafts: HashSet<String> =
            redis::cmd("SMEMBERS").arg(self.keys.drafts()).query_async(connection).await?;
        let read = Known { polls, drafts };
        self.known.send_if_modified(|known| {
            let now = read.or_before(known);
            let changed = **known != now;
            *known = Arc::new(now);
            changed
        });
        let reading = Reading { at, revision, unreadable: unreadable.clone() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        Ok(unreadable)
    }
}

impl Reading {
    /// Whether nothing has changed since, if this is the number of changes now.
    fn holds_at(&self, revision: Option<i64>) -> bool {
        let is_counted = revision.is_some() && revision == self.revision;
        is_counted && self.at.elapsed() < READ_AT_LEAST_EVERY
    }
}
