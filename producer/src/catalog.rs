//! The polls that this replica knows: read from Redis every second, kept when Redis is away.
//!
//! A page may lag by a second; whether a ballot is in time is decided by the register script, never
//! by this copy.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use votestream_schema::{Keys, Poll};
use votestream_service::CancellationToken;
use votestream_service::health::Gate;
use votestream_service::redis::{Pool, describe_checkout};

const REFRESH_EVERY: Duration = Duration::from_secs(1);

type Polls = HashMap<String, Arc<Poll>>;

/// The polls by slug; cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalog {
    polls: watch::Receiver<Arc<Polls>>,
}

impl Catalog {
    /// The poll with this slug.
    pub fn get(&self, slug: &str) -> Option<Arc<Poll>> {
        self.polls.borrow().get(slug).cloned()
    }

    /// Whether any poll was ever read: before that, nothing can be said of any slug.
    pub fn is_loaded(&self) -> bool {
        !self.polls.borrow().is_empty()
    }
}

/// The task that keeps a [`Catalog`] fresh.
#[derive(Debug)]
pub struct Refresher {
    pool: Pool,
    keys: Keys,
    polls: watch::Sender<Arc<Polls>>,
}

/// An empty catalog, and what fills it.
pub fn new(pool: Pool, keys: Keys) -> (Catalog, Refresher) {
    let (sender, polls) = watch::channel(Arc::default());
    (Catalog { polls }, Refresher { pool, keys, polls: sender })
}

impl Refresher {
    /// Reads the polls every second until `shutdown`, reporting to `gate` whether Redis answers.
    pub async fn run(self, gate: Gate, shutdown: CancellationToken) {
        gate.watch(REFRESH_EVERY, shutdown, || self.refresh()).await;
    }

    async fn refresh(&self) -> Result<(), String> {
        let mut connection = self.pool.get().await.map_err(describe_checkout)?;
        let definitions: HashMap<String, String> = redis::cmd("HGETALL")
            .arg(self.keys.polls())
            .query_async(&mut *connection)
            .await
            .map_err(|e| e.to_string())?;
        let polls: Polls = definitions
            .into_iter()
            .filter_map(|(slug, json)| match serde_json::from_str::<Poll>(&json) {
                Ok(poll) => Some((slug, Arc::new(poll))),
                Err(error) => {
                    tracing::warn!(slug, %error, "a poll definition in Redis does not parse");
                    None
                }
            })
            .collect();
        // A Redis that has lost everything is repaired by the consumers; until then keep the old.
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
