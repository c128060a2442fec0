//! The ids of polls, voters, ballots and stream entries.
//!
//! Each is a type of its own that is valid by construction, so that other code never checks it again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The number of a poll: the key of its row in Postgres, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PollId(pub i32);

impl fmt::Display for PollId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The id of a voter: a UUIDv7 from a signed cookie or token, or a UUIDv8 made of a voting code or of an
/// idempotency key. It is not stored on any server; see [`VoterKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoterId(pub Uuid);

impl VoterId {
    /// Makes the id of a voter who was never seen before.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for VoterId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for VoterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// The key of a voter in one poll, as ballots, the register and votes hold it ([`crate::poll::voter_key`]).
///
/// Keys begin with a time, because ids that are ordered by time nearly double the rate at which Postgres inserts:
/// new rows lie close together in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoterKey(pub Uuid);

impl VoterKey {
    /// Makes the key of a voter who was never seen before, in a poll without a secret.
    pub fn new() -> Self {
        Self(VoterId::new().0)
    }

    /// The partition, in `0..partitions`, whose stream carries all ballots of this voter.
    ///
    /// It follows from the low 32 bits, which are random in a UUIDv7 and a hash in a UUIDv8.
    pub fn partition(self, partitions: u16) -> u16 {
        let low = self.0.as_u128() as u32;
        (low % u32::from(partitions.max(1))) as u16
    }

    /// The bucket, in `0..buckets`, of the register in which this voter is found.
    pub fn bucket(self, buckets: u16) -> u16 {
        let middle = (self.0.as_u128() >> 32) as u16;
        middle % buckets.max(1)
    }
}

impl Default for VoterKey {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for VoterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// The id of one ballot, in whatever entry it travels. An entry ID could not serve: Redis may issue the same
/// one again after a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BallotId(pub Uuid);

impl BallotId {
    /// Makes a new id, a random one since nothing is ordered by it.
    pub fn new() -> Self {
        Self(Uuid::new_v4())
    }

    /// The last 32 bits, by which the register recognises a ballot that is sent again.
    pub fn tag(self) -> u32 {
        self.0.as_u128() as u32
    }

    /// Makes a new id with this tag; the other bits are random.
    pub fn with_tag(tag: u32) -> Self {
        let mut id = *Uuid::new_v4().as_bytes();
        id[12..].copy_from_slice(&tag.to_be_bytes());
        Self(Uuid::from_bytes(id))
    }
}

impl Default for BallotId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for BallotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// A Redis stream entry ID, compared numerically: milliseconds since the epoch, then a sequence.
///
/// ```
/// use votestream_schema::EntryId;
/// let a: EntryId = "999-2".parse().unwrap();
/// let b: EntryId = "1000-0".parse().unwrap();
/// assert!(a < b);
/// assert_eq!(b.to_string(), "1000-0");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Milliseconds since the Unix epoch, by Redis' clock; at most `i64::MAX`.
    pub ms: i64,
    /// Position within the millisecond; at most `i64::MAX`.
    pub seq: i64,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Part of every reply to a ballot, and `write!` takes four times as long.
        f.write_str(itoa::Buffer::new().format(self.ms))?;
        f.write_str("-")?;
        f.write_str(itoa::Buffer::new().format(self.seq))
    }
}

/// Why a text is not a valid id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not `<ms>-<seq>` with both parts within `0..=i64::MAX`.
    #[error("`{0}` is not an entry ID of the form <milliseconds>-<sequence>")]
    Entry(String),
    /// Not a [`Slug`]: it is empty, too long, or has other characters.
    #[error("`{0}` is not a slug: 1 to 63 of a-z, 0-9 and inner hyphens")]
    Slug(String),
}

impl FromStr for EntryId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = |part: &str| part.parse::<i64>().ok().filter(|n| *n >= 0);
        text.split_once('-')
            .and_then(|(ms, seq)| Some(Self { ms: parse(ms)?, seq: parse(seq)? }))
            .ok_or_else(|| Error::Entry(text.chars().take(64).collect()))
    }
}

/// A short name for URLs: 1 to 63 of `a-z`, `0-9` and hyphens, the latter never first or last.
///
/// ```
/// use votestream_schema::Slug;
/// assert!("cats-vs-dogs".parse::<Slug>().is_ok());
/// assert!("Cats!".parse::<Slug>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

/// How the slug of a poll begins in which only a canary votes.
pub const CANARY_PREFIX: &str = "votestream-canary";

impl Slug {
    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a poll with this slug is one in which a machine votes to see whether voting works. It is no turnout, and it
    /// stands on no list.
    pub fn is_canary(&self) -> bool {
        let rest = self.0.strip_prefix(CANARY_PREFIX);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Slug {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Slug(text.chars().take(64).collect()))
        }
    }
}

impl TryFrom<String> for Slug {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_known_by_the_slug_of_its_poll() {
        let is_canary = |text: &str| text.parse::<Slug>().unwrap().is_canary();
        assert!(is_canary("votestream-canary") && is_canary("votestream-canary-2"));
        assert!(!is_canary("votestream-canaryseed") && !is_canary("canary-or-parrot"));
    }

    #[test]
    fn entry_ids_compare_as_numbers() {
        let parse = |text: &str| text.parse::<EntryId>().unwrap();
        assert!(parse("9-9") < parse("10-0"));
        assert!(parse("10-9") < parse("10-10"));
    }

    #[test]
    fn odd_entry_ids_are_refused() {
        for text in ["", "-", "1", "1-", "-1", "1-x", "1--2", "18446744073709551615-0", "+1-0\0"] {
            assert!(text.parse::<EntryId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn slugs_hold_nothing_but_lower_case_digits_and_inner_hyphens() {
        for good in ["a", "0", "a-b", "junior-eurovision-2014", &"x".repeat(63)] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a b", "ä", "a\0", &"x".repeat(64)] {
            assert!(bad.parse::<Slug>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn voters_spread_evenly_over_partitions() {
        let mut counts = [0; 4];
        for _ in 0..4_000 {
            counts[usize::from(VoterKey::new().partition(4))] += 1;
        }
        assert!(counts.iter().all(|n| (800..1_200).contains(n)), "{counts:?}");
    }
}
