//! A ballot: one immutable submission, as it travels.

use crate::{BallotId, Choices, PollId, VoterId};

/// One voter's submission to one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ballot {
    /// The poll it answers.
    pub poll: PollId,
    /// Who submitted it.
    pub voter: VoterId,
    /// Its own id: the same however often, and in whatever entry, it travels.
    pub id: BallotId,
    /// What it chooses.
    pub choices: Choices,
}
