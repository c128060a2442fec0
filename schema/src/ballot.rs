//! A ballot: one immutable submission of a voter, as it travels through a stream.

use crate::{BallotId, Choices, PollId, VoterKey};

/// One voter's submission to one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ballot {
    /// The number of the poll that it answers.
    pub poll: PollId,
    /// The voter who submitted it.
    pub voter: VoterKey,
    /// Its own id, which stays the same in every entry in which it travels.
    pub id: BallotId,
    /// The options that it chooses, at least one.
    pub choices: Choices,
}
