//! Follows a log from its first entry: counts the poll again, and computes the root hash at every size.

use tlog_tiles::tlog::{Hash, node_hash, record_hash};

use crate::checkpoint::Head;
use crate::entry::{LogEntry, Malformed};
use crate::recount::{Contradiction, Recount};

/// An entry that cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} of the log: {reason}")]
pub struct BadEntry {
    /// The number of the entry, from 0.
    pub index: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It contradicts an earlier one.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
}

/// The state after some entries. It keeps one hash for each bit of the size, and the ballots that count.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    size: u64,
    /// The roots of the complete subtrees, from the left; their sizes are the set bits of `size`.
    subtrees: Vec<Hash>,
    recount: Recount,
    bad: Vec<BadEntry>,
}

/// Bad entries are listed up to this number.
const BAD_MAX: usize = 20;

impl Follower {
    /// Takes the next entry, as it is published.
    pub fn push(&mut self, line: &str) {
        let entry = line.parse::<LogEntry>();
        let counted =
            entry.map_err(Reason::from).and_then(|it| self.recount.add(&it).map_err(Reason::from));
        if let Err(reason) = counted
            && self.bad.len() < BAD_MAX
        {
            self.bad.push(BadEntry { index: self.size, reason });
        }
        // Two subtrees of one size become one, as often as the size has trailing ones.
        let mut hash = record_hash(line.as_bytes());
        for _ in 0..self.size.trailing_ones() {
            let left = self.subtrees.pop().expect("a subtree for each set bit of the size");
            hash = node_hash(left, hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The number of entries so far, and the root hash over them.
    pub fn head(&self) -> Head {
        let mut right_to_left = self.subtrees.iter().rev().copied();
        let Some(last) = right_to_left.next() else { return Head::EMPTY };
        let root = right_to_left.fold(last, |right, left| node_hash(left, right));
        Head { size: self.size, root }
    }

    /// The count so far.
    pub fn recount(&self) -> &Recount {
        &self.recount
    }

    /// The first entries that could not be counted.
    pub fn bad(&self) -> &[BadEntry] {
        &self.bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    #[test]
    fn the_root_is_that_of_the_tree_at_every_size() {
        let mut follower = Follower::default();
        assert_eq!(follower.head(), Head::EMPTY);
        let lines: Vec<String> = (0..600).map(|n| format!("line {n}")).collect();
        let hashes: Vec<Hash> = lines.iter().map(|line| record_hash(line.as_bytes())).collect();
        for (at, line) in lines.iter().enumerate() {
            follower.push(line);
            if at % 37 == 0 || at > 590 {
                let grown = tree::append(Head::EMPTY, &[], &hashes[..=at]).unwrap();
                assert_eq!(follower.head(), grown.head, "{at}");
            }
        }
        assert_eq!(follower.bad().len(), BAD_MAX, "none of these lines is an entry");
        assert_eq!(follower.bad()[3].index, 3);
    }
}
