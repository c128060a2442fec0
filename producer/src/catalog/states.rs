//! What open ballot pages follow: the state, the times and the words of each poll, and the channel that announces changes.
//!
//! Invariant: each frame is rendered once and shared by all pages that follow the poll. Of a draft a frame says nothing but
//! that it is one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use votestream_schema::Poll;
use votestream_schema::poll::translations::{LanguageTag, Translations};
use votestream_schema::poll::{PollOption, PollState, now_ms, rfc3339};
use votestream_service::CancellationToken;
use votestream_service::listener::viewers::{Shown, sign_of_life};

use super::{Catalog, Known};

/// Time between two looks at whether a poll has opened or closed by its times.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A poll as pages follow it.
#[derive(Clone, Debug)]
struct Followed {
    slug: String,
    state: PollState,
    /// `None` for a draft.
    poll: Option<Arc<Poll>>,
}

/// The content of an event, and of the reply to a page that asks instead.
#[derive(Serialize)]
struct Body<'a> {
    slug: &'a str,
    state: PollState,
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    titles: Option<&'a Translations>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<&'a LanguageTag>,
    options: &'a [PollOption],
    opens_at: Option<String>,
    closes_at: Option<String>,
    now: String,
}

impl Followed {
    fn of(slug: &str, poll: Option<&Arc<Poll>>, now_ms: i64) -> Self {
        let state = poll.map_or(PollState::Draft, |poll| poll.state(now_ms));
        Self { slug: slug.to_owned(), state, poll: poll.cloned() }
    }

    /// Whether this is the poll itself, in the state that it has at `now_ms`.
    fn is_still(&self, poll: Option<&Arc<Poll>>, now_ms: i64) -> bool {
        match (&self.poll, poll) {
            (Some(one), Some(other)) => {
                Arc::ptr_eq(one, other) && self.state == other.state(now_ms)
            }
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// Whether a page would show anything else.
    fn differs_from(&self, other: &Self) -> bool {
        let words = |one: &Self| {
            one.poll.as_ref().map(|poll| {
                let Poll { title, titles, lang, options, opens_at_ms, closes_at_ms, .. } = &**poll;
                let (title, options) = ((title.clone(), titles.clone()), options.clone());
                (title, lang.clone(), options, *opens_at_ms, *closes_at_ms)
            })
        };
        let same_poll = match (&self.poll, &other.poll) {
            (Some(one), Some(other)) if Arc::ptr_eq(one, other) => true,
            _ => words(self) == words(other),
        };
        self.state != other.state || !same_poll
    }

    /// The state now as JSON, with this service's time. A page that was rendered at this moment shows the same.
    fn json(&self) -> String {
        let (poll, now_ms) = (self.poll.as_deref(), now_ms());
        let body = Body {
            slug: &self.slug,
            state: poll.map_or(PollState::Draft, |poll| poll.state(now_ms)),
            title: poll.map(|poll| poll.title.as_str()),
            titles: poll.map(|poll| &poll.titles).filter(|titles| !titles.is_empty()),
            lang: poll.and_then(|poll| poll.lang.as_ref()),
            options: poll.map_or(&[], |poll| &poll.options),
            opens_at: poll.and_then(|poll| poll.opens_at_ms).map(rfc3339),
            closes_at: poll.and_then(|poll| poll.closes_at_ms).map(rfc3339),
            now: rfc3339(now_ms),
        };
        serde_json::to_string(&body).expect("plain structs of texts always serialise")
    }

    fn frame(&self) -> Bytes {
        format!("event: state\ndata: {}\n\n", self.json()).into()
    }
}

/// The newest state of one poll, as pages receive it.
#[derive(Clone, Debug)]
pub(crate) struct StateEntry {
    followed: Followed,
    frame: Bytes,
    sequence: u64,
    heartbeats: u64,
    heartbeat: Bytes,
}

impl Shown for StateEntry {
    fn frame(&self) -> Bytes {
        self.frame.clone()
    }

    /// Rendered anew, because it states the time.
    fn first_frame(&self) -> Bytes {
        self.followed.frame()
    }

    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn heartbeats(&self) -> u64 {
        self.heartbeats
    }

    fn heartbeat(&self) -> Bytes {
        self.heartbeat.clone()
    }
}

/// The states of all polls, by slug. Clones share one board and are cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateBoard {
    polls: Arc<RwLock<HashMap<String, watch::Sender<StateEntry>>>>,
}

impl StateBoard {
    /// Subscribes to a poll: returns its newest state and every later one, or `None` for an unknown slug.
    pub(crate) fn watch(&self, slug: &str) -> Option<watch::Receiver<StateEntry>> {
        let polls = self.polls.read().unwrap_or_else(PoisonError::into_inner);
        polls.get(slug).map(watch::Sender::subscribe)
    }

