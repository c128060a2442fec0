//! The audit's view of Redis: counters of accepted ballots, and the ballots that lie in the streams.

use std::collections::HashMap;

use redis::Value;
use redis::streams::StreamPendingReply;
use uuid::Uuid;
use votestream_schema::keys::{self, GROUP};
use votestream_schema::{Ballot, Poll, PollId, codec};

use crate::entries;
use crate::error::Error;
use crate::in_flight::{ENTRIES_MAX, ballot};
use crate::servers::Redis;

/// The counters of all partitions.
#[derive(Debug)]
pub struct Counters {
    accepted: Vec<HashMap<String, i64>>,
    /// Entries ever added to the streams. A Redis that loses its streams loses this number as well.
    entries_added: i64,
}

impl Counters {
    /// Reads the counters of all partitions.
    pub async fn read(redis: &mut Redis) -> Result<Self, Error> {
        let mut counters = Self { accepted: Vec::new(), entries_added: 0 };
        for partition in 0..redis.partitions {
            let get = redis::cmd("HGETALL").arg(redis.keys.accepted(partition)).clone();
            counters.accepted.push(redis.ask(&get).await?);
            counters.entries_added += entries_added(redis, partition).await?;
        }
        Ok(counters)
    }

    /// Ballots of a poll that were ever accepted.
    pub fn accepted(&self, poll: PollId) -> i64 {
        self.sum(&poll.to_string())
    }

    /// Ballots of a poll whose dead letters an operator dropped.
    pub fn dropped(&self, poll: PollId) -> i64 {
        self.sum(&keys::field_dropped(poll))
    }

    fn sum(&self, field: &str) -> i64 {
        self.accepted.iter().filter_map(|partition| partition.get(field)).sum()
    }

    /// Why the counters are incomplete, given the number of ballots that Postgres knows; `None` if they
    /// can be complete.
    pub fn lost(&self, known_total: i64) -> Option<String> {
        (self.entries_added < known_total).then(|| {
            format!(
                "redis has seen {} entries and postgres has counted {known_total} ballots, so redis \
                 lost counters: it restarted without its data, or failed over to a replica that \
                 lagged",
                self.entries_added
            )
        })
    }

    /// Why the counters of this poll are incomplete, given the partitions from which its votes came;
    /// `None` if they can be complete.
    pub fn lost_of(&self, poll: &Poll, partitions: &[i32]) -> Option<String> {
        let has = |partition: i32| {
            let counters = usize::try_from(partition).ok().and_then(|p| self.accepted.get(p));
            counters.is_some_and(|counters| counters.contains_key(&poll.id.to_string()))
        };
        let without: Vec<String> =
            partitions.iter().filter(|p| !has(**p)).map(i32::to_string).collect();
        (!without.is_empty()).then(|| {
            format!(
                "redis has no counter of this poll in partition {}, from where votes came: it \
                 restarted without its data, or the votes came another way",
                without.join(", ")
            )
        })
    }
}

async fn entries_added(redis: &mut Redis, partition: u16) -> Result<i64, Error> {
    let stream = redis.keys.stream(partition);
    if !redis.ask::<bool>(redis::cmd("EXISTS").arg(&stream)).await? {
        return Ok(0);
    }
    let info = redis::cmd("XINFO").arg("STREAM").arg(&stream).clone();
    let facts: HashMap<String, Value> = redis.ask(&info).await?;
    // Redis 6 has no such number, so nothing can be concluded: a number that no sum of ballots reaches.
    Ok(match facts.get("entries-added") {
        Some(Value::Int(added)) => *added,
        _ => i64::MAX / 2_048,
    })
}

/// The number of entries in all streams.
pub async fn entries(redis: &mut Redis) -> Result<i64, Error> {
    let mut entries = 0;
    for partition in 0..redis.partitions {
        let stream = redis.keys.stream(partition);
        entries += redis.ask::<i64>(redis::cmd("XLEN").arg(&stream)).await?;
    }
    Ok(entries)
}

