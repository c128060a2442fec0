//! The generator's own books: what should be counted, and what may be.
//!
//! Each voter's ballots boil down to a [`Standing`]; the ledger adds standings up by kind, so its
//! size does not grow with the crowd. Only the deep audit keeps the voters themselves.
//! Absent on purpose: what the target counted; that is the audit's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outcome::{Class, Outcome};
use crate::poll::VotePolicy;

/// What should, and what may, be counted for one voter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Standing {
    /// The acknowledged choices that should stand (bit mask); `None` when nothing was acknowledged.
    pub certain: Option<u64>,
    /// Choices that an indeterminate ballot may have put in their place.
    pub possible: Option<u64>,
}

impl Standing {
    /// Enters the outcome of a ballot with these `choices`. `told` are the choices that stand
    /// according to an "already voted".
    pub(crate) fn enter(
        &mut self,
        policy: VotePolicy,
        choices: u64,
        outcome: Outcome,
        told: Option<u64>,
    ) {
        match (outcome.class(), policy) {
            (Class::Acknowledged, VotePolicy::Replace) => self.certain = Some(choices),
            (Class::Acknowledged, VotePolicy::KeepFirst) if self.certain.is_none() => {
                // The register says yes once only: whatever was sent before is not in it.
                *self = Self { certain: Some(choices), possible: None };
            }
            (Class::Refused, VotePolicy::KeepFirst)
                if self.certain.is_none() && self.possible.is_some() && told.is_some() =>
            {
                // "You have already voted" settles what became of the unanswered ballot.
                *self = Self { certain: told, possible: None };
            }
            (Class::Indeterminate, VotePolicy::KeepFirst) if self.certain.is_none() => {
                self.possible = Some(choices);
            }
            (Class::Indeterminate, VotePolicy::Replace) => self.possible = Some(choices),
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
pub struct Witness {
    /// The voter's id, from its cookie; `None` when no reply ever named it.
    pub voter: Option<u128>,
    /// What should and may be counted.
    pub standing: Standing,
}

/// How many voters are expected to be counted with these choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Their common standing.
    #[serde(flatten)]
    pub standing: Standing,
    /// How many.
    pub voters: u64,
}

/// The books of one lane, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Ledger {
    standings: BTreeMap<Standing, u64>,
}

/// What the tally's gain must lie between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// People: at least, at most.
    pub(crate) voters: (u64, u64),
    /// Votes by option position: at least, at most.
    pub(crate) votes: Vec<(u64, u64)>,
}

impl Ledger {
    /// Enters a voter who is through.
    pub(crate) fn enter(&mut self, standing: Standing) {
        if standing != Standing::default() {
            *self.standings.entry(standing).or_default() += 1;
        }
    }

    /// Adds another ledger's voters.
    pub(crate) fn add(&mut self, other: &Self) {
        for (standing, voters) in &other.standings {
            *self.standings.entry(*standing).or_default() += voters;
        }
    }

    /// Voters who are certain to be counted.
    pub(crate) fn certain(&self) -> u64 {
        self.sum(|standing| standing.certain.is_some())
    }

    /// Voters of whom nobody knows whether they are counted.
    pub(crate) fn indeterminate(&self) -> u64 {
        self.sum(|standing| standing.certain.is_none())
    }

    fn sum(&self, is: impl Fn(&Standing) -> bool) -> u64 {
        self.standings.iter().filter(|(standing, _)| is(standing)).map(|(_, voters)| voters).sum()
    }

    /// The bounds between which a correct tally gains.
    pub(crate) fn bounds(&self, options: usize) -> Bounds {
        let mut bounds = Bounds {
            voters: (self.certain(), self.certain() + self.indeterminate()),
            votes: vec![(0, 0); options],
        };
        for (standing, voters) in &self.standings {
            for (at, (low, high)) in bounds.votes.iter_mut().enumerate() {
                let holds =
                    |choices: Option<u64>| choices.is_some_and(|mask| mask & (1 << at) != 0);
                if holds(standing.certain) && (standing.is_settled() || holds(standing.possible)) {
                    *low += voters;
                }
                if holds(standing.certain) || holds(standing.possible) {
                    *high += voters;
                }
            }
        }
        bounds
    }
}

impl From<Vec<Entry>> for Ledger {
    fn from(entries: Vec<Entry>) -> Self {
        let mut ledger = Self::default();
        for entry in entries {
            *ledger.standings.entry(entry.standing).or_default() += entry.voters;
        }
        ledger
    }
}

impl From<Ledger> for Vec<Entry> {
    fn from(ledger: Ledger) -> Self {
        ledger.standings.into_iter().map(|(standing, voters)| Entry { standing, voters }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use VotePolicy::{KeepFirst, Replace};

    const CATS: u64 = 1;
    const DOGS: u64 = 2;

    fn after(policy: VotePolicy, ballots: &[(u64, Outcome, Option<u64>)]) -> Standing {
        let mut standing = Standing::default();
        for (choices, outcome, told) in ballots {
            standing.enter(policy, *choices, *outcome, *told);
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
        assert_eq!(standing, Standing { certain: Some(CATS), possible: None });
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
        assert_eq!(standing, Standing { certain: Some(DOGS), possible: None });
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
        assert_eq!(standing, Standing { certain: Some(CATS), possible: None });
        let standing =
            after(KeepFirst, &[(CATS, Outcome::HungUp, None), (DOGS, Outcome::Acknowledged, None)]);
        assert_eq!(standing, Standing { certain: Some(DOGS), possible: None });
    }

    #[test]
    fn refused_ballots_are_not_expected() {
        let mut ledger = Ledger::default();
        ledger.enter(after(KeepFirst, &[(CATS, Outcome::RefusedForbidden, None)]));
        assert_eq!(ledger, Ledger::default());
    }

    #[test]
    fn bounds_hold_every_possible_count() {
        let mut ledger = Ledger::default();
        for _ in 0..3 {
            ledger.enter(after(Replace, &[(CATS, Outcome::Acknowledged, None)]));
        }
        ledger.enter(after(
            Replace,
            &[(CATS, Outcome::Acknowledged, None), (DOGS, Outcome::TimedOut, None)],
        ));
        ledger.enter(after(Replace, &[(DOGS, Outcome::Broken, None)]));
        let bounds = ledger.bounds(2);
        assert_eq!(bounds.voters, (4, 5));
        assert_eq!(bounds.votes, [(3, 4), (0, 2)]);
    }

    #[test]
    fn books_survive_json() {
        let mut ledger = Ledger::default();
        ledger.enter(Standing { certain: Some(CATS), possible: Some(DOGS) });
        let json = serde_json::to_string(&ledger).unwrap();
        assert_eq!(json, r#"[{"certain":1,"possible":2,"voters":1}]"#);
        assert_eq!(serde_json::from_str::<Ledger>(&json).unwrap(), ledger);
    }
}
