//! Every Redis key and group name.
//!
//! All keys of partition `K` share the hash tag `{<prefix>:K}`, so that they lie in one Redis
//! Cluster slot and one script can touch them together.
//!
//! | key | type | what |
//! |---|---|---|
//! | `{votes:K}:stream` | stream | ballots on their way |
//! | `{votes:K}:dead` | stream | dead letters |
//! | `{votes:K}:polls` | hash | poll id → what the register script must know ([`crate::projection`]) |
//! | `{votes:K}:accepted` | hash | poll id → ballots ever accepted, `dropped:<poll>` → dead letters dropped, `removed` → entries that we took out of the stream; for the audit |
//! | `{votes:K}:register:<poll>:<bucket>` | hash | voter → the choice that stands |
//! | `{votes:K}:forgotten` | hash | poll id → the closing time after which its register was forgotten |
//! | `{votes:K}:codes:<poll>` | set | voters (hashed codes) who may vote |
//! | `votes:polls` | hash | slug → poll definition as JSON, for the producer's pages |
//! | `votes:meta` | hash | `partitions`, fixed when first deployed |
//! | `votes:audit` | hash | what the last standing audit found |

use crate::{PollId, VoterId};

/// The consumer group of every partition's stream.
pub const GROUP: &str = "tally";
/// Register buckets per poll and partition: hashes small enough to stay listpacks up to 8 million
/// voters a partition (16,384 × 512 fields).
pub const BUCKETS: u16 = 16_384;
/// Partitions when none are asked for: room for a cluster of four masters.
pub const PARTITIONS_DEFAULT: u16 = 4;
/// The most partitions that make sense.
pub const PARTITIONS_MAX: u16 = 1_024;
/// The field of [`Keys::accepted`] that counts entries taken out of the stream as they should be.
pub const FIELD_REMOVED: &str = "removed";
/// What stands before the poll in the field of [`Keys::accepted`] that counts dead letters dropped.
pub const DROPPED_PREFIX: &str = "dropped:";
/// The prefix when none is asked for.
pub const PREFIX_DEFAULT: &str = "votes";

/// The field of [`Keys::accepted`] that counts the dead letters of a poll that an operator dropped.
pub fn field_dropped(poll: PollId) -> String {
    format!("{DROPPED_PREFIX}{poll}")
}

/// Key names under one prefix, which keeps several deployments apart on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// Names under `prefix`, which must not hold braces (they would move the hash tag).
    pub fn new(prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        debug_assert!(!prefix.contains(['{', '}']), "braces in a prefix move the hash tag");
        Self { prefix }
    }

    /// The stream of ballots.
    pub fn stream(&self, partition: u16) -> String {
        self.of(partition, "stream")
    }

    /// The stream of dead letters.
    pub fn dead_letters(&self, partition: u16) -> String {
        self.of(partition, "dead")
    }

    /// What the register script must know of each poll.
    pub fn rules(&self, partition: u16) -> String {
        self.of(partition, "polls")
    }

    /// Ballots ever accepted, by poll, and what else is counted of the stream.
    pub fn accepted(&self, partition: u16) -> String {
        self.of(partition, "accepted")
    }

    /// The part of the register that holds this voter.
    pub fn register(&self, partition: u16, poll: PollId, voter: VoterId) -> String {
        self.register_bucket(partition, poll, voter.bucket(BUCKETS))
    }

    /// One bucket of the register, `bucket` in `0..`[`BUCKETS`].
    pub fn register_bucket(&self, partition: u16, poll: PollId, bucket: u16) -> String {
        self.register_buckets(partition, poll).of(bucket).to_owned()
    }

    /// All buckets of a poll in one partition, named one after the other in the same piece of memory.
    pub fn register_buckets(&self, partition: u16, poll: PollId) -> Buckets {
        let name = format!("{{{}:{partition}}}:register:{poll}:", self.prefix);
        Buckets { start_bytes: name.len(), name }
    }

    /// The polls whose register was forgotten after they had closed.
    pub fn forgotten(&self, partition: u16) -> String {
        self.of(partition, "forgotten")
    }

    /// The voters, as hashed codes, who may vote in a poll with voting codes.
    pub fn codes(&self, partition: u16, poll: PollId) -> String {
        format!("{{{}:{partition}}}:codes:{poll}", self.prefix)
    }

    /// All poll definitions, for the producer's pages.
    pub fn polls(&self) -> String {
        format!("{}:polls", self.prefix)
    }

    /// Facts fixed at the first deployment.
    pub fn meta(&self) -> String {
        format!("{}:meta", self.prefix)
    }

    /// What the last standing audit found.
    pub fn audit(&self) -> String {
        format!("{}:audit", self.prefix)
    }

    fn of(&self, partition: u16, what: &str) -> String {
        format!("{{{}:{partition}}}:{what}", self.prefix)
    }
}

/// Names of register buckets; see [`Keys::register_buckets`].
#[derive(Clone, Debug)]
pub struct Buckets {
    name: String,
    start_bytes: usize,
}

impl Buckets {
    /// One bucket, in `0..`[`BUCKETS`].
    pub fn of(&mut self, bucket: u16) -> &str {
        self.name.truncate(self.start_bytes);
        self.name.push_str(itoa::Buffer::new().format(bucket));
        &self.name
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new(PREFIX_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_partition_share_its_hash_tag() {
        let keys = Keys::default();
        for key in [
            keys.stream(3),
            keys.dead_letters(3),
            keys.rules(3),
            keys.accepted(3),
            keys.forgotten(3),
            keys.register(3, PollId(1), VoterId::new()),
            keys.codes(3, PollId(1)),
        ] {
            assert!(key.starts_with("{votes:3}:"), "{key}");
        }
    }
}
