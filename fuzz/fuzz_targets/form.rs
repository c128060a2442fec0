//! Parses a form as a browser posts it, and maps it to the choices of a poll.

#![no_main]

use libfuzzer_sys::fuzz_target;
use votestream_schema::code::Code;
use votestream_schema::submission::{self, Submission};

mod poll;

fuzz_target!(|body: &[u8]| {
    let submission = Submission::from_form(body);
    poll::choose(&submission);
    let _ = submission::marked_beforehand(&String::from_utf8_lossy(body));
    let _ = submission.code.as_deref().and_then(Code::parse);
});
