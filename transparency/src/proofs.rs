//! Proofs that an outsider makes from the published tiles of a log: that it only grew since an older checkpoint, and that it
//! has an entry. So nobody has to be asked for a proof, and nobody learns which entry is looked for.
//!
//! Tiles are checked against the root hash of the checkpoint before any of their hashes is believed.

use std::collections::HashMap;

use tlog_tiles::tile::{Tile, TileHashReader, TileReader};
use tlog_tiles::tlog::{
    Error as TreeError, HASH_SIZE, Hash, check_record, check_tree, prove_record, prove_tree,
};

use crate::checkpoint::Head;
use crate::tree::{TILE_WIDTH, TileId};

/// A tile is 2^8 hashes wide.
const HEIGHT: u8 = 8;

/// Why a proof cannot be made, or does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A tile could not be read.
    #[error("tile {} of level {} could not be read", .0.index, .0.level)]
    NoTile(TileId),
    /// The tiles are not those of the checkpoint.
    #[error("the tiles do not have the root hash of the checkpoint: one of them was changed")]
    Changed,
    /// The older log is not the beginning of the newer one.
    #[error("the older log is not the beginning of the newer one")]
    NoPrefix,
    /// The log does not have this entry at this place.
    #[error("the entry at this place is another one")]
    OtherEntry,
    /// The question makes no sense: the place lies behind the end of the log, for example.
    #[error("there is no such place in the log")]
    NoSuchPlace,
}

/// Reads the first hashes of a tile: its place, and how many. Returns `None` if they cannot be had.
pub type ReadTile<'a> = dyn Fn(TileId, u64) -> Option<Vec<u8>> + 'a;

/// Checks that the log `new` begins with all entries of the log `old`, in their order.
///
/// # Errors
/// Returns [`ProofError::NoPrefix`] if it does not, and other errors if that cannot be found out.
pub fn check_append_only(old: Head, new: Head, read: &ReadTile<'_>) -> Result<(), ProofError> {
    if old.size == 0 || old.size == new.size {
        let same = if old.size == 0 { old == Head::EMPTY } else { old == new };
        return if same { Ok(()) } else { Err(ProofError::NoPrefix) };
    }
    if old.size > new.size {
        return Err(ProofError::NoPrefix);
    }
    let proof = prove_append_only(old.size, new, read)?;
    check_tree(&proof, new.size, new.root, old.size, old.root).map_err(|_| ProofError::NoPrefix)
}

/// Makes the proof that the log `new` begins with its first `old_size` entries (RFC 9162, section 2.1.4). It is empty if there is
/// nothing to prove, because one of the two is the empty log or both are the same.
///
/// # Errors
/// Returns an error if the proof cannot be made from the tiles.
pub fn prove_append_only(
    old_size: u64,
    new: Head,
    read: &ReadTile<'_>,
) -> Result<Vec<Hash>, ProofError> {
    if old_size == 0 || old_size == new.size {
        return Ok(Vec::new());
    }
    let tiles = Tiles::new(read);
    let reader = TileHashReader::new(new.size, new.root, &tiles);
    prove_tree(new.size, old_size, &reader).map_err(|error| tiles.why(&error))
}

/// Checks that the log has an entry with this hash at this place, which is counted from 0.
///
/// # Errors
/// Returns [`ProofError::OtherEntry`] if it does not, and other errors if that cannot be found out.
pub fn check_included(
    head: Head,
    index: u64,
    leaf: Hash,
    read: &ReadTile<'_>,
) -> Result<(), ProofError> {
    if index >= head.size {
        return Err(ProofError::NoSuchPlace);
    }
    let tiles = Tiles::new(read);
    let reader = TileHashReader::new(head.size, head.root, &tiles);
    let proof = prove_record(head.size, index, &reader).map_err(|error| tiles.why(&error))?;
    check_record(&proof, head.size, head.root, index, leaf).map_err(|_| ProofError::OtherEntry)
}

/// The hash of a whole tile, which stands in the tile above it.
///
/// # Panics
/// Panics if it does not have [`TILE_WIDTH`] hashes.
pub fn tile_hash(hashes: &[u8]) -> Hash {
    assert_eq!(hashes.len() as u64, TILE_WIDTH * HASH_SIZE as u64, "a whole tile");
    Tile::subtree_hash(hashes)
}

/// The tiles as the library reads them.
struct Tiles<'a> {
    read: &'a ReadTile<'a>,
    missing: std::cell::Cell<Option<TileId>>,
}

impl<'a> Tiles<'a> {
    fn new(read: &'a ReadTile<'a>) -> Self {
        Self { read, missing: std::cell::Cell::new(None) }
    }

