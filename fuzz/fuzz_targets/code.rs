//! Parses a voting code as a person types it. A parsed code that is printed and parsed again must be the same code.

#![no_main]

use libfuzzer_sys::fuzz_target;
use votestream_schema::PollId;
use votestream_schema::code::Code;

fuzz_target!(|typed: &str| {
    let Some(code) = Code::parse(typed) else { return };
    let again = Code::parse(&code.printed());
    assert_eq!(again.as_ref(), Some(&code));
    assert_eq!(again.map(|code| code.voter(PollId(1))), Some(code.voter(PollId(1))));
});