    /// Returns the newest state of a poll as JSON, or `None` for an unknown slug.
    pub(crate) fn json(&self, slug: &str) -> Option<String> {
        let polls = self.polls.read().unwrap_or_else(PoisonError::into_inner);
        polls.get(slug).map(|sender| sender.borrow().followed.json())
    }

    /// Keeps the board up to date until `shutdown`: after each change in the catalog, and as time passes. Makes each stream
    /// send a sign of life with this service's time every `heartbeat`. Ends all streams at the end; their browsers come back
    /// to another replica.
    pub(crate) async fn run(
        self,
        mut catalog: Catalog,
        heartbeat: Duration,
        shutdown: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut next_heartbeat = Instant::now() + heartbeat;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = catalog.known.changed() => if changed.is_err() { break },
                _ = ticks.tick() => {}
            }
            let known = catalog.known.borrow_and_update().clone();
            self.show(&known, now_ms());
            if Instant::now() >= next_heartbeat {
                next_heartbeat = Instant::now() + heartbeat;
                self.beat();
            }
        }
        self.polls.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Publishes the state of each known poll at `now_ms`. Pages are woken only if they would show anything else.
    fn show(&self, known: &Known, now_ms: i64) {
        let mut polls = self.polls.write().unwrap_or_else(PoisonError::into_inner);
        polls.retain(|slug, _| known.polls.contains_key(slug) || known.drafts.contains(slug));
        let open = known.polls.iter().map(|(slug, poll)| (slug, Some(poll)));
        let is_draft = |slug: &&String| !known.polls.contains_key(*slug);
        let drafts = known.drafts.iter().filter(is_draft).map(|slug| (slug, None));
        for (slug, poll) in open.chain(drafts) {
            let sender = polls.get(slug);
            // Nearly every poll is as it was a tick ago, and there may be thousands.
            if sender.is_some_and(|sender| sender.borrow().followed.is_still(poll, now_ms)) {
                continue;
            }
            let followed = Followed::of(slug, poll, now_ms);
            let Some(sender) = sender else {
                let (frame, heartbeat) = (followed.frame(), Bytes::new());
                let entry = StateEntry { followed, frame, sequence: 0, heartbeats: 0, heartbeat };
                polls.insert(slug.clone(), watch::Sender::new(entry));
                continue;
            };
            sender.send_if_modified(|entry| {
                let differs = followed.differs_from(&entry.followed);
                if differs {
                    entry.frame = followed.frame();
                    entry.sequence += 1;
                }
                entry.followed = followed;
                differs
            });
        }
    }

    fn beat(&self) {
        let heartbeat = sign_of_life(&rfc3339(now_ms()));
        let polls = self.polls.read().unwrap_or_else(PoisonError::into_inner);
        for sender in polls.values().filter(|sender| sender.receiver_count() > 0) {
            sender.send_modify(|entry| {
                entry.heartbeats += 1;
                entry.heartbeat = heartbeat.clone();
            });
        }
    }
}
