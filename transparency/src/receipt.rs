//! Receipts: signed promises that a ballot was accepted and will be in its poll's log.
//!
//! A signature costs more than all other work on a ballot. So producers sign once for all ballots that shared a round
//! trip to Redis, as the protocol Roughtime does: the promises are the leaves of a small Merkle tree (RFC 6962), its head is
//! signed as a checkpoint, and each receipt has the path from its promise to that head.
//!
//! A promise is this text, with a line break after each line:
//!
//! ```text
//! votestream receipt 1
//! vote.example.org/polls/pets              the log in which the ballot will be
//! 3-1700000000000-0                        the stream entry; its second number is the time, in Unix milliseconds
//! 0190c42ab6f97abc8def0123456789ab         the ballot's id, or - where the producer only knows that it is stored
//! nQ…=                                     the commitment to the choices, in base64
//! 1700000060000                            when it is in the log at the latest, in Unix milliseconds
//! ```

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use tlog_tiles::tlog::{
    Error as TreeError, Hash, HashReader, check_record, prove_record, record_hash,
    stored_hashes_for_record_hash, tree_hash,
};
use votestream_schema::poll::voter_key::PollSecret;
use votestream_schema::{BallotId, Choices};

use crate::checkpoint::{self, Head};
use crate::entry::{Commitment, Nonce, StreamEntry};
use crate::keys::{OriginSigner, PublicKeys};

/// How long after it was accepted a ballot is in the log at the latest, in milliseconds, while Postgres is up. Time during
/// which Postgres is down comes on top.
pub const DUE_AFTER_MS: i64 = 60_000;

/// What a receipt promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The origin of the poll's log.
    pub log: Arc<str>,
    /// The stream entry that brought the ballot.
    pub entry: StreamEntry,
    /// The ballot's id. A producer does not know it if the ballot was stored by an earlier request.
    pub ballot: Option<BallotId>,
    /// The commitment to the choices.
    pub commitment: Commitment,
}

impl Promise {
    /// The time at which the ballot is in the log at the latest, in milliseconds since the Unix epoch ([`DUE_AFTER_MS`]).
    pub fn due_ms(&self) -> i64 {
        self.entry.id.ms + DUE_AFTER_MS
    }

    /// The text that is hashed and signed.
    pub fn text(&self) -> String {
        let Self { log, entry, ballot, commitment } = self;
        let ballot = ballot.map_or_else(|| "-".to_owned(), |ballot| ballot.to_string());
        let commitment = BASE64_STANDARD.encode(commitment.0);
        format!("votestream receipt 1\n{log}\n{entry}\n{ballot}\n{commitment}\n{}\n", self.due_ms())
    }
}

/// The promises of one round trip under one signature.
#[derive(Debug)]
pub struct SignedBatch {
    /// The hashes of the small tree, in the order of `tlog`.
    hashes: StoredHashes,
    size: u64,
    /// The signed head.
    note: String,
}

impl SignedBatch {
    /// Signs promises. There is at least one.
    pub fn sign(signer: &OriginSigner, promises: &[Promise]) -> Self {
        let mut hashes = StoredHashes(Vec::with_capacity(2 * promises.len()));
        for (at, promise) in promises.iter().enumerate() {
            let leaf = record_hash(promise.text().as_bytes());
            let new = stored_hashes_for_record_hash(at as u64, leaf, &hashes);
            hashes.0.extend(new.expect("all hashes of the tree are in memory"));
        }
        let size = promises.len() as u64;
        let root = tree_hash(size, &hashes).expect("all hashes of the tree are in memory");
        let note = checkpoint::sign(signer, Head { size, root });
        Self { hashes, size, note }
    }

    /// The receipt of the promise at this place in the batch.
    pub fn receipt(&self, at: usize, promise: &Promise, opening: Opening) -> Receipt {
        let path = prove_record(self.size, at as u64, &self.hashes);
        let path = path.expect("all hashes of the tree are in memory");
        Receipt {
            version: VERSION,
            log: promise.log.to_string(),
            entry: promise.entry,
            ballot: promise.ballot.map(|ballot| ballot.to_string()),
            commitment: BASE64_STANDARD.encode(promise.commitment.0),
            due_ms: promise.due_ms(),
            index: at as u64,
            path: path.iter().map(Hash::to_string).collect(),
            signed: self.note.clone(),
            nonce: opening.nonce.to_string(),
            choices: opening.choices.mask().to_string(),
        }
    }
}

