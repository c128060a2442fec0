//! How the log of one poll grows by some ballots: its new tiles, bundles and checkpoint.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use votestream_schema::Poll;
use votestream_transparency::Hash;
use votestream_transparency::checkpoint::{self, Head};
use votestream_transparency::entry::{self, LogEntry, Nonce, StreamEntry};
use votestream_transparency::keys::SigningKeys;
use votestream_transparency::tree::{self, TILE_WIDTH, TileData, TileId};

use crate::error::ServerError;
use crate::pipeline::log_record::{LogRecord, Unreadable};

/// Why a log does not grow.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoGrowth {
    /// Postgres has no such poll.
    #[error("there is no such poll")]
    NoPoll,
    /// The poll was sealed, so that nobody knows the nonces of its ballots.
    #[error("the secret of the poll is not known, which hides the choices of its entries")]
    NoSecret,
    /// The rows of the queue are not of the form that this release writes.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The stored tiles do not fit the stored root hash.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// The stored bundle has not as many entries as it should have.
    #[error("its last bundle of entries is missing, or was changed")]
    Bundle,
}

/// A bundle of entries.
#[derive(Debug)]
struct Bundle {
    index: i64,
    first_ms: i64,
    last_ms: i64,
    entries: Vec<u8>,
}

/// What to store so that a log has grown.
#[derive(Debug)]
pub(super) struct Growth {
    poll: i32,
    entries: u64,
    head: Head,
    note: Option<String>,
    tiles: Vec<TileData>,
    bundles: Vec<Bundle>,
}

impl Growth {
    /// Reads the right edge of a poll's log, and computes what it becomes with these rows of the queue.
    pub(super) async fn plan(
        client: &Client,
        poll: &Poll,
        rows: &[&[u8]],
        keys: Option<&SigningKeys>,
    ) -> Result<Result<Self, NoGrowth>, ServerError> {
        let (head, last) = match state(client, poll.id.0).await? {
            None => (Head::EMPTY, None),
            Some(Ok(state)) => state,
            Some(Err(broken)) => return Ok(Err(broken)),
        };
        let edge = edge(client, poll.id.0, head.size).await?;
        Ok(grow(poll, rows, (head, last), &edge, keys))
    }

    /// The number of entries that are new.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// Stores it.
    pub(super) async fn store(&self, client: &Client) -> Result<(), ServerError> {
        let (size, root) = (self.head.size as i64, self.head.root.0.as_slice());
        let levels: Vec<i16> = self.tiles.iter().map(|tile| tile.id.level.into()).collect();
        let indexes: Vec<i64> = self.tiles.iter().map(|tile| tile.id.index as i64).collect();
        let hashes: Vec<&[u8]> = self.tiles.iter().map(|tile| tile.hashes.as_slice()).collect();
        let of_bundles: Vec<i64> = self.bundles.iter().map(|bundle| bundle.index).collect();
        let first_ms: Vec<i64> = self.bundles.iter().map(|bundle| bundle.first_ms).collect();
        let last_ms: Vec<i64> = self.bundles.iter().map(|bundle| bundle.last_ms).collect();
        let entries: Vec<&[u8]> =
            self.bundles.iter().map(|bundle| bundle.entries.as_slice()).collect();
        client
            .execute_typed(
                include_str!("../../../sql/log/append.sql"),
                &[
                    (&self.poll, Type::INT4),
                    (&size, Type::INT8),
                    (&root, Type::BYTEA),
                    (&self.note, Type::TEXT),
                    (&levels, Type::INT2_ARRAY),
                    (&indexes, Type::INT8_ARRAY),
                    (&hashes, Type::BYTEA_ARRAY),
                    (&of_bundles, Type::INT8_ARRAY),
                    (&first_ms, Type::INT8_ARRAY),
                    (&last_ms, Type::INT8_ARRAY),
                    (&entries, Type::BYTEA_ARRAY),
                ],
            )
            .await?;
        Ok(())
    }
}

/// A log's head, and its last bundle if that is not full.
type State = (Head, Option<Bundle>);

