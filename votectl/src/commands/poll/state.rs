//! A poll's state in words.

use votestream_schema::poll::rfc3339;
use votestream_schema::{Poll, PollState};

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
