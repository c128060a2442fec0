//! Checkpoints: a signed statement of how long a log is and what its root hash is (C2SP `tlog-checkpoint`).

use signed_note::{Note, NoteError};
use tlog_tiles::checkpoint::Checkpoint as Body;
use tlog_tiles::tlog::{EMPTY_HASH, Hash};

use crate::keys::{OriginSigner, PublicKeys};

/// The length of a log and its root hash.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// The number of entries.
    pub size: u64,
    /// The root hash of the Merkle tree over them (RFC 6962, section 2.1).
    pub root: Hash,
}

impl Head {
    /// The head of a log without entries.
    pub const EMPTY: Self = Self { size: 0, root: EMPTY_HASH };
}

/// Why a text is no checkpoint of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text does not have the form of a signed note.
    #[error("the checkpoint is not a signed note")]
    NoNote,
    /// The signed text does not have the form of a checkpoint.
    #[error("the note is not a checkpoint")]
    NoCheckpoint,
    /// The checkpoint belongs to another log.
    #[error("the checkpoint is of the log `{0}`")]
    OtherOrigin(String),
    /// None of the given keys has signed it.
    #[error("none of the known keys has signed the checkpoint")]
    UnknownKey,
    /// A known key is named as signer, and its signature is wrong.
    #[error("the signature of the checkpoint is wrong")]
    WrongSignature,
}

/// Signs a head, and returns the note.
pub fn sign(signer: &OriginSigner, head: Head) -> String {
    let body = Body::new(signer.origin(), head.size, head.root, "").expect("an origin of one line");
    signer.sign(&body.to_bytes())
}

/// Checks the signature of a checkpoint, and returns its head.
///
/// # Errors
/// Returns an error if it has another form or origin, or if none of these keys has signed it.
pub fn open(note: &str, origin: &str, keys: &PublicKeys) -> Result<Head, Error> {
    let note = Note::from_bytes(note.as_bytes()).map_err(|_| Error::NoNote)?;
    match note.verify(&keys.verifiers()) {
        Ok(_) => {}
        Err(NoteError::InvalidSignature { .. }) => return Err(Error::WrongSignature),
        Err(_) => return Err(Error::UnknownKey),
    }
    let body = Body::from_bytes(note.text()).map_err(|_| Error::NoCheckpoint)?;
    if body.origin() != origin {
        return Err(Error::OtherOrigin(body.origin().to_owned()));
    }
    Ok(Head { size: body.size(), root: *body.hash() })
}

/// The signatures below a checkpoint that none of these keys has made: cosignatures of witnesses, for example. Each is a
/// whole line, without its line break.
///
/// # Errors
/// Returns [`Error::NoNote`] if the text has another form.
pub fn other_signatures(note: &str, keys: &PublicKeys) -> Result<Vec<String>, Error> {
    let parsed = Note::from_bytes(note.as_bytes()).map_err(|_| Error::NoNote)?;
    let others = parsed.verify(&keys.verifiers()).map_or_else(|_| Vec::new(), |(_, others)| others);
    let line = |signature: &signed_note::Signature| {
        String::from_utf8_lossy(&signature.to_bytes()).trim_end().to_owned()
    };
    Ok(others.iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKeys;

    #[test]
    fn a_checkpoint_is_read_by_whoever_knows_the_key_and_by_nobody_else() {
        let keys = SigningKeys::generate("a.example").unwrap();
        let origin = keys.origin_of("pets");
        let public = PublicKeys::new(keys.public(&origin)).unwrap();
        let head = Head { size: 7, root: Hash([9; 32]) };
        let note = sign(&keys.signer(&origin), head);
        assert!(note.starts_with("a.example/polls/pets\n7\n"), "{note}");
        assert_eq!(open(&note, &origin, &public), Ok(head));
        // Another size, another log, another key, another form.
        let forged = note.replacen("\n7\n", "\n8\n", 1);
        assert_eq!(open(&forged, &origin, &public), Err(Error::WrongSignature));
        let other = keys.origin_of("cars");
        let note_of_other = sign(&keys.signer(&other), head);
        assert_eq!(open(&note_of_other, &origin, &public), Err(Error::UnknownKey));
        let stranger = SigningKeys::generate("a.example").unwrap();
        let strange = PublicKeys::new(stranger.public(&origin)).unwrap();
        assert_eq!(open(&note, &origin, &strange), Err(Error::UnknownKey));
        assert_eq!(open("x", &origin, &public), Err(Error::NoNote));
    }

    #[test]
    fn signatures_of_others_are_kept_apart() {
        let keys = SigningKeys::generate("a.example").unwrap();
        let origin = keys.origin_of("pets");
        let public = PublicKeys::new(keys.public(&origin)).unwrap();
        let note = sign(&keys.signer(&origin), Head::EMPTY);
        assert_eq!(other_signatures(&note, &public), Ok(Vec::new()));
        let cosigned = format!("{note}— witness.example AAAAAAECAwQFBgcI\n");
        assert_eq!(open(&cosigned, &origin, &public), Ok(Head::EMPTY));
        let others = other_signatures(&cosigned, &public).unwrap();
        assert_eq!(others, ["— witness.example AAAAAAECAwQFBgcI"]);
    }
}
