//! The entries of a poll's log: one line of ASCII text for each change of the count.
//!
//! A line has seven parts with a blank between them:
//!
//! ```text
//! 1 counts 3-1700000000000-0 0190c42ab6f97abc8def0123456789ab 5 - 00112233445566778899aabbccddeeff
//! │ │      │                 │                                │ │ └ nonce: 16 bytes in hexadecimal
//! │ │      │                 │                                │ └ the stream entry whose ballot it replaces, or -
//! │ │      │                 │                                └ choices: the bit mask of the options
//! │ │      │                 └ ballot: its id in hexadecimal
//! │ │      └ stream entry: partition, milliseconds, sequence
//! │ └ what became of the ballot
//! └ version of the format
//! ```
//!
//! The nonce is random for whoever does not know the poll's secret. So the hash of an entry tells nothing about its
//! choices before the entry itself is published, not even to somebody who knows the ballot.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use votestream_schema::poll::voter_key::PollSecret;
use votestream_schema::{BallotId, Choices, EntryId};

/// The version with which each line begins.
const VERSION: &str = "1";

/// The longest line, in bytes. A bundle stores the length of each entry in two bytes.
pub const LINE_BYTES_MAX: usize = 256;

/// The number of a stream entry in the whole deployment: an entry ID is unique in its partition alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamEntry {
    /// The partition whose stream has the entry.
    pub partition: u16,
    /// The ID of the entry; its milliseconds are the time at which Redis accepted the ballot.
    pub id: EntryId,
}

/// A text that is not of the expected form; it holds the name of the part that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not valid")]
pub struct Malformed(pub &'static str);

impl fmt::Display for StreamEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.partition, self.id.ms, self.id.seq)
    }
}

impl FromStr for StreamEntry {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let read = || {
            let mut parts = text.split('-');
            let partition = parts.next()?.parse().ok()?;
            let (ms, seq) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            let entry = Self { partition, id: EntryId { ms, seq } };
            // One entry has one text: no sign, no leading zero, nothing behind it.
            (entry.to_string() == text).then_some(entry)
        };
        read().ok_or(Malformed("stream entry"))
    }
}

impl TryFrom<String> for StreamEntry {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl Serialize for StreamEntry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamEntry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What became of a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It counts.
    Counts,
    /// Another ballot of its voter counts.
    Superseded,
    /// It came before the poll opened or after it closed.
    OutOfTime,
}

impl Outcome {
    /// Every outcome, for tests and parsers.
    pub const ALL: [Self; 3] = [Self::Counts, Self::Superseded, Self::OutOfTime];

    /// The word in the line of an entry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Superseded => "superseded",
            Self::OutOfTime => "out_of_time",
        }
    }
}

/// The number that hides the choices of an entry: 16 bytes made with the poll's secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 16]);

impl Nonce {
    /// The nonce of a stream entry: the first half of an HMAC-SHA256 (RFC 2104) under the poll's secret. Producers and
    /// consumers know the secret, and so they come to the same nonce.
    pub fn of(secret: &PollSecret, entry: StreamEntry) -> Self {
        Self(secret.log_nonce(&entry.to_string()))
    }

    /// The commitment to choices under this nonce: SHA-256 over `votestream choices 1 <nonce> <mask>`.
    pub fn commit(self, choices: Choices) -> Commitment {
        let text = format!("votestream choices 1 {self} {}", choices.mask());
        Commitment(Sha256::digest(text).into())
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(***)")
    }
}

impl FromStr for Nonce {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        hex_16(text).map(|id| Self(*id.as_bytes())).ok_or(Malformed("nonce"))
    }
}

/// A commitment to choices: 32 bytes that tell nothing about them, and that fit no other choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment(pub [u8; 32]);

/// One entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// What became of the ballot.
    pub outcome: Outcome,
    /// The stream entry that brought the ballot.
    pub entry: StreamEntry,
    /// The ballot's id.
    pub ballot: BallotId,
    /// The options that it chooses.
    pub choices: Choices,
    /// The stream entry of the voter's ballot that counted until now, if this one takes its place.
    pub replaces: Option<StreamEntry>,
    /// Hides the choices until the entry is published.
    pub nonce: Nonce,
}

impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcome, entry, ballot, choices, replaces, nonce } = self;
        let (outcome, mask) = (outcome.as_str(), choices.mask());
        write!(f, "{VERSION} {outcome} {entry} {ballot} {mask} ")?;
        match replaces {
            Some(replaced) => write!(f, "{replaced} {nonce}"),
            None => write!(f, "- {nonce}"),
        }
    }
}

impl FromStr for LogEntry {
    type Err = Malformed;

