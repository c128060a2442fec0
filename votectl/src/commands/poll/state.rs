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

/// Who can find out who chose what, and for how long.
pub fn secrecy_in_words(poll: &Poll) -> String {
    let secrecy = &poll.secrecy;
    let kept = match secrecy.keep_votes_days {
        Some(days) => format!("; votes are kept for {days} days after the closing time"),
        None => String::new(),
    };
    match (secrecy.erased_at_ms, secrecy.sealed_at_ms) {
        (Some(ms), _) => {
            format!("erased since {}: the votes are deleted, the results stay", rfc3339(ms))
        }
        (None, Some(ms)) => {
            format!("sealed since {}: nobody can find out who chose what{kept}", rfc3339(ms))
        }
        (None, None) if secrecy.secret => {
            format!(
                "operators can find out who chose what, until the poll is archived and sealed{kept}"
            )
        }
        (None, None) => {
            format!("operators can find out who chose what, until `votectl poll seal`{kept}")
        }
    }
}
