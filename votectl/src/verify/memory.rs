//! The memory of `votectl verify` for each log: its public keys, and every checkpoint that it saw. Two histories of one log are
//! noticed by it, whoever shows them.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The most checkpoints that are remembered of one log.
const CHECKPOINTS_MAX: usize = 256;

/// The file of the memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// It cannot be read or written.
    #[error("cannot use {path}, which remembers the keys and checkpoints seen before: {error}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        error: std::io::Error,
    },
    /// It has another form.
    #[error(
        "{path}, which remembers the keys and checkpoints seen before, cannot be read: {error}. Do not delete it before somebody \
         has looked at it"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// The parser's words.
        error: serde_json::Error,
    },
    /// There is no folder for it.
    #[error("neither XDG_STATE_HOME nor HOME is set; name a file with --state")]
    NoFolder,
}

/// A checkpoint that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SeenCheckpoint {
    pub(super) size: u64,
    /// In base64.
    pub(super) root: String,
    /// The signed note, as evidence.
    pub(super) note: String,
    /// When it was first seen, as an RFC 3339 time.
    pub(super) seen_at: String,
}

/// The name, the keys and the checkpoints of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The name of the log.
    pub(super) origin: String,
    pub(super) keys: Vec<String>,
    /// Ordered by size.
    pub(super) checkpoints: Vec<SeenCheckpoint>,
}

impl Seen {
    /// Remembers a checkpoint; the oldest ones go when there are too many, except the first.
    pub(super) fn add(&mut self, checkpoint: SeenCheckpoint) {
        if self.checkpoints.iter().any(|it| it.size == checkpoint.size) {
            return;
        }
        self.checkpoints.push(checkpoint);
        self.checkpoints.sort_by_key(|it| it.size);
        if self.checkpoints.len() > CHECKPOINTS_MAX {
            self.checkpoints.remove(1);
        }
    }
}

/// The file, by the addresses of polls.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) polls: BTreeMap<String, Seen>,
}

impl Memory {
    /// Reads the file; an absent one is an empty memory.
    pub(super) fn read(path: &Path) -> Result<Self, MemoryError> {
        let shown = || path.display().to_string();
        match std::fs::read(path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| MemoryError::Unreadable { path: shown(), error }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(MemoryError::File { path: shown(), error }),
        }
    }

    /// Writes the file anew, beside the old one first, so that it is never cut short.
    pub(super) fn write(&self, path: &Path) -> Result<(), MemoryError> {
        let write = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let beside = path.with_extension("new");
            let mut file = std::fs::File::create(&beside)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&beside, path)
        };
        write().map_err(|error| MemoryError::File { path: path.display().to_string(), error })
    }
}

/// The file that is used unless another one is named: `votestream/verify.json` below `$XDG_STATE_HOME` or `~/.local/state`.
///
/// # Errors
/// Returns an error if neither variable is set.
pub fn default_file() -> Result<PathBuf, MemoryError> {
    let set = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let folder = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    Ok(folder.ok_or(MemoryError::NoFolder)?.join("votestream/verify.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(size: u64) -> SeenCheckpoint {
        let (root, note, seen_at) = (String::new(), String::new(), String::new());
        SeenCheckpoint { size, root, note, seen_at }
    }

    #[test]
    fn the_first_checkpoint_and_the_newest_are_kept() {
        let mut seen = Seen::default();
        (1..=300).rev().for_each(|size| seen.add(checkpoint(size)));
        seen.add(checkpoint(300));
        let sizes: Vec<u64> = seen.checkpoints.iter().map(|it| it.size).collect();
        assert_eq!((sizes.len(), sizes[0], sizes[CHECKPOINTS_MAX - 1]), (CHECKPOINTS_MAX, 1, 300));
    }
}
