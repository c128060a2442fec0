//! Divides the voters of a plan among processes (shards) and their threads (slices).
//!
//! Invariant: over all shards and threads every voter of the plan comes exactly once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of several processes that share a load, such as the second of four: `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Shard {
    /// The position of this process, from 1.
    pub nth: u64,
    /// The number of processes that share the load.
    pub of: u64,
}

/// The text does not name a shard.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a shard such as 2/4")]
pub struct ShardError(String);

impl Shard {
    /// The only shard of a run that is not divided.
    pub const WHOLE: Self = Self { nth: 1, of: 1 };

    /// Returns whether other processes send the rest of the load.
    pub fn is_part(self) -> bool {
        self.of > 1
    }

    /// Returns the slice of thread number `thread` (from 0) out of `threads` threads of this
    /// process. The voters of the process are the same for every number of threads, so that
    /// processes with different numbers of them do not use each other's voting codes.
    pub(crate) fn slice(self, thread: u64, threads: u64) -> Slice {
        Slice { nth: (self.nth - 1) + self.of * thread, of: self.of * threads }
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        // `0:4` is `1/4`, because an indexed Job of Kubernetes numbers its pods from 0.
        let (separator, first) = if text.contains(':') { (':', 0) } else { ('/', 1) };
        let parts = text.split_once(separator).and_then(|(nth, of)| {
            Some((nth.parse::<u64>().ok()?.checked_add(1 - first)?, of.parse().ok()?))
        });
        match parts {
            Some((nth, of)) if (1..=of).contains(&nth) && of <= 1024 => Ok(Self { nth, of }),
            _ => Err(ShardError(text.to_owned())),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.nth, self.of)
    }
}

/// The voters of one thread: the numbers `nth`, `nth + of`, `nth + 2·of` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) nth: u64,
    pub(crate) of: u64,
}

impl Slice {
    /// Returns how many of `total` voters belong to this slice.
    pub(crate) fn share(self, total: u64) -> u64 {
        total / self.of + u64::from(self.nth < total % self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_read_as_nth_of() {
        assert_eq!("2/4".parse(), Ok(Shard { nth: 2, of: 4 }));
        assert_eq!("0:4".parse(), Ok(Shard { nth: 1, of: 4 }));
        assert_eq!("3:4".parse(), Ok(Shard { nth: 4, of: 4 }));
        for text in ["0/4", "5/4", "2", "a/b", "1/0", "-1/2", "4:4", "0:4/4", "-1:2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn shards_with_different_threads_share_no_voter() {
        let voters = |nth, threads| -> Vec<u64> {
            let shard = Shard { nth, of: 3 };
            let slices = (0..threads).map(|thread| shard.slice(thread, threads));
            slices
                .flat_map(|slice| (0..slice.share(100)).map(move |k| slice.nth + k * slice.of))
                .collect()
        };
        let mut all = [voters(1, 1), voters(2, 4), voters(3, 2)].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn shares_add_up() {
        for total in [0, 1, 7, 37_000, 37_001] {
            let sum: u64 = (0..6).map(|nth| Slice { nth, of: 6 }.share(total)).sum();
            assert_eq!(sum, total);
        }
    }
}
