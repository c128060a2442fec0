//! A poll's state in words, and the producers that do not serve it yet.

use votestream_schema::poll::rfc3339;
use votestream_schema::{Poll, PollState};
use votestream_votectl::operations::polls::Served;

use crate::output::note;

/// A state with the time that explains it, such as "open, closes at …"; "draft" has none.
pub fn state_in_words(poll: &Poll, state: PollState) -> String {
    let time = match state {
        PollState::Draft => None,
        PollState::Scheduled => poll.opens_at_ms.map(|ms| format!("opens at {}", rfc3339(ms))),
        PollState::Open => poll.closes_at_ms.map(|ms| format!("closes at {}", rfc3339(ms))),
        PollState::Closed => poll.closes_at_ms.map(|ms| format!("since {}", rfc3339(ms))),
        PollState::Archived => poll.archived_at_ms.map(|ms| format!("since {}", rfc3339(ms))),
    };
    time.map_or_else(|| state.to_string(), |time| format!("{state}, {time}"))
}

/// Names the producers that do not serve an open poll yet.
pub fn warn_of_late(producers: Option<&Served>) {
    for producer in producers.map_or(&[][..], |producers| &producers.late) {
        note(&format!("producer {producer} does not serve the poll yet"));
    }
}
