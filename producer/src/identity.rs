//! Reads and writes the cookies that identify voters.
//!
//! In an open poll, the signed cookie names the voter; a client without one is a new voter. In a poll with
//! voting codes, the voter follows from the code, and a cookie for that poll remembers the voter, so that a
//! reload shows the standing vote.

use std::borrow::Cow;

use votestream_schema::voter::{AGE_MAX_S, Identity, KeyRing};
use votestream_schema::{Poll, VoterId, poll::VoterPolicy};
use warp::http::{HeaderMap, HeaderValue, header};

/// Returns the name of the cookie for a poll. The signature covers the name, so that a cookie counts in its
/// own poll only.
fn name(poll: &Poll) -> Cow<'static, str> {
    match poll.voter_policy {
        VoterPolicy::Open => "voter".into(),
        VoterPolicy::Code => format!("voter-{}", poll.slug).into(),
    }
}

/// Prefix with which browsers store a cookie only if it came through TLS, and send it only to this host.
const HOST_PREFIX: &str = "__Host-";

/// Returns the cookie's name in requests and replies. Behind TLS only the prefixed name is believed. A
/// cookie without the prefix may have been planted by another host of the domain, or by somebody on the
/// way, to make a person vote as another voter.
fn name_on_wire(name: &str, secure: bool) -> Cow<'_, str> {
    if secure { format!("{HOST_PREFIX}{name}").into() } else { name.into() }
}

/// Reads the voter from the cookies of a request; `secure` says whether it came through TLS.
pub fn read(
    keys: &KeyRing,
    poll: &Poll,
    headers: &HeaderMap,
    now_s: i64,
    secure: bool,
) -> Identity {
    let name = name(poll);
    let on_wire = name_on_wire(&name, secure);
    let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    keys.identify(lines, &on_wire, &name, now_s)
}

/// Returns the Set-Cookie header that makes the client this voter.
pub fn set_cookie(
    keys: &KeyRing,
    poll: &Poll,
    voter: VoterId,
    now_s: i64,
    secure: bool,
) -> HeaderValue {
    let name = name(poll);
    cookie(&name, &keys.sign(&name, voter, now_s), AGE_MAX_S, secure)
}

/// Returns the Set-Cookie header that removes a cookie which this service did not sign.
pub fn clear_cookie(poll: &Poll, secure: bool) -> HeaderValue {
    cookie(&name(poll), "", 0, secure)
}

/// Most bytes of the attributes after a cookie's value.
const ATTRIBUTES_BYTES_MAX: usize = 80;

fn cookie(name: &str, value: &str, age_s: i64, secure: bool) -> HeaderValue {
    let name = name_on_wire(name, secure);
    let flag = if secure { "; Secure" } else { "" };
    let mut text = String::with_capacity(name.len() + value.len() + ATTRIBUTES_BYTES_MAX);
    // `write!` would take five times as long.
    let age_s = age_s.to_string();
    for part in [&name, "=", value, "; Path=/; Max-Age=", &age_s, "; HttpOnly; SameSite=Lax", flag]
    {
        text.push_str(part);
    }
    HeaderValue::try_from(text).expect("slugs and signatures are visible ASCII")
}
