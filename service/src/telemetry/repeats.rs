//! Sums up log lines that repeat, so that an event which happens hundreds of times a second does not fill the log.
//!
//! A line of one place in the code is written up to [`LINES_A_SECOND`] times a second. Further ones are counted, and one
//! line in the next second says how many there were and what the last one said.
//!
//! Invariant: each line is either written or counted in a line that is written.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Lines that one place in the code may write in a second.
const LINES_A_SECOND: u64 = 5;
/// The period over which lines are counted.
const PERIOD: Duration = Duration::from_secs(1);

/// Holds back lines that repeat; clones share the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    places: Arc<Mutex<HashMap<Identifier, Place>>>,
}

/// The lines of one place in the code in the present period.
#[derive(Debug)]
struct Place {
    level: Level,
    since: Instant,
    written: u64,
    held_back: u64,
    last: String,
}

/// A number of lines that were held back.
#[derive(Debug, PartialEq, Eq)]
struct Sum {
    level: Level,
    lines: u64,
    last: String,
}

impl Repeats {
    /// Writes every second what was held back, for as long as the process runs.
    pub(super) async fn write_sums(self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            for sum in self.take_sums() {
                sum.write();
            }
        }
    }

    /// Takes the sums of all places whose period is over.
    fn take_sums(&self) -> Vec<Sum> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums = Vec::new();
        places.retain(|_, place| {
            if place.since.elapsed() < PERIOD {
                return true;
            }
            if place.held_back == 0 {
                return false;
            }
            let lines = std::mem::take(&mut place.held_back);
            let last = std::mem::take(&mut place.last);
            sums.push(Sum { level: place.level, lines, last });
            // The sum is a line, too.
            (place.since, place.written) = (Instant::now(), 1);
            true
        });
        sums
    }

    /// Counts a line of this place; returns whether it may be written. `text` is asked for only if it may not.
    fn may_write(&self, id: Identifier, level: Level, text: impl FnOnce() -> String) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(id).or_insert_with(|| Place {
            level,
            since: Instant::now(),
            written: 0,
            held_back: 0,
            last: String::new(),
        });
        if place.held_back == 0 && place.since.elapsed() >= PERIOD {
            (place.since, place.written) = (Instant::now(), 0);
        }
        if place.held_back == 0 && place.written < LINES_A_SECOND {
            place.written += 1;
            return true;
        }
        place.held_back += 1;
        place.last = text();
        false
    }
}

impl Sum {
    fn write(self) {
        let Self { level, lines, last } = self;
        let text = format!("{lines} more lines like this one within a second: {last}");
        match level {
            Level::ERROR => tracing::error!(target: TARGET, lines, "{text}"),
            Level::WARN => tracing::warn!(target: TARGET, lines, "{text}"),
            Level::INFO => tracing::info!(target: TARGET, lines, "{text}"),
            _ => tracing::debug!(target: TARGET, lines, "{text}"),
        }
    }
}

/// The target of the lines with sums, which are never held back.
const TARGET: &str = "votestream::repeats";

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if metadata.target() == TARGET || *metadata.level() > Level::INFO {
            return true;
        }
        self.may_write(metadata.callsite(), *metadata.level(), || {
            let mut text = Text::default();
            event.record(&mut text);
            text.0
        })
    }
}

/// The message of an event.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a string cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_that_repeat_are_counted_and_summed_up_each_second() {
        let repeats = Repeats::default();
        let metadata =
            tracing::callsite!(name: "x", kind: tracing::metadata::Kind::EVENT, fields: message);
        let id = || tracing::Callsite::metadata(metadata).callsite();
        let line = |text: &str| repeats.may_write(id(), Level::WARN, || text.to_owned());
        let written = (0..200).filter(|n| line(&format!("no. {n}"))).count();
        assert_eq!(written as u64, LINES_A_SECOND);
        assert_eq!(repeats.take_sums(), [], "the second is not over");
        tokio::time::advance(PERIOD).await;
        assert!(!line("no. 200"), "sums come in order");
        let sum = Sum { level: Level::WARN, lines: 196, last: "no. 200".to_owned() };
        assert_eq!(repeats.take_sums(), [sum]);
        assert!(line("no. 201"), "the next second has lines of its own");
        tokio::time::advance(PERIOD).await;
        assert_eq!(repeats.take_sums(), [], "nothing was held back");
        assert!(repeats.places.lock().unwrap().is_empty(), "quiet places are forgotten");
    }
}
