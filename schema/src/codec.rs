//! The format in which a ballot is written into a stream entry.
//!
//! An entry has one field, [`FIELD_BALLOT`], whose value is ASCII, parts separated by one space:
//!
//! ```text
//! 1 <poll> <choices> <voter> <ballot>
//! │    │       │        │        └ 32 hexadecimal digits
//! │    │       │        └ 32 hexadecimal digits
//! │    │       └ bit mask, decimal, positive
//! │    └ decimal, positive
//! └ version of this format
//! ```
//!
//! Two more fields may follow. [`FIELD_ORIGIN`] is the entry ID under which a replayed ballot first
//! travelled, which decides whether it came in time. [`FIELD_TRACE`] is a W3C `traceparent`.
//!
//! The producer's register function cuts the choices and the tail of the ballot's id out of the value by
//! position. It is given those positions from here ([`BEFORE_CHOICES_BYTES`], [`AFTER_CHOICES_BYTES`]).
//!
//! The format is text and not binary, so that an operator can read the reply of `XRANGE`. It is one field
//! and not five, because every field costs the consumer two allocations.

use uuid::Uuid;

use crate::{Ballot, BallotId, Choices, EntryId, PollId, VoterKey};

/// The name of the field that holds the ballot.
pub const FIELD_BALLOT: &str = "ballot";
/// The name of the field that holds the entry ID under which a replayed ballot first travelled.
pub const FIELD_ORIGIN: &str = "origin";
/// The name of the field that holds the W3C trace context of the voter's request.
pub const FIELD_TRACE: &str = "trace";
/// The version of the format that is written; readers know no other.
pub const VERSION: &str = "1";
/// Hexadecimal digits of an id.
pub const ID_DIGITS: usize = 32;
/// Bytes in front of the choices, beside the digits of the poll: the version and two blanks.
pub const BEFORE_CHOICES_BYTES: usize = VERSION.len() + 2;
/// Bytes behind the choices: two ids, each with a blank in front. The ballot's id comes last.
pub const AFTER_CHOICES_BYTES: usize = 2 * (1 + ID_DIGITS);
/// The longest value that is decoded, in bytes: a version 1 ballot takes at most 97, and there is room.
pub const PAYLOAD_BYTES_MAX: usize = 256;
/// The largest entry that is read, in bytes over all its fields: many times the size of a ballot.
pub const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// Why an entry holds no ballot. The text becomes the reason of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field that every entry needs is absent.
    #[error("field `{0}` is missing")]
    MissingField(&'static str),
    /// The value is longer than [`PAYLOAD_BYTES_MAX`].
    #[error("the ballot is {0} bytes long, more than {PAYLOAD_BYTES_MAX}")]
    Oversized(usize),
    /// The entry as a whole is larger than [`ENTRY_BYTES_MAX`], so it was not read.
    #[error("the entry is {0} bytes long, more than {ENTRY_BYTES_MAX}")]
    OversizedEntry(usize),
    /// The value is not printable ASCII.
    #[error("the ballot holds bytes that are not printable ASCII")]
    NotText,
    /// The format has a version that this program does not know.
    #[error("unknown version `{0}` of the ballot format")]
    UnknownVersion(String),
    /// A part of the value is absent.
    #[error("part `{0}` is missing")]
    MissingPart(&'static str),
    /// A part of the value does not parse, or is out of range.
    #[error("part `{0}` is not valid")]
    InvalidPart(&'static str),
    /// Another part follows the last one.
    #[error("the ballot has more parts than version 1 knows")]
    TrailingPart,
    /// The value of [`FIELD_ORIGIN`] is not an entry ID.
    #[error("field `origin` is not an entry ID")]
    InvalidOrigin,
}

/// Encodes a ballot as a value of [`FIELD_BALLOT`].
pub fn encode(ballot: &Ballot) -> String {
    // Not through `Display`: formatting takes most of the time that a ballot takes here.
    let (mut number, mut digits) = (itoa::Buffer::new(), [0; 32]);
    let mut text = String::with_capacity(96);
    text.push_str(VERSION);
    text.push(' ');
    text.push_str(number.format(ballot.poll.0));
    text.push(' ');
    text.push_str(number.format(ballot.choices.mask()));
    text.push(' ');
    text.push_str(ballot.voter.0.simple().encode_lower(&mut digits));
    text.push(' ');
    text.push_str(ballot.id.0.simple().encode_lower(&mut digits));
    text
}

/// Decodes a value of [`FIELD_BALLOT`]. Never panics, whatever the bytes.
///
/// # Errors
/// Returns an error that names the part which is missing or wrong.
pub fn decode(payload: &[u8]) -> Result<Ballot, Error> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(Error::Oversized(payload.len()));
    }
    if !payload.iter().all(|b| (b' '..=b'~').contains(b)) {
        return Err(Error::NotText);
    }
    let text = str::from_utf8(payload).map_err(|_| Error::NotText)?;
    let mut parts = text.split(' ').filter(|part| !part.is_empty());
    match parts.next() {
        Some(VERSION) => decode_v1(parts),
        Some(other) => Err(Error::UnknownVersion(other.chars().take(16).collect())),
        None => Err(Error::MissingPart("version")),
    }
}