/// Ballots as columns, for a statement that unnests them. All have the same length.
#[derive(Debug, Default)]
pub struct Ballots {
    /// The poll of each ballot.
    pub polls: Vec<i32>,
    /// The voter of each ballot.
    pub voters: Vec<Uuid>,
    /// The id of each ballot.
    pub ids: Vec<Uuid>,
}

impl Ballots {
    fn push(&mut self, ballot: Ballot) {
        self.polls.push(ballot.poll.0);
        self.voters.push(ballot.voter.0);
        self.ids.push(ballot.id.0);
    }
}

/// The ballots in the streams and among the dead letters.
#[derive(Debug, Default)]
pub struct StreamCounts {
    /// Ballots in the streams; some may have been counted a moment ago.
    pub in_streams: Ballots,
    /// Ballots among the dead letters.
    pub in_dead_letters: Ballots,
    /// Entries in the streams, of all polls, ballots or not.
    pub entries: i64,
    /// Entries that were delivered to a consumer and not acknowledged.
    pub pending: i64,
    /// Entries beyond the number that is read one by one.
    pub unread: i64,
    /// Entries and dead letters that no producer wrote.
    pub not_ours: i64,
}

impl StreamCounts {
    /// Reads all partitions. Entries move from a stream to its dead letters, so the stream is read first.
    pub async fn read(redis: &mut Redis, polls: &[Poll]) -> Result<Self, Error> {
        let polls: HashMap<PollId, &Poll> = polls.iter().map(|poll| (poll.id, poll)).collect();
        // A producer takes no ballot of a poll that is not there, and no choices that are not allowed.
        let ours = |ballot: &Ballot| {
            polls.get(&ballot.poll).is_some_and(|poll| poll.allows(ballot.choices))
        };
        let mut counts = Self::default();
        for partition in 0..redis.partitions {
            // The stream.
            let stream = redis.keys.stream(partition);
            let length: i64 = redis.ask(redis::cmd("XLEN").arg(&stream)).await?;
            counts.entries += length;
            counts.pending += pending(redis, &stream).await?;
            let mut read = 0;
            let complete = entries::each(redis, &stream, ENTRIES_MAX, |_, fields| {
                read += 1;
                match ballot(fields).filter(&ours) {
                    Some(ballot) => counts.in_streams.push(ballot),
                    None => counts.not_ours += 1,
                }
            });
            if !complete.await? {
                counts.unread += (length - read).max(1);
            }
            // Its dead letters.
            let dead = redis.keys.dead_letters(partition);
            let length: i64 = redis.ask(redis::cmd("XLEN").arg(&dead)).await?;
            let mut read = 0;
            let original = format!("original:{}", codec::FIELD_BALLOT);
            let complete = entries::each(redis, &dead, ENTRIES_MAX, |_, fields| {
                read += 1;
                let ballot = fields.value(&original).and_then(|text| codec::decode(text).ok());
                match ballot.filter(&ours) {
                    Some(ballot) => counts.in_dead_letters.push(ballot),
                    None => counts.not_ours += 1,
                }
            });
            if !complete.await? {
                counts.unread += (length - read).max(1);
            }
        }
        counts.count_once();
        Ok(counts)
    }

    /// Removes from the streams the ballots that became dead letters meanwhile, and were seen in both.
    fn count_once(&mut self) {
        let dead: std::collections::HashSet<Uuid> =
            self.in_dead_letters.ids.iter().copied().collect();
        let mut kept = Ballots::default();
        let streams = std::mem::take(&mut self.in_streams);
        for ((poll, voter), id) in streams.polls.into_iter().zip(streams.voters).zip(streams.ids) {
            if !dead.contains(&id) {
                kept.polls.push(poll);
                kept.voters.push(voter);
                kept.ids.push(id);
            }
        }
        self.in_streams = kept;
    }
}

async fn pending(redis: &mut Redis, stream: &str) -> Result<i64, Error> {
    let summary: Result<StreamPendingReply, Error> =
        redis.ask(redis::cmd("XPENDING").arg(stream).arg(GROUP)).await;
    match summary {
        Ok(summary) => Ok(summary.count() as i64),
        // No consumer ever ran.
        Err(Error::Redis(error)) if error.code() == Some("NOGROUP") => Ok(0),
        Err(error) => Err(error),
    }
}
