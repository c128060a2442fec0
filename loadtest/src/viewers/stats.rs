//! The figures of all viewers together.
//!
//! The thread of the viewers writes them and the thread of the run reads them, behind one lock that
//! is held briefly.

use std::sync::{Arc, Mutex};

use serde::Deserialize;

use crate::lock::lock;
use crate::measure::clock::Clock;
use crate::measure::histogram::Latencies;
use crate::measure::intervals::Intervals;
use crate::viewers::click_to_screen::ClickToScreen;
use crate::workers::recorder::Recorder;

/// The figures of all viewers so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct ViewerStats {
    /// The number of streams that are open now.
    pub(crate) open: u64,
    pub(crate) open_max: u64,
    pub(crate) with_state: u64,
    /// Viewers that never read and whose connection is open.
    pub(crate) stalled: u64,
    pub(crate) reconnects: u64,
    pub(crate) refused: u64,
    pub(crate) connect_failures: u64,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// Frames that were marked as stale.
    pub(crate) stale_frames: u64,
    pub(crate) hidden: u64,
    /// Frames with an older version than the frame before on the same stream.
    pub(crate) regressions: u64,
    /// Silences that are longer than a heartbeat allows.
    pub(crate) gaps: u64,
    pub(crate) silence_max_us: u64,
    /// The time from the start of a connection to its first state.
    pub(crate) first_state: Latencies,
    /// The time from the first viewer that had a version to each of the others.
    pub(crate) spread: Latencies,
    /// The number of frames by interval.
    pub(crate) frames_by_interval: Option<Intervals<u64>>,
    pub(crate) screen: Option<ClickToScreen>,
    /// The clock of the load, once that has begun. The viewers are opened before it.
    pub(crate) load: Option<Clock>,
    /// The recorders of the workers, which hold the acknowledgements.
    pub(crate) recorders: Recorders,
    /// The first few failures, word for word.
    pub(crate) samples: Vec<String>,
}

/// The recorders of all workers.
pub(crate) type Recorders = Vec<Arc<Mutex<Recorder>>>;

/// The longest silence that heartbeats every 15 s allow, with some slack. Unit: µs.
const SILENCE_US_MAX: u64 = 20_000_000;

/// The fields of a frame that a viewer reads.
#[derive(Deserialize)]
pub(crate) struct FrameBody {
    pub(crate) voters: u64,
    #[serde(default)]
    pub(crate) stale: bool,
}

impl ViewerStats {
    /// Records that a viewer received nothing for this many µs.
    pub(crate) fn silence(&mut self, us: u64) {
        self.silence_max_us = self.silence_max_us.max(us);
        self.gaps += u64::from(us > SILENCE_US_MAX);
    }

    /// Counts a frame in the interval in which it came.
    pub(crate) fn book_frame(&mut self, interval_us: u64) {
        let Some(load) = self.load else { return };
        let frames = self.frames_by_interval.get_or_insert_with(|| Intervals::new(interval_us));
        *frames.at(load.now_us()) += 1;
    }

    /// Records a frame of the viewer who watches for the ballots of the run.
    pub(crate) fn watch_screen(&mut self, data: &[u8]) {
        self.collect();
        let (Some(screen), Some(load)) = (&mut self.screen, self.load) else { return };
        let Ok(shown) = serde_json::from_slice::<FrameBody>(data) else { return };
        screen.frame(shown.voters, load.now_us());
    }

    /// Moves the events of all voters since the last call from the recorders to the screen.
    pub(crate) fn collect(&mut self) {
        if let Some(screen) = &mut self.screen {
            for recorder in &self.recorders {
                let events = std::mem::take(&mut lock(recorder).voter_events);
                screen.record_voters(&events);
            }
        }
    }

    /// Keeps a failure for the report, as long as there are few.
    pub(crate) fn sample(&mut self, what: String) {
        if self.samples.len() < 8 && !self.samples.contains(&what) {
            self.samples.push(what);
        }
    }
}