/// What opens the commitment of a receipt. Whoever has it can show what the voter chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The nonce of the stream entry.
    pub nonce: Nonce,
    /// The choices.
    pub choices: Choices,
}

impl Opening {
    /// The opening for a ballot of the poll with this secret.
    pub fn of(secret: &PollSecret, entry: StreamEntry, choices: Choices) -> Self {
        Self { nonce: Nonce::of(secret, entry), choices }
    }

    /// The commitment that it opens.
    pub fn commitment(self) -> Commitment {
        self.nonce.commit(self.choices)
    }
}

/// The version of the form of receipts.
const VERSION: u8 = 1;

/// A receipt, as voters keep it: JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The version of this form: 1.
    pub version: u8,
    /// The origin of the poll's log.
    pub log: String,
    /// The stream entry: partition, Unix milliseconds, sequence.
    pub entry: StreamEntry,
    /// The ballot's id in hexadecimal, if the producer knew it.
    pub ballot: Option<String>,
    /// The commitment to the choices, 32 bytes in base64.
    pub commitment: String,
    /// When the ballot is in the log at the latest, in milliseconds since the Unix epoch ([`DUE_AFTER_MS`]).
    pub due_ms: i64,
    /// The place of the promise among those that were signed together, from 0.
    pub index: u64,
    /// The hashes from the promise to the root, in base64 (RFC 6962, section 2.1.1). At most nine for 512 promises.
    pub path: Vec<String>,
    /// The signed head of the small tree: a note of C2SP `tlog-checkpoint`.
    pub signed: String,
    /// Opens the commitment, with `choices`: 16 bytes in hexadecimal.
    pub nonce: String,
    /// The bit mask of the chosen options, as a decimal number in a string.
    pub choices: String,
}

impl Receipt {
    /// The receipt as voters keep it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain texts and numbers are JSON")
    }
}

/// What is wrong with a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A part has another form than receipts have.
    #[error("the receipt is not readable: its {0} is not valid")]
    Malformed(&'static str),
    /// It was written by a newer release.
    #[error("the receipt has version {0}, and this program reads version {VERSION}")]
    Version(u8),
    /// The head of the small tree is not signed as it should be.
    #[error("the receipt is not signed by this deployment: {0}")]
    Signature(#[from] checkpoint::Error),
    /// The promise is not among those that were signed.
    #[error("the receipt was changed: what it promises is not what was signed")]
    NotSigned,
    /// Nonce and choices do not fit the commitment.
    #[error("the receipt was changed: the choices in it are not those that were signed")]
    OtherChoices,
}

impl Receipt {
    /// Checks everything that can be checked without the log: the signature, the path, and that the choices are those of the
    /// signed commitment. Returns what is promised and what opens it. `keys` are the public keys of the deployment, under
    /// any name.
    ///
    /// # Errors
    /// Returns an error that says what is wrong.
    pub fn check(&self, keys: &PublicKeys) -> Result<(Promise, Opening), Fault> {
        if self.version != VERSION {
            return Err(Fault::Version(self.version));
        }
        let (promise, opening) = self.read()?;
        let (deployment, _) = self.log.rsplit_once("/polls/").ok_or(Fault::Malformed("log"))?;
        let origin = format!("{deployment}/receipts");
        let keys = keys.under(&origin).map_err(|_| checkpoint::Error::UnknownKey)?;
        let head = checkpoint::open(&self.signed, &origin, &keys)?;
        let path = self.path.iter().map(|hash| Hash::parse_hash(hash));
        let path = path.collect::<Result<_, _>>().map_err(|_| Fault::Malformed("path"))?;
        let leaf = record_hash(promise.text().as_bytes());
        check_record(&path, head.size, head.root, self.index, leaf)
            .map_err(|_| Fault::NotSigned)?;
        if opening.commitment() != promise.commitment {
            return Err(Fault::OtherChoices);
        }
        Ok((promise, opening))
    }

    fn read(&self) -> Result<(Promise, Opening), Fault> {
        let commitment = BASE64_STANDARD.decode(&self.commitment).ok();
        let commitment = commitment.and_then(|bytes| bytes.try_into().ok());
        let ballot = self.ballot.as_ref().map(|text| uuid::Uuid::try_parse(text));
        let ballot = ballot.transpose().map_err(|_| Fault::Malformed("ballot"))?;
        let promise = Promise {
            log: self.log.as_str().into(),
            entry: self.entry,
            ballot: ballot.map(BallotId),
            commitment: Commitment(commitment.ok_or(Fault::Malformed("commitment"))?),
        };
        if promise.due_ms() != self.due_ms {
            return Err(Fault::Malformed("due_ms"));
        }
        let choices = self.choices.parse().ok().and_then(Choices::from_mask);
        let opening = Opening {
            nonce: self.nonce.parse().map_err(|_| Fault::Malformed("nonce"))?,
            choices: choices.ok_or(Fault::Malformed("choices"))?,
        };
        Ok((promise, opening))
    }
}

/// The hashes of a tree in memory, in the order in which a log stores them.
#[derive(Debug)]
struct StoredHashes(Vec<Hash>);

impl HashReader for StoredHashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
        let read = |index: &u64| {
            let at = usize::try_from(*index).ok()?;
            self.0.get(at).copied()
        };
        indexes.iter().map(|index| read(index).ok_or(TreeError::IndexesNotInTree)).collect()
    }
}

