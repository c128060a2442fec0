//! The header `Idempotency-Key`, with which a program repeats a request without repeating its effect.
//!
//! Semantics follow the IETF draft <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>:
//! the same key with the same body gets the same answer, and the same key with another body is refused.
//! The service keeps no table of keys. A key names the voter, if nothing else does, and marks the ballot;
//! the register compares that mark. It does so until the same voter's next ballot in the same poll.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{BallotId, Choices, PollId, VoterId};

/// The fewest characters of a key. Two clients that count their requests from 1 would be one voter.
pub const KEY_CHARS_MIN: usize = 8;
/// The most characters of a key.
pub const KEY_CHARS_MAX: usize = 255;

/// Why the value of the header is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Idempotency-Key is not a string of {KEY_CHARS_MIN} to {KEY_CHARS_MAX} printable ASCII characters, such as \
     a new UUID for each ballot"
)]
pub struct InvalidKey;

/// A key, as the client chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the value of the header: a string of RFC 8941 (`"…"`), or the same without quotes.
    ///
    /// # Errors
    /// Returns [`InvalidKey`] if it is too short, too long, or has other characters.
    pub fn parse(value: &[u8]) -> Result<Self, InvalidKey> {
        let text = str::from_utf8(value).map_err(|_| InvalidKey)?.trim();
        let key = match text.strip_prefix('"') {
            Some(rest) => unescaped(rest.strip_suffix('"').ok_or(InvalidKey)?).ok_or(InvalidKey)?,
            None => text.to_owned(),
        };
        let fits = (KEY_CHARS_MIN..=KEY_CHARS_MAX).contains(&key.len())
            && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if fits { Ok(Self(key)) } else { Err(InvalidKey) }
    }

    /// The voter of a request that has no other identity: a UUIDv8 made of a SHA-256 over poll and key.
    pub fn voter(&self, poll: PollId) -> VoterId {
        VoterId(Uuid::new_v8(self.hash(b"votestream idempotent voter\0", &poll.0.to_be_bytes())))
    }

    /// The tag of a ballot of this voter: the bits of its id by which the register recognises a ballot that is
    /// sent again.
    pub fn tag(&self, voter: VoterId) -> u32 {
        first_bits(&self.hash(b"votestream idempotent ballot\0", voter.0.as_bytes()))
    }

    /// A new id for a ballot of this voter, with the tag of this key.
    pub fn ballot(&self, voter: VoterId) -> BallotId {
        BallotId::with_tag(self.tag(voter))
    }

    fn hash(&self, purpose: &[u8], scope: &[u8]) -> [u8; 16] {
        let hash = Sha256::new()
            .chain_update(purpose)
            .chain_update(scope)
            .chain_update(self.0.as_bytes())
            .finalize();
        std::array::from_fn(|i| hash[i])
    }
}

/// The tag of a ballot that a page sends with a voting code. The page is named by its voting token, which is nobody's
/// voter there. The same page with the same code and choices sends the same ballot, whatever happens to the reply.
pub fn page_tag(page: VoterId, voter: VoterId, choices: Choices) -> u32 {
    let hash = Sha256::new()
        .chain_update(b"votestream ballot of a page\0")
        .chain_update(page.0.as_bytes())
        .chain_update(voter.0.as_bytes())
        .chain_update(choices.mask().to_be_bytes())
        .finalize();
    first_bits(&hash)
}

fn first_bits(hash: &[u8]) -> u32 {
    hash.iter().take(4).fold(0, |bits, byte| bits << 8 | u32::from(*byte))
}

/// Resolves the escapes of a string of RFC 8941: `\"` and `\\`. Returns `None` for any other use of the two.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return None,
            '\\' => plain.push(chars.next().filter(|next| matches!(next, '"' | '\\'))?),
            other => plain.push(other),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> IdempotencyKey {
        IdempotencyKey::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_key_is_the_same_with_and_without_quotes() {
        let uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        assert_eq!(key(uuid), key(&format!("\"{uuid}\"")));
        assert_eq!(key(r#""a \"quoted\" \\ key""#), IdempotencyKey(r#"a "quoted" \ key"#.into()));
        for bad in [
            "",
            "1",
            "1234567",
            "\"12345678",
            "\"1234\"5678\"",
            r#""1234\5678""#,
            "ключключ",
            "a\tb345678",
        ] {
            assert_eq!(IdempotencyKey::parse(bad.as_bytes()), Err(InvalidKey), "{bad:?}");
        }
        assert!(IdempotencyKey::parse(&[b'x'; KEY_CHARS_MAX + 1]).is_err());
        assert!(IdempotencyKey::parse(b"12345678\xff").is_err());
    }

    #[test]
    fn a_key_names_one_voter_in_each_poll() {
        let (one, other) = (key("key number one"), key("key number two"));
        assert_eq!(one.voter(PollId(1)), one.voter(PollId(1)));
        assert_ne!(one.voter(PollId(1)), one.voter(PollId(2)));
        assert_ne!(one.voter(PollId(1)), other.voter(PollId(1)));
    }

    #[test]
    fn a_ballot_is_recognised_by_its_end_and_is_new_all_the_same() {
        let end = |id: BallotId| id.to_string()[24..].to_owned();
        let (voter, key) = (VoterId::new(), key("key number one"));
        let (first, again) = (key.ballot(voter), key.ballot(voter));
        assert_eq!(end(first), end(again));
        assert_ne!(first, again);
        assert_ne!(end(first), end(key.ballot(VoterId::new())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = IdempotencyKey::parse(&bytes);
        }
    }
}
