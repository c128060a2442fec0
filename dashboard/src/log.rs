//! Reads the public logs of polls: the newest checkpoints with the public keys, tiles, bundles, and the entries of one receipt.
//!
//! Invariants: however many people ask, Postgres is asked for one thing at a time. Tiles and
//! bundles only grow, so those that are cached are as good as the stored ones, and a request for more hashes than they have reads
//! them again. Nothing here decides who may see entries; handlers do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio::time::timeout;
use votestream_schema::PollId;
use votestream_schema::db;
use votestream_schema::db::log::StoredCheckpoint;
use votestream_service::postgres::Pool;
use votestream_transparency::entry::{self, LogEntry, StreamEntry};
use votestream_transparency::keys::PublicKeys;
use votestream_transparency::tree::{Asked, TILE_WIDTH};

use crate::history::HistoryError;
use crate::reading::{read, twice};

/// The longest time to wait for others, and again for the answer itself.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// How long the newest checkpoint and the keys are cached. A checkpoint is signed once a second at most.
const STATE_CACHED_FOR: Duration = Duration::from_millis(500);
const STATES_CACHED_MAX: u64 = 1_024;
/// The most bytes of tiles and bundles in the cache.
const PIECES_BYTES_MAX: u64 = 32 << 20;
/// The most bundles that are searched for the entries of one receipt. A stream entry is in the log once, or a few times.
const BUNDLES_MAX: i64 = 4;

/// The newest signed checkpoint of a log, and the keys under the name of the log.
#[derive(Debug)]
pub(crate) struct LogState {
    /// The name of the log.
    pub(crate) origin: String,
    /// The checkpoint.
    pub(crate) checkpoint: StoredCheckpoint,
    /// The newest checkpoint that a witness has signed, if there is one.
    pub(crate) cosigned: Option<StoredCheckpoint>,
    /// All public keys, the one that signs first.
    pub(crate) keys: PublicKeys,
}

/// An entry of a log and its place, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) index: u64,
    pub(crate) entry: LogEntry,
}

/// A tile or a bundle: its level (`None` for a bundle) and its number.
type Piece = (PollId, Option<u8>, u64);

/// Reads logs. Clones share the caches and are cheap.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    pool: Pool,
    turn: Arc<Semaphore>,
    /// One permit for each session that the history and the logs may use at once.
    permits: Arc<Semaphore>,
    states: Cache<PollId, Option<Arc<LogState>>>,
    pieces: Cache<Piece, Bytes>,
}

impl Logs {
    /// Creates a reader that takes one session of this pool at a time, with one of these permits.
    pub(crate) fn new(pool: Pool, permits: Arc<Semaphore>) -> Self {
        let states =
            Cache::builder().max_capacity(STATES_CACHED_MAX).time_to_live(STATE_CACHED_FOR);
        let weight = |_: &Piece, bytes: &Bytes| u32::try_from(bytes.len() + 64).unwrap_or(u32::MAX);
        let pieces = Cache::builder().max_capacity(PIECES_BYTES_MAX).weigher(weight);
        Self {
            pool,
            turn: Arc::new(Semaphore::new(1)),
            permits,
            states: states.build(),
            pieces: pieces.build(),
        }
    }

    /// Returns the newest signed checkpoint of a poll's log; `None` if there is none.
    ///
    /// # Errors
    /// Returns [`HistoryError`], shared by all callers that waited for the same read.
    pub(crate) async fn state(
        &self,
        poll: PollId,
        slug: &str,
    ) -> Result<Option<Arc<LogState>>, Arc<HistoryError>> {
        let load = async {
            let _turn = self.wait().await?;
            let (checkpoint, cosigned, keys) = twice(|| {
                read(&self.pool, TIME_LIMIT, async |client| {
                    let checkpoint = db::log::checkpoint(client, poll, None).await?;
                    let cosigned = db::log::cosigned(client, poll).await?;
                    Ok((checkpoint, cosigned, db::log::keys(client).await?))
                })
            })
            .await?;
            // Keys that cannot be read are no keys: nothing can be checked with them.
            let keys = PublicKeys::new(keys).unwrap_or_default();
            let origin =
                keys.name().map(|name| votestream_transparency::keys::origin_of(name, slug));
            let state = checkpoint.zip(origin).and_then(|(checkpoint, origin)| {
                let keys = keys.under(&origin).ok()?;
                Some(Arc::new(LogState { origin, checkpoint, cosigned, keys }))
            });
            Ok(state)
        };
        self.states.try_get_with(poll, load).await
    }

