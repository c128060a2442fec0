//! Every Redis key and group name.
//!
//! All keys of partition `K` share the hash tag `{<prefix>:K}`, so that they lie in one Redis
//! Cluster slot and one script can touch them together.
//!
//! | key | type | content |
//! |---|---|---|
//! | `{votes:K}:stream` | stream | ballots on their way |
//! | `{votes:K}:dead` | stream | dead letters |
//! | `{votes:K}:polls` | hash | poll id → rules for the register function ([`crate::projection`]) |
//! | `{votes:K}:accepted` | hash | poll id → ballots ever accepted, `dropped:<poll>` → dead letters dropped, `removed` → entries that we took out of the stream; for the audit |
//! | `{votes:K}:register:<poll>:<bucket>` | hash | voter → the choice that stands |
//! | `{votes:K}:forgotten` | hash | poll id → the closing time after which its register was forgotten |
//! | `{votes:K}:code-hashes:<poll>` | set | hashes of the voters with a code ([`crate::code::CodeHash`]) |
//! | `{votes:K}:networks:<poll>` | hash | client network, as a keyed hash → its limit and its new voters ([`crate::poll::network`]) |
//! | `{votes:K}:sent-again` | hash | `until`: the last entry that `votectl resync` sent again, and the earliest time of those; until that entry has left the stream |
//! | `{votes:K}:unchallenged:<poll>` | hash | the same names, and the whole poll → how many new voters need no challenge |
//! | `{votes:K}:probe` | hash | a field that producers write to see whether Redis takes writes |
//! | `votes:polls` | hash | slug → poll definition as JSON, for the producer's pages |
//! | `votes:drafts` | set | slugs of drafts, and `NUMBER:SLUG`; producers know nothing else of them |
//! | `votes:polls-revision` | number | grows after each change of `votes:polls` or `votes:drafts` by consumers and votectl |
//! | `votes:polls-compared` | string | there for some seconds after a consumer compared all copies of the polls |
//! | `votes:meta` | hash | `partitions`, fixed when first deployed |
//! | `votes:producers` | hash | producer → how recent its copy of the polls is ([`crate::projection::presence`]) |
//! | `votes:audit` | hash | the findings of the last standing audit |

use crate::{PollId, VoterKey};

