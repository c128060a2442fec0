//! The viewers of results: who may watch a poll's entries of the board, and what is measured of them.

use std::time::Duration;

use bytes::Bytes;
use votestream_service::listener::budget::Owner;
use votestream_service::listener::viewers::{self, FrameMetrics, ReadWindow, Shown, ViewerMetrics};
use warp::reply::Response;

use crate::board::{Board, BoardEntry};
use crate::metrics;

/// The range of random delays before a browser reconnects, in milliseconds.
const RETRY_MS: std::ops::Range<u32> = 500..3_000;

/// Counts and serves all viewers of this replica; clones share the count and are cheap.
#[derive(Clone, Debug)]
pub struct Viewers {
    board: Board,
    seats: viewers::Viewers,
}

impl Viewers {
    /// Creates the viewers of this board: at most `viewers_max` at once. A viewer that takes longer than `write_timeout` to
    /// read a frame is disconnected.
    pub fn new(board: Board, viewers_max: usize, write_timeout: Duration) -> Self {
        let frames = FrameMetrics {
            sent: metrics::FRAMES_SENT.handle(),
            skipped: metrics::FRAMES_SKIPPED.handle(),
            delivery: metrics::DELIVERY_SECONDS.handle(),
        };
        let measured = ViewerMetrics { viewers: metrics::VIEWERS.handle(), frames: Some(frames) };
        metrics::VIEWERS_MAX.set(viewers_max as f64);
        let seats = viewers::Viewers::new(measured, viewers_max, write_timeout, RETRY_MS);
        Self { board, seats }
    }

    /// Returns the reply that takes the connection of a client in this network over for a poll's frames: those that everybody
    /// sees, or those of voters if it `is_opened`. Returns `None` when the poll is unknown, and `Some(None)` when there is no
    /// seat.
    pub fn take_over(&self, slug: &str, is_opened: bool, owner: Owner) -> Option<Option<Response>> {
        let opened = is_opened.then(|| self.board.watch_opened(slug)).flatten();
        Some(self.seats.take_over(opened.or_else(|| self.board.watch(slug))?, owner))
    }

    /// Returns whether a poll is known, and if so, whether there is a seat for a client in this network.
    pub fn has_seat(&self, slug: &str, owner: Owner) -> Option<bool> {
        self.board.watch(slug)?;
        Some(self.seats.has_seat(owner))
    }
}

impl Shown for BoardEntry {
    fn frame(&self) -> Bytes {
        self.frame.clone()
    }

    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn heartbeats(&self) -> u64 {
        self.heartbeats
    }

    fn heartbeat(&self) -> Bytes {
        self.sign_of_life.clone()
    }

    fn window(&self) -> Option<ReadWindow> {
        self.window
    }
}