    fn from_str(line: &str) -> Result<Self, Malformed> {
        let mut parts = line.split(' ');
        let mut part = |name| parts.next().ok_or(Malformed(name));
        if part("version")? != VERSION {
            return Err(Malformed("version"));
        }
        let outcome = part("outcome")?;
        let outcome = Outcome::ALL.into_iter().find(|known| known.as_str() == outcome);
        let entry = Self {
            outcome: outcome.ok_or(Malformed("outcome"))?,
            entry: part("stream entry")?.parse()?,
            ballot: BallotId(hex_16(part("ballot")?).ok_or(Malformed("ballot"))?),
            choices: mask(part("choices")?).ok_or(Malformed("choices"))?,
            replaces: match part("replaced entry")? {
                "-" => None,
                replaced => Some(replaced.parse().map_err(|_| Malformed("replaced entry"))?),
            },
            nonce: part("nonce")?.parse()?,
        };
        // What is hashed is the text, so two texts of one entry would be two entries.
        if entry.to_string() == line { Ok(entry) } else { Err(Malformed("line")) }
    }
}

fn mask(text: &str) -> Option<Choices> {
    text.parse().ok().and_then(Choices::from_mask)
}

/// Reads 32 hexadecimal digits.
fn hex_16(text: &str) -> Option<Uuid> {
    (text.len() == 32).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// Writes entries as a bundle of `tlog-tiles`: the length of each in two bytes, big-endian, and its text.
pub fn bundle<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        add_to_bundle(line, &mut bytes);
    }
    bytes
}

/// Appends an entry to a bundle.
pub fn add_to_bundle(line: &str, bundle: &mut Vec<u8>) {
    debug_assert!(line.len() <= LINE_BYTES_MAX);
    bundle.extend_from_slice(&(line.len() as u16).to_be_bytes());
    bundle.extend_from_slice(line.as_bytes());
}

/// Reads the lines of a bundle.
///
/// # Errors
/// Returns an error if a length does not fit, or if a line is not text.
pub fn lines(mut bundle: &[u8]) -> Result<Vec<&str>, Malformed> {
    let mut lines = Vec::new();
    while !bundle.is_empty() {
        let (length, rest) = bundle.split_first_chunk::<2>().ok_or(Malformed("bundle"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (line, rest) = rest.split_at_checked(length).ok_or(Malformed("bundle"))?;
        lines.push(str::from_utf8(line).map_err(|_| Malformed("bundle"))?);
        bundle = rest;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = "1 counts 3-1700000000000-0 0190c42ab6f97abc8def0123456789ab 5 - \
                        00112233445566778899aabbccddeeff";

    #[test]
    fn an_entry_is_written_and_read_as_it_always_was() {
        let entry: LogEntry = LINE.parse().unwrap();
        assert_eq!(entry.to_string(), LINE);
        assert_eq!(entry.entry.id, EntryId { ms: 1_700_000_000_000, seq: 0 });
        assert_eq!((entry.entry.partition, entry.choices.mask()), (3, 5));
        assert_eq!((entry.outcome, entry.replaces), (Outcome::Counts, None));
        let replacing = LINE.replace(" - ", " 3-1699999999999-12 ");
        let entry: LogEntry = replacing.parse().unwrap();
        assert_eq!(entry.replaces.unwrap().id.seq, 12);
    }

    #[test]
    fn each_wrong_part_is_named() {
        let parts: Vec<&str> = LINE.split(' ').collect();
        let names =
            ["version", "outcome", "stream entry", "ballot", "choices", "replaced entry", "nonce"];
        for (at, name) in names.iter().enumerate() {
            let mut wrong = parts.clone();
            wrong[at] = "x";
            assert_eq!(wrong.join(" ").parse::<LogEntry>(), Err(Malformed(name)));
            assert_eq!(parts[..at].join(" ").parse::<LogEntry>(), Err(Malformed(name)));
        }
        for other in [LINE.to_uppercase(), format!("{LINE} "), LINE.replace(" 5 ", " 05 ")] {
            assert!(other.parse::<LogEntry>().is_err(), "{other}");
        }
        assert!("3-01-0".parse::<StreamEntry>().is_err() && "3-1".parse::<StreamEntry>().is_err());
    }

    /// Computed with Python's `hmac` and `hashlib`; receipts that voters keep must never change their meaning.
    #[test]
    fn nonce_and_commitment_are_those_of_another_implementation() {
        let secret = PollSecret::from_bytes([0x0b; 32]);
        let entry: StreamEntry = "3-1700000000000-0".parse().unwrap();
        let nonce = Nonce::of(&secret, entry);
        assert_eq!(nonce.to_string(), "ba84fad3cd0661101cf33df6e4349238");
        let commitment = nonce.commit(Choices::from_mask(5).unwrap());
        let hex: String = commitment.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "1c034c086d6d2f93e11b310c80789e0df4aa6210e18c3efb9486fec8d8887a4b");
    }

    proptest! {
        #[test]
        fn a_bundle_holds_the_lines_that_were_put_in(
            lines_in in proptest::collection::vec("[ -~]{0,200}", 0..20),
        ) {
            let bundle = bundle(lines_in.iter().map(String::as_str));
            prop_assert_eq!(lines(&bundle).unwrap(), lines_in);
        }

        #[test]
        fn rubbish_is_refused_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), line in ".{0,120}",
        ) {
            let _ = lines(&bytes);
            let _ = line.parse::<LogEntry>();
        }
    }
}