/// Decodes a value of [`FIELD_ORIGIN`].
///
/// # Errors
/// Returns [`Error::InvalidOrigin`] if the value is not an entry ID.
pub fn decode_origin(origin: &[u8]) -> Result<EntryId, Error> {
    str::from_utf8(origin).ok().and_then(|text| text.parse().ok()).ok_or(Error::InvalidOrigin)
}

fn decode_v1<'a>(mut parts: impl Iterator<Item = &'a str>) -> Result<Ballot, Error> {
    let mut part = |name| parts.next().ok_or(Error::MissingPart(name));
    let poll = number(part("poll")?).and_then(|n| i32::try_from(n).ok());
    let choices = digits(part("choices")?).and_then(Choices::from_mask);
    let voter = id(part("voter")?);
    let ballot = id(part("ballot")?);
    if parts.next().is_some() {
        return Err(Error::TrailingPart);
    }
    Ok(Ballot {
        poll: PollId(poll.ok_or(Error::InvalidPart("poll"))?),
        choices: choices.ok_or(Error::InvalidPart("choices"))?,
        voter: VoterKey(voter.ok_or(Error::InvalidPart("voter"))?),
        id: BallotId(ballot.ok_or(Error::InvalidPart("ballot"))?),
    })
}

/// Parses a positive decimal without sign or blanks.
fn number(part: &str) -> Option<i64> {
    digits(part).filter(|number| *number > 0)
}

/// Parses a decimal without sign or blanks.
fn digits(part: &str) -> Option<i64> {
    let is_plain = part.bytes().all(|b| b.is_ascii_digit());
    part.parse().ok().filter(|_| is_plain)
}

