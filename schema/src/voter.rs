//! The identity of a browser: a voter id in a signed cookie, or in the signed token of a page.
//!
//! The value is `v1.<voter>.<issued>.<signature>`: 32 hexadecimal digits, the Unix time of issue in
//! seconds (hexadecimal), and the first 128 bits of HMAC-SHA256 (RFC 2104, truncated as its section
//! 5 allows) over a scope and everything in front of the signature. The scope keeps a cookie of one use
//! from being accepted for another.
//!
//! The cookie's name is `<scope>_<key id>`. Browsers send a host's cookies to all its ports. Two deployments on
//! one host have different keys, so their cookies have different names, and neither overwrites the other's.
//! Behind TLS the name has the prefix `__Host-`, with which browsers store a cookie only if it came through TLS,
//! and send it only to this host.
//!
//! Invariant: a [`VoterId`] that [`KeyRing::verify`] returns was signed with one of our keys.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::VoterId;

/// The length of the shortest key that is accepted, in bytes.
pub const KEY_BYTES_MIN: usize = 32;
/// The age up to which a cookie is accepted, in seconds: 400 days, the longest that browsers keep one.
pub const AGE_MAX_S: i64 = 400 * 24 * 60 * 60;
/// The number of seconds by which the clock of the replica that signed may be ahead.
const CLOCK_SKEW_S: i64 = 300;
const SIGNATURE_BYTES: usize = 16;
/// The length of a cookie value in bytes, until the year 2106.
const VALUE_BYTES: usize = 3 + 32 + 9 + 1 + 2 * SIGNATURE_BYTES;

/// Why a cookie or token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not of the form `v1.….….…`.
    #[error("it is malformed")]
    Malformed,
    /// The signature was made with none of our keys.
    #[error("it was not signed by this service for this use")]
    Forged,
    /// Issued too long ago, or in the future.
    #[error("it has expired")]
    Expired,
}

/// The prefix of a cookie's name behind TLS.
const HOST_PREFIX: &str = "__Host-";
/// The end of the name of a partitioned cookie.
const PARTITIONED_SUFFIX: &str = "_p";

/// How a cookie travels; each kind has a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieKind {
    /// Over plain HTTP, with requests of this site's pages.
    Plain,
    /// Through TLS only, with requests of this site's pages.
    Secure,
    /// Through TLS only, with requests of the scripts of one other site. Browsers keep such cookies apart for
    /// each site, so they do not follow a person from site to site.
    Partitioned,
}

/// The voter of a request, by its cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A cookie of ours names the voter.
    Known {
        /// The voter.
        voter: VoterId,
        /// Whether the reply should set the cookie again, under its present name.
        renew: bool,
    },
    /// The request has no voter cookie.
    New,
    /// The cookie is not, or no longer, accepted.
    Invalid(Error),
}

/// Why a key of the ring cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cookie key {position}: {reason}")]
pub struct InvalidKey {
    /// The position of the key in the ring, from 1.
    pub position: usize,
    /// The reason, which never contains the key.
    pub reason: &'static str,
}

/// The keys for cookies. The first one signs and all verify, so that keys can be rotated without losing a
/// voter.
#[derive(Clone)]
pub struct KeyRing {
    macs: Vec<Hmac<Sha256>>,
    /// The id of each key: 8 hexadecimal digits of a hash, which are part of the cookie's name.
    ids: Vec<String>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing({} keys)", self.macs.len())
    }
}

impl KeyRing {
    /// Makes a secret for another use from the first key, for polls that have no secret of their own. Whoever has the key
    /// can compute it; a rotated key gives another one.
    pub fn derived_secret(&self, purpose: &str) -> crate::poll::voter_key::PollSecret {
        let mac = self.macs[0].clone().chain_update(b"derived ").chain_update(purpose);
        crate::poll::voter_key::PollSecret::from_bytes(mac.finalize().into_bytes().into())
    }

