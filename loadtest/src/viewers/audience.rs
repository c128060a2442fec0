//! The state that all viewers share, and the handling of each event.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use crate::http::endpoint::Endpoint;
use crate::lock::lock;
use crate::measure::clock::Clock;
use crate::viewers::sse::ServerEvent;
use crate::viewers::stats::{FrameBody, ViewerStats};

/// The settings of all viewers.
pub(crate) struct ViewersConfig {
    pub(crate) endpoint: Endpoint,
    /// The HTTP request that opens a stream.
    pub(crate) request: Vec<u8>,
    /// The number of viewers that read. The first of them also watches for the ballots of the run.
    pub(crate) watching: usize,
    /// The number of viewers that never read.
    pub(crate) stalled: usize,
    /// The number of viewers that are opened per second.
    pub(crate) arrivals_per_second: f64,
    pub(crate) clock: Clock,
    pub(crate) interval_us: u64,
    pub(crate) stop: CancellationToken,
}

/// The number of versions that are remembered: more than ten seconds of frames.
const VERSIONS_MAX: usize = 256;

/// All viewers, with the state that they share on their thread.
pub(crate) struct Audience {
    pub(crate) config: ViewersConfig,
    pub(crate) stats: Arc<Mutex<ViewerStats>>,
    /// The last versions, each with the time in µs at which the first viewer had it.
    versions: RefCell<VecDeque<(u64, u64)>>,
    /// The time in µs at which each viewer last received bytes; `None` while it has no stream.
    heard_us: Vec<Cell<Option<u64>>>,
    /// The buffer into which all viewers read, one after the other.
    pub(crate) buffer: RefCell<Vec<u8>>,
}

/// The state of one viewer, which it keeps across reconnects.
pub(crate) struct Viewer {
    pub(crate) version: Option<u64>,
    pub(crate) retry_ms: u64,
    had_state: bool,
}

impl Viewer {
    /// Returns a viewer that has received nothing yet. It reconnects after `retry_ms`, unless the server says otherwise.
    pub(crate) fn new(retry_ms: u64) -> Self {
        Self { version: None, retry_ms, had_state: false }
    }
}

impl Audience {
    /// Returns an audience without any open stream.
    pub(crate) fn new(config: ViewersConfig, stats: Arc<Mutex<ViewerStats>>) -> Self {
        Self {
            heard_us: (0..config.watching).map(|_| Cell::new(None)).collect(),
            versions: RefCell::default(),
            buffer: RefCell::new(vec![0; 64 << 10]),
            config,
            stats,
        }
    }

    /// Records that the stream of viewer `nth` has ended.
    pub(crate) fn leave(&self, nth: usize) {
        self.heard_us[nth].set(None);
        let mut stats = lock(&self.stats);
        stats.open -= 1;
        stats.reconnects += 1;
    }

    pub(crate) fn enter(&self) {
        let mut stats = lock(&self.stats);
        stats.open += 1;
        stats.open_max = stats.open_max.max(stats.open);
    }

    pub(crate) fn hear(&self, nth: usize, now_us: u64, bytes: usize) {
        let heard = self.heard_us[nth].replace(Some(now_us));
        let mut stats = lock(&self.stats);
        stats.bytes += bytes as u64;
        if let Some(heard_us) = heard {
            stats.silence(now_us - heard_us);
        }
    }

    /// Handles one event of viewer `nth`. Returns whether it was a tally.
    pub(crate) fn see(
        &self,
        viewer: &mut Viewer,
        event: &ServerEvent<'_>,
        now_us: u64,
        opened_us: u64,
        frames: u64,
        nth: usize,
    ) -> bool {
        if let Some(retry_ms) = event.retry_ms {
            viewer.retry_ms = retry_ms.min(30_000);
        }
        let (Some(version), "tally") = (event.version, event.name) else {
            if event.name == "hidden" {
                lock(&self.stats).hidden += 1;
            }
            return false;
        };
        // The first frame of a stream holds the state, and later ones hold changes.
        let mut stats = lock(&self.stats);
        stats.frames += 1;
        stats.book_frame(self.config.interval_us);
        if frames == 0 {
            stats.first_state.record(now_us - opened_us);
            stats.with_state += u64::from(!viewer.had_state);
            viewer.had_state = true;
        } else if viewer.version.is_some_and(|before| version < before) {
            stats.regressions += 1;
        }
        // Compare the time of this viewer with that of the first one.
        let first_us = self.first_seen(&mut stats, version, event.data, now_us);
        if frames > 0 && viewer.version.is_some_and(|before| version > before) {
            stats.spread.record(now_us - first_us);
        }
        if nth == 0 {
            stats.watch_screen(event.data);
        }
        viewer.version = Some(version);
        true
    }

    /// Returns the time in µs at which the first viewer had this version. The first viewer also
    /// decodes the frame.
    fn first_seen(&self, stats: &mut ViewerStats, version: u64, data: &[u8], now_us: u64) -> u64 {
        let mut versions = self.versions.borrow_mut();
        if let Some((_, first_us)) = versions.iter().rev().find(|(known, _)| *known == version) {
            return *first_us;
        }
        if versions.len() == VERSIONS_MAX {
            versions.pop_front();
        }
        versions.push_back((version, now_us));
        match serde_json::from_slice::<FrameBody>(data) {
            Ok(shown) => stats.stale_frames += u64::from(shown.stale),
            Err(error) => {
                stats.sample(format!("a frame is not JSON of a known form: {error}"));
            }
        }
        now_us
    }

    pub(crate) fn note_failure(&self, error: &io::Error) {
        let mut stats = lock(&self.stats);
        stats.connect_failures += 1;
        stats.sample(format!("cannot open a stream: {error}"));
    }

    /// Records the silences that last until the end of the run.
    pub(crate) fn note_last_silences(&self) {
        let now_us = self.config.clock.now_us();
        let mut stats = lock(&self.stats);
        for heard_us in self.heard_us.iter().filter_map(Cell::get) {
            stats.silence(now_us.saturating_sub(heard_us));
        }
    }
}
