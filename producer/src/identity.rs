//! Reads and writes the cookies and tokens that identify voters.
//!
//! In an open poll, the signed cookie names the voter. Browsers may refuse cookies, so each ballot page also
//! carries a voting token, which names the same voter in this poll: whatever happens to a reply, the same
//! page is the same voter. A client with neither is a new voter. In a poll with voting codes, the voter
//! follows from the code, and a cookie for that poll remembers the voter, so that a reload shows the standing
//! vote.

use std::borrow::Cow;

use votestream_schema::voter::{AGE_MAX_S, Error, Identity, KeyRing};
use votestream_schema::{Poll, VoterId, poll::VoterPolicy};
use warp::http::{HeaderMap, HeaderValue, header};

/// Returns the scope of the cookie for a poll. Name and signature contain it, so that a cookie counts in its own
/// poll only.
fn scope(poll: &Poll) -> Cow<'static, str> {
    match poll.voter_policy {
        VoterPolicy::Open => "voter".into(),
        VoterPolicy::Code => format!("voter-{}", poll.slug).into(),
    }
}

/// Reads the voter from the cookies of a request; `secure` says whether it came through TLS.
pub fn read(
    keys: &KeyRing,
    poll: &Poll,
    headers: &HeaderMap,
    now_s: i64,
    secure: bool,
) -> Identity {
    let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    keys.identify(lines, &scope(poll), secure, now_s)
}

/// Returns the Set-Cookie header that makes the client this voter.
pub fn set_cookie(
    keys: &KeyRing,
    poll: &Poll,
    voter: VoterId,
    now_s: i64,
    kind: CookieKind,
) -> HeaderValue {
    let scope = scope(poll);
    let name = keys.cookie_name(&scope, kind != CookieKind::Plain);
    cookie(&name, &keys.sign(&scope, voter, now_s), AGE_MAX_S, kind)
}

/// Returns the Set-Cookie header that removes a cookie which this service did not sign.
pub fn clear_cookie(keys: &KeyRing, poll: &Poll, kind: CookieKind) -> HeaderValue {
    cookie(&keys.cookie_name(&scope(poll), kind != CookieKind::Plain), "", 0, kind)
}

/// How a cookie travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieKind {
    /// Over plain HTTP, with requests of this site's pages.
    Plain,
    /// Through TLS only, with requests of this site's pages.
    Secure,
    /// Through TLS only, with requests of the pages of one other site. Browsers keep such cookies apart for
    /// each site (`Partitioned`), so they do not follow a person from site to site.
    Partitioned,
}

impl CookieKind {
    fn attributes(self) -> &'static str {
        match self {
            Self::Plain => "; HttpOnly; SameSite=Lax",
            Self::Secure => "; HttpOnly; SameSite=Lax; Secure",
            Self::Partitioned => "; HttpOnly; SameSite=None; Secure; Partitioned",
        }
    }
}

/// A voter whom a voting token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenHolder {
    /// The voter.
    pub voter: VoterId,
    /// Whether the limit of new voters let the page pass when it was served. If not, the limit applies to the
    /// ballot.
    pub has_passed_limit: bool,
}

/// What a token is signed for. A token of one use is not accepted for another.
fn token_scope(poll: &Poll, has_passed_limit: bool) -> String {
    let kind = if has_passed_limit { "token" } else { "token-to-limit" };
    format!("{kind} {}", poll.slug)
}

/// Returns the voting token for a page that is served to this voter.
pub fn token(keys: &KeyRing, poll: &Poll, holder: TokenHolder, now_s: i64) -> String {
    keys.sign(&token_scope(poll, holder.has_passed_limit), holder.voter, now_s)
}

/// Reads a voting token of this poll.
///
/// # Errors
/// Returns whether the token is malformed, forged, of another poll, or expired.
pub fn read_token(
    keys: &KeyRing,
    poll: &Poll,
    token: &str,
    now_s: i64,
) -> Result<TokenHolder, Error> {
    let read = |has_passed_limit| {
        let voter = keys.verify(&token_scope(poll, has_passed_limit), token, now_s)?;
        Ok(TokenHolder { voter, has_passed_limit })
    };
    read(true).or_else(|error| if error == Error::Forged { read(false) } else { Err(error) })
}

/// Most bytes of the attributes after a cookie's value.
const ATTRIBUTES_BYTES_MAX: usize = 80;

fn cookie(name: &str, value: &str, age_s: i64, kind: CookieKind) -> HeaderValue {
    let mut text = String::with_capacity(name.len() + value.len() + ATTRIBUTES_BYTES_MAX);
    // `write!` would take five times as long.
    let age_s = age_s.to_string();
    for part in [name, "=", value, "; Path=/; Max-Age=", &age_s, kind.attributes()] {
        text.push_str(part);
    }
    HeaderValue::try_from(text).expect("slugs and signatures are visible ASCII")
}
