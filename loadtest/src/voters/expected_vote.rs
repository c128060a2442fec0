//! The vote that should be stored for a voter, derived from the replies to its ballots.

use serde::{Deserialize, Serialize};

use crate::poll::VotePolicy;
use crate::voters::outcome::{Outcome, OutcomeClass};

/// The vote that must be stored for one voter, and the vote that may be stored instead.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
pub struct ExpectedVote {
    /// The acknowledged choices that must be stored, as a bit mask; `None` if nothing was
    /// acknowledged.
    pub certain: Option<u64>,
    /// The choices of a ballot without a reply, which may have replaced them.
    pub possible: Option<u64>,
}

impl ExpectedVote {
    /// Takes the outcome of a ballot with these `choices` into account. `choices_in_reply` are the
    /// choices that an "already voted" reply named as stored.
    pub(crate) fn enter(
        &mut self,
        policy: VotePolicy,
        choices: u64,
        outcome: Outcome,
        choices_in_reply: Option<u64>,
    ) {
        let is_undecided = self.certain.is_none();
        match (outcome.class(), policy) {
            (OutcomeClass::Acknowledged, VotePolicy::Replace) => self.certain = Some(choices),
            (OutcomeClass::Acknowledged, VotePolicy::KeepFirst) if is_undecided => {
                // The register accepts a voter only once. So no earlier ballot of this voter is
                // stored.
                *self = Self { certain: Some(choices), possible: None };
            }
            (OutcomeClass::Refused, VotePolicy::KeepFirst)
                if is_undecided && self.possible.is_some() && choices_in_reply.is_some() =>
            {
                // "You have already voted" decides the fate of the ballot without a reply.
                *self = Self { certain: choices_in_reply, possible: None };
            }
            (OutcomeClass::Indeterminate, VotePolicy::KeepFirst) if is_undecided => {
                self.possible = Some(choices);
            }
            (OutcomeClass::Indeterminate, VotePolicy::Replace) => self.possible = Some(choices),
            // Nothing new is known: the first ballot stands already, or this one was not stored.
            (OutcomeClass::Acknowledged | OutcomeClass::Indeterminate, VotePolicy::KeepFirst)
            | (
                OutcomeClass::Refused | OutcomeClass::Unsent,
                VotePolicy::KeepFirst | VotePolicy::Replace,
            ) => {}
        }
    }

    /// Returns whether these choices, or none, may be stored.
    pub(crate) fn allows(&self, counted: Option<u64>) -> bool {
        match counted {
            None => self.certain.is_none(),
            counted => counted == self.certain || counted == self.possible,
        }
    }

    /// Returns whether only one vote may be stored for the voter.
    pub(crate) fn is_settled(&self) -> bool {
        self.possible.is_none() || self.possible == self.certain
    }
}

/// One voter with its expected vote, for the audit by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoterRecord {
    /// The voter's id from its cookie; `None` if no reply has set one.
    pub voter: Option<u128>,
    /// The vote that should be stored for the voter.
    pub expected: ExpectedVote,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use VotePolicy::{KeepFirst, Replace};

    const CATS: u64 = 1;
    const DOGS: u64 = 2;

    /// Returns the expected vote of a voter after these ballots: their choices, their outcome, and the choices
    /// that the reply named.
    pub(crate) fn after(
        policy: VotePolicy,
        ballots: &[(u64, Outcome, Option<u64>)],
    ) -> ExpectedVote {
        let mut expected = ExpectedVote::default();
        for (choices, outcome, choices_in_reply) in ballots {
            expected.enter(policy, *choices, *outcome, *choices_in_reply);
        }
        expected
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
        // Even a wrong second acknowledgement does not change the vote that should be stored.
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
