//! Reads a text as the solution of a proof of work, and checks it.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use votestream_schema::submission::work::Solution;
use votestream_schema::voter::KeyRing;
use votestream_schema::{PollId, VoterId};

static KEYS: LazyLock<KeyRing> =
    LazyLock::new(|| KeyRing::parse(&"5a".repeat(32)).expect("64 hexadecimal digits are a key"));

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(solution) = Solution::parse(&text) {
        let verified = solution.verify(&KEYS, PollId(1), VoterId::new(), 1_764_288_000);
        assert!(verified.is_err(), "nobody was asked, so nobody has solved it: {text}");
    }
});
