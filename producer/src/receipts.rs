//! Gives voters receipts: signed promises that their ballot will be in the public log of its poll.
//!
//! The ballots of one round trip to Redis share a signature ([`Signing::sign`]). A voter who comes back later gets a
//! receipt of the vote that stands, with a signature of its own (`Receipts::of_standing`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::sync::watch;
use votestream_schema::poll::voter_key::PollSecret;
use votestream_schema::{BallotId, Choices, EntryId, Poll, PollId, VoterKey};
use votestream_service::config::{Secret, SigningArgs};
use votestream_service::reloadable::Reloadable;
use votestream_transparency::entry::StreamEntry;
use votestream_transparency::keys::{OriginSigner, SigningKeys};
use votestream_transparency::receipt::{Opening, Promise, Receipt, SignedBatch};

/// Name of the keys' settings in the log.
const NAME: &str = "signing keys";

/// The log of one poll, as far as receipts need it. `Debug` does not show the secret.
#[derive(Debug)]
pub struct PollLog {
    origin: Arc<str>,
    secret: PollSecret,
    signing: Arc<Signing>,
}

/// The key that signs now.
#[derive(Debug)]
pub struct Signing {
    keys: SigningKeys,
    signer: OriginSigner,
}

/// A ballot that Redis has stored, for its receipt.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// The voter, whose partition has the entry.
    pub voter: VoterKey,
    /// The stream entry.
    pub entry: EntryId,
    /// The ballot's id, if this request has brought it.
    pub ballot: Option<BallotId>,
    /// Its choices.
    pub choices: Choices,
}

/// A promise under the signature of its batch, until somebody asks for the receipt.
#[derive(Clone, Debug)]
pub struct Signed {
    batch: Arc<SignedBatch>,
    at: usize,
    promise: Promise,
    opening: Opening,
}

impl Signed {
    /// Writes the receipt.
    pub fn receipt(&self) -> Receipt {
        self.batch.receipt(self.at, &self.promise, self.opening)
    }
}

impl Signing {
    /// Signs ballots together; there is at least one. Returns a promise for each, in the same order.
    pub fn sign(&self, stored: &[(Arc<PollLog>, Stored)], partitions: u16) -> Vec<Signed> {
        let promises = stored.iter().map(|(log, stored)| {
            let Stored { voter, entry, ballot, choices } = *stored;
            let entry = StreamEntry { partition: voter.partition(partitions), id: entry };
            let opening = Opening::of(&log.secret, entry, choices);
            let log = log.origin.clone();
            (Promise { log, entry, ballot, commitment: opening.commitment() }, opening)
        });
        let (promises, openings): (Vec<Promise>, Vec<Opening>) = promises.unzip();
        let batch = Arc::new(SignedBatch::sign(&self.signer, &promises));
        let signed = promises.into_iter().zip(openings).enumerate();
        signed
            .map(|(at, (promise, opening))| Signed { batch: batch.clone(), at, promise, opening })
            .collect()
    }
}

impl PollLog {
    /// The key that signs for this log.
    pub fn signing(&self) -> &Arc<Signing> {
        &self.signing
    }
}

/// The current key, and the logs of polls. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Receipts {
    signing: watch::Receiver<Option<Arc<Signing>>>,
    logs: Arc<Mutex<HashMap<PollId, Arc<PollLog>>>>,
    partitions: u16,
}

impl Receipts {
    /// The log of a poll; `None` if the poll has none, or if there is no key that could sign.
    pub(crate) fn log_of(&self, poll: &Poll) -> Option<Arc<PollLog>> {
        let secret = poll.secrecy.keys.secret().filter(|_| poll.secrecy.receipts)?;
        let signing = self.signing.borrow().clone()?;
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = logs.get(&poll.id)
            && Arc::ptr_eq(&log.signing, &signing)
        {
            return Some(log.clone());
        }
        let origin = signing.keys.origin_of(poll.slug.as_str()).into();
        let log = Arc::new(PollLog { origin, secret: secret.clone(), signing });
        logs.insert(poll.id, log.clone());
        Some(log)
    }

    /// A receipt of the vote that stands.
    pub(crate) fn of_standing(&self, poll: &Poll, stored: Stored) -> Option<Receipt> {
        let log = self.log_of(poll)?;
        let signing = log.signing.clone();
        let signed = signing.sign(&[(log, stored)], self.partitions);
        signed.first().map(Signed::receipt)
    }
}

/// Keeps [`Receipts`] up to date.
#[derive(Debug)]
pub(crate) struct Refresher {
    args: SigningArgs,
    reloadable: Reloadable<Option<Secret>, Option<Arc<Signing>>>,
    signing: watch::Sender<Option<Arc<Signing>>>,
}

/// Reads the keys that the settings name; the [`Refresher`] reads them again.
///
/// # Errors
/// Returns an error if the file cannot be read, or holds something else.
pub(crate) fn new(args: &SigningArgs, partitions: u16) -> anyhow::Result<(Receipts, Refresher)> {
    let reloadable = check(args)?;
    let (sender, signing) = watch::channel(reloadable.get(NAME, args.text(), parse));
    let receipts = Receipts { signing, logs: Arc::default(), partitions };
    Ok((receipts, Refresher { args: args.clone(), reloadable, signing: sender }))
}

/// Reads the keys without using them.
///
/// # Errors
/// As [`new`].
pub(crate) fn check(
    args: &SigningArgs,
) -> anyhow::Result<Reloadable<Option<Secret>, Option<Arc<Signing>>>> {
    Reloadable::new(args.text(), parse)
}

impl Refresher {
    /// Reads the file again; call it every few seconds.
    pub(crate) fn refresh(&self) {
        let signing = self.reloadable.get(NAME, self.args.text(), parse);
        let is_same = match (&signing, &*self.signing.borrow()) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        if !is_same {
            self.signing.send_replace(signing);
        }
    }
}

fn parse(text: &Option<Secret>) -> anyhow::Result<Option<Arc<Signing>>> {
    let Some(text) = text else { return Ok(None) };
    let keys = SigningKeys::parse(text.reveal()).context("SIGNING_KEYS")?;
    let signer = keys.signer(&keys.receipts_origin());
    Ok(Some(Arc::new(Signing { keys, signer })))
}
