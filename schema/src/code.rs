//! One-time voting codes.
//!
//! A code is 16 characters of Crockford's base 32 (80 random bits), written in four groups. A hash of it is the
//! voter's id: whoever holds the code is that voter, on any device. Until the code is used, the servers keep only a
//! hash of that id, the [`CodeHash`]. So nobody who reads what they keep can vote with an unused code.

use rand::RngExt;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Poll, PollId, VoterId, VoterKey};

mod typed;

use typed::ALPHABET;
pub use typed::{CODE_CHARS, NotACode};

/// A code in canonical form: upper case, no hyphens. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Code([u8; CODE_CHARS]);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(***)")
    }
}

impl Code {
    /// Makes a new code with a generator that the operating system seeded.
    pub fn generate() -> Self {
        let mut rng = rand::rng();
        Self(std::array::from_fn(|_| ALPHABET[rng.random_range(0..ALPHABET.len())]))
    }

    /// Reads a code as people type and paste it: in any case, O for 0, I or L for 1, full-width letters, with
    /// dashes, blanks, quotation marks, dots and invisible characters anywhere, or as a personal link with the
    /// code in its fragment.
    ///
    /// # Errors
    /// Returns the reason if the text has other characters or another length.
    pub fn read(typed: &str) -> Result<Self, NotACode> {
        typed::read(typed).map(Self)
    }

    /// Reads a code as [`Code::read`] does. Returns `None` if the text is not a code.
    pub fn parse(typed: &str) -> Option<Self> {
        Self::read(typed).ok()
    }

    /// The code as it is printed for a voter: `XXXX-XXXX-XXXX-XXXX`.
    pub fn printed(&self) -> String {
        let groups: Vec<&str> =
            self.0.chunks(4).map(|group| str::from_utf8(group).expect("ASCII")).collect();
        groups.join("-")
    }

    /// The voter whom this code identifies in this poll: a UUIDv8 made of a SHA-256 over both.
    pub fn voter(&self, poll: PollId) -> VoterId {
        let hash = Sha256::new()
            .chain_update(b"votestream voting code\0")
            .chain_update(poll.0.to_be_bytes())
            .chain_update(self.0)
            .finalize();
        let bytes: [u8; 16] = std::array::from_fn(|i| hash[i]);
        VoterId(Uuid::new_v8(bytes))
    }

    /// The key under which the poll stores that voter. Returns `None` if the poll's secret is not known.
    pub fn key_in(&self, poll: &Poll) -> Option<VoterKey> {
        poll.secrecy.keys.key_of(self.voter(poll.id))
    }
}

/// All that the servers keep of an unused code: a hash of its voter.
///
/// It consists of the first 12 bytes of a SHA-256 and the last 4 bytes of the voter, from which the partition follows.
/// The Postgres function `code_hash` computes the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeHash(pub Uuid);

impl CodeHash {
    /// The hash of a voter, as it is kept if the voter has a code.
    pub fn of(voter: VoterKey) -> Self {
        let hash = Sha256::new()
            .chain_update(b"votestream code hash\0")
            .chain_update(voter.0.as_bytes())
            .finalize();
        let mut bytes = *voter.0.as_bytes();
        bytes[..12].copy_from_slice(&hash[..12]);
        Self(Uuid::from_bytes(bytes))
    }

    /// The partition, in `0..partitions`, of the voter's ballots.
    pub fn partition(self, partitions: u16) -> u16 {
        VoterKey(self.0).partition(partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = Code::parse("0123-4567-89AB-CDEF").unwrap();
        assert_eq!(code.printed(), "0123-4567-89AB-CDEF");
        for typed in ["o1234567-89abcdef", "0I23 4567 89ab cdef", " 0l23456789ABCDEF "] {
            assert_eq!(Code::parse(typed), Some(code.clone()), "{typed}");
        }
        for bad in ["", "0123", "0123-4567-89AB-CDEU", "0123-4567-89AB-CDEF-0", "0123456789ABCDE\0"]
        {
            assert_eq!(Code::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_code_is_another_voter_in_another_poll() {
        let code = Code::generate();
        assert_eq!(Code::parse(&code.printed()), Some(code.clone()));
        assert_eq!(code.voter(PollId(1)), code.voter(PollId(1)));
        assert_ne!(code.voter(PollId(1)), code.voter(PollId(2)));
        assert_ne!(code.voter(PollId(1)), Code::generate().voter(PollId(1)));
    }

    #[test]
    fn a_hash_shows_the_partition_and_not_the_voter() {
        let voter = VoterKey(Code::parse("0123-4567-89AB-CDEF").unwrap().voter(PollId(1)).0);
        let hash = CodeHash::of(voter);
        assert_eq!(hash.partition(1_024), voter.partition(1_024));
        assert_ne!(hash.0.as_bytes()[..12], voter.0.as_bytes()[..12]);
        assert_eq!(hash, CodeHash::of(voter));
        assert_ne!(CodeHash::of(VoterKey(hash.0)), hash);
    }
}
