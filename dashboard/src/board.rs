//! The board: the newest snapshot of every poll on this replica, and the channel that announces the next one.
//!
//! Invariant: each frame is rendered once and shared by all viewers of its poll.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::watch;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_service::listener::viewers::{ReadWindow, sign_of_life};

use crate::snapshot::Snapshot;

/// The newest state of one poll, as viewers receive it.
#[derive(Clone, Debug)]
pub struct BoardEntry {
    /// The state from which pages and JSON replies are rendered.
    pub snapshot: Arc<Snapshot>,
    /// A state as an event-stream frame, rendered once for all viewers: `shown`.
    pub frame: Bytes,
    /// The state of the frame, which is older than `snapshot` while nothing that viewers see has changed.
    pub shown: Arc<Snapshot>,
    /// Grows by one with every frame; a viewer that sees it grow by more has skipped frames.
    pub sequence: u64,
    /// Grows by one whenever viewers are to be sent a sign of life.
    pub heartbeats: u64,
    /// The last sign of life as an event-stream frame, with the time of the server.
    pub sign_of_life: Bytes,
    /// The reads between which the frame's changes were committed; `None` when the frame shows no new commit.
    pub window: Option<ReadWindow>,
}

/// The entries of polls, by slug.
type Entries = RwLock<HashMap<String, watch::Sender<BoardEntry>>>;

/// The entries of all polls. Clones share one board and are cheap.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// What everybody sees.
    polls: Arc<Entries>,
    /// What those see who have voted, of the polls where that may differ.
    opened: Arc<Entries>,
}

impl Board {
    /// Returns the newest state of a poll, or `None` for an unknown slug.
    pub fn get(&self, slug: &str) -> Option<Arc<Snapshot>> {
        with(&self.polls, slug, |sender| sender.borrow().snapshot.clone())
    }

    /// Returns the state of a poll's last frame, or `None` for an unknown slug.
    pub fn shown(&self, slug: &str) -> Option<Arc<Snapshot>> {
        with(&self.polls, slug, |sender| sender.borrow().shown.clone())
    }

    /// Subscribes to a poll: returns its newest state and every later one, or `None` for an unknown slug.
    pub fn watch(&self, slug: &str) -> Option<watch::Receiver<BoardEntry>> {
        with(&self.polls, slug, watch::Sender::subscribe)
    }

    /// Returns the newest state of a poll for those who have voted; `None` where they see what everybody sees.
    pub fn opened(&self, slug: &str) -> Option<Arc<Snapshot>> {
        with(&self.opened, slug, |sender| sender.borrow().snapshot.clone())
    }

    /// Subscribes to a poll as [`Board::watch`] does, for somebody who has voted; `None` as for [`Board::opened`].
    pub fn watch_opened(&self, slug: &str) -> Option<watch::Receiver<BoardEntry>> {
        with(&self.opened, slug, watch::Sender::subscribe)
    }

    /// Returns the newest states of all polls, in the order of their numbers.
    pub fn all(&self) -> Vec<Arc<Snapshot>> {
        let polls = self.polls.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> =
            polls.values().map(|sender| sender.borrow().snapshot.clone()).collect();
        all.sort_by_key(|snapshot| snapshot.poll.id);
        all
    }

    /// Publishes a snapshot. Viewers are notified only when it differs from the last one in something that they can see.
    /// `window` is present when the snapshot was just read from Postgres.
    pub fn put(&self, snapshot: Snapshot, window: Option<ReadWindow>) {
        match snapshot.for_voters() {
            Some(opened) => put(&self.opened, opened, window),
            // Streams of voters end if the operator hides the results from them, too.
            None => remove(&self.opened, snapshot.poll.slug.as_str()),
        }
        put(&self.polls, snapshot, window);
    }

    /// Makes every stream send an event `alive`, which shows proxies and pages that the connection is alive, and the time.
    pub fn heartbeat(&self) {
        let sign = sign_of_life(&rfc3339(now_ms()));
        for entries in [&self.polls, &self.opened] {
            for sender in entries.read().unwrap_or_else(PoisonError::into_inner).values() {
                sender.send_modify(|entry| {
                    entry.heartbeats += 1;
                    entry.sign_of_life = sign.clone();
                });
            }
        }
    }

    /// Removes all polls, which ends every viewer's stream; their browsers reconnect to another replica.
    pub fn clear(&self) {
        for entries in [&self.polls, &self.opened] {
            entries.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

fn put(entries: &Entries, snapshot: Snapshot, window: Option<ReadWindow>) {
    let slug = snapshot.poll.slug.as_str();
    let known = with(entries, slug, |sender| {
        let entry = sender.borrow().clone();
        let differs = snapshot.differs_from(&entry.snapshot);
        if differs || snapshot.has_news_of_turnout(&entry.shown) {
            let shown = Arc::new(snapshot.clone());
            sender.send_replace(BoardEntry {
                frame: snapshot.frame(),
                snapshot: shown.clone(),
                shown,
                sequence: entry.sequence + 1,
                heartbeats: entry.heartbeats,
                sign_of_life: entry.sign_of_life,
                window,
            });
        } else {
            // Pages show the time of the last read, so the snapshot is replaced without waking any viewer.
            let snapshot = Arc::new(snapshot.clone());
            sender.send_if_modified(|entry| {
                entry.snapshot = snapshot;
                false
            });
        }
    });
    if known.is_none() {
        let slug = slug.to_owned();
        let frame = snapshot.frame();
        let snapshot = Arc::new(snapshot);
        let shown = snapshot.clone();
        let (sequence, heartbeats, sign_of_life) = (0, 0, sign_of_life(&rfc3339(now_ms())));
        let entry =
            BoardEntry { snapshot, frame, shown, sequence, heartbeats, sign_of_life, window };
        let mut entries = entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(slug, watch::Sender::new(entry));
    }
}

fn remove(entries: &Entries, slug: &str) {
    if with(entries, slug, |_| ()).is_some() {
        entries.write().unwrap_or_else(PoisonError::into_inner).remove(slug);
    }
}

fn with<T>(
    entries: &Entries,
    slug: &str,
    use_it: impl FnOnce(&watch::Sender<BoardEntry>) -> T,
) -> Option<T> {
    let entries = entries.read().unwrap_or_else(PoisonError::into_inner);
    entries.get(slug).map(use_it)
}
