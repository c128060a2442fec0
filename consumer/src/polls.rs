//! The polls as Postgres has them, read anew every second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use votestream_schema::{Poll, PollId, db};
use votestream_service::postgres::{Pool, describe_checkout};

use crate::metrics;

/// The polls known, by number.
pub type Polls = HashMap<PollId, Arc<Poll>>;

/// Shared by all lanes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Book {
    pool: Pool,
    answer_within: Duration,
    polls: watch::Sender<Arc<Polls>>,
    unreadable: Arc<Mutex<db::polls::UnreadableLog>>,
}

impl Book {
    /// An empty book over this pool, whose server is to answer within `answer_within`.
    pub fn new(pool: Pool, answer_within: Duration) -> Self {
        Self {
            pool,
            answer_within,
            polls: watch::Sender::new(Arc::default()),
            unreadable: Arc::default(),
        }
    }

    /// The polls as last read.
    pub fn polls(&self) -> Arc<Polls> {
        self.polls.borrow().clone()
    }

    /// Reads them anew.
    ///
    /// # Errors
    /// Why Postgres did not tell.
    pub async fn reload(&self) -> Result<Arc<Polls>, String> {
        let mut session = self.pool.get().await.map_err(describe_checkout)?;
        let reading = tokio::time::timeout(self.answer_within, db::polls::all(&**session)).await;
        let Ok(polls) = reading else {
            session.give_up();
            return Err(format!("no answer within {:?}", self.answer_within));
        };
        let stored = polls.map_err(|e| e.to_string())?;
        metrics::UNREADABLE_POLLS.set(stored.unreadable.len() as f64);
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.report(&stored.unreadable);
        drop(unreadable);
        let polls = stored.readable.into_iter().map(|poll| (poll.id, Arc::new(poll)));
        let polls: Arc<Polls> = Arc::new(polls.collect());
        self.polls.send_replace(polls.clone());
        Ok(polls)
    }
}
