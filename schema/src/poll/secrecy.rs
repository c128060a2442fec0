//! How long, and by whom, it can be known who chose what in a poll.
//!
//! A keyed poll stores its voters under keys that are made with a secret of the poll ([`super::voter_key`]). Sealing
//! the poll destroys the secret, shuffles the votes and takes away their times. Erasing it deletes the votes; the
//! results stay. Both are for good, so both need a poll that is archived and final.
//!
//! Releases from before there were secrets cannot read the word that stands for a keyed poll in Postgres
//! ([`super::stored_voter_policy`]). They leave such a poll alone, and do not store ballots of it under the ids of voters.

use serde::{Deserialize, Serialize};

use super::results_key::ResultsKey;
use super::voter_key::PollSecret;
use crate::{VoterId, VoterKey};

/// The most days for which a poll may ask to keep its votes: about a hundred years.
pub const KEEP_VOTES_DAYS_MAX: u16 = 36_500;

/// How a poll names its voters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VoterKeys {
    /// By their ids. So did all polls before there were secrets.
    #[default]
    Ids,
    /// By keys that are made with this secret.
    Secret(PollSecret),
    /// By keys whose secret has been destroyed, or is not known here.
    Unknown,
}

impl VoterKeys {
    /// Whether the poll is one that has, or had, a secret.
    pub fn is_keyed(&self) -> bool {
        *self != Self::Ids
    }

    /// The key of a voter. Returns `None` if that takes a secret which is not known.
    pub fn key_of(&self, voter: VoterId) -> Option<VoterKey> {
        match self {
            Self::Ids => Some(VoterKey(voter.0)),
            Self::Secret(secret) => Some(secret.key_of(voter)),
            Self::Unknown => None,
        }
    }

    /// How the poll names its voters once its secret is destroyed.
    pub fn without_secret(&self) -> Self {
        if self.is_keyed() { Self::Unknown } else { Self::Ids }
    }

    /// The secret, if it is known.
    pub fn secret(&self) -> Option<&PollSecret> {
        if let Self::Secret(secret) = self { Some(secret) } else { None }
    }
}

/// The secrecy of a poll's votes, and of its results while voters alone see them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secrecy {
    /// How the poll names its voters. It is never part of the poll's JSON.
    #[serde(skip)]
    pub keys: VoterKeys,
    /// The key with which the poll proves that somebody has voted. It is never part of the poll's JSON.
    #[serde(skip)]
    pub results_key: Option<ResultsKey>,
    /// Whether archiving the poll also seals it.
    pub secret: bool,
    /// Whether voters get receipts, and every ballot is in the poll's public log.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub receipts: bool,
    /// For how many days after the closing time the votes are kept. `None` keeps them until they are erased by hand.
    pub keep_votes_days: Option<u16>,
    /// The time when the poll was sealed, in milliseconds since the Unix epoch.
    pub sealed_at_ms: Option<i64>,
    /// The time when the poll's votes were deleted, in milliseconds since the Unix epoch.
    pub erased_at_ms: Option<i64>,
}

impl Secrecy {
    /// Whether no further ballot can be counted: the votes are no longer found by their voters.
    pub fn is_sealed(&self) -> bool {
        self.sealed_at_ms.is_some() || self.erased_at_ms.is_some()
    }

    /// The first millisecond since the Unix epoch at which the votes are no longer kept, for a poll with this closing
    /// time. Returns `None` if they are kept without an end.
    pub fn erase_at_ms(&self, closes_at_ms: Option<i64>) -> Option<i64> {
        const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
        Some(closes_at_ms?.saturating_add(i64::from(self.keep_votes_days?) * DAY_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_needs_a_secret_that_is_known() {
        let (voter, secret) = (VoterId::new(), PollSecret::generate());
        assert_eq!(VoterKeys::Ids.key_of(voter), Some(VoterKey(voter.0)));
        assert_eq!(VoterKeys::Secret(secret.clone()).key_of(voter), Some(secret.key_of(voter)));
        assert_eq!(VoterKeys::Unknown.key_of(voter), None);
        assert!(VoterKeys::Unknown.is_keyed() && !VoterKeys::Ids.is_keyed());
    }

    #[test]
    fn votes_are_kept_for_whole_days_after_the_closing_time() {
        let kept = Secrecy { keep_votes_days: Some(30), ..Secrecy::default() };
        assert_eq!(kept.erase_at_ms(Some(1_000)), Some(1_000 + 30 * 86_400_000));
        assert_eq!(kept.erase_at_ms(None), None);
        assert_eq!(Secrecy::default().erase_at_ms(Some(1_000)), None);
    }

    #[test]
    fn the_json_of_a_poll_never_has_its_secret() {
        let secrecy =
            Secrecy { keys: VoterKeys::Secret(PollSecret::generate()), ..Secrecy::default() };
        let json = serde_json::to_string(&secrecy).unwrap();
        assert_eq!(
            json,
            r#"{"secret":false,"keep_votes_days":null,"sealed_at_ms":null,"erased_at_ms":null}"#
        );
    }
}
