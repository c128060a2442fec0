//! What all viewers together have seen so far.
//!
//! Written by the viewers' thread, read by the run's; behind one lock, which is held briefly.

use std::sync::{Arc, Mutex};

use serde::Deserialize;

use crate::lock::lock;
use crate::measure::clock::Clock;
use crate::measure::histogram::Latencies;
use crate::viewers::click_to_screen::ClickToScreen;
use crate::workers::recorder::Recorder;

/// What the viewers have seen so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct ViewerStats {
    /// Streams open now, the most at a time, and viewers who have had a state.
    pub(crate) open: u64,
    pub(crate) open_max: u64,
    pub(crate) with_state: u64,
    /// Stalled viewers connected.
    pub(crate) stalled: u64,
    pub(crate) reconnects: u64,
    pub(crate) refused: u64,
    pub(crate) connect_failures: u64,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// Frames marked stale, and events of a hidden poll.
    pub(crate) stale_frames: u64,
    pub(crate) hidden: u64,
    /// Frames whose version was below the one before on the same stream.
    pub(crate) regressions: u64,
    /// Silences longer than a heartbeat allows, and the longest, µs.
    pub(crate) gaps: u64,
    pub(crate) silence_max_us: u64,
    /// From the start of the connection to the first state.
    pub(crate) first_state: Latencies,
    /// From the first viewer that had a version to each other one.
    pub(crate) spread: Latencies,
    /// Frames by interval.
    pub(crate) frames_by_interval: Vec<u64>,
    pub(crate) screen: Option<ClickToScreen>,
    /// The load's own clock, once that runs; the viewers came before.
    pub(crate) load: Option<Clock>,
    /// Whose acknowledgements the screen waits for.
    pub(crate) recorders: Recorders,
    /// The first few failures, as they came.
    pub(crate) samples: Vec<String>,
}

/// The books of all recorders.
pub(crate) type Recorders = Vec<Arc<Mutex<Recorder>>>;

/// Longest silence that heartbeats every 15 s allow, with some slack. Unit: µs.
const SILENCE_US_MAX: u64 = 20_000_000;

/// What a viewer reads of a frame.
#[derive(Deserialize)]
pub(crate) struct FrameBody {
    pub(crate) voters: u64,
    #[serde(default)]
    pub(crate) stale: bool,
}

impl ViewerStats {
    /// A viewer has heard nothing for so long.
    pub(crate) fn silence(&mut self, us: u64) {
        self.silence_max_us = self.silence_max_us.max(us);
        self.gaps += u64::from(us > SILENCE_US_MAX);
    }

    /// A frame reached a viewer.
    pub(crate) fn book_frame(&mut self, interval_us: u64) {
        let Some(load) = self.load else { return };
        let at = usize::try_from(load.now_us() / interval_us).unwrap_or(usize::MAX).min(4096);
        if at >= self.frames_by_interval.len() {
            self.frames_by_interval.resize(at + 1, 0);
        }
        self.frames_by_interval[at] += 1;
    }

    /// The viewer who watches for the run's ballots has a frame.
    pub(crate) fn watch_screen(&mut self, data: &[u8]) {
        self.collect();
        let (Some(screen), Some(load)) = (&mut self.screen, self.load) else { return };
        let Ok(shown) = serde_json::from_slice::<FrameBody>(data) else { return };
        screen.frame(shown.voters, load.now_us());
    }

    /// Takes in what the recorders had acknowledged since the last time.
    pub(crate) fn collect(&mut self) {
        if let Some(screen) = &mut self.screen {
            for recorder in &self.recorders {
                let news = std::mem::take(&mut lock(recorder).news);
                screen.hear(&news);
            }
        }
    }

    /// Keeps a failure, if there are few yet.
    pub(crate) fn sample(&mut self, what: String) {
        if self.samples.len() < 8 && !self.samples.contains(&what) {
            self.samples.push(what);
        }
    }
}
