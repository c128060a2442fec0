//! Reads and writes the cookies and tokens that identify voters.
//!
//! In an open poll, the signed cookie names the voter. Browsers may refuse cookies, so each ballot page also
//! carries a voting token, which names the same voter in this poll: whatever happens to a reply, the same
//! page is the same voter. A program may name its voter by an idempotency key. Any other client is a new voter.
//!
//! In a poll with voting codes, the voter follows from the code. A cookie for that poll lets the browser that cast the
//! vote show it after a reload. It takes the place of the code only if the voter asked to be remembered. The token
//! of such a page names no voter: it names the page, so that a form which is sent again is the same ballot.

use std::borrow::Cow;

use votestream_schema::voter::{AGE_MAX_S, CookieKind, Error, Identity, KeyRing};
use votestream_schema::{Poll, VoterId, poll::VoterPolicy};
use warp::http::{HeaderMap, HeaderValue, header};

use crate::client::{Client, PageSite};

/// Returns the scope of the cookie for a poll. Name and signature contain it, so that a cookie counts in its own
/// poll only.
fn scope(poll: &Poll) -> Cow<'static, str> {
    match poll.voter_policy {
        VoterPolicy::Open => "voter".into(),
        VoterPolicy::Code => format!("voter-{}", poll.slug).into(),
    }
}

/// Returns the scope of the cookie that takes the place of the voting code in a poll.
fn remembered_scope(poll: &Poll) -> String {
    format!("remembered-{}", poll.slug)
}

/// Reads the voter from the cookies of a request; `kind` is the kind of cookie that the reply would set.
pub fn read(
    keys: &KeyRing,
    poll: &Poll,
    headers: &HeaderMap,
    now_s: i64,
    kind: CookieKind,
) -> Identity {
    keys.identify(cookie_lines(headers), &scope(poll), kind, now_s)
}

/// The voter in a poll with voting codes, as a browser's cookies name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeVoter {
    /// The voter of the code that was used in this browser last.
    pub voter: VoterId,
    /// Whether the cookie takes the place of the code.
    pub is_remembered: bool,
    /// Whether the reply should set the cookie again, under its present name.
    pub renew: bool,
}

/// Reads the voter of a poll with voting codes from the cookies of a request.
pub fn read_code_voter(
    keys: &KeyRing,
    poll: &Poll,
    headers: &HeaderMap,
    now_s: i64,
    kind: CookieKind,
) -> Option<CodeVoter> {
    let read =
        |scope: &str, is_remembered| match keys.identify(cookie_lines(headers), scope, kind, now_s)
        {
            Identity::Known { voter, renew } => Some(CodeVoter { voter, is_remembered, renew }),
            Identity::New | Identity::Invalid(_) => None,
        };
    read(&remembered_scope(poll), true).or_else(|| read(&scope(poll), false))
}

fn cookie_lines(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes)
}

/// Where a cookie goes.
#[derive(Clone, Copy, Debug)]
pub struct CookiePlace<'a> {
    /// How it travels.
    pub kind: CookieKind,
    /// The path below which browsers send it over plain HTTP. Behind TLS that is `/`, because browsers keep a cookie whose
    /// name begins with `__Host-` for no other path.
    pub path: &'a str,
}

/// Returns the Set-Cookie header that makes the client this voter.
pub fn set_cookie(
    keys: &KeyRing,
    poll: &Poll,
    voter: VoterId,
    now_s: i64,
    place: CookiePlace,
) -> HeaderValue {
    set_scoped(keys, &scope(poll), voter, now_s, place)
}

/// Returns the Set-Cookie headers that make the client this voter of a poll with voting codes, and no other one:
/// the cookie that is not set is removed.
pub fn set_code_cookies(
    keys: &KeyRing,
    poll: &Poll,
    voter: VoterId,
    remember: bool,
    now_s: i64,
    place: CookiePlace,
) -> [HeaderValue; 2] {
    let (seen, remembered) = (scope(poll), remembered_scope(poll));
    let (set, clear) = match remember {
        true => (remembered.as_str(), &*seen),
        false => (&*seen, remembered.as_str()),
    };
    let cleared = cookie(&keys.cookie_name(clear, place.kind), "", 0, place);
    [set_scoped(keys, set, voter, now_s, place), cleared]
}

