//! Which row of the database belongs to the voter of a cookie.
//!
//! This is the only place that knows it.

use uuid::Uuid;
use votestream_schema::VoterId;
use votestream_schema::poll::secrecy::VoterKeys;

use crate::poll::{Poll, VoterPolicy};

/// Finds the rows of the voters of one poll.
#[derive(Debug, Clone)]
pub(crate) struct RowKeys<'a> {
    by_cookie: bool,
    keys: &'a VoterKeys,
}

impl<'a> RowKeys<'a> {
    /// Returns the keys of this poll; `keys` says how its rows name their voters.
    pub(crate) fn new(poll: &Poll, keys: &'a VoterKeys) -> Self {
        Self { by_cookie: poll.voter_policy == VoterPolicy::Open, keys }
    }

    /// Returns the key of the row of the voter whose cookie has this id. `None` if the row is not known: in a poll
    /// with voting codes a voter has the cookie only once a vote was acknowledged.
    pub(crate) fn of(&self, cookie_id: u128) -> Option<u128> {
        let key = self.keys.key_of(VoterId(Uuid::from_u128(cookie_id)))?;
        self.by_cookie.then(|| key.0.as_u128())
    }
}

#[cfg(test)]
mod tests {
    use votestream_schema::poll::voter_key::PollSecret;

    use super::*;
    use crate::poll::{VotePolicy, sample};

    #[test]
    fn a_keyed_poll_stores_a_voter_under_the_key_of_its_cookie() {
        let poll = sample(&["cats", "dogs"], 1, VotePolicy::KeepFirst);
        let secret = PollSecret::generate();
        let id = VoterId::new();
        let key = secret.key_of(id).0.as_u128();
        let keys = VoterKeys::Secret(secret);
        assert_eq!(RowKeys::new(&poll, &keys).of(id.0.as_u128()), Some(key));
        assert_eq!(RowKeys::new(&poll, &VoterKeys::Ids).of(5), Some(5));
        assert_eq!(RowKeys::new(&poll, &VoterKeys::Unknown).of(5), None);
    }
}
