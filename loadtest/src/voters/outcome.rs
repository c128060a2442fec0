//! The outcome of a request, in the terms of the audit.
//!
//! A ballot is *acknowledged* (it must be counted), *refused* (it must not be counted) or
//! *indeterminate* (it may be counted). A 5xx is indeterminate: a server that lost the reply of
//! Redis answers "unavailable", although the ballot may be stored.

use serde::{Deserialize, Serialize};

/// The outcome of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Status 202, or 303 for a form.
    Acknowledged,
    /// Status 409: this voter has already voted.
    RefusedAlreadyVoted,
    /// Status 403: the poll is not open, the code is bad, or the request came from another site.
    RefusedForbidden,
    /// Status 429: too many new voters.
    RefusedTooMany,
    /// Any other status 4xx.
    RefusedInvalid,
    /// Status 503: the service is unavailable.
    Unavailable,
    /// Any other status 5xx, or a status that makes no sense for a ballot.
    ServerError,
    /// No reply came within the time allowed.
    TimedOut,
    /// The connection broke before the reply was complete.
    Broken,
    /// The voter hung up before the reply, as planned.
    HungUp,
    /// No connection could be opened, so nothing was sent.
    NotConnected,
    /// The ballot page could not be loaded, so no ballot was sent.
    NoPage,
    /// Status 3xx: the address is another one. It is never followed, because a load tester would
    /// then load a server that nobody named.
    Redirected,
}

/// The class of an outcome, which decides how the ledger counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutcomeClass {
    Acknowledged,
    Refused,
    Indeterminate,
    Unsent,
}

impl Outcome {
    /// All outcomes, in the order in which reports count them.
    pub const ALL: [Self; 13] = [
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
        Self::Redirected,
    ];

    /// Returns the outcome of a ballot that was answered with this status. `form` says that it was
    /// the HTML form, after which a browser is sent on.
    pub(crate) fn of_status(status: u16, form: bool) -> Self {
        match status {
            200..=204 => Self::Acknowledged,
            303 if form => Self::Acknowledged,
            300..=399 => Self::Redirected,
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

    /// Returns the name of the outcome in reports.
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
            Self::Redirected => "redirected (3xx)",
        }
    }
}

/// The kind of a request, which decides which outcomes are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// The first ballot of a voter.
    First,
    /// A second ballot after an answered first one. `refusable` says that the poll refuses second
    /// ballots.
    Second { refusable: bool },
    /// A second ballot after an unanswered first one. Both "accepted" and "already voted" are
    /// right.
    Retry,
    /// A request that is no valid ballot.
    Rubbish,
}

impl RequestKind {
    /// Returns whether a correct deployment never answers this kind of request with this outcome.
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

/// The number of requests of each outcome, in the order of [`Outcome::ALL`].
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
        assert_eq!(Outcome::of_status(503, false).class(), OutcomeClass::Indeterminate);
        assert_eq!(Outcome::of_status(409, false).class(), OutcomeClass::Refused);
    }

    #[test]
    fn a_redirect_acknowledges_only_the_form() {
        assert_eq!(Outcome::of_status(303, true), Outcome::Acknowledged);
        assert_eq!(Outcome::of_status(303, false), Outcome::Redirected);
        assert_eq!(Outcome::of_status(301, true), Outcome::Redirected);
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
