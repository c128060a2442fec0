//! Organisers: the people and programs that may change polls through the host's service.
//!
//! Owns the [`Token`] that names an organiser, and the [`Role`] that says which polls they may use.
//!
//! Invariant: Postgres stores only hashes of tokens. `Debug` never shows a token.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Slug;
use crate::poll::Invalid;

/// The length of a token, in bytes.
const TOKEN_BYTES: usize = 32;

/// The name under which the audit trail lists steps of the operator's command line. No organiser may have it.
pub const OPERATOR: &str = "votectl";

/// 32 random bytes that only their owner knows: the token of an organiser, a link that signs in once, or the
/// cookie of a session.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; TOKEN_BYTES]);

/// A text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token has {} digits from 0 to 9 and letters from a to f", 2 * TOKEN_BYTES)]
pub struct InvalidToken;

impl Token {
    /// Makes a new token with a generator that the operating system seeded.
    pub fn generate() -> Self {
        Self(rand::random())
    }

    /// SHA-256 of the token. A token is random and long, so nobody finds it by trying.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// A text that only the owner of this token can make, for one use of it: 64 hexadecimal digits.
    pub fn derived(&self, purpose: &str) -> String {
        hex(&Sha256::new().chain_update(self.0).chain_update(purpose).finalize())
    }

    /// The token as 64 hexadecimal digits.
    pub fn reveal(&self) -> String {
        hex(&self.0)
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let text = text.trim().as_bytes();
        let mut bytes = [0; TOKEN_BYTES];
        if text.len() != 2 * TOKEN_BYTES {
            return Err(InvalidToken);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or(InvalidToken)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decides which polls an organiser may see and change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// All polls.
    Admin,
    /// The polls that are named for the organiser, and no others.
    Host,
}

impl Role {
    /// The word for it in Postgres, JSON and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "admin" => Ok(Self::Admin),
            "host" => Ok(Self::Host),
            other => Err(Invalid(format!("`{other}` is none of admin, host"))),
        }
    }
}

/// Somebody who may change polls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Organiser {
    /// The number of the row in Postgres.
    #[serde(skip)]
    pub id: i32,
    /// The name in the audit trail.
    pub name: Slug,
    /// Decides which polls they may use.
    pub role: Role,
    /// For [`Role::Host`]: the polls that they may use. A poll need not exist yet.
    pub polls: Vec<Slug>,
}

impl Organiser {
    /// Whether the organiser may see and change this poll, or create it.
    pub fn may_use(&self, poll: &Slug) -> bool {
        match self.role {
            Role::Admin => true,
            Role::Host => self.polls.contains(poll),
        }
    }
}

/// Checks name, role and polls of a new organiser.
///
/// # Errors
/// Returns the rule that is broken, in words for the operator.
pub fn check(name: &Slug, role: Role, polls: &[Slug]) -> Result<(), Invalid> {
    match role {
        _ if name.as_str() == OPERATOR => {
            Err(Invalid(format!("`{OPERATOR}` names the command line; choose another name")))
        }
        Role::Host if polls.is_empty() => Err(Invalid(
            "the role host needs the polls that it may use; add --poll SLUG".to_owned(),
        )),
        Role::Admin if !polls.is_empty() => {
            Err(Invalid("the role admin may use all polls; leave --poll out".to_owned()))
        }
        Role::Admin | Role::Host => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_never_shown() {
        let token = Token::generate();
        let text = token.reveal();
        assert_eq!(text.len(), 64);
        assert_eq!(format!(" {text}\n").parse(), Ok(token.clone()));
        assert_eq!(text.to_uppercase().parse(), Ok(token.clone()));
        assert_eq!(format!("{token:?}"), "***");
        for bad in ["", &text[1..], &format!("g{}", &text[1..]), &format!("{text}00")] {
            assert_eq!(bad.parse::<Token>(), Err(InvalidToken), "{bad}");
        }
    }

    #[test]
    fn a_hash_is_sha_256_and_derived_texts_differ_by_purpose() {
        let token: Token = "00".repeat(32).parse().unwrap();
        let zeros = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(hex(&token.hash()), zeros);
        assert_ne!(token.derived("a"), token.derived("b"));
        assert_ne!(token.derived("a"), Token::generate().derived("a"));
    }

    #[test]
    fn a_host_uses_the_named_polls_and_an_admin_all() {
        let slug = |text: &str| text.parse::<Slug>().unwrap();
        let mut anna =
            Organiser { id: 1, name: slug("anna"), role: Role::Host, polls: vec![slug("pets")] };
        assert!(anna.may_use(&slug("pets")) && !anna.may_use(&slug("lunch")));
        anna.role = Role::Admin;
        assert!(anna.may_use(&slug("lunch")));
        assert!(check(&slug("votectl"), Role::Admin, &[]).is_err());
        assert!(check(&slug("anna"), Role::Host, &[]).is_err());
        assert!(check(&slug("anna"), Role::Admin, &[slug("pets")]).is_err());
        assert_eq!(check(&slug("anna"), Role::Host, &[slug("pets")]), Ok(()));
    }
}
