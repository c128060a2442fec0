//! Witnesses: independent servers that sign a checkpoint after they have checked that it continues the one that they signed
//! before. Whoever finds signatures of witnesses below a checkpoint knows that the witnesses saw the same log.
//!
//! The forms are those of C2SP: `tlog-cosignature` for the signatures, `tlog-witness` for the question, `tlog-policy` for the list.

use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use signed_note::{Note, NoteError, Verifier, VerifierList, is_key_name_valid, key_id};

use crate::Hash;
use crate::checkpoint;

/// The byte in front of an Ed25519 key that makes cosignatures (`tlog-cosignature`).
const COSIGNATURE_V1: u8 = 4;
/// A cosignature is a time, in seconds since the epoch as 8 bytes, and a signature.
const TIME_BYTES: usize = 8;

/// A text is no list of witnesses, or no public key of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// A public key is not that of a witness.
    #[error("this is not the public key of a witness, of the form <name>+<id>+<key>")]
    Key,
    /// A line has another form.
    #[error(
        "line {0} is not of the form `witness <name> <public key> <address>`; the address begins with http:// or https://"
    )]
    Line(usize),
    /// A witness is listed twice.
    #[error("line {0} lists a witness a second time")]
    Twice(usize),
}

/// The public key of a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    line: String,
    name: String,
    key: VerifyingKey,
}

impl FromStr for WitnessKey {
    type Err = WitnessError;

    /// Reads `<name>+<id>+<key>`.
    fn from_str(line: &str) -> Result<Self, WitnessError> {
        // Base64 has plus signs of its own.
        let mut parts = line.splitn(3, '+');
        let mut next = || parts.next().ok_or(WitnessError::Key);
        let (name, id, key) = (next()?, next()?, next()?);
        let bytes = BASE64_STANDARD.decode(key).map_err(|_| WitnessError::Key)?;
        let is_key = is_key_name_valid(name) && format!("{:08x}", key_id(name, &bytes)) == id;
        let key = bytes.strip_prefix(&[COSIGNATURE_V1]).filter(|_| is_key);
        let key = key.and_then(|key| key.try_into().ok());
        let key =
            key.and_then(|key| VerifyingKey::from_bytes(key).ok()).ok_or(WitnessError::Key)?;
        Ok(Self { line: line.to_owned(), name: name.to_owned(), key })
    }
}

/// A signature of a witness below a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The whole line, without its line break.
    pub line: String,
    /// When the witness signed, in seconds since the epoch.
    pub at_s: u64,
}

impl WitnessKey {
    /// The key, as it was read.
    pub fn as_line(&self) -> &str {
        &self.line
    }

    /// The name of the witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks for the signature of this witness below a checkpoint. `None` if there is none. Does not check the other signatures.
    ///
    /// # Errors
    /// Returns an error if the text is no signed note, or if the signature is wrong.
    pub fn find(&self, note: &str) -> Result<Option<Cosignature>, checkpoint::Error> {
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| checkpoint::Error::NoNote)?;
        let signatures = match note.verify(&VerifierList::new(vec![Box::new(self.clone())])) {
            Ok((signatures, _)) => signatures,
            Err(NoteError::UnverifiedNote) => return Ok(None),
            Err(_) => return Err(checkpoint::Error::WrongSignature),
        };
        let cosignature = |signature: &signed_note::Signature| {
            let (time, _) = signature.signature().split_first_chunk::<TIME_BYTES>()?;
            let line = String::from_utf8(signature.to_bytes()).ok()?.trim_end().to_owned();
            Some(Cosignature { line, at_s: u64::from_be_bytes(*time) })
        };
        Ok(signatures.first().and_then(cosignature))
    }
}

impl Verifier for WitnessKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        key_id(&self.name, &[&[COSIGNATURE_V1], self.key.as_bytes().as_slice()].concat())
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<TIME_BYTES>() else {
            return false;
        };
        let head = format!("cosignature/v1\ntime {}\n", u64::from_be_bytes(*time));
        let signed = [head.as_bytes(), text].concat();
        Signature::from_slice(signature)
            .is_ok_and(|it| self.key.verify_strict(&signed, &it).is_ok())
    }
}

/// A witness that is asked to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its public key.
    pub key: WitnessKey,
    /// The address below which it takes checkpoints, without a slash at its end.
    pub url: String,
}

/// Reads a list of witnesses: its lines `witness <name> <public key> <address>`. Lines of the other kinds that `tlog-policy` knows
/// (`log`, `group`, `quorum`) are left out, and so are blank lines and comments, which begin with `#`.
///
/// # Errors
/// Returns an error that names the line.
pub fn read_list(text: &str) -> Result<Vec<Witness>, WitnessError> {
    let mut witnesses: Vec<Witness> = Vec::new();
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        let mut words = line.split_whitespace();
        match words.next() {
            None | Some("log" | "group" | "quorum") => continue,
            Some(word) if word.starts_with('#') => continue,
            Some("witness") => {}
            Some(_) => return Err(WitnessError::Line(at)),
        }
        let (_, key, url) = (words.next(), words.next(), words.next());
        let key: Option<WitnessKey> = key.and_then(|key| key.parse().ok());
        let url = url.filter(|url| url.starts_with("http://") || url.starts_with("https://"));
        let both = key.zip(url).filter(|_| words.next().is_none());
        let (key, url) = both.ok_or(WitnessError::Line(at))?;
        if witnesses.iter().any(|known| known.key.line == key.line) {
            return Err(WitnessError::Twice(at));
        }
        witnesses.push(Witness { key, url: url.trim_end_matches('/').to_owned() });
    }
    Ok(witnesses)
}

