//! Parses a JSON ballot as a program posts it, and maps it to the choices of a poll.

#![no_main]

use libfuzzer_sys::fuzz_target;
use votestream_schema::code::Code;
use votestream_schema::submission::Submission;

mod poll;

fuzz_target!(|body: &[u8]| {
    if let Ok(submission) = Submission::from_json(body) {
        poll::choose(&submission);
        let _ = submission.code.as_deref().and_then(Code::parse);
    }
});
