//! The answers to new voters who have to solve a challenge first.

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
            let before = match wrong {
                Some(reason) => format!("the solution of the challenge was not accepted: {reason}"),
                None => "new voters have to solve a challenge first".to_owned(),
            };
            let detail = format!(
                "your vote is not stored yet: {before}; solve the challenge in this reply, and send the same ballot again, \
                 as the same voter, with the solution"
            );
            Problem::new(&CHALLENGE_REQUIRED, detail).with("challenge", challenge)
        }
        Refused::Unavailable => Problem::unavailable(format!(
            "your vote is not stored yet: it cannot be checked at the moment that you are a person; try again in \
             {UNCHECKED_RETRY_S} s"
        ))
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
