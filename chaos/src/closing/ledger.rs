//! The ballots that voters cast in a poll that closes, and each claim that its result is final.
//!
//! Invariant: a ballot that was acknowledged belongs to every final result of its poll, whenever its voter read the answer:
//! it was stored before the poll closed.

use std::collections::{BTreeMap, HashMap};

use votestream_schema::VoterId;

/// The parts of the system that say whether a result is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// A frame of the event stream.
    Frame,
    /// The reply with the tally.
    Tally,
    /// The reply with the people counted per second.
    Series,
    /// The page of results as it is sent, without its script.
    Page,
    /// `votectl poll export`.
    Export,
}

impl Source {
    /// All sources.
    pub(crate) const ALL: [Self; 5] =
        [Self::Frame, Self::Tally, Self::Series, Self::Page, Self::Export];

    /// Returns the name in sentences of the report.
    fn in_words(self) -> &'static str {
        match self {
            Self::Frame => "a frame",
            Self::Tally => "the tally",
            Self::Series => "the series",
            Self::Page => "the page",
            Self::Export => "the export",
        }
    }
}

/// The result that a source shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Whether it says that the result is final.
    pub(crate) is_final: bool,
    /// The number of people counted.
    pub(crate) voters: u64,
    /// The votes of each option; empty where the source does not show them.
    pub(crate) votes: Vec<u64>,
}

/// The answer to one ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cast {
    /// The ballot was acknowledged, and must be counted.
    Acknowledged,
    /// There was no answer, or one with status 503: the ballot may be counted.
    Unknown,
}

/// A result that a source called final.
#[derive(Debug, Clone)]
struct Claim {
    source: Source,
    shown: Shown,
    /// When it was seen first, in seconds since the load began.
    at_s: f64,
}

/// The ballots of one poll and the claims about it.
#[derive(Debug, Default)]
pub(crate) struct PollLedger {
    /// The option that each voter chose, and the answer.
    ballots: HashMap<VoterId, (usize, Cast)>,
    /// Different claims, each once.
    claims: Vec<Claim>,
}

impl PollLedger {
    /// Notes a ballot for the option with this number.
    pub(crate) fn cast(&mut self, voter: VoterId, option: usize, answer: Cast) {
        self.ballots.insert(voter, (option, answer));
    }

    /// Notes a result that a source calls final. Returns whether this claim is new.
    pub(crate) fn claim(&mut self, source: Source, shown: Shown, at_s: f64) -> bool {
        let is_known = |claim: &Claim| claim.source == source && claim.shown == shown;
        let is_new = shown.is_final && !self.claims.iter().any(is_known);
        if is_new {
            self.claims.push(Claim { source, shown, at_s });
        }
        is_new
    }

    /// Returns the sources that have not called the result final yet.
    pub(crate) fn silent(&self) -> Vec<Source> {
        let spoke = |source: &Source| self.claims.iter().any(|claim| claim.source == *source);
        Source::ALL.into_iter().filter(|source| !spoke(source)).collect()
    }

    /// Returns the number of acknowledged ballots.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.ballots.values().filter(|(_, answer)| *answer == Cast::Acknowledged).count() as u64
    }

    /// Returns all ballots with their voters.
    pub(crate) fn ballots(&self) -> impl Iterator<Item = (VoterId, usize, Cast)> {
        self.ballots.iter().map(|(voter, (option, answer))| (*voter, *option, *answer))
    }

    /// Returns the number of ballots of each option with this answer.
    fn by_option(&self, wanted: Cast) -> BTreeMap<usize, u64> {
        let mut counts = BTreeMap::new();
        let wanted = self.ballots.values().filter(|(_, answer)| *answer == wanted);
        wanted.for_each(|(option, _)| *counts.entry(*option).or_default() += 1);
        counts
    }

    /// Describes every claim without an acknowledged ballot in its result.
    pub(crate) fn false_claims(&self, slug: &str) -> Vec<String> {
        let acknowledged = self.by_option(Cast::Acknowledged);
        let all = self.acknowledged();
        let missing = |shown: &Shown| -> u64 {
            if shown.votes.is_empty() {
                return all.saturating_sub(shown.voters);
            }
            let of = |option: &usize| shown.votes.get(*option).copied().unwrap_or_default();
            let missing = acknowledged.iter().map(|(option, sure)| sure.saturating_sub(of(option)));
            missing.sum::<u64>().max(all.saturating_sub(shown.voters))
        };
        let false_ones = self.claims.iter().filter(|claim| missing(&claim.shown) > 0);
        let describe = |claim: &Claim| {
            format!(
                "{} of poll {slug} said final after {:.1} s with {} voters, without {} of {all} acknowledged ballots",
                claim.source.in_words(),
                claim.at_s,
                claim.shown.voters,
                missing(&claim.shown),
            )
        };
        false_ones.map(describe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(votes: [u64; 2]) -> Shown {
        Shown { is_final: true, voters: votes.iter().sum(), votes: votes.to_vec() }
    }

    fn ledger() -> PollLedger {
        let mut ledger = PollLedger::default();
        for (option, answer) in
            [(0, Cast::Acknowledged), (1, Cast::Acknowledged), (1, Cast::Unknown)]
        {
            ledger.cast(VoterId::new(), option, answer);
        }
        ledger
    }

    #[test]
    fn a_final_result_without_an_acknowledged_ballot_is_false() {
        let mut ledger = ledger();
        assert!(
            ledger.claim(Source::Page, shown([0, 2]), 3.0),
            "the votes of one option are missing"
        );
        assert!(ledger.claim(Source::Frame, shown([1, 1]), 4.0));
        let series = Shown { is_final: true, voters: 1, votes: Vec::new() };
        assert!(ledger.claim(Source::Series, series, 5.0));
        let found = ledger.false_claims("p");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("the page of poll p said final after 3.0 s"), "{found:?}");
        assert!(found[1].contains("without 1 of 2 acknowledged"), "{found:?}");
    }

    #[test]
    fn a_ballot_that_is_acknowledged_after_the_claim_belongs_to_it_too() {
        let mut ledger = ledger();
        ledger.claim(Source::Tally, shown([1, 2]), 1.0);
        assert!(ledger.false_claims("p").is_empty());
        ledger.cast(VoterId::new(), 0, Cast::Acknowledged);
        assert_eq!(ledger.false_claims("p").len(), 1);
    }

    #[test]
    fn only_final_results_are_claims_and_each_is_noted_once() {
        let mut ledger = ledger();
        let open = Shown { is_final: false, ..shown([0, 0]) };
        assert!(!ledger.claim(Source::Frame, open, 1.0));
        assert_eq!(ledger.silent(), Source::ALL);
        assert!(ledger.claim(Source::Frame, shown([1, 1]), 1.0));
        assert!(!ledger.claim(Source::Frame, shown([1, 1]), 2.0));
        assert_eq!(ledger.silent().len(), Source::ALL.len() - 1);
    }
}
