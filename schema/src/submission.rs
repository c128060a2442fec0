//! Parses the ballot that a voter submits: a form, as a browser posts it, or JSON, as a program does.
//!
//! The parser stands apart from HTTP so that it can be fuzzed. It never panics, whatever the bytes are.
//! Whether the names are options is decided later, by the poll ([`crate::Poll::choose`]).

pub mod forwarded;
pub mod work;

use serde::Deserialize;

/// The form field that names an option; given more than once where a poll takes several.
pub const FIELD_VOTE: &str = "vote";
/// The form field that holds the voting code.
pub const FIELD_CODE: &str = "code";

/// The form field that holds the page's voting token.
pub const FIELD_TOKEN: &str = "token";

/// The form field that holds the solution of a challenge.
pub const FIELD_SOLUTION: &str = "solution";

/// The form field that asks to keep the voter of a voting code in this browser.
pub const FIELD_REMEMBER: &str = "remember";
/// The form field that says that the ballot chooses nothing.
pub const FIELD_ABSTAIN: &str = "abstain";
/// The parameter of a ballot page's address that marks an option beforehand; given more than once for several.
pub const PARAMETER_OPTION: &str = "option";
/// The form field that asks to forget the voter whom this browser names.
pub const FIELD_FORGET: &str = "forget";

/// Options by slug or letter, and the voting code and token if they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Submission {
    /// The names of the chosen options: slugs or letters.
    pub choices: Vec<String>,
    /// The voting code, as it was typed.
    #[serde(default)]
    pub code: Option<String>,
    /// The voting token of the page: the voter's identity where the browser keeps no cookie.
    #[serde(default)]
    pub token: Option<String>,
    /// The solution of a challenge, if one was asked for.
    #[serde(default)]
    pub solution: Option<String>,
    /// Whether this browser may change the vote later without the voting code.
    #[serde(default)]
    pub remember: bool,
    /// Whether a form says that it chooses nothing; a form without a mark alone may be a mistake.
    #[serde(skip)]
    pub abstains: bool,
    /// Whether this is no ballot, but a form that asks to forget the voter.
    #[serde(skip)]
    pub forget: bool,
}

impl Submission {
    /// The voting code without the blanks around it, if the field is filled in.
    pub fn code(&self) -> Option<&str> {
        not_blank(self.code.as_deref())
    }

    /// The voting token without the blanks around it, if the field is filled in.
    pub fn token(&self) -> Option<&str> {
        not_blank(self.token.as_deref())
    }

    /// The solution of a challenge without the blanks around it, if the field is filled in.
    pub fn solution(&self) -> Option<&str> {
        not_blank(self.solution.as_deref())
    }

    /// Reads `application/x-www-form-urlencoded`. Any bytes are a form; other fields are ignored.
    pub fn from_form(body: &[u8]) -> Self {
        let mut submission = Self::default();
        for (field, value) in form_urlencoded::parse(body) {
            match &*field {
                FIELD_VOTE => submission.choices.push(value.into_owned()),
                FIELD_CODE if submission.code.is_none() => {
                    submission.code = Some(value.into_owned());
                }
                FIELD_TOKEN if submission.token.is_none() => {
                    submission.token = Some(value.into_owned());
                }
                FIELD_SOLUTION if submission.solution.is_none() => {
                    submission.solution = Some(value.into_owned());
                }
                FIELD_REMEMBER => submission.remember = true,
                FIELD_FORGET => submission.forget = true,
                FIELD_ABSTAIN => submission.abstains = true,
                _ => {}
            }
        }
        if submission.abstains {
            submission.choices.clear();
        }
        submission
    }

    /// Reads `{"choices": ["cats"], "code": "…", "token": "…", "solution": "…"}`.
    ///
    /// # Errors
    /// Returns an error that says where the text is not of that form.
    pub fn from_json(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }
}

/// Reads the names of options that the query of a ballot page's address marks beforehand: `option=cats`.
pub fn marked_beforehand(query: &str) -> Vec<String> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let options = pairs.filter(|(name, _)| name == PARAMETER_OPTION);
    options.map(|(_, value)| value.into_owned()).collect()
}

fn not_blank(field: Option<&str>) -> Option<&str> {
    field.map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_names_options_and_a_code() {
        let read = Submission::from_form(b"vote=cats&x=y&vote=d%6Fgs&code=AB+CD&code=EF&vote=");
        assert_eq!(read.choices, ["cats", "dogs", ""]);
        assert_eq!(read.code.as_deref(), Some("AB CD"));
        assert_eq!(read.token, None);
        let read = Submission::from_form(b"token=v1.a&vote=cats&token=v1.b");
        assert_eq!(read.token.as_deref(), Some("v1.a"));
        let read = Submission::from_form(b"vote=cats&solution=w1.a&solution=w1.b");
        assert_eq!(read.solution(), Some("w1.a"));
        assert!(!read.remember && Submission::from_form(b"remember=1&vote=a").remember);
        assert!(!read.forget && Submission::from_form(b"forget=1").forget);
        let read = Submission::from_form(b"vote=cats&abstain=1");
        assert!(read.abstains && read.choices.is_empty());
        assert_eq!(marked_beforehand("option=cats&x=y&option=d%6Fgs"), ["cats", "dogs"]);
        assert!(marked_beforehand("").is_empty());
        assert_eq!(Submission::from_form(b""), Submission::default());
        assert_eq!(Submission::from_form(b"\xff=%&vote=%ff").choices, ["\u{fffd}"]);
    }

    #[test]
    fn json_names_options_and_a_code() {
        let read = Submission::from_json(br#"{"choices":["cats"],"code":"AB","more":1}"#).unwrap();
        assert_eq!((read.choices, read.code), (vec!["cats".into()], Some("AB".into())));
        let read = Submission::from_json(br#"{"choices":[],"token":"v1.a"}"#).unwrap();
        assert_eq!(read.token.as_deref(), Some("v1.a"));
        let read = Submission::from_json(br#"{"choices":[],"solution":" w1.a "}"#).unwrap();
        assert_eq!((read.solution(), Submission::default().solution()), (Some("w1.a"), None));
        for bad in ["", "{}", "[]", r#"{"choices":"cats"}"#, r#"{"choices":[1]}"#] {
            assert!(Submission::from_json(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
