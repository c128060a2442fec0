//! Reads the headers in which proxies name the client. What our own proxy adds at the right must be read, whatever a client
//! invented before it.

#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use votestream_schema::submission::forwarded;

const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

fuzz_target!(|invented: &[u8]| {
    let ours: &[u8] = b"203.0.113.9";
    // As a line of its own, and at the end of the client's line.
    let lines = [invented, ours];
    assert_eq!(forwarded::x_forwarded_for(&lines).next(), Some(Some(OURS)));
    let joined = [invented, b", ", ours].concat();
    assert_eq!(forwarded::x_forwarded_for(&[joined.as_slice()]).next(), Some(Some(OURS)));
    assert!(forwarded::x_forwarded_for(&lines).count() >= 2);

    let element: &[u8] = b"for=203.0.113.9;proto=https";
    let first = forwarded::forwarded(&[invented, element]).into_iter().next();
    assert_eq!(first, Some(forwarded::Element { address: Some(OURS), is_https: true, host: None }));
    // A quotation mark that the client left open hides its address; it never becomes another one.
    let joined = [invented, b", ", element].concat();
    let first = forwarded::forwarded(&[joined.as_slice()]).into_iter().next();
    assert!(first.is_some_and(|first| first.address.is_none() || first.address == Some(OURS)));
});
