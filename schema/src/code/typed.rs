//! Reads a voting code as people type and paste it.
//!
//! Owns the alphabet, and the rules on which characters a reader skips, and which ones stand for another. Invariant: the
//! cost is bounded, whatever the text is; and a letter that is not in the alphabet is never skipped.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Crockford's base 32: no I, L, O, U. <https://www.crockford.com/base32.html>
pub const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The number of characters in a code, without the hyphens.
pub const CODE_CHARS: usize = 16;
/// The most bytes that are looked at: room for a personal link with a long address.
const TYPED_BYTES_MAX: usize = 2_048;
/// Stands in front of the code in the fragment of a personal link.
const IN_LINK: &str = "#code=";

/// Why a text is not a voting code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// The text is longer than any code or personal link.
    #[error("is longer than {TYPED_BYTES_MAX} bytes")]
    TooLong,
    /// A character that no code has.
    #[error("has the character {0:?}, which is in no code")]
    Character(char),
    /// Another number of characters, separators not counted.
    #[error("has {} characters, and a code has {CODE_CHARS}", at_most(*.0))]
    Length(usize),
}

/// The number in words, because reading stops after one character too many.
fn at_most(length: usize) -> String {
    if length > CODE_CHARS { format!("more than {CODE_CHARS}") } else { length.to_string() }
}

/// Reads a code, or a personal link with a code in its fragment.
pub fn read(typed: &str) -> Result<[u8; CODE_CHARS], NotACode> {
    if typed.len() > TYPED_BYTES_MAX {
        return Err(NotACode::TooLong);
    }
    let mut code = [0; CODE_CHARS];
    let mut length = 0;
    // Skip before normalizing: NFKC makes a blank and an accent of a lone `´`. And skip after it: NFKC
    // makes dots of `…`.
    let letters = out_of_link(typed).chars().filter(|typed| !is_skipped(*typed));
    for typed in letters.nfkc().filter(|typed| !is_skipped(*typed)) {
        let letter = match typed.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let Some(byte) = ALPHABET.iter().copied().find(|byte| char::from(*byte) == letter) else {
            return Err(NotACode::Character(typed));
        };
        if length == CODE_CHARS {
            return Err(NotACode::Length(CODE_CHARS + 1));
        }
        code[length] = byte;
        length += 1;
    }
    if length == CODE_CHARS { Ok(code) } else { Err(NotACode::Length(length)) }
}

/// The code of a personal link; any other text as it is.
fn out_of_link(typed: &str) -> &str {
    let Some((_, code)) = typed.rsplit_once(IN_LINK) else { return typed };
    // Some programs append parameters of their own.
    code.split('&').next().unwrap_or(code)
}

