//! Writes the public log of a poll into a database, as consumers do, and gives receipts, as producers do.

use std::sync::Arc;

use tokio_postgres::Client;
use votestream_schema::poll::now_ms;
use votestream_schema::poll::voter_key::PollSecret;
use votestream_schema::{BallotId, Choices, EntryId, Poll, PollId, Slug, db};
use votestream_transparency::checkpoint::{self, Head};
use votestream_transparency::entry::{self, LogEntry, Nonce, Outcome, StreamEntry};
use votestream_transparency::keys::SigningKeys;
use votestream_transparency::receipt::{Opening, Promise, Receipt, SignedBatch};
use votestream_transparency::tree::{self, TILE_WIDTH};

/// The name of the deployment.
pub const NAME: &str = "vote.example";

/// A log, in memory until [`LogBuilder::store`].
pub struct LogBuilder {
    pub keys: SigningKeys,
    pub poll: PollId,
    slug: Slug,
    secret: PollSecret,
    /// The time of the first ballot; each further one is a millisecond later.
    start_ms: i64,
    pub entries: Vec<LogEntry>,
}

impl LogBuilder {
    /// Begins the log of a poll, whose ballots come in from `start_ms` on, and publishes the key.
    pub async fn new(sql: &Client, slug: &str, start_ms: i64) -> Self {
        let slug: Slug = slug.parse().unwrap();
        let poll: Poll = db::polls::with_secret(sql, &slug).await.unwrap().unwrap();
        let turn_on = "UPDATE polls SET receipts = true WHERE id = $1";
        sql.execute(turn_on, &[&poll.id.0]).await.unwrap();
        let keys = SigningKeys::generate(NAME).unwrap();
        for key in keys.public(NAME) {
            let publish = "INSERT INTO log_keys VALUES ($1, true, $2, $2)";
            sql.execute(publish, &[&key, &now_ms()]).await.unwrap();
        }
        let secret = poll.secrecy.keys.secret().unwrap().clone();
        Self { keys, poll: poll.id, slug, secret, start_ms, entries: Vec::new() }
    }

    /// The stream entry of the ballot with this number.
    pub fn stream_entry(&self, number: usize) -> StreamEntry {
        let id = EntryId { ms: self.start_ms + number as i64, seq: 0 };
        StreamEntry { partition: (number % 3) as u16, id }
    }

    /// Adds an entry: the number of its ballot, its choices, what became of it, and the number of the ballot that it replaces.
    pub fn add(&mut self, number: usize, mask: i64, outcome: Outcome, replaces: Option<usize>) {
        let entry = self.stream_entry(number);
        self.entries.push(LogEntry {
            outcome,
            entry,
            ballot: BallotId::new(),
            choices: Choices::from_mask(mask).unwrap(),
            replaces: replaces.map(|number| self.stream_entry(number)),
            nonce: Nonce::of(&self.secret, entry),
        });
    }

    /// Adds a ballot for the first option or the second, which counts, for each of these numbers.
    pub fn add_ballots(&mut self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            self.add(number, 1 + (number % 3 == 0) as i64, Outcome::Counts, None);
        }
    }

    /// The votes of each of two options, and the number of people.
    pub fn count(&self) -> ([i64; 2], i64) {
        let mut recount = votestream_transparency::recount::Recount::default();
        for entry in &self.entries {
            recount.add(entry).unwrap();
        }
        ([recount.votes(0), recount.votes(1)], recount.voters() as i64)
    }

    /// Stores the log as it stands, with a signed checkpoint.
    pub async fn store(&self, sql: &Client) -> Head {
        let lines: Vec<String> = self.entries.iter().map(ToString::to_string).collect();
        self.store_lines(sql, &lines).await
    }

    /// Stores a log of these lines instead.
    pub async fn store_lines(&self, sql: &Client, lines: &[String]) -> Head {
        let poll = &self.poll.0;
        let hashes: Vec<_> = lines.iter().map(|line| tree::leaf_hash(line)).collect();
        let grown = tree::append(Head::EMPTY, &[], &hashes).unwrap();
        for tile in &grown.tiles {
            let store = "INSERT INTO log_tiles VALUES ($1, $2, $3, $4)
                         ON CONFLICT (poll_id, level, index) DO UPDATE SET hashes = excluded.hashes";
            let (level, index) = (i16::from(tile.id.level), tile.id.index as i64);
            sql.execute(store, &[poll, &level, &index, &tile.hashes]).await.unwrap();
        }
        for (index, lines) in (0_i64..).zip(lines.chunks(TILE_WIDTH as usize)) {
            let ms = lines.iter().map(|line| line.parse::<LogEntry>().unwrap().entry.id.ms);
            let (first_ms, last_ms) = (ms.clone().min().unwrap(), ms.max().unwrap());
            let store = "INSERT INTO log_bundles VALUES ($1, $2, $3, $4, $5) ON CONFLICT (poll_id, index) DO UPDATE
                         SET entries = excluded.entries, last_ms = excluded.last_ms";
            let entries = entry::bundle(lines.iter().map(String::as_str));
            sql.execute(store, &[poll, &index, &first_ms, &last_ms, &entries]).await.unwrap();
        }
        let signer = self.keys.signer(&self.keys.origin_of(self.slug.as_str()));
        let note = checkpoint::sign(&signer, grown.head);
        let (size, root) = (grown.head.size as i64, grown.head.root.0.as_slice());
        let store = "INSERT INTO log_checkpoints VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (poll_id, size) DO UPDATE SET root = excluded.root, note = excluded.note";
        sql.execute(store, &[poll, &size, &root, &now_ms(), &note]).await.unwrap();
        grown.head
    }

    /// Sets the poll's result to the count of the log.
    pub async fn publish_count(&self, sql: &Client) {
        let (votes, voters) = self.count();
        for (position, votes) in (0_i16..).zip(votes) {
            let set = "UPDATE tally SET votes = $3 WHERE poll_id = $1 AND position = $2";
            sql.execute(set, &[&self.poll.0, &position, &votes]).await.unwrap();
        }
        let set = "UPDATE poll_tally SET voters = $2, version = version + 1 WHERE poll_id = $1";
        sql.execute(set, &[&self.poll.0, &voters]).await.unwrap();
    }

    /// The receipt of the ballot in the entry with this place.
    pub fn receipt(&self, index: usize) -> Receipt {
        let LogEntry { entry, ballot, choices, .. } = self.entries[index];
        self.receipt_of(entry, Some(ballot), choices)
    }

    /// A receipt for any ballot, signed beside two others.
    pub fn receipt_of(
        &self,
        entry: StreamEntry,
        ballot: Option<BallotId>,
        choices: Choices,
    ) -> Receipt {
        let log: Arc<str> = self.keys.origin_of(self.slug.as_str()).into();
        let promise = |entry: StreamEntry, ballot| {
            let commitment = Opening::of(&self.secret, entry, choices).commitment();
            Promise { log: log.clone(), entry, ballot, commitment }
        };
        let others = [self.stream_entry(900_000), self.stream_entry(900_001)];
        let promises = [promise(others[0], None), promise(entry, ballot), promise(others[1], None)];
        let signer = self.keys.signer(&self.keys.receipts_origin());
        let batch = SignedBatch::sign(&signer, &promises);
        batch.receipt(1, &promises[1], Opening::of(&self.secret, entry, choices))
    }
}