async fn state(client: &Client, poll: i32) -> Result<Option<Result<State, NoGrowth>>, ServerError> {
    let parameters = [(&poll as _, Type::INT4), (&(TILE_WIDTH as i64) as _, Type::INT8)];
    let row =
        client.query_typed_opt(include_str!("../../../sql/log/state.sql"), &parameters).await?;
    Ok(row.as_ref().map(read_state))
}

fn read_state(row: &Row) -> Result<State, NoGrowth> {
    let size = row.get::<_, i64>("size") as u64;
    let root: &[u8] = row.get("root");
    let root = Hash(root.try_into().map_err(|_| tree::Error::Changed)?);
    let entries: Option<Vec<u8>> = row.get("entries");
    let last = entries.map(|entries| Bundle {
        index: (size / TILE_WIDTH) as i64,
        first_ms: row.get("first_ms"),
        last_ms: row.get("last_ms"),
        entries,
    });
    let stored =
        last.as_ref().map_or(Ok(0), |bundle| entry::lines(&bundle.entries).map(|it| it.len()));
    if stored.is_ok_and(|stored| stored as u64 == size % TILE_WIDTH) {
        Ok((Head { size, root }, last))
    } else {
        Err(NoGrowth::Bundle)
    }
}

async fn edge(client: &Client, poll: i32, size: u64) -> Result<Vec<TileData>, ServerError> {
    let edge = tree::edge(size);
    let levels: Vec<i16> = edge.iter().map(|(id, _)| id.level.into()).collect();
    let indexes: Vec<i64> = edge.iter().map(|(id, _)| id.index as i64).collect();
    let rows = client
        .query_typed(
            include_str!("../../../sql/log/edge.sql"),
            &[(&poll, Type::INT4), (&levels, Type::INT2_ARRAY), (&indexes, Type::INT8_ARRAY)],
        )
        .await?;
    let tile = |row: &Row| {
        let id = TileId { level: row.get::<_, i16>(0) as u8, index: row.get::<_, i64>(1) as u64 };
        TileData { id, hashes: row.get(2) }
    };
    Ok(rows.iter().map(tile).collect())
}

fn grow(
    poll: &Poll,
    rows: &[&[u8]],
    (head, last): State,
    edge: &[TileData],
    keys: Option<&SigningKeys>,
) -> Result<Growth, NoGrowth> {
    let secret = poll.secrecy.keys.secret().ok_or(NoGrowth::NoSecret)?;
    let mut bundles: Vec<Bundle> = last.into_iter().collect();
    let (mut hashes, mut size) = (Vec::new(), head.size);
    for row in rows {
        for record in LogRecord::read_all(row)? {
            let LogRecord { outcome, entry, ballot, choices, replaces } = record;
            let replaces = replaces.map(|id| StreamEntry { id, ..entry });
            let nonce = Nonce::of(secret, entry);
            let line = LogEntry { outcome, entry, ballot, choices, replaces, nonce }.to_string();
            hashes.push(tree::leaf_hash(&line));
            let at_ms = entry.id.ms;
            if size.is_multiple_of(TILE_WIDTH) {
                let index = (size / TILE_WIDTH) as i64;
                let entries = Vec::new();
                bundles.push(Bundle { index, first_ms: at_ms, last_ms: at_ms, entries });
            }
            let bundle = bundles.last_mut().ok_or(NoGrowth::Bundle)?;
            entry::add_to_bundle(&line, &mut bundle.entries);
            bundle.first_ms = bundle.first_ms.min(at_ms);
            bundle.last_ms = bundle.last_ms.max(at_ms);
            size += 1;
        }
    }
    let grown = tree::append(head, edge, &hashes)?;
    let signer = keys.map(|keys| keys.signer(&keys.origin_of(poll.slug.as_str())));
    Ok(Growth {
        poll: poll.id.0,
        entries: hashes.len() as u64,
        head: grown.head,
        note: signer.map(|signer| checkpoint::sign(&signer, grown.head)),
        tiles: grown.tiles,
        bundles,
    })
}
