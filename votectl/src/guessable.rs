//! Looks for codes that somebody could guess from other codes.
//!
//! Random codes get no warning: among a million of them, one pair that shares nine characters at the same
//! end comes up once in seventy times, and a warning needs one code in a hundred.

use std::fmt;

use votestream_schema::code::{CODE_CHARS, Code};

/// Codes that share more characters than this at one end look as if they were counted up.
const SHARED_CHARS_MAX: usize = 8;
/// A code of this many different characters, or fewer, looks made up.
const DIFFERENT_CHARS_MIN: usize = 4;

/// A reason why codes can be guessed, and the number of codes that have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Codes that begin like another one.
    ShareBeginning(usize),
    /// Codes that end like another one.
    ShareEnd(usize),
    /// Codes that repeat few characters.
    FewCharacters(usize),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (codes, why) = match self {
            Self::ShareBeginning(codes) => (
                codes,
                format!("share more than {SHARED_CHARS_MAX} leading characters with another code"),
            ),
            Self::ShareEnd(codes) => (
                codes,
                format!("share more than {SHARED_CHARS_MAX} trailing characters with another code"),
            ),
            Self::FewCharacters(codes) => {
                (codes, format!("have no more than {DIFFERENT_CHARS_MIN} different characters"))
            }
        };
        write!(f, "warning: {codes} codes {why}, and can be guessed")
    }
}

/// Returns the reasons why these codes can be guessed; none for random ones.
pub fn warnings(codes: &[Code]) -> Vec<Warning> {
    let mut texts: Vec<Text> = codes.iter().map(text).collect();
    let few = texts.iter().filter(|text| different(text) <= DIFFERENT_CHARS_MIN).count();
    let beginning = sharing(&mut texts);
    for text in &mut texts {
        text.reverse();
    }
    let end = sharing(&mut texts);
    let found = [
        (beginning, Warning::ShareBeginning(beginning)),
        (end, Warning::ShareEnd(end)),
        (few, Warning::FewCharacters(few)),
    ];
    let is_common = |number: usize| number > 0 && number * 100 >= codes.len();
    found.into_iter().filter(|(number, _)| is_common(*number)).map(|(_, warning)| warning).collect()
}

type Text = [u8; CODE_CHARS];

fn text(code: &Code) -> Text {
    let mut printed = code.printed().into_bytes();
    printed.retain(|byte| *byte != b'-');
    std::array::from_fn(|at| printed[at])
}

fn different(text: &Text) -> usize {
    let mut text = *text;
    text.sort_unstable();
    text.chunk_by(u8::eq).count()
}

/// How many texts begin like another one. Sorts the texts.
fn sharing(texts: &mut [Text]) -> usize {
    texts.sort_unstable();
    let beginning = |text: &Text| text[..=SHARED_CHARS_MAX].to_vec();
    let groups = texts.chunk_by(|one, other| beginning(one) == beginning(other));
    groups.map(<[Text]>::len).filter(|size| *size > 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(typed: &[&str]) -> Vec<Warning> {
        let codes: Vec<Code> = typed.iter().map(|typed| Code::parse(typed).unwrap()).collect();
        warnings(&codes)
    }

    #[test]
    fn random_codes_get_no_warning() {
        for number in [1, 2, 10_000] {
            let codes: Vec<Code> = (0..number).map(|_| Code::generate()).collect();
            assert_eq!(warnings(&codes), []);
        }
    }

    #[test]
    fn codes_that_were_counted_up_are_found() {
        let sequence = ["8KQ2-M9TR-W4XD-0001", "8KQ2-M9TR-W4XD-0002", "7C5F-HJNP-2A6G-VZ3E"];
        assert_eq!(of(&sequence), [Warning::ShareBeginning(2)]);
        assert_eq!(of(&["0001-8KQ2-M9TR-W4XD", "0002-8KQ2-M9TR-W4XD"]), [Warning::ShareEnd(2)]);
        assert_eq!(of(&["8KQ2-M9TR-XAAA-BCDE", "8KQ2-M9TR-YFGH-JKMN"]), [], "eight are the limit");
        let shared = of(&["8KQ2-M9TR-XAAA-BCDE", "8KQ2-M9TR-XFGH-JKMN"]);
        assert_eq!(shared, [Warning::ShareBeginning(2)], "nine are too many");
    }

    #[test]
    fn codes_of_few_characters_are_found() {
        assert_eq!(of(&["0000-0000-0000-0001"]), [Warning::FewCharacters(1)]);
        assert_eq!(of(&["1234-1234-1234-1234"]), [Warning::FewCharacters(1)]);
        assert_eq!(of(&["1234-5123-4512-3451"]), []);
    }

    #[test]
    fn a_coincidence_among_many_is_no_warning() {
        let mut codes: Vec<Code> = (0..1_000).map(|_| Code::generate()).collect();
        codes.extend(
            ["8KQ2M9TRXAAABCDE", "8KQ2M9TRXFGHJKMN"].map(|typed| Code::parse(typed).unwrap()),
        );
        assert_eq!(warnings(&codes), []);
    }
}
