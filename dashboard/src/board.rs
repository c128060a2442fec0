//! What this replica shows: the newest snapshot of every poll, and who waits for the next.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::snapshot::Snapshot;

/// When the tallies were looked at that a frame shows.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// When the reading began.
    pub at: Instant,
    /// When the one before began: whatever is new was committed after it.
    pub before: Option<Instant>,
}

/// What viewers of one poll are given.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The state, for pages and replies.
    pub snapshot: Arc<Snapshot>,
    /// The same as an event-stream frame, rendered once for all.
    pub frame: Bytes,
    /// Grows by one with every frame; a viewer that sees it jump has skipped frames.
    pub sequence: u64,
    /// Grows when there is nothing to tell but that we live.
    pub heartbeats: u64,
    /// The look that the frame comes from; `None` when it tells of no commit.
    pub look: Option<Look>,
}

/// All polls by slug; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Board {
    polls: Arc<RwLock<HashMap<String, watch::Sender<Shown>>>>,
}

impl Board {
    /// The newest state of a poll.
    pub fn get(&self, slug: &str) -> Option<Arc<Snapshot>> {
        self.with(slug, |sender| sender.borrow().snapshot.clone())
    }

    /// The newest state and all that follow.
    pub fn watch(&self, slug: &str) -> Option<watch::Receiver<Shown>> {
        self.with(slug, watch::Sender::subscribe)
    }

    /// The newest states of all polls, by number.
    pub fn all(&self) -> Vec<Arc<Snapshot>> {
        let polls = self.polls.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> =
            polls.values().map(|sender| sender.borrow().snapshot.clone()).collect();
        all.sort_by_key(|snapshot| snapshot.poll.id);
        all
    }

    /// Puts a snapshot up; viewers are told only of a difference that they can see. `look` is that
    /// of a fresh reading.
    pub fn put(&self, snapshot: Snapshot, look: Option<Look>) {
        let slug = snapshot.poll.slug.as_str();
        let known = self.with(slug, |sender| {
            let shown = sender.borrow().clone();
            if snapshot.differs_from(&shown.snapshot) {
                sender.send_replace(Shown {
                    frame: snapshot.frame(),
                    snapshot: Arc::new(snapshot.clone()),
                    sequence: shown.sequence + 1,
                    heartbeats: shown.heartbeats,
                    look,
                });
            } else {
                let snapshot = Arc::new(snapshot.clone());
                sender.send_if_modified(|shown| {
                    shown.snapshot = snapshot;
                    false
                });
            }
        });
        if known.is_none() {
            let slug = slug.to_owned();
            let frame = snapshot.frame();
            let snapshot = Arc::new(snapshot);
            let shown = Shown { snapshot, frame, sequence: 0, heartbeats: 0, look };
            let mut polls = self.polls.write().unwrap_or_else(PoisonError::into_inner);
            polls.insert(slug, watch::Sender::new(shown));
        }
    }

    /// Gives every viewer a sign of life.
    pub fn heartbeat(&self) {
        let polls = self.polls.read().unwrap_or_else(PoisonError::into_inner);
        for sender in polls.values() {
            sender.send_modify(|shown| shown.heartbeats += 1);
        }
    }

    /// Takes everything down: viewers are sent away, to come back to another replica.
    pub fn clear(&self) {
        self.polls.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn with<T>(&self, slug: &str, use_it: impl FnOnce(&watch::Sender<Shown>) -> T) -> Option<T> {
        let polls = self.polls.read().unwrap_or_else(PoisonError::into_inner);
        polls.get(slug).map(use_it)
    }
}
