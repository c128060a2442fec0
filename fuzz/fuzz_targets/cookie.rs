//! Parses the lines of a Cookie header. No cookie that was not signed with our key may identify a voter.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use votestream_schema::voter::{CookieKind, Identity, KeyRing};

const NOW_S: i64 = 1_700_000_000;
/// A key with which no cookie in the corpus was signed.
static KEYS: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::parse(&"7e".repeat(32)).expect("a key"));

fuzz_target!(|lines: &[u8]| {
    let lines = lines.split(|byte| *byte == b'\n');
    for kind in [CookieKind::Plain, CookieKind::Secure, CookieKind::Partitioned] {
        let found = KEYS.identify(lines.clone(), "voter", kind, NOW_S);
        assert!(!matches!(found, Identity::Known { .. }), "a forged cookie identifies a voter");
    }
});