#[cfg(test)]
mod tests {
    use votestream_schema::EntryId;

    use super::*;
    use crate::keys::SigningKeys;

    fn batch(keys: &SigningKeys, size: usize) -> Vec<Receipt> {
        let secret = PollSecret::from_bytes([7; 32]);
        let log: Arc<str> = keys.origin_of("pets").into();
        let openings: Vec<_> = (0..size)
            .map(|at| {
                let id = EntryId { ms: 1_700_000_000_000, seq: at as i64 };
                let entry = StreamEntry { partition: 3, id };
                let choices = Choices::from_mask(1 << (at % 60)).unwrap();
                (entry, Opening::of(&secret, entry, choices))
            })
            .collect();
        let promises: Vec<_> = openings
            .iter()
            .map(|(entry, opening)| Promise {
                log: log.clone(),
                entry: *entry,
                ballot: (entry.id.seq % 2 == 0).then(BallotId::new),
                commitment: opening.commitment(),
            })
            .collect();
        let signed = SignedBatch::sign(&keys.signer(&keys.receipts_origin()), &promises);
        let receipt = |(at, promise)| signed.receipt(at, promise, openings[at].1);
        promises.iter().enumerate().map(receipt).collect()
    }

    #[test]
    fn every_receipt_of_a_batch_is_checked_by_itself() {
        let keys = SigningKeys::generate("a.example").unwrap();
        let public = PublicKeys::new(keys.public("a.example")).unwrap();
        for size in [1, 2, 3, 100, 512] {
            for receipt in batch(&keys, size) {
                assert!(receipt.path.len() <= 9);
                let json = serde_json::to_string(&receipt).unwrap();
                let read: Receipt = serde_json::from_str(&json).unwrap();
                let (promise, opening) = read.check(&public).unwrap();
                assert_eq!(promise.commitment, opening.commitment());
            }
        }
    }

    #[test]
    fn a_receipt_that_was_changed_or_made_up_is_not_believed() {
        let keys = SigningKeys::generate("a.example").unwrap();
        let public = PublicKeys::new(keys.public("a.example")).unwrap();
        let good = batch(&keys, 5).swap_remove(2);
        let refused = |change: fn(&mut Receipt)| {
            let mut receipt = good.clone();
            change(&mut receipt);
            receipt.check(&public).unwrap_err()
        };
        assert!(good.check(&public).is_ok());
        assert_eq!(refused(|it| it.version = 2), Fault::Version(2));
        assert_eq!(refused(|it| it.ballot = None), Fault::NotSigned);
        assert_eq!(refused(|it| it.index = 1), Fault::NotSigned);
        assert_eq!(refused(|it| it.path.truncate(1)), Fault::NotSigned);
        assert_eq!(refused(|it| it.entry.partition = 2), Fault::NotSigned);
        assert_eq!(refused(|it| it.log = "a.example/polls/cars".into()), Fault::NotSigned);
        assert_eq!(refused(|it| it.due_ms += 1), Fault::Malformed("due_ms"));
        assert_eq!(refused(|it| it.choices = "1".into()), Fault::OtherChoices);
        assert_eq!(refused(|it| it.commitment = "x".into()), Fault::Malformed("commitment"));
        let signature = refused(|it| it.signed = it.signed.replacen("\n5\n", "\n6\n", 1));
        assert_eq!(signature, Fault::Signature(checkpoint::Error::WrongSignature));
        // Somebody else's key under the same name.
        let forger = SigningKeys::generate("a.example").unwrap();
        let forged = batch(&forger, 5).swap_remove(2);
        assert_eq!(forged.check(&public), Err(Fault::Signature(checkpoint::Error::UnknownKey)));
    }
}
