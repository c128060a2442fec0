//! The moment at which the standing audit and the accounts compare both servers.
//!
//! Redis is read first, a partition at a time, each in one atomic step: that is the *cut*. Then the audit waits until the
//! consumers have settled every entry up to the cut. So no ballot is on its way between the servers when Postgres is read,
//! and none that is can hide a loss.
//!
//! Invariant: a ballot whose entry is later than [`Cut::last_ms`] is in none of these numbers, and one whose entry is
//! earlier than [`Cut::first_ms`] is in all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::{RedisError, Script};
use tokio::time::Instant;
use votestream_schema::keys::DROPPED_PREFIX;
use votestream_schema::{EntryId, Keys, PollId};
use votestream_service::redis::Connection;

use crate::error::ServerError;

/// How long the audit waits for the consumers. If they need longer, the ballots that wait are left out of the balance.
const SETTLE_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One partition at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PartitionCut {
    /// Redis' clock.
    time_ms: i64,
    last: EntryId,
    oldest: Option<EntryId>,
    length: i64,
    dead_letters: i64,
    /// Ballots ever accepted, by poll.
    accepted: BTreeMap<PollId, i64>,
    /// Dead letters that an operator dropped, by poll.
    dropped: BTreeMap<PollId, i64>,
}

impl PartitionCut {
    fn accepted(&self) -> i64 {
        self.accepted.values().sum()
    }

    fn dropped(&self) -> i64 {
        self.dropped.values().sum()
    }
}

/// All partitions, each at one moment shortly after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut {
    partitions: Vec<PartitionCut>,
}

impl Cut {
    /// Reads all partitions.
    ///
    /// # Errors
    /// Returns the Redis error, or [`ServerError::IncompleteRedisReply`] if a reply cannot be read.
    pub(crate) async fn read(
        connection: &mut Connection,
        keys: &Keys,
        partitions: u16,
    ) -> Result<Self, ServerError> {
        let script = Script::new(include_str!("../streams/cut.lua"));
        let mut cut = Self::default();
        for partition in 0..partitions {
            let mut call = script.key(keys.stream(partition));
            call.key(keys.dead_letters(partition)).key(keys.accepted(partition));
            let reply: Result<Vec<String>, RedisError> = call.invoke_async(connection).await;
            cut.partitions.push(parse(&reply?).ok_or(ServerError::IncompleteRedisReply {
                command: "the script of the audit",
                missing: "state of the stream",
            })?);
        }
        Ok(cut)
    }

    /// The time of the first reading: every ballot with an earlier entry is in the numbers. In milliseconds since the epoch.
    pub(crate) fn first_ms(&self) -> i64 {
        self.partitions.iter().map(|partition| partition.time_ms).min().unwrap_or_default()
    }

    /// The latest time that an entry in the numbers can have, in milliseconds since the epoch.
    pub(crate) fn last_ms(&self) -> i64 {
        let latest = |partition: &PartitionCut| partition.time_ms.max(partition.last.ms);
        self.partitions.iter().map(latest).max().unwrap_or_default()
    }

    /// Ballots ever accepted.
    pub(crate) fn accepted(&self) -> i64 {
        self.partitions.iter().map(PartitionCut::accepted).sum()
    }

    /// Ballots ever accepted, by poll.
    pub(crate) fn accepted_by_poll(&self) -> BTreeMap<PollId, i64> {
        by_poll(self.partitions.iter().map(|partition| &partition.accepted))
    }

    /// Dead letters that an operator dropped, by poll.
    pub(crate) fn dropped_by_poll(&self) -> BTreeMap<PollId, i64> {
        by_poll(self.partitions.iter().map(|partition| &partition.dropped))
    }

    /// The ID of the last entry in the numbers, by partition: each later entry has a later one.
    pub(crate) fn last(&self) -> impl Iterator<Item = EntryId> {
        self.partitions.iter().map(|partition| partition.last)
    }

