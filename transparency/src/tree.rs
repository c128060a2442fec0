//! The Merkle tree of a log, stored in tiles of up to 256 hashes (C2SP `tlog-tiles`).
//!
//! Level 0 has the hashes of the entries; a tile of level L+1 has one hash for each full tile of level L. A log grows at its
//! right edge alone: to append entries takes the last, partial tile of each level. [`append`] checks these tiles
//! against the root hash first, so a tile that somebody changed is noticed before anything is signed over it.

use std::collections::HashMap;

use tlog_tiles::tile::{Tile, TileHashReader, TileReader};
use tlog_tiles::tlog::{
    Error as TreeError, HASH_SIZE, Hash, HashReader, record_hash, stored_hash_count,
    stored_hash_index, stored_hashes_for_record_hash, sub_tree_index, tree_hash,
};

use crate::checkpoint::Head;

/// A tile is 2^8 = 256 hashes wide.
const HEIGHT: u8 = 8;
/// The most hashes of a tile, and the most entries of a bundle.
pub const TILE_WIDTH: u64 = 1 << HEIGHT;

/// The place of a tile in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// 0 for the hashes of entries, one more for each level above.
    pub level: u8,
    /// The number of the tile in its level, from the left, from 0.
    pub index: u64,
}

/// A tile with its hashes, of 32 bytes each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileData {
    /// Where it stands.
    pub id: TileId,
    /// One to 256 hashes.
    pub hashes: Vec<u8>,
}

/// What a log has become, and the tiles that are new or wider than before.
#[derive(Clone, Debug)]
pub struct Grown {
    /// The new length and root hash.
    pub head: Head,
    /// The tiles to store.
    pub tiles: Vec<TileData>,
}

/// The log cannot grow.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tile of the right edge is missing or has the wrong length.
    #[error("tile {} of level {} is missing or too short", .0.index, .0.level)]
    NoTile(TileId),
    /// The tiles are not those of this root hash: somebody has changed one of them, or the root.
    #[error("the stored tiles do not have the root hash of the last checkpoint")]
    Changed,
    /// The tree's own arithmetic failed.
    #[error("the tree cannot be computed: {0}")]
    Tree(String),
}

/// The hash of an entry as a leaf of the tree (RFC 6962, section 2.1).
pub fn leaf_hash(line: &str) -> Hash {
    record_hash(line.as_bytes())
}

/// The partial tiles at the right edge of a log of this size, which [`append`] needs, with their widths in hashes.
pub fn edge(size: u64) -> Vec<(TileId, u64)> {
    let mut tiles = Vec::new();
    for level in 0.. {
        let hashes = size.checked_shr(u32::from(HEIGHT) * u32::from(level)).unwrap_or(0);
        if hashes == 0 {
            break;
        }
        let width = hashes % TILE_WIDTH;
        if width > 0 {
            tiles.push((TileId { level, index: hashes / TILE_WIDTH }, width));
        }
    }
    tiles
}

/// Appends the hashes of entries to a log. `edge_tiles` are those that [`edge`] names; wider ones are cut.
///
/// # Errors
/// Returns an error if a tile is missing, or if the tiles do not have the root hash of `head`.
pub fn append(head: Head, edge_tiles: &[TileData], entries: &[Hash]) -> Result<Grown, Error> {
    let mut known = Known::at_edge(head, edge_tiles)?;
    let mut size = head.size;
    for hash in entries {
        let first = stored_hash_count(size);
        let hashes = stored_hashes_for_record_hash(size, *hash, &known).map_err(tree_error)?;
        known.0.extend((first..).zip(hashes));
        size += 1;
    }
    let root = tree_hash(size, &known).map_err(tree_error)?;
    let tiles = Tile::new_tiles(HEIGHT, head.size, size).into_iter().map(|tile| {
        let hashes = tile.read_data(&known).map_err(tree_error)?;
        let id = TileId { level: tile.level(), index: tile.level_index() };
        Ok(TileData { id, hashes })
    });
    Ok(Grown { head: Head { size, root }, tiles: tiles.collect::<Result<_, Error>>()? })
}

fn tree_error(error: TreeError) -> Error {
    match error {
        TreeError::InconsistentTile => Error::Changed,
        other => Error::Tree(other.to_string()),
    }
}

/// The hashes of a tree that are in memory, by their index in the order in which a log stores them.
struct Known(HashMap<u64, Hash>);