    /// Reads keys written in hexadecimal, separated by commas or white space.
    ///
    /// # Errors
    /// Returns [`InvalidKey`] if there is no key, or one is not hexadecimal or shorter than [`KEY_BYTES_MIN`].
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let (mut macs, mut ids) = (Vec::new(), Vec::new());
        let keys = text.split([',', ' ', '\n', '\r', '\t']).filter(|key| !key.is_empty());
        for (index, key) in keys.enumerate() {
            let invalid = |reason| InvalidKey { position: index + 1, reason };
            let bytes = hex_bytes(key).ok_or_else(|| invalid("is not hexadecimal"))?;
            if bytes.len() < KEY_BYTES_MIN {
                return Err(invalid("is shorter than 32 bytes (64 hexadecimal digits)"));
            }
            macs.push(Hmac::new_from_slice(&bytes).expect("HMAC takes keys of any length"));
            let hash = Sha256::new().chain_update(b"votestream key id\0").chain_update(&bytes);
            ids.push(hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect());
        }
        if macs.is_empty() {
            return Err(InvalidKey { position: 1, reason: "is missing" });
        }
        Ok(Self { macs, ids })
    }

    /// Returns the name of the cookie that holds values of [`KeyRing::sign`] for this scope.
    pub fn cookie_name(&self, scope: &str, kind: CookieKind) -> String {
        let prefix = if kind == CookieKind::Plain { "" } else { HOST_PREFIX };
        let suffix = if kind == CookieKind::Partitioned { PARTITIONED_SUFFIX } else { "" };
        [prefix, scope, "_", &self.ids[0], suffix].concat()
    }

    /// Makes the cookie value for this voter, issued at `now_s` (Unix time in seconds).
    pub fn sign(&self, scope: &str, voter: VoterId, now_s: i64) -> String {
        let mut value = String::with_capacity(VALUE_BYTES);
        value.push_str("v1.");
        value.push_str(voter.0.simple().encode_lower(&mut [0; 32]));
        value.push('.');
        push_hex_number(&mut value, now_s);
        let tag = mac(&self.macs[0], scope, &value).finalize().into_bytes();
        value.push('.');
        for byte in &tag[..SIGNATURE_BYTES] {
            value.push(hex_digit(byte >> 4));
            value.push(hex_digit(byte & 15));
        }
        value
    }

    /// Finds the voter in the lines of a request's Cookie headers. `kind` is the kind of cookie that a reply to
    /// this request would set.
    ///
    /// The cookie under its present name decides. Where there is none, others count, and the reply sets the
    /// present one: a cookie that an older key signed, one of a release before the name had a key id, one that
    /// was set for another site's page, and, behind TLS, one without the prefix, from the time before the
    /// deployment had TLS. Somebody else can have planted the last one, so it counts only in a browser
    /// that sends no cookie with the prefix.
    pub fn identify<'a>(
        &self,
        lines: impl Iterator<Item = &'a [u8]>,
        scope: &str,
        kind: CookieKind,
        now_s: i64,
    ) -> Identity {
        let mut best: Option<(CookieName, VoterId)> = None;
        let mut found = Identity::New;
        let mut has_prefixed = false;
        for line in lines {
            // Other applications on this host may have cookies with any bytes; they must not fail the
            // request.
            let line = String::from_utf8_lossy(line);
            for (name, value) in line.split(';').filter_map(|pair| pair.trim().split_once('=')) {
                let Some(name) = self.read_name(name, scope) else { continue };
                if kind == CookieKind::Plain && name.kind != CookieKind::Plain {
                    // No browser sends it over plain HTTP.
                    continue;
                }
                has_prefixed |= name.kind != CookieKind::Plain;
                match self.verify(scope, value, now_s) {
                    Ok(voter) if best.is_none_or(|(best, _)| name.rank() < best.rank()) => {
                        best = Some((name, voter));
                    }
                    Ok(_) => {}
                    // A bad cookie under another name may be another deployment's.
                    Err(error) if name == (CookieName { kind, key: 0 }) => {
                        found = Identity::Invalid(error);
                    }
                    Err(_) => {}
                }
            }
        }
        match best {
            Some((name, _)) if name.kind == CookieKind::Plain && has_prefixed => found,
            // A page of another site needs no cookie of its own where the browser sends ours.
            Some((name, voter)) => {
                let serves = name.kind == kind
                    || (name.kind == CookieKind::Secure && kind == CookieKind::Partitioned);
                Identity::Known { voter, renew: !serves || name.key > 0 }
            }
            None => found,
        }
    }

    /// Returns name and kind of every cookie of this scope in the lines of a request's Cookie headers.
    pub fn cookie_names<'a>(
        &self,
        lines: impl Iterator<Item = &'a [u8]>,
        scope: &str,
    ) -> Vec<(String, CookieKind)> {
        let mut names = Vec::new();
        for line in lines {
            let line = String::from_utf8_lossy(line);
            for (name, _) in line.split(';').filter_map(|pair| pair.trim().split_once('=')) {
                if let Some(CookieName { kind, .. }) = self.read_name(name, scope) {
                    names.push((name.to_owned(), kind));
                }
            }
        }
        names
    }

    /// Reads a cookie's name. Returns `None` if it is not one of ours.
    fn read_name(&self, name: &str, scope: &str) -> Option<CookieName> {
        let (prefixed, bare) = match name.strip_prefix(HOST_PREFIX) {
            Some(bare) => (true, bare),
            None => (false, name),
        };
        let suffix = bare.strip_prefix(scope)?;
        let (suffix, kind) = match (prefixed, suffix.strip_suffix(PARTITIONED_SUFFIX)) {
            (true, Some(suffix)) => (suffix, CookieKind::Partitioned),
            (true, None) => (suffix, CookieKind::Secure),
            (false, _) => (suffix, CookieKind::Plain),
        };
        let key = match suffix {
            "" => self.ids.len(),
            suffix => self.ids.iter().position(|id| suffix.strip_prefix('_') == Some(id))?,
        };
        Some(CookieName { kind, key })
    }

    /// Signs a text for this use with the first key: 32 hexadecimal digits.
    pub fn tag(&self, scope: &str, text: &str) -> String {
        let tag = mac(&self.macs[0], scope, text).finalize().into_bytes();
        tag[..SIGNATURE_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns whether one of the keys signed this text for this use ([`KeyRing::tag`]).
    pub fn is_tag(&self, scope: &str, text: &str, tag: &str) -> bool {
        let Some(tag) = hex_bytes(tag).filter(|bytes| bytes.len() == SIGNATURE_BYTES) else {
            return false;
        };
        self.macs.iter().any(|key| mac(key, scope, text).verify_truncated_left(&tag).is_ok())
    }

    /// Returns the voter in a cookie value that we signed, for this scope, not too long ago.
    ///
    /// # Errors
    /// Returns whether the value is malformed, forged or expired; the signature is checked before the age.
    pub fn verify(&self, scope: &str, value: &str, now_s: i64) -> Result<VoterId, Error> {
        self.verify_within(scope, value, now_s, AGE_MAX_S)
    }

    /// As [`KeyRing::verify`], for values that were signed at most `age_max_s` seconds ago.
    ///
    /// # Errors
    /// Returns the same errors.
    pub fn verify_within(
        &self,
        scope: &str,
        value: &str,
        now_s: i64,
        age_max_s: i64,
    ) -> Result<VoterId, Error> {
        let (signed, signature) = value.rsplit_once('.').ok_or(Error::Malformed)?;
        let mut parts = signed.split('.');
        let (Some("v1"), Some(voter), Some(issued), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::Malformed);
        };
        let signature = hex_bytes(signature)
            .filter(|bytes| bytes.len() == SIGNATURE_BYTES)
            .ok_or(Error::Malformed)?;
        let voter = Some(voter)
            .filter(|text| text.len() == 32)
            .and_then(|text| Uuid::try_parse(text).ok())
            .ok_or(Error::Malformed)?;
        let issued = i64::from_str_radix(issued, 16).map_err(|_| Error::Malformed)?;
        let ours = |key| mac(key, scope, signed).verify_truncated_left(&signature).is_ok();
        if !self.macs.iter().any(ours) {
            return Err(Error::Forged);
        }
        if issued > now_s + CLOCK_SKEW_S || now_s - issued > age_max_s {
            return Err(Error::Expired);
        }
        Ok(VoterId(voter))
    }
}

