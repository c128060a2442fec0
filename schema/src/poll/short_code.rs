//! The short code of a poll, which people type from a screen: `/v/BCDF` on the producer leads to the ballot.
//!
//! It follows from the poll's number, so it is stored nowhere, and it never changes. The numbers of neighbours make codes
//! that differ in most letters. Among the first 6,000 polls, no code becomes another one by a single wrong letter.
//!
//! A code is no secret: there are few of them, and anybody may try them all.

use std::fmt;
use std::str::FromStr;

use crate::PollId;

/// Capital letters that look like no other: no vowels, which make words and look like digits, and no `Q`, which looks like
/// `O`.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPRSTVWXYZ";
/// The number of letters in the codes of the first 160,000 polls; later ones have more.
const LENGTH_MIN: u32 = 4;
/// The number of letters in the longest code, that of the largest number of a poll.
const LENGTH_MAX: u32 = 8;
/// Spreads neighbouring numbers over all codes. It has no divisor in common with 20; a search found that it keeps similar
/// codes furthest apart.
const SPREAD: u64 = 88_907;

/// The short code of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortCode(PollId);

/// Says that a text is the code of no poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has 4 to 8 letters")]
pub struct NoCode;

impl ShortCode {
    /// Returns the code of this poll.
    pub fn of(poll: PollId) -> Self {
        Self(poll)
    }

    /// The number of the poll that has this code, if there is one.
    pub fn poll(self) -> PollId {
        self.0
    }
}

impl fmt::Display for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u64::from(self.0.0.unsigned_abs());
        let length = (LENGTH_MIN..LENGTH_MAX).find(|length| number < codes(*length));
        let length = length.unwrap_or(LENGTH_MAX);
        let mut rest = number * SPREAD % codes(length);
        let mut text = [0; LENGTH_MAX as usize];
        for place in &mut text[..length as usize] {
            *place = LETTERS[(rest % 20) as usize];
            rest /= 20;
        }
        f.pad(std::str::from_utf8(&text[..length as usize]).unwrap_or_default())
    }
}

impl FromStr for ShortCode {
    type Err = NoCode;

    /// Reads a code as people type it: in capitals or small letters, with blanks or hyphens, and with digits and vowels for
    /// the letters that look like them.
    fn from_str(text: &str) -> Result<Self, NoCode> {
        let typed = text.bytes().filter(|byte| !matches!(byte, b' ' | b'-'));
        let (mut length, mut scrambled) = (0, 0);
        for byte in typed {
            if length == LENGTH_MAX {
                return Err(NoCode);
            }
            let letter = match byte.to_ascii_uppercase() {
                b'8' => b'B',
                b'6' => b'G',
                b'5' => b'S',
                b'2' => b'Z',
                b'U' => b'V',
                other => other,
            };
            let digit = LETTERS.iter().position(|known| *known == letter).ok_or(NoCode)?;
            scrambled += digit as u64 * codes(length);
            length += 1;
        }
        if length < LENGTH_MIN {
            return Err(NoCode);
        }
        let number = u128::from(scrambled) * u128::from(inverse(codes(length)));
        let number = (number % u128::from(codes(length))) as u64;
        // A longer code of a number that has a shorter one is nobody's.
        let is_its_length = length == LENGTH_MIN || number >= codes(length - 1);
        let number = i32::try_from(number).ok().filter(|number| is_its_length && *number > 0);
        number.map(|number| Self(PollId(number))).ok_or(NoCode)
    }
}

/// The number of codes with this many letters.
const fn codes(length: u32) -> u64 {
    20_u64.pow(length)
}

/// The number that undoes the multiplication with [`SPREAD`], modulo a power of 20: Newton's iteration for the inverse
/// modulo powers of the base doubles the right digits in each step.
fn inverse(modulus: u64) -> u64 {
    let (modulus, spread) = (u128::from(modulus), u128::from(SPREAD));
    // Right modulo 20: 88,907 ends in 7, and 7 × 3 = 21.
    let mut inverse = 3_u128;
    for _ in 0..4 {
        let wrong = spread * inverse % modulus;
        inverse = inverse * ((2 + modulus - wrong) % modulus) % modulus;
    }
    inverse as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<i32> {
        text.parse::<ShortCode>().ok().map(|code| code.poll().0)
    }

    #[test]
    fn a_code_never_changes() {
        let codes =
            [1, 2, 3, 159_999, 160_000, i32::MAX].map(|n| ShortCode::of(PollId(n)).to_string());
        assert_eq!(codes, ["KHDP", "TNGD", "CWJS", "STXL", "BBBBK", "MPMVSXFC"]);
    }

    proptest::proptest! {
        #[test]
        fn every_poll_has_a_code_of_its_own(number in 1..=i32::MAX) {
            let code = ShortCode::of(PollId(number)).to_string();
            proptest::prop_assert_eq!(read(&code), Some(number), "{}", code);
            proptest::prop_assert_eq!(read(&code.to_lowercase()), Some(number), "{}", code);
        }

        #[test]
        fn whatever_is_typed_is_read_or_refused(text in "\\PC{0,12}") {
            let _ = read(&text);
        }
    }

    #[test]
    fn people_may_type_it_as_they_read_it() {
        let code = ShortCode::of(PollId(7)).to_string();
        let (front, back) = code.split_at(2);
        for typed in [format!(" {code} "), format!("{front}-{back}"), code.to_lowercase()] {
            assert_eq!(read(&typed), Some(7), "{typed}");
        }
        assert_eq!(read("8652"), read("BGSZ"));
        assert_eq!(read("UUUU"), read("VVVV"));
        for nothing in ["", "BCD", "BCDFGHJKL", "B0DF", "BÄDF", "BBBB"] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_wrong_letter_leads_to_none_of_the_first_polls() {
        for number in 1..6_000 {
            let code = ShortCode::of(PollId(number)).to_string();
            for place in 0..4 {
                for letter in LETTERS {
                    let mut wrong = code.clone().into_bytes();
                    wrong[place] = *letter;
                    let wrong = String::from_utf8(wrong).unwrap();
                    let other = read(&wrong).unwrap_or(i32::MAX);
                    assert!(wrong == code || other >= 6_000, "{code} and {wrong}");
                }
            }
        }
    }
}
