//! Downloads the entries and tiles of a log, several at a time, and follows the log from its first entry.

use std::collections::BTreeMap;

use votestream_transparency::Hash;
use votestream_transparency::audit::Follower;
use votestream_transparency::checkpoint::Head;
use votestream_transparency::entry;
use votestream_transparency::proofs::tile_hash;
use votestream_transparency::tree::{TILE_WIDTH, TileId, bundle_path, leaf_hash, tile_path};

use super::receipts::WantedList;
use super::remote::{PARALLEL, RemoteError, Site};

/// Bundles that are downloaded before they are counted.
const WINDOW: u64 = 64;
/// Faults are listed up to this number.
const FAULTS_MAX: usize = 10;

/// Something in the downloaded log that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("bundle {bundle} has {found} entries instead of {expected}: {} of them are missing", expected.saturating_sub(*found))]
    Missing { bundle: u64, found: u64, expected: u64 },
    #[error("bundle {0} cannot be read")]
    Unreadable(u64),
    #[error("the dashboard does not give out {0}, although the signed checkpoint covers it")]
    Withheld(String),
    #[error("hash {position} of tile {index} of level {level} is not that of the entries below it")]
    Tile { level: u8, index: u64, position: u64 },
}

/// The log as far as it was followed.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) follower: Follower,
    /// The hash of each whole tile of level 0.
    above: Vec<Hash>,
    /// The root hash at sizes that were asked for.
    pub(super) roots: BTreeMap<u64, Hash>,
    pub(super) faults: Vec<Fault>,
    size: u64,
}

impl Replay {
    /// Downloads and counts everything up to `head`. `roots_at` are sizes at which the root hash is wanted.
    pub(super) fn extend(
        &mut self,
        site: &Site,
        head: Head,
        roots_at: &[u64],
        wanted: &mut WantedList,
        progress: &dyn Fn(u64, u64),
    ) -> Result<(), RemoteError> {
        let end = head.size.div_ceil(TILE_WIDTH);
        let mut first = self.size / TILE_WIDTH;
        while self.size < head.size && self.faults.len() < FAULTS_MAX {
            let last = (first + WINDOW).min(end);
            for (bundle, piece) in (first..last).zip(download(site, head.size, first..last)?) {
                self.take(bundle, &piece, roots_at, wanted);
            }
            first = last;
            progress(self.size, head.size);
            if first >= end {
                break;
            }
        }
        Ok(())
    }

    /// Counts the entries of a bundle that are new, and compares all of them with the tile of their hashes.
    fn take(&mut self, bundle: u64, piece: &Piece, roots_at: &[u64], wanted: &mut WantedList) {
        // Entries that are missing must not move those of the next bundle.
        let end = bundle * TILE_WIDTH + piece.width;
        let Some(entries) = &piece.entries else {
            self.size = end;
            return self.fault(Fault::Withheld(bundle_path(bundle, piece.width)));
        };
        let Ok(lines) = entry::lines(entries) else {
            self.size = end;
            return self.fault(Fault::Unreadable(bundle));
        };
        let found = lines.len() as u64;
        if found != piece.width {
            self.fault(Fault::Missing { bundle, found, expected: piece.width });
        }
        let mut hashes = Vec::with_capacity(lines.len() * 32);
        for (index, line) in (bundle * TILE_WIDTH..).zip(&lines) {
            hashes.extend_from_slice(&leaf_hash(line).0);
            if index < self.size {
                continue;
            }
            self.follower.push(line);
            self.size = index + 1;
            wanted.look(index, line);
            if roots_at.contains(&self.size) {
                self.roots.insert(self.size, self.follower.head().root);
            }
        }
        self.size = end;
        let id = TileId { level: 0, index: bundle };
        match piece.hashes.as_ref().map(|found| difference(&hashes, found)) {
            None => self.fault(Fault::Withheld(tile_path(id, piece.width))),
            Some(Some(position)) => self.fault(Fault::Tile { level: 0, index: bundle, position }),
            Some(None) => {}
        }
        if found == TILE_WIDTH && self.above.len() as u64 == bundle {
            self.above.push(tile_hash(&hashes));
        }
    }

    /// Compares the tiles above level 0 with the entries.
    pub(super) fn check_upper_tiles(&mut self, site: &Site, size: u64) -> Result<(), RemoteError> {
        let mut below = std::mem::take(&mut self.above);
        for level in 1.. {
            if below.is_empty() || size >> (8 * u32::from(level)) == 0 {
                break;
            }
            let mut above = Vec::new();
            for (index, hashes) in (0..).zip(below.chunks(TILE_WIDTH as usize)) {
                let expected: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
                let path = tile_path(TileId { level, index }, hashes.len() as u64);
                match given(site, &path)?.map(|found| difference(&expected, &found)) {
                    None => self.fault(Fault::Withheld(path)),
                    Some(Some(position)) => self.fault(Fault::Tile { level, index, position }),
                    Some(None) => {}
                }
                if hashes.len() as u64 == TILE_WIDTH {
                    above.push(tile_hash(&expected));
                }
            }
            below = above;
        }
        Ok(())
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}

/// The number of the first hash that differs, if any does.
fn difference(expected: &[u8], found: &[u8]) -> Option<u64> {
    if expected == found {
        return None;
    }
    let pairs = expected.chunks(32).zip(found.chunks(32));
    Some(pairs.take_while(|(expected, found)| expected == found).count() as u64)
}

/// A bundle and the tile of its hashes, as far as the dashboard gives them out.
struct Piece {
    width: u64,
    entries: Option<Vec<u8>>,
    hashes: Option<Vec<u8>>,
}

/// Reads a part of the log; `None` if the dashboard says that there is none.
fn given(site: &Site, path: &str) -> Result<Option<Vec<u8>>, RemoteError> {
    match site.log(path) {
        Err(error) if error.status().is_some_and(|(status, _)| status == 404) => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn download(
    site: &Site,
    size: u64,
    bundles: std::ops::Range<u64>,
) -> Result<Vec<Piece>, RemoteError> {
    let read = |bundle: u64| {
        let width = (size - bundle * TILE_WIDTH).min(TILE_WIDTH);
        let entries = given(site, &bundle_path(bundle, width))?;
        let hashes = given(site, &tile_path(TileId { level: 0, index: bundle }, width))?;
        Ok(Piece { width, entries, hashes })
    };
    let read = &read;
    let every = |offset: u64| {
        let mine = bundles.clone().skip(offset as usize).step_by(PARALLEL);
        move || mine.map(read).collect::<Vec<Result<Piece, RemoteError>>>()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PARALLEL as u64).map(|n| scope.spawn(every(n))).collect();
        let mut lanes: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().expect("a download does not panic").into_iter())
            .collect();
        let next =
            |(n, _): (usize, u64)| lanes[n % PARALLEL].next().expect("a piece for each bundle");
        bundles.clone().enumerate().map(next).collect()
    })
}