    /// Waits until every entry up to the cut is settled, for five seconds at most.
    ///
    /// # Errors
    /// Returns the error of [`Cut::read`].
    pub(crate) async fn settle(
        &self,
        connection: &mut Connection,
        keys: &Keys,
    ) -> Result<Settled, ServerError> {
        let since = Instant::now();
        loop {
            let now = Self::read(connection, keys, self.partitions.len() as u16).await?;
            let settled = self.settled(&now);
            if settled.waiting == 0 || since.elapsed() > SETTLE_MAX {
                return Ok(settled);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Compares the cut with a later reading.
    fn settled(&self, now: &Self) -> Settled {
        let mut settled = Settled::default();
        for (cut, now) in self.partitions.iter().zip(&now.partitions) {
            if now.oldest.is_some_and(|oldest| oldest <= cut.last) {
                settled.waiting += cut.length.min(now.length);
            }
            // An entry may have become a dead letter meanwhile, and an operator may have taken one out.
            let dead = |at: &PartitionCut| at.dead_letters + at.dropped();
            settled.dead_letters += dead(cut).max(dead(now));
        }
        settled
    }
}

/// The ballots of a cut that are not in Postgres, and need not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Entries that still wait, at most.
    pub(crate) waiting: i64,
    /// Dead letters, those included that an operator dropped.
    pub(crate) dead_letters: i64,
}

fn by_poll<'a>(parts: impl Iterator<Item = &'a BTreeMap<PollId, i64>>) -> BTreeMap<PollId, i64> {
    let mut sums = BTreeMap::new();
    for (poll, ballots) in parts.flatten() {
        *sums.entry(*poll).or_default() += ballots;
    }
    sums
}

fn parse(reply: &[String]) -> Option<PartitionCut> {
    let (head, counters) = reply.split_at_checked(5)?;
    let mut cut = PartitionCut {
        time_ms: head[0].parse().ok()?,
        last: head[1].parse().ok()?,
        oldest: match head[2].as_str() {
            "" => None,
            oldest => Some(oldest.parse().ok()?),
        },
        length: head[3].parse().ok()?,
        dead_letters: head[4].parse().ok()?,
        ..PartitionCut::default()
    };
    for counter in counters.chunks_exact(2) {
        let ballots: i64 = counter[1].parse().ok()?;
        // Accepted ballots are counted under the poll's number; the other fields have names.
        let name = counter[0].as_str();
        let (counters, poll) = match name.strip_prefix(DROPPED_PREFIX) {
            Some(poll) => (&mut cut.dropped, poll),
            None => (&mut cut.accepted, name),
        };
        if let Ok(poll) = poll.parse() {
            counters.insert(PollId(poll), ballots);
        }
    }
    Some(cut)
}

#[cfg(test)]
mod tests {
    use votestream_schema::{PollId, keys};

    use super::*;

    fn parsed(reply: &[&str]) -> PartitionCut {
        parse(&reply.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn cut(partitions: &[PartitionCut]) -> Cut {
        Cut { partitions: partitions.to_vec() }
    }

    #[test]
    fn counters_are_told_apart_by_their_names() {
        let dropped = keys::field_dropped(PollId(7));
        let counters = ["7", "10", &dropped, "3", keys::FIELD_REMOVED, "5"];
        let one = parsed(&[&["100", "99-1", "", "0", "2"], &counters[..]].concat());
        let other = parsed(&["101", "104-0", "104-0", "1", "0", "8", "1"]);
        assert_eq!((one.accepted(), one.dropped(), one.dead_letters), (10, 3, 2));
        let both = cut(&[one, other]);
        assert_eq!((both.first_ms(), both.last_ms(), both.accepted()), (100, 104, 11));
        assert_eq!(both.accepted_by_poll(), BTreeMap::from([(PollId(7), 10), (PollId(8), 1)]));
        assert_eq!(both.dropped_by_poll(), BTreeMap::from([(PollId(7), 3)]));
        assert_eq!(parse(&["1".to_owned()]), None);
    }

    #[test]
    fn entries_up_to_the_cut_wait_and_later_ones_do_not() {
        let before = cut(&[parsed(&["100", "99-1", "90-0", "4", "0"])]);
        let still = cut(&[parsed(&["200", "190-0", "99-1", "40", "1"])]);
        let passed = cut(&[parsed(&["300", "290-0", "99-2", "40", "1"])]);
        assert_eq!(before.settled(&still), Settled { waiting: 4, dead_letters: 1 });
        assert_eq!(before.settled(&passed), Settled { waiting: 0, dead_letters: 1 });
        assert_eq!(
            before.settled(&cut(&[parsed(&["300", "290-0", "", "0", "0"])])),
            Settled::default()
        );
    }
}