/// The question to a witness that has signed a checkpoint of `signed` entries: please sign this one too. `proof` shows that the
/// log only grew ([`prove_append_only`](crate::proofs::prove_append_only)).
pub fn request(signed: u64, proof: &[Hash], note: &str) -> String {
    let hashes: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {signed}\n{hashes}\n{note}")
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;
    use crate::checkpoint::Head;
    use crate::keys::SigningKeys;

    fn witness(name: &str, seed: u8) -> (SigningKey, WitnessKey) {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let typed = [&[COSIGNATURE_V1], secret.verifying_key().as_bytes().as_slice()].concat();
        let line =
            format!("{name}+{:08x}+{}", key_id(name, &typed), BASE64_STANDARD.encode(&typed));
        (secret, line.parse().unwrap())
    }

    fn cosign(secret: &SigningKey, key: &WitnessKey, note: &str, at_s: u64) -> String {
        let text = note.split_inclusive("\n\n").next().unwrap().strip_suffix('\n').unwrap();
        let signed = format!("cosignature/v1\ntime {at_s}\n{text}");
        let signature = secret.sign(signed.as_bytes()).to_bytes();
        let bytes =
            [&key.key_id().to_be_bytes()[..], &at_s.to_be_bytes()[..], &signature[..]].concat();
        format!("{note}— {} {}\n", key.name, BASE64_STANDARD.encode(bytes))
    }

    #[test]
    fn a_cosignature_is_good_for_one_checkpoint_one_time_and_one_witness() {
        let keys = SigningKeys::generate("a.example").unwrap();
        let signer = keys.signer(&keys.origin_of("pets"));
        let note = checkpoint::sign(&signer, Head { size: 7, root: Hash([9; 32]) });
        let (secret, key) = witness("witness.example/a", 1);
        let (_, other) = witness("witness.example/a", 2);
        assert_eq!(key.find(&note), Ok(None));
        let cosigned = cosign(&secret, &key, &note, 1_800_000_000);
        let found = key.find(&cosigned).unwrap().unwrap();
        assert_eq!(found.at_s, 1_800_000_000);
        assert!(cosigned.ends_with(&format!("\n{}\n", found.line)), "{found:?}");
        assert_eq!(other.find(&cosigned), Ok(None));
        let forged = cosigned.replacen("\n7\n", "\n8\n", 1);
        assert_eq!(key.find(&forged), Err(checkpoint::Error::WrongSignature));
        assert_eq!(key.find("x"), Err(checkpoint::Error::NoNote));
    }

    #[test]
    fn keys_of_logs_and_wrong_ids_are_no_keys_of_witnesses() {
        let (_, key) = witness("w.example", 1);
        assert_eq!(key.as_line().parse(), Ok(key.clone()));
        let of_log = SigningKeys::generate("w.example").unwrap().public("w.example").remove(0);
        let wrong_id = key.as_line().replacen('+', "+0", 1);
        for line in ["", "w.example", "w+00000000+", &of_log, &wrong_id] {
            assert_eq!(line.parse::<WitnessKey>(), Err(WitnessError::Key), "{line}");
        }
    }

    #[test]
    fn a_list_has_a_line_for_each_witness() {
        let (a, b) = (witness("a.example", 1).1, witness("b.example", 2).1);
        let (a, b) = (a.as_line(), b.as_line());
        let line_a = format!("witness A {a} https://a.example/w/");
        let list = format!(
            "# ours\n\nlog x\n{line_a}\nwitness B {b} http://b\ngroup G all A B\nquorum G\n"
        );
        let read = read_list(&list).unwrap();
        let read: Vec<_> = read.iter().map(|it| (it.key.name(), it.url.as_str())).collect();
        assert_eq!(read, [("a.example", "https://a.example/w"), ("b.example", "http://b")]);
        for (bad, error) in [
            (format!("witness A {a}"), WitnessError::Line(1)),
            (format!("\nwitness A {a} ftp://a"), WitnessError::Line(2)),
            (format!("witness A {a}x http://a"), WitnessError::Line(1)),
            (format!("witness A {a} http://a more"), WitnessError::Line(1)),
            ("witnesses".to_owned(), WitnessError::Line(1)),
            (format!("{line_a}\n{line_a}"), WitnessError::Twice(2)),
        ] {
            assert_eq!(read_list(&bad), Err(error), "{bad}");
        }
        assert_eq!(read_list(""), Ok(Vec::new()));
    }

    #[test]
    fn the_question_has_the_old_size_the_proof_and_the_checkpoint() {
        let note = "a.example/polls/pets\n7\n…\n\n— a.example …\n";
        assert_eq!(request(0, &[], note), format!("old 0\n\n{note}"));
        let hash = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
        let asked = request(3, &[Hash([9; 32]), Hash([9; 32])], note);
        assert_eq!(asked, format!("old 3\n{hash}\n{hash}\n\n{note}"));
    }
}
