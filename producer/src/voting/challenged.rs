//! The answers to new voters who have to solve a challenge first.

use votestream_service::language::Message;
use votestream_service::problem::Problem;

use crate::challenge::{Admission, Refused};
use crate::networks::Permit;
use crate::problems::CHALLENGE_REQUIRED;

/// The seconds after which a voter may try again whose solution nobody can check.
const UNCHECKED_RETRY_S: u32 = 10;

/// What a new voter uses up. It must be ended when the outcome of the ballot is known.
#[must_use]
pub(super) struct LetIn {
    /// The place in the limits of the voter's networks; none for a voter who has voted.
    pub(super) permit: Option<Permit>,
    /// The part of the usual rate, or the proof that none is needed.
    pub(super) admission: Admission,
}

impl LetIn {
    /// Of a voter who is not new, or has a voting code.
    pub(super) fn freely() -> Self {
        Self { permit: None, admission: Admission::Clear }
    }
}

/// The problem of a voter who is not let in.
pub(super) fn problem(refused: Refused) -> Problem {
    match refused {
        Refused::Asked { challenge, wrong } => {
            let detail = match wrong {
                Some(reason) => Message::new("detail-challenge-wrong").with("reason", reason),
                None => Message::new("detail-challenge"),
            };
            Problem::new(&CHALLENGE_REQUIRED, detail).with("challenge", challenge)
        }
        Refused::Unavailable => Problem::unavailable(
            Message::new("detail-unchecked").with("seconds", UNCHECKED_RETRY_S.to_string()),
        )
        .retry_after(UNCHECKED_RETRY_S),
    }
}

/// Adds to a problem the text that takes the place of a solution which cannot be used again, if there is one.
pub(super) fn with_pass(problem: Problem, pass: Option<&String>) -> Problem {
    match pass {
        Some(pass) => problem.with("solution", pass.as_str()),
        None => problem,
    }
}
