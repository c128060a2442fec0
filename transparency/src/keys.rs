//! The keys that sign receipts and checkpoints.
//!
//! They come from one file, a line per key in the form of C2SP `signed-note`: `PRIVATE+KEY+<name>+<id>+<key>`. A line may also be
//! `<name> <64 hexadecimal digits>`, the seed of the key, which `openssl rand -hex 32` makes. The first key
//! signs. The others are keys of before: their public halves stay published, so that older receipts can still be
//! checked. `votectl keygen` makes a line.
//!
//! The name is that of the deployment, such as `vote.example.org`. Each log has a name of its own below it, its **origin**
//! (`vote.example.org/polls/pets`), as C2SP `tlog-checkpoint` wants it; the key signs under that name.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::SigningKey;
use signed_note::{
    Note, Signer, StandardSigner, StandardVerifier, Verifier, VerifierList, key_id,
    new_ed25519_verifier_key,
};
use votestream_schema::poll::voter_key::PollSecret;

/// The byte in front of an Ed25519 key in the form of `signed-note`.
const ED25519: u8 = 1;
/// The word with which the line of a private key begins.
const PRIVATE: &str = "PRIVATE+KEY+";
/// The most characters of a deployment's name.
const NAME_CHARS_MAX: usize = 128;

/// Why a text is no list of keys. It never holds a part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no key at all.
    #[error("there is no signing key; `votectl keygen --name vote.example.org` makes one")]
    None,
    /// A line is not a private key.
    #[error(
        "line {0} is neither a private Ed25519 key of the form PRIVATE+KEY+<name>+<id>+<key>, as `votectl keygen` makes it, nor \
         of the form `<name> <64 hexadecimal digits>`"
    )]
    Malformed(usize),
    /// The lines have different names.
    #[error("line {0} has another name than the first key; all keys of a deployment have the same")]
    OtherName(usize),
    /// A public key is not of the form `<name>+<id>+<key>`.
    #[error("this is not a public key of the form <name>+<id>+<key>")]
    Public,
    /// A name has characters that names of keys must not have.
    #[error(
        "the name of a key has 1 to {NAME_CHARS_MAX} characters, without blanks and plus signs"
    )]
    Name,
}

/// The keys of a deployment. `Debug` does not show them.
#[derive(Clone)]
pub struct SigningKeys {
    name: String,
    /// The first one signs.
    keys: Vec<SigningKey>,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({}, ***)", self.name)
    }
}

impl SigningKeys {
    /// Makes a new key for the deployment with this name, such as the host name of its front door.
    ///
    /// # Errors
    /// Returns [`KeyError::Name`] if the name has blanks or plus signs, or is too long.
    pub fn generate(name: &str) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let key = SigningKey::from_bytes(&rand::random());
        Ok(Self { name: name.to_owned(), keys: vec![key] })
    }

    /// Reads a line per key. Blank lines and lines that begin with `#` are left out.
    ///
    /// # Errors
    /// Returns an error that names the line, and nothing of what stands in it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys: Option<Self> = None;
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        for (at, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let found = private_key(line).or_else(|| seed(line));
            let (name, key) = found.ok_or(KeyError::Malformed(at))?;
            match &mut keys {
                None => keys = Some(Self { name: name.to_owned(), keys: vec![key] }),
                Some(keys) if keys.name != name => return Err(KeyError::OtherName(at)),
                Some(keys) => keys.keys.push(key),
            }
        }
        keys.ok_or(KeyError::None)
    }

    /// The line of the key that signs, as [`SigningKeys::parse`] reads it.
    pub fn reveal(&self) -> String {
        self.private_line(&self.name)
    }

    /// The deployment's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The origin of a poll's log.
    pub fn origin_of(&self, slug: &str) -> String {
        format!("{}/polls/{slug}", self.name)
    }

    /// The origin of the trees that receipts are signed in.
    pub fn receipts_origin(&self) -> String {
        format!("{}/receipts", self.name)
    }

    /// The public halves under this origin, in the form `<origin>+<id>+<key>` of `signed-note`. The first one belongs to the
    /// key that signs.
    pub fn public(&self, origin: &str) -> Vec<String> {
        let line = |key: &SigningKey| new_ed25519_verifier_key(origin, &key.verifying_key());
        self.keys.iter().map(line).collect()
    }

    /// Signs under this origin.
    pub fn signer(&self, origin: &str) -> OriginSigner {
        let line = self.private_line(origin);
        OriginSigner(StandardSigner::new(&line).expect("a key of this form"))
    }

    fn private_line(&self, name: &str) -> String {
        let key = &self.keys[0];
        let typed = |bytes: &[u8]| [&[ED25519], bytes].concat();
        let id = key_id(name, &typed(key.verifying_key().as_bytes()));
        let secret = BASE64_STANDARD.encode(typed(key.as_bytes()));
        format!("{PRIVATE}{name}+{id:08x}+{secret}")
    }
}

/// Signs notes under one origin.
#[derive(Clone)]
pub struct OriginSigner(StandardSigner);

impl fmt::Debug for OriginSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginSigner({}, ***)", self.origin())
    }
}

impl OriginSigner {
    /// The name under which it signs.
    pub fn origin(&self) -> &str {
        self.0.name()
    }

    /// Signs a text, which ends with a line break, and returns the note.
    pub(crate) fn sign(&self, text: &[u8]) -> String {
        let mut note = Note::new(text, &[]).expect("a text of whole lines");
        note.add_sigs(&[&self.0]).expect("Ed25519 signs any text");
        String::from_utf8(note.to_bytes()).expect("a text with base64")
    }
}

/// Public keys under which notes are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKeys(Vec<String>);