/// Parses 32 hexadecimal digits, and none of the other forms that [`Uuid`] accepts.
fn id(part: &str) -> Option<Uuid> {
    (part.len() == ID_DIGITS).then(|| Uuid::try_parse_ascii(part.as_bytes()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOLDEN_V1: &str =
        "1 7 5 0190c42ab6f87abc8def0123456789ab 0190c42ab6f97abc8def0123456789ab";

    fn golden_ballot() -> Ballot {
        Ballot {
            poll: PollId(7),
            choices: Choices::from_mask(5).unwrap(),
            voter: VoterKey(Uuid::from_u128(0x0190c42a_b6f8_7abc_8def_0123456789ab)),
            id: BallotId(Uuid::from_u128(0x0190c42a_b6f9_7abc_8def_0123456789ab)),
        }
    }

    #[test]
    fn version_1_is_written_and_read_as_it_always_was() {
        assert_eq!(encode(&golden_ballot()), GOLDEN_V1);
        assert_eq!(decode(GOLDEN_V1.as_bytes()), Ok(golden_ballot()));
    }

    /// Consumers of the release before make a dead letter of it, which can be replayed after the update.
    #[test]
    fn an_abstention_has_no_choices() {
        let abstention = Ballot { choices: Choices::from_mask(0).unwrap(), ..golden_ballot() };
        let text = GOLDEN_V1.replace(" 7 5 ", " 7 0 ");
        assert_eq!(encode(&abstention), text);
        assert_eq!(decode(text.as_bytes()), Ok(abstention));
    }

    #[test]
    fn the_choices_stand_where_the_register_script_looks_for_them() {
        for (poll, mask) in [(7, 5), (7, 0), (i32::MAX, i64::MAX)] {
            let (poll, choices) = (PollId(poll), Choices::from_mask(mask).unwrap());
            let ballot = Ballot { poll, choices, ..golden_ballot() };
            let text = encode(&ballot);
            let first = BEFORE_CHOICES_BYTES + poll.to_string().len();
            assert_eq!(text[first..text.len() - AFTER_CHOICES_BYTES], mask.to_string());
            assert_eq!(text[text.len() - ID_DIGITS..], ballot.id.0.simple().to_string());
        }
    }

    #[test]
    fn each_missing_part_is_named() {
        let parts: Vec<&str> = GOLDEN_V1.split(' ').collect();
        for (kept, name) in ["version", "poll", "choices", "voter", "ballot"].iter().enumerate() {
            let short = parts[..kept].join(" ");
            assert_eq!(decode(short.as_bytes()), Err(Error::MissingPart(name)), "{short:?}");
        }
    }

    #[test]
    fn each_wrong_part_is_named() {
        let wrong = |index: usize, value: &str| {
            let mut parts: Vec<&str> = GOLDEN_V1.split(' ').collect();
            parts[index] = value;
            decode(parts.join(" ").as_bytes())
        };
        assert_eq!(wrong(0, "9"), Err(Error::UnknownVersion("9".into())));
        for value in ["0", "-1", "+1", "x", "99999999999"] {
            assert_eq!(wrong(1, value), Err(Error::InvalidPart("poll")), "{value}");
        }
        for value in ["-1", "+1", "x", "9223372036854775808"] {
            assert_eq!(wrong(2, value), Err(Error::InvalidPart("choices")), "{value}");
        }
        for value in ["0", "{0190c42ab6f87abc8def0123456789a}", &"g".repeat(32)] {
            assert_eq!(wrong(3, value), Err(Error::InvalidPart("voter")), "{value}");
            assert_eq!(wrong(4, value), Err(Error::InvalidPart("ballot")), "{value}");
        }
        assert_eq!(decode(format!("{GOLDEN_V1} x").as_bytes()), Err(Error::TrailingPart));
        assert_eq!(decode(b"1 7\0 5"), Err(Error::NotText));
        assert_eq!(decode("1 7 5 ä".as_bytes()), Err(Error::NotText));
        assert_eq!(decode(&[b'1'; 300]), Err(Error::Oversized(300)));
    }

    proptest! {
        #[test]
        fn an_encoded_ballot_decodes_to_the_same(
            poll in 1_i32.., mask in 0_i64.., voter in any::<u128>(), ballot in any::<u128>(),
        ) {
            let ballot = Ballot {
                poll: PollId(poll),
                choices: Choices::from_mask(mask).unwrap(),
                voter: VoterKey(Uuid::from_u128(voter)),
                id: BallotId(Uuid::from_u128(ballot)),
            };
            let payload = encode(&ballot);
            prop_assert!(payload.len() <= PAYLOAD_BYTES_MAX);
            prop_assert_eq!(decode(payload.as_bytes()), Ok(ballot));
        }

        #[test]
        fn rubbish_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode_origin(&bytes);
            if let Ok(ballot) = decode(&bytes) {
                prop_assert_eq!(decode(encode(&ballot).as_bytes()), Ok(ballot));
            }
        }
    }
}
