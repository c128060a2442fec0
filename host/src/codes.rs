//! What organisers order for the voting codes of a poll.
//!
//! Invariant: no error and no page but the one that hands new codes out shows a code.

use std::collections::HashSet;

use serde::Deserialize;
use votestream_schema::code::Code;
use votestream_schema::{Poll, PollState};
use votestream_service::language::Message;
use votestream_service::problem::Detail;

use crate::fields::Fields;

/// New codes of one order: as many cards as one page holds well.
pub(crate) const ISSUED_MAX: u32 = 1_000;

/// Whether codes can be made for a poll in this state.
pub(crate) fn are_possible(poll: &Poll, state: PollState) -> bool {
    let takes_ballots = matches!(state, PollState::Draft | PollState::Scheduled | PollState::Open);
    poll.voter_policy.needs_code() && takes_ballots
}

/// An order for the codes of a poll.
#[derive(Clone, Debug)]
pub(crate) enum CodesOrder {
    /// Makes so many new codes.
    Issue(u32),
    /// Adds codes that people have already, each once.
    Import(Vec<Code>),
}

/// The same as JSON.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Written {
    Issue { count: u32 },
    Import { codes: Vec<String> },
}

impl CodesOrder {
    /// Reads the order from one of the two forms: `count`, or `codes` with a code in each line.
    ///
    /// # Errors
    /// Returns the mistake in words for the organiser.
    pub(crate) fn of_form(fields: &Fields) -> Result<Self, Detail> {
        if let Some(count) = fields.get("count") {
            return issue(count, count.parse().ok());
        }
        import(fields.get("codes").unwrap_or_default().lines())
    }

    /// Reads the order of a program.
    ///
    /// # Errors
    /// Returns the mistake in words for the program's author.
    pub(crate) fn of_json(written: Written) -> Result<Self, Detail> {
        match written {
            Written::Issue { count } => issue(&count.to_string(), Some(count)),
            Written::Import { codes } => import(codes.iter().map(String::as_str)),
        }
    }
}

fn issue(given: &str, count: Option<u32>) -> Result<CodesOrder, Detail> {
    match count.filter(|count| (1..=ISSUED_MAX).contains(count)) {
        Some(count) => Ok(CodesOrder::Issue(count)),
        None => {
            let message = Message::new("host-detail-count").with("max", ISSUED_MAX.to_string());
            Err(message.with("given", given).into())
        }
    }
}

fn import<'a>(lines: impl Iterator<Item = &'a str>) -> Result<CodesOrder, Detail> {
    let (mut codes, mut seen) = (Vec::new(), HashSet::new());
    for (number, line) in (1_usize..).zip(lines) {
        if line.trim().is_empty() {
            continue;
        }
        let Some(code) = Code::parse(line) else {
            let line = number.to_string();
            return Err(Message::new("host-detail-no-code").with("line", line).into());
        };
        if seen.insert(code.clone()) {
            codes.push(code);
        }
    }
    match codes.is_empty() {
        true => Err(Message::new("host-detail-codes-empty").into()),
        false => Ok(CodesOrder::Import(codes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<CodesOrder, Detail> {
        CodesOrder::of_form(&Fields::from_form(form.as_bytes()))
    }

    #[test]
    fn an_order_makes_new_codes_or_adds_codes_each_once() {
        assert!(matches!(read("count=5"), Ok(CodesOrder::Issue(5))));
        let form = "codes=0123-4567-89AB-CDEF%0D%0A%0D%0A0123456789abcdef%0D%0AFEDC-BA98-7654-3210";
        assert!(matches!(read(form), Ok(CodesOrder::Import(codes)) if codes.len() == 2));
        for bad in ["", "count=0", "count=1001", "count=-1", "count=x", "codes=", "codes=%0D%0A"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_line_that_is_no_code_is_named_by_its_number_alone() {
        let Err(Detail::Message(message)) = read("codes=0123-4567-89AB-CDEF%0D%0ASECRET") else {
            panic!("a word was taken for a code");
        };
        assert_eq!(message, Message::new("host-detail-no-code").with("line", "2"));
    }

    #[test]
    fn a_program_says_one_of_the_two() {
        let read = |json: &str| serde_json::from_str::<Written>(json);
        assert!(matches!(read(r#"{"count": 3}"#), Ok(Written::Issue { count: 3 })));
        assert!(matches!(read(r#"{"codes": ["a"]}"#), Ok(Written::Import { .. })));
        for bad in ["{}", r#"{"count": 3, "codes": []}"#, r#"{"count": "3"}"#, "[]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
