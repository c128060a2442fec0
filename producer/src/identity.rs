//! The voter cookies of a request and of its reply.
//!
//! In an open poll the voter is whoever the signed cookie names; a client without one is new. In a
//! poll with voting codes the voter follows from the code, and a cookie of the poll's own remembers
//! it, so that a reload shows the choice that stands.

use std::borrow::Cow;

use votestream_schema::voter::{AGE_MAX_S, Identity, KeyRing};
use votestream_schema::{Poll, VoterId, poll::VoterPolicy};
use warp::http::{HeaderMap, HeaderValue, header};

/// The cookie of one poll: its name is its scope too.
fn name(poll: &Poll) -> Cow<'static, str> {
    match poll.voter_policy {
        VoterPolicy::Open => "voter".into(),
        VoterPolicy::Code => format!("voter-{}", poll.slug).into(),
    }
}

/// What stands before the name of a cookie that came, and only ever goes, through TLS.
const HOST_PREFIX: &str = "__Host-";

/// The name on the wire. Behind TLS only the prefixed one is believed: a browser takes that from
/// this very host over TLS alone, whereas a plain one may have been planted by a neighbour (another
/// host of the domain, or whoever sits between) to make somebody vote as another voter.
fn name_on_wire(name: &str, secure: bool) -> Cow<'_, str> {
    if secure { format!("{HOST_PREFIX}{name}").into() } else { name.into() }
}

/// Reads the voter from the cookies of a request that came through TLS (`secure`), or did not.
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

/// The Set-Cookie that makes this client this voter.
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

/// The Set-Cookie that makes the client forget a cookie that is not ours.
pub fn clear_cookie(poll: &Poll, secure: bool) -> HeaderValue {
    cookie(&name(poll), "", 0, secure)
}

/// What follows a cookie's value at most, in bytes.
const ATTRIBUTES_BYTES_MAX: usize = 80;

fn cookie(name: &str, value: &str, age_s: i64, secure: bool) -> HeaderValue {
    let name = name_on_wire(name, secure);
    let flag = if secure { "; Secure" } else { "" };
    let mut text = String::with_capacity(name.len() + value.len() + ATTRIBUTES_BYTES_MAX);
    // Not through `write!`, which takes five times as long.
    let age_s = age_s.to_string();
    for part in [&name, "=", value, "; Path=/; Max-Age=", &age_s, "; HttpOnly; SameSite=Lax", flag]
    {
        text.push_str(part);
    }
    HeaderValue::try_from(text).expect("slugs and signatures are visible ASCII")
}
