//! Keeps this replica's copy of the polls: it is read from Redis every second, and stays while Redis is away.
//!
//! A page may be a second out of date. Whether a ballot is in time is decided by the register script, never
//! by this copy.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use votestream_schema::{Keys, Poll, projection};
use votestream_service::CancellationToken;
use votestream_service::health::Gate;
use votestream_service::redis::{Error, Pool};

/// Time between two readings of the polls.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

type Polls = HashMap<String, Arc<Poll>>;

/// The polls by slug. Clones are cheap and see each refresh.
#[derive(Clone, Debug)]
pub struct Catalog {
    polls: watch::Receiver<Arc<Polls>>,
}

impl Catalog {
    /// Returns the poll with this slug, if this replica knows it.
    pub fn get(&self, slug: &str) -> Option<Arc<Poll>> {
        self.polls.borrow().get(slug).cloned()
    }

    /// Returns whether polls were ever read. Before that, an unknown slug may well be a poll.
    pub fn is_loaded(&self) -> bool {
        !self.polls.borrow().is_empty()
    }
}

/// The task that keeps a [`Catalog`] up to date.
#[derive(Debug)]
pub struct Refresher {
    pool: Pool,
    keys: Keys,
    polls: watch::Sender<Arc<Polls>>,
}

/// Creates an empty catalog, and the task that fills it.
pub fn new(pool: Pool, keys: Keys) -> (Catalog, Refresher) {
    let (sender, polls) = watch::channel(Arc::default());
    (Catalog { polls }, Refresher { pool, keys, polls: sender })
}

impl Refresher {
    /// Reads the polls every second until `shutdown`, and reports to `gate` whether Redis answers.
    pub async fn run(self, gate: Gate, shutdown: CancellationToken) {
        gate.watch(REFRESH_EVERY, shutdown, || self.refresh()).await;
    }

    async fn refresh(&self) -> Result<(), Error> {
        let mut connection = self.pool.get().await?;
        let definitions: HashMap<String, String> =
            redis::cmd("HGETALL").arg(self.keys.polls()).query_async(&mut *connection).await?;
        let polls: Polls = definitions
            .into_iter()
            .filter_map(|(slug, json)| match projection::read_definition(&json) {
                Ok(poll) => Some((slug, Arc::new(poll))),
                Err(error) => {
                    tracing::warn!(
                        slug,
                        "poll `{slug}` is left out, its definition in redis does not parse: {error}"
                    );
                    None
                }
            })
            .collect();
        // The consumers repair a Redis that has lost all polls; until then, keep the old ones.
        if !polls.is_empty() {
            self.polls.send_if_modified(|known| {
                let changed = **known != polls;
                *known = Arc::new(polls);
                changed
            });
        }
        Ok(())
    }
}
