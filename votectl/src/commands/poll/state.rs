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

/// How many new voters one client network may bring.
pub fn network_limit_in_words(poll: &Poll) -> String {
    match (poll.voter_policy.needs_code(), poll.network_limit) {
        (true, _) => "no limit of new voters: each needs a voting code".to_owned(),
        (false, Some(limit)) => limit.in_words(),
        (false, None) => "new voters are limited as the producers are set up".to_owned(),
    }
}

/// Says whether lists of polls name the poll.
pub fn listing_in_words(poll: &Poll) -> &'static str {
    if poll.is_listed() { "lists of polls name it" } else { "on no list of polls" }
}

/// Names the producers that do not serve an open poll yet.
pub fn warn_of_late(producers: Option<&Served>) {
    for producer in producers.map_or(&[][..], |producers| &producers.late) {
        note(&format!("producer {producer} does not serve the poll yet"));
    }
}
