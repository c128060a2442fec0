//! How far a partition's stream has come.
//!
//! A stream only grows: its last ID and its count of entries ever added never become smaller, even when entries are
//! removed. If one of them does, Redis has lost entries that it had acknowledged, whatever the cause: a restart that
//! did not replay its file, a failover to a replica that was behind, a volume from a backup, or somebody's hand.

use crate::projection::{self, Command};
use crate::{EntryId, Keys};

/// The position of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The ID of the entry that was added last, whether or not it is still there.
    pub last: EntryId,
    /// The number of entries that were ever added.
    pub added: i64,
}

impl Position {
    /// Whether a stream at this position has lost entries since it was at `earlier`.
    pub fn is_behind(&self, earlier: &Self) -> bool {
        self.last < earlier.last || self.added < earlier.added
    }
}

/// Asks for a stream's position. The reply is the last ID as text and the number of entries ever added; a stream
/// that does not exist is at `0-0` with none.
pub fn script(keys: &Keys, partition: u16) -> Command {
    projection::command(["EVAL", include_str!("lua/position.lua"), "1", &keys.stream(partition)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_behind_when_either_number_became_smaller() {
        let at = |ms, seq, added| Position { last: EntryId { ms, seq }, added };
        let earlier = at(1_000, 2, 30);
        assert!(!earlier.is_behind(&earlier));
        assert!(!at(1_000, 3, 31).is_behind(&earlier));
        assert!(at(1_000, 1, 30).is_behind(&earlier), "the last ID went back");
        assert!(at(2_000, 0, 1).is_behind(&earlier), "a stream that began anew with later IDs");
        assert!(at(0, 0, 0).is_behind(&earlier), "the stream is gone");
    }
}