/// Whether a character separates, quotes or formats the characters of a code.
fn is_skipped(typed: char) -> bool {
    use GeneralCategory as Category;
    let is_punctuation = matches!(
        typed.general_category(),
        // Dashes, and the underscore and its like.
        Category::DashPunctuation | Category::ConnectorPunctuation
        // Quotation marks and brackets. Low quotation marks count as opening punctuation.
        | Category::InitialPunctuation | Category::FinalPunctuation
        | Category::OpenPunctuation | Category::ClosePunctuation
        // Soft hyphen, byte order mark, zero-width characters, marks of writing direction.
        | Category::Format
    );
    let is_symbol = matches!(
        typed,
        '.' | ',' | '<' | '>' | '\'' | '"' | '`' | '´' | '′' | '″'
        // Minus sign and hyphen bullet, which Unicode does not count as dashes.
        | '\u{2212}' | '\u{2043}'
    );
    is_punctuation || is_symbol || typed.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &[u8; CODE_CHARS] = b"0123456789ABCDEF";

    fn assert_read(typed: &str) {
        assert_eq!(read(typed).as_ref(), Ok(CODE), "{typed:?}");
    }

    #[test]
    fn separators_of_every_kind_are_skipped() {
        // One dash, blank, quotation mark or invisible character after the other.
        let skipped = "-\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{ad}\u{2043}\
             \u{58a}\u{fe58}\u{fe63}\u{ff0d}\u{301c}\u{3030}\u{207b}\
             \u{20}\t\r\n\u{b}\u{c}\u{85}\u{a0}\u{1680}\u{2002}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\
             \u{205f}\u{3000}\
             \u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2060}\u{feff}\u{202a}\u{202b}\u{202c}\u{202d}\
             \u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{180e}\u{61c}\
             '\"`´\u{2018}\u{2019}\u{201a}\u{201b}\u{201c}\u{201d}\u{201e}\u{201f}\u{ab}\u{bb}\u{2039}\
             \u{203a}\u{300c}\u{300d}\u{ff02}\u{ff07}\u{2032}\u{2033}\
             ._,\u{ff0e}\u{ff3f}\u{ff0c}\u{2026}<>()[]";
        for separator in skipped.chars() {
            assert_read(&format!("0123{separator}4567{separator}89AB{separator}CDEF"));
            assert_read(&format!("{separator}0123456789ABCDE{separator}F{separator}"));
        }
        assert_read(&format!("{skipped}0123456789{skipped}ABCDEF{skipped}"));
    }

    #[test]
    fn full_width_and_styled_letters_are_the_letters_themselves() {
        assert_read("０１２３－４５６７－８９ＡＢ－ＣＤＥＦ");
        assert_read("ｏｌ２３　４５６７　８９ａｂ　ｃｄｅｆ");
        assert_read("𝟎𝟏𝟐𝟑-𝟒𝟓𝟔𝟕-𝟖𝟗𝐀𝐁-𝐂𝐃𝐄𝐅");
    }

    #[test]
    fn o_is_zero_and_i_and_l_are_one() {
        for one in ["1", "I", "i", "L", "l", "Ｉ", "ｌ"] {
            for zero in ["0", "O", "o", "Ｏ", "ｏ"] {
                assert_read(&format!("{zero}{one}23-4567-89AB-CDEF"));
            }
        }
    }

    #[test]
    fn a_personal_link_is_read_as_its_code() {
        let code = "0123-4567-89AB-CDEF";
        assert_read(&format!("https://vote.example/polls/pets#code={code}"));
        assert_read(&format!("<http://localhost:8080/?a=b#code={code}>."));
        assert_read(&format!("Vote here: https://vote.example/#code={code}&utm_source=mail"));
        assert_read(&format!("#code={code}"));
        let longest = format!("https://vote.example/{}#code={code}", "x".repeat(2_000));
        assert_read(&longest[..]);
        assert_eq!(
            read("https://vote.example/polls/pets?code=0123-4567-89AB-CDEF"),
            Err(NotACode::Character(':')),
            "a code in the query is in logs, so no link of ours has it there"
        );
        assert_eq!(read("https://vote.example/#code="), Err(NotACode::Length(0)));
    }

    #[test]
    fn letters_of_other_alphabets_and_signs_are_refused() {
        // U is in no code. А and О are Cyrillic, Α is Greek; ー lengthens a vowel in Japanese.
        for wrong in ['U', 'u', 'А', 'О', 'Α', 'ー', 'Ä', 'ß', '\0', '\u{301}', '٣', '#', '/', '|']
        {
            let typed = format!("0123-4567-89AB-CDE{wrong}");
            assert!(matches!(read(&typed), Err(NotACode::Character(_))), "{typed:?}");
        }
        assert_eq!(read("0123-4567-89AB-CDEU"), Err(NotACode::Character('U')));
        assert_eq!(read("A\u{308}123-4567-89AB-CDEF"), Err(NotACode::Character('Ä')));
    }

    #[test]
    fn another_length_is_refused() {
        assert_eq!(read(""), Err(NotACode::Length(0)));
        assert_eq!(read("- \u{200b}"), Err(NotACode::Length(0)));
        assert_eq!(read("0123-4567-89AB-CDE"), Err(NotACode::Length(15)));
        assert_eq!(read("0123-4567-89AB-CDEF-0"), Err(NotACode::Length(17)));
        assert_eq!(read("⑩123456789ABCDEF0"), Err(NotACode::Length(17)), "⑩ is two digits");
        let message = NotACode::Length(17).to_string();
        assert_eq!(message, "has more than 16 characters, and a code has 16");
        let padded = |bytes: usize| format!("0123456789ABCDEF{}", " ".repeat(bytes - CODE_CHARS));
        assert_read(&padded(TYPED_BYTES_MAX));
        assert_eq!(read(&padded(TYPED_BYTES_MAX + 1)), Err(NotACode::TooLong));
    }
}