impl Known {
    /// Takes the hashes that growing needs from the tiles at the right edge, and checks them against the root.
    fn at_edge(head: Head, tiles: &[TileData]) -> Result<Self, Error> {
        let mut known = HashMap::new();
        if head.size == 0 {
            return if head == Head::EMPTY { Ok(Self(known)) } else { Err(Error::Changed) };
        }
        let tiles = Edge(
            edge(head.size)
                .into_iter()
                .map(|(id, width)| {
                    let stored =
                        tiles.iter().find(|tile| tile.id == id).ok_or(Error::NoTile(id))?;
                    let hashes = stored.hashes.get(..width as usize * HASH_SIZE);
                    Ok((id, hashes.ok_or(Error::NoTile(id))?.to_vec()))
                })
                .collect::<Result<_, _>>()?,
        );
        let reader = TileHashReader::new(head.size, head.root, &tiles);
        let indexes = sub_tree_index(0, head.size, Vec::new());
        let hashes = reader.read_hashes(&indexes).map_err(tree_error)?;
        known.extend(indexes.into_iter().zip(hashes));
        // The partial tiles are stored again as a whole.
        for (id, hashes) in &tiles.0 {
            for (at, hash) in (id.index * TILE_WIDTH..).zip(hashes.chunks_exact(HASH_SIZE)) {
                let hash = Hash(hash.try_into().expect("a chunk of 32 bytes"));
                known.insert(stored_hash_index(HEIGHT * id.level, at), hash);
            }
        }
        Ok(Self(known))
    }
}

impl HashReader for Known {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TreeError> {
        let read = |index| self.0.get(index).copied().ok_or(TreeError::IndexesNotInTree);
        indexes.iter().map(read).collect()
    }
}

/// The tiles at the right edge, for the library's reader.
struct Edge(HashMap<TileId, Vec<u8>>);

impl TileReader for Edge {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, TreeError> {
        let read = |tile: &Tile| {
            let id = TileId { level: tile.level(), index: tile.level_index() };
            let hashes = self.0.get(&id).and_then(|it| it.get(..tile.width() as usize * HASH_SIZE));
            hashes.map(<[u8]>::to_vec).ok_or(TreeError::IndexesNotInTree)
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// The address of a tile below its log: `tile/0/x001/234`, and with `.p/5` for the first five hashes of it.
pub fn tile_path(id: TileId, width: u64) -> String {
    path(&id.level.to_string(), id.index, width)
}

/// The address of a bundle of entries below its log: `tile/entries/x001/234`.
pub fn bundle_path(index: u64, width: u64) -> String {
    path("entries", index, width)
}

fn path(level: &str, index: u64, width: u64) -> String {
    // The library has the form of Go's checksum database, which has the height in front and other words.
    let width = u32::try_from(width.min(TILE_WIDTH)).expect("at most 256");
    let tile = Tile::new(HEIGHT, 0, index, width, false).path();
    let number = tile.strip_prefix("tile/8/0/").expect("height and level come first");
    format!("tile/{level}/{number}")
}

/// A tile or bundle as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The first hashes of a tile.
    Tile(TileId, u64),
    /// The first entries of a bundle.
    Bundle(u64, u64),
}

/// Reads the address of a tile or bundle below its log. Returns `None` for any other text.
pub fn parse_path(text: &str) -> Option<Asked> {
    let (level, number) = text.strip_prefix("tile/")?.split_once('/')?;
    // The library panics on a tile without hashes, however its width is written.
    if number
        .split_once(".p/")
        .is_some_and(|(_, width)| !width.starts_with(|c| matches!(c, '1'..='9')))
    {
        return None;
    }
    let tile = Tile::from_path(&format!("tile/{HEIGHT}/0/{number}")).ok()?;
    let (index, width) = (tile.level_index(), u64::from(tile.width()));
    let asked = match level {
        "entries" => Asked::Bundle(index, width),
        level => {
            // 64 levels of a tree in steps of 8.
            let number: u8 = level.parse().ok().filter(|number| *number < 8)?;
            (number.to_string() == level).then_some(())?;
            Asked::Tile(TileId { level: number, index }, width)
        }
    };
    Some(asked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tlog_tiles::tlog::node_hash;

    use super::*;

    fn hashes(from: u64, to: u64) -> Vec<Hash> {
        (from..to).map(|n| record_hash(n.to_string().as_bytes())).collect()
    }

    /// The definition of RFC 6962, section 2.1, word for word.
    fn root_by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Head::EMPTY.root,
            [leaf] => *leaf,
            leaves => {
                let k = 1 << (leaves.len() - 1).ilog2();
                node_hash(root_by_definition(&leaves[..k]), root_by_definition(&leaves[k..]))
            }
        }
    }