fn set_scoped(
    keys: &KeyRing,
    scope: &str,
    voter: VoterId,
    now_s: i64,
    place: CookiePlace,
) -> HeaderValue {
    let name = keys.cookie_name(scope, place.kind);
    cookie(&name, &keys.sign(scope, voter, now_s), AGE_MAX_S, place)
}

/// Returns the Set-Cookie header that removes a cookie which this service did not sign.
pub fn clear_cookie(keys: &KeyRing, poll: &Poll, place: CookiePlace) -> HeaderValue {
    cookie(&keys.cookie_name(&scope(poll), place.kind), "", 0, place)
}

/// Returns the Set-Cookie headers that remove every cookie of this poll that the request brought, whatever release or
/// key made it. They may be from the time before the service had this path.
pub fn forget(keys: &KeyRing, poll: &Poll, headers: &HeaderMap, path: &str) -> Vec<HeaderValue> {
    let scopes = [scope(poll).into_owned(), remembered_scope(poll)];
    let names = |scope: &String| keys.cookie_names(cookie_lines(headers), scope);
    let names = scopes.iter().flat_map(names);
    let paths = if path == "/" { vec![path] } else { vec![path, "/"] };
    let mut removed = Vec::new();
    for (name, kind) in names {
        removed.extend(paths.iter().map(|path| cookie(&name, "", 0, CookiePlace { kind, path })));
    }
    removed
}

/// Returns how the cookie of this client travels.
pub fn cookie_kind(client: Client) -> CookieKind {
    match (client.secure, client.page) {
        (false, _) => CookieKind::Plain,
        (true, PageSite::AllowedScript) => CookieKind::Partitioned,
        (true, _) => CookieKind::Secure,
    }
}

/// The attributes of a cookie that say where it travels.
fn attributes(kind: CookieKind) -> &'static str {
    match kind {
        CookieKind::Plain => "; HttpOnly; SameSite=Lax",
        CookieKind::Secure => "; HttpOnly; SameSite=Lax; Secure",
        CookieKind::Partitioned => "; HttpOnly; SameSite=None; Secure; Partitioned",
    }
}

/// The age up to which a voting token is accepted, in seconds. Scripts can read it, unlike the cookie, so it is
/// good for as long as people leave a ballot open and no longer.
pub const TOKEN_AGE_MAX_S: i64 = 24 * 60 * 60;

/// What a token is signed for. A token of one use is not accepted for another.
fn token_scope(poll: &Poll) -> String {
    format!("token {}", poll.slug)
}

/// What the release before signed tokens for that it gave to networks over their limit.
fn token_scope_before(poll: &Poll) -> String {
    format!("token-to-limit {}", poll.slug)
}

/// Returns the voting token for a page that is served to this voter.
pub fn token(keys: &KeyRing, poll: &Poll, voter: VoterId, now_s: i64) -> String {
    keys.sign(&token_scope(poll), voter, now_s)
}

/// Reads the voter from a voting token of this poll.
///
/// # Errors
/// Returns whether the token is malformed, forged, of another poll, or expired.
pub fn read_token(keys: &KeyRing, poll: &Poll, token: &str, now_s: i64) -> Result<VoterId, Error> {
    let read = |scope: String| keys.verify_within(&scope, token, now_s, TOKEN_AGE_MAX_S);
    read(token_scope(poll)).or_else(|error| match error {
        Error::Forged => read(token_scope_before(poll)),
        error => Err(error),
    })
}

/// Most bytes of the attributes after a cookie's value.
const ATTRIBUTES_BYTES_MAX: usize = 80;

fn cookie(name: &str, value: &str, age_s: i64, place: CookiePlace) -> HeaderValue {
    let CookiePlace { kind, path } = place;
    let path = if kind == CookieKind::Plain { path } else { "/" };
    let mut text =
        String::with_capacity(name.len() + value.len() + path.len() + ATTRIBUTES_BYTES_MAX);
    // `write!` would take five times as long.
    let age_s = age_s.to_string();
    for part in [name, "=", value, "; Path=", path, "; Max-Age=", &age_s, attributes(kind)] {
        text.push_str(part);
    }
    HeaderValue::try_from(text).expect("slugs and signatures are visible ASCII")
}
