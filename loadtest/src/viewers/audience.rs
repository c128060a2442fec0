//! What all viewers share.

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

/// What the viewers' thread is told.
pub(crate) struct ViewersConfig {
    pub(crate) endpoint: Endpoint,
    /// The request for the stream.
    pub(crate) request: Vec<u8>,
    /// Viewers who read; the first also watches for the run's ballots.
    pub(crate) watching: usize,
    /// Viewers who never read.
    pub(crate) stalled: usize,
    /// New viewers per second.
    pub(crate) arrivals_per_second: f64,
    pub(crate) clock: Clock,
    pub(crate) interval_us: u64,
    pub(crate) stop: CancellationToken,
}

/// Versions remembered: more than ten seconds of frames.
const VERSIONS_MAX: usize = 256;

/// What all viewers share.
pub(crate) struct Audience {
    pub(crate) config: ViewersConfig,
    pub(crate) stats: Arc<Mutex<ViewerStats>>,
    /// The last versions and when the first viewer had them, µs.
    versions: RefCell<VecDeque<(u64, u64)>>,
    /// When each viewer last heard anything, µs; `None` while it has no stream.
    heard_us: Vec<Cell<Option<u64>>>,
    /// What everybody reads into.
    pub(crate) buffer: RefCell<Vec<u8>>,
}

/// One viewer's memory across reconnects.
#[derive(Default)]
pub(crate) struct Viewer {
    pub(crate) version: Option<u64>,
    pub(crate) retry_ms: u64,
    had_state: bool,
}

impl Audience {
    /// An audience.
    pub(crate) fn new(config: ViewersConfig, stats: Arc<Mutex<ViewerStats>>) -> Self {
        Self {
            heard_us: (0..config.watching).map(|_| Cell::new(None)).collect(),
            versions: RefCell::default(),
            buffer: RefCell::new(vec![0; 64 << 10]),
            config,
            stats,
        }
    }

    /// The viewer has no stream any more.
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

    /// Takes in one event; `true` for a tally.
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

    /// When the first viewer had this version; notes and decodes it if that is now.
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
                stats.sample(format!("a frame is not the JSON this tool knows: {error}"));
            }
        }
        now_us
    }

    pub(crate) fn note_failure(&self, error: &io::Error) {
        let mut stats = lock(&self.stats);
        stats.connect_failures += 1;
        stats.sample(format!("no stream: {error}"));
    }

    /// Counts the silences that last until the end.
    pub(crate) fn note_last_silences(&self) {
        let now_us = self.config.clock.now_us();
        let mut stats = lock(&self.stats);
        for heard_us in self.heard_us.iter().filter_map(Cell::get) {
            stats.silence(now_us.saturating_sub(heard_us));
        }
    }
}