    /// Keeps tiles as a database would, and appends in steps.
    fn grow(steps: &[u64]) -> (Head, HashMap<TileId, TileData>) {
        let (mut head, mut stored) = (Head::EMPTY, HashMap::new());
        for step in steps {
            let at_edge: Vec<TileData> =
                edge(head.size).iter().map(|(id, _)| TileData::clone(&stored[id])).collect();
            let grown = append(head, &at_edge, &hashes(head.size, head.size + step)).unwrap();
            head = grown.head;
            stored.extend(grown.tiles.into_iter().map(|tile| (tile.id, tile)));
        }
        (head, stored)
    }

    proptest! {
        #[test]
        fn rubbish_is_no_address_and_no_panic(text in "(tile/)?[0-9x+./pentries]{0,40}") {
            let _ = parse_path(&text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_log_that_grew_in_steps_has_the_root_of_the_definition(
            steps in proptest::collection::vec(0_u64..700, 1..6),
        ) {
            let (head, tiles) = grow(&steps);
            let all = hashes(0, steps.iter().sum());
            prop_assert_eq!(head.size, all.len() as u64);
            prop_assert_eq!(head.root, root_by_definition(&all));
            let level_0: Vec<u8> = (0..head.size.div_ceil(TILE_WIDTH))
                .flat_map(|index| tiles[&TileId { level: 0, index }].hashes.clone())
                .collect();
            let expected: Vec<u8> = all.iter().flat_map(|hash| hash.0).collect();
            prop_assert_eq!(level_0, expected);
        }
    }

    #[test]
    fn a_tile_that_somebody_changed_is_noticed_before_the_log_grows() {
        let (head, tiles) = grow(&[600]);
        let mut at_edge: Vec<TileData> =
            edge(600).iter().map(|(id, _)| tiles[id].clone()).collect();
        assert_eq!(at_edge.len(), 2);
        for tile in 0..2 {
            at_edge[tile].hashes[40] ^= 1;
            let refused = append(head, &at_edge, &hashes(600, 601));
            assert!(matches!(refused, Err(Error::Changed)), "{refused:?}");
            at_edge[tile].hashes[40] ^= 1;
        }
        let missing = append(head, &at_edge[1..], &hashes(600, 601));
        assert!(matches!(missing, Err(Error::NoTile(TileId { level: 0, index: 2 }))));
        let other = Head { root: Hash([1; 32]), ..head };
        assert!(matches!(append(other, &at_edge, &[]), Err(Error::Changed)));
        assert!(append(head, &at_edge, &hashes(600, 601)).is_ok());
    }

    #[test]
    fn addresses_are_those_of_the_standard() {
        let id = |level, index| TileId { level, index };
        let paths = [
            (Asked::Tile(id(0, 0), 256), "tile/0/000"),
            (Asked::Tile(id(1, 1_234_067), 256), "tile/1/x001/x234/067"),
            (Asked::Tile(id(0, 273), 112), "tile/0/273.p/112"),
            (Asked::Bundle(5, 256), "tile/entries/005"),
            (Asked::Bundle(1_005, 1), "tile/entries/x001/005.p/1"),
        ];
        for (asked, path) in paths {
            let written = match asked {
                Asked::Tile(id, width) => tile_path(id, width),
                Asked::Bundle(index, width) => bundle_path(index, width),
            };
            assert_eq!((written.as_str(), parse_path(path)), (path, Some(asked)));
        }
        for bad in [
            "tile/0/0",
            "tile/8/000",
            "tile/00/000",
            "tile/data/000",
            "tile/0/000.p/0",
            "tile/0/000.p/00",
            "tile/0/000.p/+0",
            "tile/0/000.p/256",
            "tile/0/../000",
            "tile/entries",
            "tile/0/x001",
            "",
            "tile/0/000/",
        ] {
            assert_eq!(parse_path(bad), None, "{bad}");
        }
    }
}