    fn why(&self, error: &TreeError) -> ProofError {
        match (self.missing.get(), error) {
            (Some(tile), _) => ProofError::NoTile(tile),
            (None, TreeError::InconsistentTile) => ProofError::Changed,
            (None, _) => ProofError::NoSuchPlace,
        }
    }
}

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, TreeError> {
        let id_of = |tile: &Tile| TileId { level: tile.level(), index: tile.level_index() };
        let read = |tile: &Tile| {
            let (id, width) = (id_of(tile), u64::from(tile.width()));
            let hashes = (self.read)(id, width);
            let whole = hashes.filter(|it| it.len() as u64 == width * HASH_SIZE as u64);
            whole.ok_or_else(|| {
                self.missing.set(Some(id));
                TreeError::IndexesNotInTree
            })
        };
        let all: Vec<Vec<u8>> = tiles.iter().map(read).collect::<Result<_, _>>()?;
        // The library asks for the tile above each tile that does not end at the root by itself. It leaves some of them unchecked,
        // where several subtrees of the right edge share a tile.
        let by_id: HashMap<TileId, &Vec<u8>> = tiles.iter().map(id_of).zip(&all).collect();
        for (id, hashes) in &by_id {
            let above = TileId { level: id.level + 1, index: id.index / TILE_WIDTH };
            let at = (id.index % TILE_WIDTH) as usize * HASH_SIZE;
            let stored = by_id.get(&above).and_then(|above| above.get(at..at + HASH_SIZE));
            let is_whole = hashes.len() as u64 == TILE_WIDTH * HASH_SIZE as u64;
            if is_whole && stored.is_some_and(|stored| stored != tile_hash(hashes).0) {
                return Err(TreeError::InconsistentTile);
            }
        }
        Ok(all)
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{append, leaf_hash};

    type Stored = HashMap<TileId, Vec<u8>>;

    fn grown(size: u64) -> (Head, Stored) {
        let hashes: Vec<Hash> = (0..size).map(|n| leaf_hash(&n.to_string())).collect();
        let grown = append(Head::EMPTY, &[], &hashes).unwrap();
        (grown.head, grown.tiles.into_iter().map(|tile| (tile.id, tile.hashes)).collect())
    }

    fn from(stored: &Stored) -> impl Fn(TileId, u64) -> Option<Vec<u8>> + '_ {
        |id, width| stored.get(&id)?.get(..width as usize * HASH_SIZE).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_log_that_grew_begins_with_what_it_was() {
        let (new, tiles) = grown(700);
        for size in [0, 1, 2, 255, 256, 257, 512, 699, 700] {
            let (old, _) = grown(size);
            assert_eq!(check_append_only(old, new, &from(&tiles)), Ok(()), "{size}");
            let other = Head { root: Hash([7; 32]), ..old };
            let refused = check_append_only(other, new, &from(&tiles));
            assert_eq!(refused, Err(ProofError::NoPrefix), "{size}");
        }
        let (longer, _) = grown(701);
        assert_eq!(check_append_only(longer, new, &from(&tiles)), Err(ProofError::NoPrefix));
    }

    #[test]
    fn an_entry_is_found_at_its_place_and_at_no_other() {
        let (head, mut tiles) = grown(600);
        for index in [0, 255, 256, 511, 512, 599] {
            let leaf = leaf_hash(&index.to_string());
            assert_eq!(check_included(head, index, leaf, &from(&tiles)), Ok(()), "{index}");
            let other = check_included(head, index ^ 1, leaf, &from(&tiles));
            assert_eq!(other, Err(ProofError::OtherEntry), "{index}");
        }
        let leaf = leaf_hash("0");
        assert_eq!(check_included(head, 600, leaf, &from(&tiles)), Err(ProofError::NoSuchPlace));
        // A tile that was changed is no proof of anything, and a missing one is named.
        let first = TileId { level: 0, index: 0 };
        tiles.get_mut(&first).unwrap()[40] ^= 1;
        assert_eq!(check_included(head, 0, leaf, &from(&tiles)), Err(ProofError::Changed));
        tiles.remove(&first);
        assert_eq!(check_included(head, 0, leaf, &from(&tiles)), Err(ProofError::NoTile(first)));
    }

    #[test]
    fn the_hash_of_a_whole_tile_stands_in_the_tile_above() {
        let (_, tiles) = grown(512);
        let tile = |level, index| &tiles[&TileId { level, index }];
        let above = [tile_hash(tile(0, 0)).0, tile_hash(tile(0, 1)).0].concat();
        assert_eq!(*tile(1, 0), above);
    }
}
