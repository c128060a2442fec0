//! The ballot pages that follow the state of their poll, each over an event stream.

use std::time::Duration;

use votestream_service::listener::budget::Owner;
use votestream_service::listener::viewers::{ViewerMetrics, Viewers};
use warp::reply::Response;

use super::states::StateBoard;
use crate::metrics;

/// The range of random delays before a browser opens a stream again that has ended, in milliseconds.
const RETRY_MS: std::ops::Range<u32> = 1_000..5_000;

/// What becomes of a request for a stream.
pub(crate) enum Stream {
    /// The connection is taken over by this reply.
    Opens(Response),
    /// All streams are taken.
    NoSeat,
    /// No poll has this slug.
    Unknown,
}

/// The states of all polls, and the pages that follow them.
#[derive(Clone, Debug)]
pub(crate) struct Followers {
    board: StateBoard,
    viewers: Viewers,
}

impl Followers {
    /// Allows at most `streams_max` streams at once. A page that does not read a frame within `write_timeout` is
    /// disconnected.
    pub(crate) fn new(board: StateBoard, streams_max: usize, write_timeout: Duration) -> Self {
        let measured = ViewerMetrics { viewers: metrics::STATE_STREAMS.handle(), frames: None };
        metrics::STATE_STREAMS_MAX.set(streams_max as f64);
        let viewers = Viewers::new(measured, streams_max, write_timeout, RETRY_MS);
        Self { board, viewers }
    }

    /// Returns the newest state of a poll as JSON, with the time now; `None` for an unknown slug.
    pub(crate) fn json(&self, slug: &str) -> Option<String> {
        self.board.json(slug)
    }

    /// Opens a stream of the poll with this slug for a client in this network.
    pub(crate) fn open(&self, slug: &str, owner: Owner) -> Stream {
        match self.board.watch(slug) {
            Some(changes) => {
                self.viewers.take_over(changes, owner).map_or(Stream::NoSeat, Stream::Opens)
            }
            None => Stream::Unknown,
        }
    }

    /// Returns whether a stream of this poll would open; `None` for an unknown slug.
    pub(crate) fn has_seat(&self, slug: &str, owner: Owner) -> Option<bool> {
        self.board.watch(slug)?;
        Some(self.viewers.has_seat(owner))
    }
}
