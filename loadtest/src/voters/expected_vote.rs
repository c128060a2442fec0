//! The vote that should be stored for a voter, as the replies to its ballots say.

use serde::{Deserialize, Serialize};

use crate::poll::VotePolicy;
use crate::voters::outcome::{Outcome, OutcomeClass};

/// What should, and what may, be counted for one voter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct ExpectedVote {
    /// The acknowledged choices that should stand (bit mask); `None` when nothing was acknowledged.
    pub certain: Option<u64>,
    /// Choices that an indeterminate ballot may have put in their place.
    pub possible: Option<u64>,
}

impl ExpectedVote {
    /// Enters the outcome of a ballot with these `choices`. `choices_in_reply` are the choices that stand
    /// according to an "already voted".
    pub(crate) fn enter(
        &mut self,
        policy: VotePolicy,
        choices: u64,
        outcome: Outcome,
        choices_in_reply: Option<u64>,
    ) {
        match (outcome.class(), policy) {
            (OutcomeClass::Acknowledged, VotePolicy::Replace) => self.certain = Some(choices),
            (OutcomeClass::Acknowledged, VotePolicy::KeepFirst) if self.certain.is_none() => {
                // The register says yes once only: whatever was sent before is not in it.
                *self = Self { certain: Some(choices), possible: None };
            }
            (OutcomeClass::Refused, VotePolicy::KeepFirst)
                if self.certain.is_none()
                    && self.possible.is_some()
                    && choices_in_reply.is_some() =>
            {
                // "You have already voted" settles what became of the unanswered ballot.
                *self = Self { certain: choices_in_reply, possible: None };
            }
            (OutcomeClass::Indeterminate, VotePolicy::KeepFirst) if self.certain.is_none() => {
                self.possible = Some(choices);
            }
            (OutcomeClass::Indeterminate, VotePolicy::Replace) => self.possible = Some(choices),
            _ => {}
        }
    }

    /// Whether these choices, or none, are what may be counted.
    pub(crate) fn allows(&self, counted: Option<u64>) -> bool {
        match counted {
            None => self.certain.is_none(),
            counted => counted == self.certain || counted == self.possible,
        }
    }

    fn is_settled(&self) -> bool {
        self.possible.is_none() || self.possible == self.certain
    }
}

/// One voter's standing by name, for the deep audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoterRecord {
    /// The voter's id, from its cookie; `None` when no reply ever named it.
    pub voter: Option<u128>,
    /// What should and may be counted.
    pub expected: ExpectedVote,
}

#[cfg(test)]
mod tests {
    use super::*;
    use VotePolicy::{KeepFirst, Replace};

    const CATS: u64 = 1;
    const DOGS: u64 = 2;

    fn after(policy: VotePolicy, ballots: &[(u64, Outcome, Option<u64>)]) -> ExpectedVote {
        let mut standing = ExpectedVote::default();
        for (choices, outcome, choices_in_reply) in ballots {
            standing.enter(policy, *choices, *outcome, *choices_in_reply);
        }
        standing
    }

    #[test]
    fn first_acknowledged_stands_under_keep_first() {
        let standing = after(
            KeepFirst,
            &[
                (CATS, Outcome::Acknowledged, None),
                (DOGS, Outcome::RefusedAlreadyVoted, Some(CATS)),
            ],
        );
        assert_eq!(standing, ExpectedVote { certain: Some(CATS), possible: None });
        // Even a wrong second yes does not change what should stand.
        let standing = after(
            KeepFirst,
            &[(CATS, Outcome::Acknowledged, None), (DOGS, Outcome::Acknowledged, None)],
        );
        assert_eq!(standing.certain, Some(CATS));
    }

    #[test]
    fn newest_acknowledged_stands_under_replace() {
        let standing = after(
            Replace,
            &[(CATS, Outcome::Acknowledged, None), (DOGS, Outcome::Acknowledged, None)],
        );
        assert_eq!(standing, ExpectedVote { certain: Some(DOGS), possible: None });
        let standing =
            after(Replace, &[(CATS, Outcome::Acknowledged, None), (DOGS, Outcome::TimedOut, None)]);
        assert!(
            standing.allows(Some(CATS)) && standing.allows(Some(DOGS)) && !standing.allows(None)
        );
    }

    #[test]
    fn already_voted_settles_an_unanswered_ballot() {
        let standing = after(
            KeepFirst,
            &[(CATS, Outcome::HungUp, None), (DOGS, Outcome::RefusedAlreadyVoted, Some(CATS))],
        );
        assert_eq!(standing, ExpectedVote { certain: Some(CATS), possible: None });
        let standing =
            after(KeepFirst, &[(CATS, Outcome::HungUp, None), (DOGS, Outcome::Acknowledged, None)]);
        assert_eq!(standing, ExpectedVote { certain: Some(DOGS), possible: None });
    }
}