impl PublicKeys {
    /// Takes keys of the form `<origin>+<id>+<key>`.
    ///
    /// # Errors
    /// Returns [`KeyError::Public`] if one has another form.
    pub fn new(keys: impl IntoIterator<Item = String>) -> Result<Self, KeyError> {
        let keys: Vec<String> = keys.into_iter().collect();
        for key in &keys {
            StandardVerifier::new(key).map_err(|_| KeyError::Public)?;
        }
        Ok(Self(keys))
    }

    /// The keys, in the form in which they are published.
    pub fn as_lines(&self) -> &[String] {
        &self.0
    }

    /// The same keys under another origin of the deployment.
    ///
    /// # Errors
    /// Returns [`KeyError::Public`] if a key is not one of Ed25519.
    pub fn under(&self, origin: &str) -> Result<Self, KeyError> {
        let renamed = self.0.iter().map(|line| {
            // Base64 has plus signs of its own.
            let key = line.splitn(3, '+').nth(2).and_then(|key| BASE64_STANDARD.decode(key).ok());
            let key = key.ok_or(KeyError::Public)?;
            let key = key.strip_prefix(&[ED25519]).and_then(|key| key.try_into().ok());
            let key = key.and_then(|key| ed25519_dalek::VerifyingKey::from_bytes(key).ok());
            Ok(new_ed25519_verifier_key(origin, &key.ok_or(KeyError::Public)?))
        });
        Ok(Self(renamed.collect::<Result<_, _>>()?))
    }

    /// The verifiers of the keys.
    pub(crate) fn verifiers(&self) -> VerifierList {
        let verifier = |line: &String| -> Option<Box<dyn Verifier>> {
            Some(Box::new(StandardVerifier::new(line).ok()?))
        };
        VerifierList::new(self.0.iter().filter_map(verifier).collect())
    }
}

/// Reads name and key from the line of a private key.
fn private_key(line: &str) -> Option<(&str, SigningKey)> {
    StandardSigner::new(line).ok()?;
    let (name, rest) = line.strip_prefix(PRIVATE)?.split_once('+')?;
    let (_, secret) = rest.split_once('+')?;
    let bytes = BASE64_STANDARD.decode(secret).ok()?;
    let seed: &[u8; 32] = bytes.strip_prefix(&[ED25519])?.try_into().ok()?;
    Some((name, SigningKey::from_bytes(seed)))
}

/// Reads name and seed: `vote.example.org 0123…`.
fn seed(line: &str) -> Option<(&str, SigningKey)> {
    let (name, digits) = line.split_once(' ')?;
    // The secret of a poll has the same form.
    let seed = PollSecret::from_hex(digits.trim())?;
    is_name(name).then(|| (name, SigningKey::from_bytes(seed.as_bytes())))
}

fn is_name(name: &str) -> bool {
    signed_note::is_key_name_valid(name) && name.chars().count() <= NAME_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of <https://pkg.go.dev/golang.org/x/mod/sumdb/note>.
    const OF_GO: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const PUBLIC_OF_GO: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_key_of_another_implementation_has_the_same_public_half() {
        let keys = SigningKeys::parse(&format!("# of Go\n\n{OF_GO}\n")).unwrap();
        assert_eq!(keys.name(), "PeterNeumann");
        assert_eq!(keys.reveal(), OF_GO);
        assert_eq!(keys.public("PeterNeumann"), [PUBLIC_OF_GO]);
    }

    #[test]
    fn a_seed_is_a_key_as_well() {
        let seed = "ab".repeat(32);
        let keys = SigningKeys::parse(&format!("a.example {seed}\n")).unwrap();
        let same = SigningKeys::parse(&keys.reveal()).unwrap();
        assert_eq!((keys.name(), keys.reveal()), ("a.example", same.reveal()));
        for bad in [format!("a.example {}", &seed[1..]), seed.clone(), format!("a+b {seed}")] {
            assert_eq!(SigningKeys::parse(&bad).unwrap_err(), KeyError::Malformed(1), "{bad}");
        }
    }

    #[test]
    fn a_new_key_is_read_again_and_old_ones_stay_public() {
        let (new, old) = (
            SigningKeys::generate("a.example").unwrap(),
            SigningKeys::generate("a.example").unwrap(),
        );
        let both = SigningKeys::parse(&format!("{}\n{}", new.reveal(), old.reveal())).unwrap();
        let origin = both.origin_of("pets");
        assert_eq!(origin, "a.example/polls/pets");
        assert_eq!(both.public(&origin), [new.public(&origin), old.public(&origin)].concat());
        assert_ne!(new.reveal(), old.reveal());
        let public = PublicKeys::new(both.public("a.example")).unwrap();
        assert_eq!(public.under(&origin).unwrap().as_lines(), both.public(&origin));
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line_and_not_shown() {
        let other = SigningKeys::generate("b.example").unwrap().reveal();
        let refused = |text: &str| SigningKeys::parse(text).unwrap_err();
        assert_eq!(refused("# nothing\n"), KeyError::None);
        assert_eq!(refused(&format!("{OF_GO}\nsecret")), KeyError::Malformed(2));
        assert_eq!(refused(&format!("{OF_GO}\n{other}")), KeyError::OtherName(2));
        assert_eq!(refused(PUBLIC_OF_GO), KeyError::Malformed(1));
        assert!(!refused("\nPRIVATE+KEY+hidden").to_string().contains("hidden"));
        for name in ["", "a b", "a+b", &"x".repeat(129)] {
            assert_eq!(SigningKeys::generate(name).unwrap_err(), KeyError::Name, "{name:?}");
        }
        assert_eq!(PublicKeys::new(["x".to_owned()]), Err(KeyError::Public));
        let shown = format!("{:?}", SigningKeys::parse(OF_GO).unwrap());
        assert!(!shown.contains("AYEK"), "{shown}");
    }
}
