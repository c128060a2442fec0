//! Parses the fields of a stream entry. A parsed field that is written and parsed again must be the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use votestream_schema::{EntryId, codec};

fuzz_target!(|field: &[u8]| {
    if let Ok(ballot) = codec::decode(field) {
        let written = codec::encode(&ballot);
        assert!(written.len() <= codec::PAYLOAD_BYTES_MAX);
        assert_eq!(codec::decode(written.as_bytes()), Ok(ballot));
    }
    if let Ok(origin) = codec::decode_origin(field) {
        let written = origin.to_string();
        assert_eq!(codec::decode_origin(written.as_bytes()), Ok(origin));
        assert_eq!(written.parse::<EntryId>(), Ok(origin));
    }
});