/// The name of the consumer group of every partition's stream.
pub const GROUP: &str = "tally";
/// Register buckets per poll and partition: hashes small enough to stay listpacks up to 8 million
/// voters a partition (16,384 × 512 fields).
pub const BUCKETS: u16 = 16_384;
/// The number of partitions if none is asked for: enough for a cluster of four masters.
pub const PARTITIONS_DEFAULT: u16 = 4;
/// The most partitions that a deployment may have.
pub const PARTITIONS_MAX: u16 = 1_024;
/// The field of [`Keys::accepted`] that counts entries taken out of the stream as they should be.
pub const FIELD_REMOVED: &str = "removed";
/// The prefix, in front of the poll, of the field of [`Keys::accepted`] that counts dropped dead letters.
pub const DROPPED_PREFIX: &str = "dropped:";
/// The prefix of all keys if none is asked for.
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
    /// Makes names under `prefix`, which must not hold braces, because they would move the hash tag.
    pub fn new(prefix: impl Into<String>) -> Self {
        let prefix = prefix.into();
        debug_assert!(!prefix.contains(['{', '}']), "braces in a prefix move the hash tag");
        Self { prefix }
    }

    /// The key of the stream of ballots.
    pub fn stream(&self, partition: u16) -> String {
        self.of(partition, "stream")
    }

    /// The key of the stream of dead letters.
    pub fn dead_letters(&self, partition: u16) -> String {
        self.of(partition, "dead")
    }

    /// The key of the rules of each poll, which the register function reads.
    pub fn rules(&self, partition: u16) -> String {
        self.of(partition, "polls")
    }

    /// The key of the counters of a stream: ballots ever accepted, by poll, and others.
    pub fn accepted(&self, partition: u16) -> String {
        self.of(partition, "accepted")
    }

    /// The key of the bucket of the register that holds this voter.
    pub fn register(&self, partition: u16, poll: PollId, voter: VoterKey) -> String {
        self.register_bucket(partition, poll, voter.bucket(BUCKETS))
    }

    /// The key of one bucket of the register, `bucket` in `0..`[`BUCKETS`].
    pub fn register_bucket(&self, partition: u16, poll: PollId, bucket: u16) -> String {
        self.register_buckets(partition, poll).of(bucket).to_owned()
    }

    /// The keys of all buckets of a poll in one partition, written one after the other into the same memory.
    pub fn register_buckets(&self, partition: u16, poll: PollId) -> Buckets {
        let name = format!("{{{}:{partition}}}:register:{poll}:", self.prefix);
        Buckets { start_bytes: name.len(), name }
    }

    /// The key of the polls whose register was removed after they had closed.
    pub fn forgotten(&self, partition: u16) -> String {
        self.of(partition, "forgotten")
    }

    /// The key of the hashes of all voters who may vote in a poll with voting codes.
    pub fn code_hashes(&self, partition: u16, poll: PollId) -> String {
        format!("{{{}:{partition}}}:code-hashes:{poll}", self.prefix)
    }

    /// The key under which the release before kept these voters themselves. Its producers read it during an update.
    pub fn codes_before_hashes(&self, partition: u16, poll: PollId) -> String {
        format!("{{{}:{partition}}}:codes:{poll}", self.prefix)
    }

    /// The key of the client networks of a poll whose largest network belongs to this partition.
    pub fn networks(&self, partition: u16, poll: PollId) -> String {
        format!("{{{}:{partition}}}:networks:{poll}", self.prefix)
    }

    /// The key of the ballots that were sent again after a restore.
    pub fn sent_again(&self, partition: u16) -> String {
        self.of(partition, "sent-again")
    }

    /// The key of the new voters of a poll that need no challenge, by client network and for the whole poll.
    pub fn unchallenged(&self, partition: u16, poll: PollId) -> String {
        format!("{{{}:{partition}}}:unchallenged:{poll}", self.prefix)
    }

    /// The key that producers write to see whether Redis takes writes; nobody reads it.
    pub fn probe(&self, partition: u16) -> String {
        self.of(partition, "probe")
    }

    /// The key of all poll definitions, for the producer's pages.
    pub fn polls(&self) -> String {
        format!("{}:polls", self.prefix)
    }

    /// The key of the slugs of all drafts. A page of a draft waits; the title of a draft is not in Redis.
    pub fn drafts(&self) -> String {
        format!("{}:drafts", self.prefix)
    }

    /// The key of the number that grows after each change of a definition, so that nobody needs to read them all to see
    /// whether they changed.
    pub fn polls_revision(&self) -> String {
        format!("{}:polls-revision", self.prefix)
    }

    /// The key that is there while the copies of the polls need no comparison.
    pub fn polls_compared(&self) -> String {
        format!("{}:polls-compared", self.prefix)
    }

    /// The key of the facts that the first migration fixed.
    pub fn meta(&self) -> String {
        format!("{}:meta", self.prefix)
    }

    /// The key of the producers that are alive.
    pub fn producers(&self) -> String {
        format!("{}:producers", self.prefix)
    }

    /// The key of the findings of the last standing audit.
    pub fn audit(&self) -> String {
        format!("{}:audit", self.prefix)
    }

    fn of(&self, partition: u16, name: &str) -> String {
        format!("{{{}:{partition}}}:{name}", self.prefix)
    }
}

/// Writes the keys of register buckets; see [`Keys::register_buckets`].
#[derive(Clone, Debug)]
pub struct Buckets {
    name: String,
    start_bytes: usize,
}

impl Buckets {
    /// The key of one bucket, `bucket` in `0..`[`BUCKETS`].
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
            keys.probe(3),
            keys.sent_again(3),
            keys.networks(3, PollId(1)),
            keys.unchallenged(3, PollId(1)),
            keys.register(3, PollId(1), VoterKey::new()),
            keys.code_hashes(3, PollId(1)),
            keys.codes_before_hashes(3, PollId(1)),
        ] {
            assert!(key.starts_with("{votes:3}:"), "{key}");
        }
    }
}
