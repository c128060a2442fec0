//! What became of a request, in the words of the audit.
//!
//! A ballot is *acknowledged* (the target said yes), *refused* (it said no: the ballot is not in) or
//! *indeterminate* (nobody knows). A 5xx is indeterminate: a server that lost its own reply from
//! the stream says "unavailable", and the ballot may be in all the same.

use serde::{Deserialize, Serialize};

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 202, or 303 for a form.
    Acknowledged,
    /// 409: this voter has voted.
    RefusedAlreadyVoted,
    /// 403: poll not open, bad code, cross-site.
    RefusedForbidden,
    /// 429.
    RefusedTooMany,
    /// Any other 4xx.
    RefusedInvalid,
    /// 503.
    Unavailable,
    /// Any other 5xx, or a status that makes no sense here.
    ServerError,
    /// No reply in time.
    TimedOut,
    /// The connection broke before the reply.
    Broken,
    /// The voter hung up, as planned.
    HungUp,
    /// No connection: nothing was sent.
    NotConnected,
    /// The ballot page did not come: no ballot was sent.
    NoPage,
}

/// What the ledger makes of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutcomeClass {
    Acknowledged,
    Refused,
    Indeterminate,
    Unsent,
}

impl Outcome {
    /// All of them, in the order in which reports count them.
    pub const ALL: [Self; 12] = [
        Self::Acknowledged,
        Self::RefusedAlreadyVoted,
        Self::RefusedForbidden,
        Self::RefusedTooMany,
        Self::RefusedInvalid,
        Self::Unavailable,
        Self::ServerError,
        Self::TimedOut,
        Self::Broken,
        Self::HungUp,
        Self::NotConnected,
        Self::NoPage,
    ];

    /// What a status code means for a ballot.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            200..=204 | 303 => Self::Acknowledged,
            403 => Self::RefusedForbidden,
            409 => Self::RefusedAlreadyVoted,
            429 => Self::RefusedTooMany,
            400..=499 => Self::RefusedInvalid,
            503 => Self::Unavailable,
            _ => Self::ServerError,
        }
    }

    pub(crate) fn class(self) -> OutcomeClass {
        match self {
            Self::Acknowledged => OutcomeClass::Acknowledged,
            Self::RefusedAlreadyVoted
            | Self::RefusedForbidden
            | Self::RefusedTooMany
            | Self::RefusedInvalid => OutcomeClass::Refused,
            Self::NotConnected | Self::NoPage => OutcomeClass::Unsent,
            _ => OutcomeClass::Indeterminate,
        }
    }

    /// What reports call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::RefusedAlreadyVoted => "refused: already voted (409)",
            Self::RefusedForbidden => "refused: forbidden (403)",
            Self::RefusedTooMany => "refused: too many new voters (429)",
            Self::RefusedInvalid => "refused: invalid (other 4xx)",
            Self::Unavailable => "unavailable (503)",
            Self::ServerError => "server error (other 5xx)",
            Self::TimedOut => "no reply in time",
            Self::Broken => "connection broke",
            Self::HungUp => "voter hung up (planned)",
            Self::NotConnected => "no connection",
            Self::NoPage => "no ballot page",
        }
    }
}

/// What a request was, which decides what answers are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// A voter's first ballot.
    First,
    /// A later one; `refusable` under `keep_first`.
    Second { refusable: bool },
    /// A later one after an unanswered first: in or already in, both are right.
    Retry,
    /// No ballot at all.
    Rubbish,
}

impl RequestKind {
    /// Whether an honest deployment should not have answered so.
    pub(crate) fn is_error(self, outcome: Outcome) -> bool {
        match (self, outcome) {
            (_, Outcome::HungUp) => false,
            (Self::Rubbish, outcome) => outcome.class() != OutcomeClass::Refused,
            (Self::Retry, Outcome::RefusedAlreadyVoted) => false,
            (Self::Second { refusable }, Outcome::RefusedAlreadyVoted) => !refusable,
            (Self::Second { refusable }, Outcome::Acknowledged) => refusable,
            (_, outcome) => outcome != Outcome::Acknowledged,
        }
    }
}

/// Counts by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OutcomeCounts(pub(crate) [u64; Outcome::ALL.len()]);

impl OutcomeCounts {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    pub(crate) fn of(&self, class: OutcomeClass) -> u64 {
        Outcome::ALL
            .iter()
            .zip(self.0)
            .filter(|(outcome, _)| outcome.class() == class)
            .map(|(_, n)| n)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stand_in_the_order_of_all() {
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, at);
        }
    }

    #[test]
    fn unavailable_is_indeterminate_not_refused() {
        assert_eq!(Outcome::of_status(503).class(), OutcomeClass::Indeterminate);
        assert_eq!(Outcome::of_status(409).class(), OutcomeClass::Refused);
    }

    #[test]
    fn second_ballot_is_judged_by_the_policy() {
        let (keep, replace) =
            (RequestKind::Second { refusable: true }, RequestKind::Second { refusable: false });
        assert!(!keep.is_error(Outcome::RefusedAlreadyVoted));
        assert!(keep.is_error(Outcome::Acknowledged));
        assert!(replace.is_error(Outcome::RefusedAlreadyVoted));
        assert!(!replace.is_error(Outcome::Acknowledged));
        assert!(RequestKind::Rubbish.is_error(Outcome::Acknowledged));
    }
}