/// The name of a cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CookieName {
    kind: CookieKind,
    /// The position of its key in the ring; the number of keys for a name without a key id.
    key: usize,
}

impl CookieName {
    /// The order in which cookies count: smaller ones first.
    fn rank(self) -> (u8, usize) {
        let kind = match self.kind {
            CookieKind::Secure => 0,
            CookieKind::Partitioned => 1,
            CookieKind::Plain => 2,
        };
        (kind, self.key)
    }
}

fn mac(key: &Hmac<Sha256>, scope: &str, signed: &str) -> Hmac<Sha256> {
    let mut mac = key.clone();
    mac.update(scope.as_bytes());
    mac.update(b"\0");
    mac.update(signed.as_bytes());
    mac
}

/// Appends the digits that `{number:x}` would, in a tenth of the time.
fn push_hex_number(text: &mut String, number: i64) {
    let digits = (67 - (number | 1).leading_zeros()) / 4;
    text.extend((0..digits).rev().map(|digit| hex_digit((number >> (4 * digit)) as u8 & 15)));
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).expect("a nibble is below 16")
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let nibble = |b: u8| char::from(b).to_digit(16).map(|n| n as u8);
    let pair = |pair: &[u8]| Some(nibble(pair[0])? << 4 | nibble(pair[1])?);
    text.len().is_multiple_of(2).then(|| text.as_bytes().chunks_exact(2).map(pair).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ring(keys: &[u8]) -> KeyRing {
        let keys: Vec<String> = keys.iter().map(|k| format!("{k:02x}").repeat(32)).collect();
        KeyRing::parse(&keys.join(",")).unwrap()
    }

    #[test]
    fn a_signed_cookie_names_its_voter() {
        let voter = VoterId::new();
        let value = ring(&[1]).sign("voter", voter, 1_000);
        assert_eq!(ring(&[1]).verify("voter", &value, 2_000), Ok(voter));
    }

    #[test]
    fn the_newest_cookie_decides_and_older_ones_are_renewed() {
        let (old, both, other) = (ring(&[1]), ring(&[2, 1]), ring(&[3]));
        let voters: [VoterId; 5] = std::array::from_fn(|_| VoterId::new());
        use CookieKind::{Partitioned, Plain, Secure};
        let cookie = |ring: &KeyRing, voter: usize, kind| {
            format!("{}={}", ring.cookie_name("voter", kind), ring.sign("voter", voters[voter], 0))
        };
        let unnamed = format!("voter={}", old.sign("voter", voters[3], 0));
        let foreign = format!("voter={}", other.sign("voter", voters[4], 0));
        let identify = |cookies: &[&String], kind| {
            let line = cookies.iter().map(|c| c.as_str()).collect::<Vec<_>>().join("; ");
            both.identify([line.as_bytes()].into_iter(), "voter", kind, 0)
        };
        let known = |voter: usize, renew| Identity::Known { voter: voters[voter], renew };
        let (new, older) = (cookie(&both, 0, Plain), cookie(&old, 1, Plain));
        for all in [[&foreign, &unnamed, &older, &new], [&new, &older, &unnamed, &foreign]] {
            assert_eq!(identify(&all, Plain), known(0, false));
        }
        assert_eq!(identify(&[&older, &unnamed], Plain), known(1, true));
        assert_eq!(identify(&[&unnamed, &foreign], Plain), known(3, true));
        assert_eq!(identify(&[&foreign], Plain), Identity::New, "another deployment's");
        assert_eq!(identify(&[&cookie(&other, 4, Plain)], Plain), Identity::New);

        // Behind TLS, the prefix comes before everything else.
        let (host, old_host) = (cookie(&both, 2, Secure), cookie(&old, 2, Secure));
        for all in [[&host, &new], [&new, &host]] {
            assert_eq!(identify(&all, Secure), known(2, false));
        }
        assert_eq!(identify(&[&new, &old_host], Secure), known(2, true));
        assert_eq!(identify(&[&new], Secure), known(0, true));
        assert_eq!(identify(&[&host], Plain), Identity::New, "no browser sends it");
        let broken = |kind| format!("{}=v1.x", both.cookie_name("voter", kind));
        let malformed = Identity::Invalid(Error::Malformed);
        assert_eq!(identify(&[&broken(Plain)], Plain), malformed);
        assert_eq!(identify(&[&broken(Plain), &older], Plain), known(1, true));
        assert_eq!(identify(&[&broken(Secure), &new], Secure), malformed, "it may be planted");

        // A page of another site has a cookie of its own, unless the browser sends ours.
        let site = cookie(&both, 4, Partitioned);
        assert_ne!(both.cookie_name("voter", Partitioned), both.cookie_name("voter", Secure));
        assert_eq!(identify(&[&site], Partitioned), known(4, false));
        assert_eq!(identify(&[&site, &host], Partitioned), known(2, false));
        assert_eq!(identify(&[&site, &host], Secure), known(2, false));
        assert_eq!(identify(&[&site], Secure), known(4, true), "a browser that does not partition");
        assert_eq!(identify(&[&broken(Partitioned)], Partitioned), malformed);
    }

    #[test]
    fn the_format_never_changes() {
        let voter = VoterId(Uuid::from_u128(0x0190c42a_b6f8_7abc_8def_0123456789ab));
        assert_eq!(
            ring(&[1]).sign("voter", voter, 0x65000000),
            "v1.0190c42ab6f87abc8def0123456789ab.65000000.1cd409f896e1cff43c3b8122d363fc1a"
        );
    }

    #[test]
    fn numbers_are_written_as_usual() {
        for number in [0, 1, 15, 16, 0x65000000, i64::MAX, -1, i64::MIN] {
            let mut text = String::new();
            push_hex_number(&mut text, number);
            assert_eq!(text, format!("{number:x}"));
        }
    }

    #[test]
    fn a_rotated_key_still_verifies_and_a_foreign_one_does_not() {
        let voter = VoterId::new();
        let value = ring(&[1]).sign("voter", voter, 0);
        assert_eq!(ring(&[2, 1]).verify("voter", &value, 0), Ok(voter));
        assert_eq!(ring(&[2]).verify("voter", &value, 0), Err(Error::Forged));
        assert_eq!(ring(&[1]).verify("another use", &value, 0), Err(Error::Forged));
    }

    #[test]
    fn cookies_grow_old_and_cannot_come_from_the_future() {
        let value = ring(&[1]).sign("voter", VoterId::new(), 1_000);
        let verify = |now_s| ring(&[1]).verify("voter", &value, now_s);
        assert!(verify(1_000 + AGE_MAX_S).is_ok());
        assert_eq!(verify(1_001 + AGE_MAX_S), Err(Error::Expired));
        assert!(verify(700).is_ok());
        assert_eq!(verify(699), Err(Error::Expired));
    }

    #[test]
    fn useless_keys_are_refused_without_printing_them() {
        assert_eq!(KeyRing::parse(" ,").unwrap_err().reason, "is missing");
        let short = format!("{},abcd", "00".repeat(32));
        assert_eq!(KeyRing::parse(&short).unwrap_err().position, 2);
        assert!(KeyRing::parse(&"zz".repeat(32)).is_err());
        assert!(!format!("{:?}", ring(&[0xab])).contains("ab"));
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed(at in 0_usize..70, with in "[0-9a-f.v]") {
            let value = ring(&[1]).sign("voter", VoterId::new(), 0x1000_0000);
            let at = at % value.len();
            let mut forged = value.clone();
            forged.replace_range(at..=at, &with);
            prop_assume!(forged != value);
            prop_assert!(ring(&[1]).verify("voter", &forged, 0x1000_0000).is_err());
        }

        #[test]
        fn truncated_or_random_cookies_are_refused(text in ".{0,100}", cut in 0_usize..70) {
            let ring = ring(&[1]);
            prop_assert!(ring.verify("voter", &text, 0).is_err());
            let value = ring.sign("voter", VoterId::new(), 0);
            prop_assert!(ring.verify("voter", &value[..cut.min(value.len() - 1)], 0).is_err());
        }
    }
}