    /// Returns the signed checkpoint of this size; `None` if there is none.
    ///
    /// # Errors
    /// Returns [`HistoryError`] if it cannot be read.
    pub(crate) async fn checkpoint(
        &self,
        poll: PollId,
        size: u64,
    ) -> Result<Option<StoredCheckpoint>, HistoryError> {
        let _turn = self.wait().await?;
        let found = twice(|| {
            read(&self.pool, TIME_LIMIT, async |client| {
                db::log::checkpoint(client, poll, Some(size)).await
            })
        });
        Ok(found.await?)
    }

    /// Returns the first hashes of a tile, or the first entries of a bundle. `None` if there are not so many.
    ///
    /// # Errors
    /// Returns [`HistoryError`] if they cannot be read.
    pub(crate) async fn piece(
        &self,
        poll: PollId,
        asked: Asked,
    ) -> Result<Option<Bytes>, HistoryError> {
        let key = match asked {
            Asked::Tile(id, _) => (poll, Some(id.level), id.index),
            Asked::Bundle(index, _) => (poll, None, index),
        };
        if let Some(cut) = self.pieces.get(&key).await.and_then(|bytes| beginning(&bytes, asked)) {
            return Ok(Some(cut));
        }
        let _turn = self.wait().await?;
        let bytes = twice(|| {
            read(&self.pool, TIME_LIMIT, async |client| match asked {
                Asked::Tile(id, _) => db::log::tile(client, poll, id.level, id.index).await,
                Asked::Bundle(index, _) => db::log::bundle(client, poll, index).await,
            })
        });
        let bytes = Bytes::from(bytes.await?);
        let cut = beginning(&bytes, asked);
        if cut.is_some() {
            self.pieces.insert(key, bytes).await;
        }
        Ok(cut)
    }

    /// Returns the entries of the log that belong to this stream entry, in the order of the log.
    ///
    /// # Errors
    /// Returns [`HistoryError`] if they cannot be read.
    pub(crate) async fn entries_of(
        &self,
        poll: PollId,
        wanted: StreamEntry,
    ) -> Result<Vec<Found>, HistoryError> {
        let text = wanted.to_string();
        let text = text.as_str();
        let _turn = self.wait().await?;
        let bundles = twice(|| {
            read(&self.pool, TIME_LIMIT, async |client| {
                db::log::bundles_with(client, poll, wanted.id.ms, text, BUNDLES_MAX).await
            })
        })
        .await?;
        let found = bundles.iter().flat_map(|(bundle, bytes)| {
            let lines = entry::lines(bytes).unwrap_or_default();
            let numbered = (bundle * TILE_WIDTH..).zip(lines);
            numbered.filter_map(|(index, line)| Some(Found { index, entry: line.parse().ok()? }))
        });
        Ok(found.filter(|found| found.entry.entry == wanted).collect())
    }

    /// Waits until it is this request's turn, and until a session is left by the history.
    async fn wait(&self) -> Result<[SemaphorePermit<'_>; 2], HistoryError> {
        let both = async { Ok([self.turn.acquire().await?, self.permits.acquire().await?]) };
        let both: Result<Result<_, AcquireError>, _> = timeout(TIME_LIMIT, both).await;
        both.ok().and_then(Result::ok).ok_or(HistoryError::Busy)
    }
}

/// Cuts the stored bytes to the number of hashes or entries that is asked for.
fn beginning(bytes: &Bytes, asked: Asked) -> Option<Bytes> {
    const HASH_BYTES: usize = 32;
    let end = match asked {
        Asked::Tile(_, width) => usize::try_from(width).ok()? * HASH_BYTES,
        Asked::Bundle(_, width) => {
            let mut end = 0;
            for _ in 0..width {
                let length: &[u8; 2] = bytes.get(end..)?.first_chunk()?;
                end += 2 + usize::from(u16::from_be_bytes(*length));
            }
            end
        }
    };
    (end <= bytes.len()).then(|| bytes.slice(..end))
}

#[cfg(test)]
mod tests {
    use votestream_transparency::tree::TileId;

    use super::*;

    #[test]
    fn a_narrower_piece_is_the_beginning_of_a_wider_one() {
        let bundle = Bytes::from(entry::bundle(["one", "", "three"]));
        let asked = |width| beginning(&bundle, Asked::Bundle(0, width)).map(|it| it.to_vec());
        assert_eq!(asked(1).unwrap(), entry::bundle(["one"]));
        assert_eq!(asked(2).unwrap(), entry::bundle(["one", ""]));
        assert_eq!(asked(3).unwrap(), bundle);
        assert_eq!(asked(4), None);
        let broken = bundle.slice(..bundle.len() - 1);
        assert_eq!(beginning(&broken, Asked::Bundle(0, 3)), None);
        let tile = Bytes::from(vec![7; 96]);
        let asked = |width| beginning(&tile, Asked::Tile(TileId { level: 0, index: 0 }, width));
        assert_eq!((asked(2).unwrap().len(), asked(3).unwrap().len()), (64, 96));
        assert_eq!(asked(4), None);
    }
}
