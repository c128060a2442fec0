//! Compares the register with the votes, voter by voter.
//!
//! The register in Redis has one line for each voter whose ballot was accepted. Every such ballot must be a vote in
//! Postgres, set aside there, in its stream, or a dead letter. Sums cannot show this: one ballot too many hides one that
//! is lost.
//!
//! Invariant: a ballot on its way is never reported as missing. It leaves the stream only after its commit or its move
//! to the dead letters, so Postgres is asked once more after the stream, and the dead letters after that.
//!
//! Absent on purpose: names of voters and choices. The result has numbers and entry IDs.

pub mod repair;

use std::collections::{HashMap, HashSet};
use std::fmt;

use redis::RedisError;
use redis::aio::ConnectionLike;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::{BallotId, EntryId, Keys, PollId, VoterKey, codec};

/// The most entries of a stream or of its dead letters that are searched for ballots which are nowhere else.
const SEARCHED_MAX: usize = 100_000;
/// The entries that one XRANGE returns at most.
const ENTRIES_AT_ONCE: usize = 500;
/// The missing ballots whose entry is named at most.
pub const NAMED_MAX: usize = 20;

/// What became of the ballots in the register: numbers of voters.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// Voters in the register.
    pub registered: u64,
    /// Voters whose ballot is the vote that Postgres has.
    pub counted: u64,
    /// Voters whose ballot lies in the stream.
    pub under_way: u64,
    /// Voters whose ballot was set aside.
    pub set_aside: u64,
    /// Voters whose ballot is a dead letter.
    pub dead: u64,
    /// Voters whose ballot is nowhere to be found.
    pub missing: u64,
    /// Voters of whom this is not known: their line cannot be read, or there were too many entries to search.
    pub unknown: u64,
    /// The entry IDs of the first missing ballots, each after its partition and a colon.
    pub missing_entries: Vec<String>,
}

impl Contents {
    /// Adds the result of another part of the register.
    pub fn add(&mut self, other: Self) {
        let Self { registered, counted, under_way, set_aside, dead, missing, unknown, .. } = other;
        self.registered += registered;
        self.counted += counted;
        self.under_way += under_way;
        self.set_aside += set_aside;
        self.dead += dead;
        self.missing += missing;
        self.unknown += unknown;
        let room = NAMED_MAX.saturating_sub(self.missing_entries.len());
        self.missing_entries.extend(other.missing_entries.into_iter().take(room));
    }
}

/// The ballot that stands for a voter, by the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The voter.
    pub voter: VoterKey,
    /// The mask of the options that were chosen.
    pub choices: i64,
    /// The end of the ballot's id.
    pub tag: u32,
    /// The entry in which the ballot came in.
    pub entry: EntryId,
}

impl fmt::Display for Registered {
    /// Writes the line of the register, as `register.lua` does: `<choices> <tag> <entry>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { choices, tag, entry, .. } = self;
        write!(f, "{choices} {tag:08x} {entry}")
    }
}

impl Registered {
    /// Reads a field of the register, as `register.lua` writes it: `<choices> <tag> <entry>`.
    fn parse(voter: &[u8], line: &[u8]) -> Option<Self> {
        let mut parts = str::from_utf8(line).ok()?.split(' ');
        let registered = Self {
            voter: VoterKey(Uuid::from_slice(voter).ok()?),
            choices: parts.next()?.parse().ok()?,
            tag: u32::from_str_radix(parts.next()?, 16).ok()?,
            entry: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(registered)
    }
}

/// How far to look for a ballot that is neither a vote, nor set aside, nor in the stream under its entry ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Not further. It is counted as unknown: it may be a dead letter, or one that is replayed.
    Quick,
    /// Among all dead letters and all entries of the stream.
    Thorough,
}

/// Some buckets of a register, as they were read.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    ballots: Vec<Registered>,
    /// Lines that cannot be read.
    unreadable: u64,
}

impl Buckets {
    /// Whether no voter is registered in these buckets, so that there is nothing to compare.
    pub fn are_empty(&self) -> bool {
        self.ballots.is_empty() && self.unreadable == 0
    }
}

/// Reads some buckets of a poll's register in one partition.
///
/// # Errors
/// Returns the error of Redis.
pub async fn read(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    (partition, poll): (u16, PollId),
    buckets: impl Iterator<Item = u16>,
) -> Result<Buckets, RedisError> {
    let buckets: Vec<String> =
        buckets.map(|bucket| keys.register_bucket(partition, poll, bucket)).collect();
    let mut query = redis::cmd("EVAL");
    query.arg(include_str!("lua/register_lines.lua")).arg(buckets.len()).arg(&buckets);
    let lines: Vec<Vec<u8>> = query.query_async(redis).await?;
    let lines = lines.chunks_exact(2);
    let read: Vec<_> = lines.map(|line| Registered::parse(&line[0], &line[1])).collect();
    let ballots: Vec<Registered> = read.iter().copied().flatten().collect();
    let unreadable = (read.len() - ballots.len()) as u64;
    Ok(Buckets { ballots, unreadable })
}

/// Compares some buckets of a poll's register in one partition, and also returns the ballots that are nowhere to be found.
///
/// # Errors
/// Returns the error of the server that failed.
pub async fn compare<E: From<RedisError> + From<tokio_postgres::Error>>(
    redis: &mut impl ConnectionLike,
    postgres: &Client,
    keys: &Keys,
    (partition, poll): (u16, PollId),
    read: Buckets,
    how: Search,
) -> Result<(Contents, Vec<Registered>), E> {
    let Buckets { ballots: mut left, unreadable } = read;
    let registered = left.len() as u64 + unreadable;
    let mut contents = Contents { registered, unknown: unreadable, ..Contents::default() };

    // The votes; then what is still in the stream; then, since a ballot may have been counted meanwhile, the votes again.
    let settled = votes(postgres, poll, &left).await?;
    contents.counted += settle(&mut left, &settled);
    let settled = in_stream(redis, keys, partition, &left).await?;
    contents.under_way += settle(&mut left, &settled);
    let settled = votes(postgres, poll, &left).await?;
    contents.counted += settle(&mut left, &settled);
    let settled = set_aside(postgres, poll, &left).await?;
    contents.set_aside += settle(&mut left, &settled);
    if left.is_empty() {
        return Ok((contents, left));
    }
    if how == Search::Quick {
        contents.unknown += left.len() as u64;
        return Ok((contents, Vec::new()));
    }
    // Dead letters, and those that are replayed: they are in the stream under another ID.
    let mut is_complete = true;
    let original = format!("original:{}", codec::FIELD_BALLOT);
    let dead_letters = keys.dead_letters(partition);
    let dead = search(redis, &dead_letters, &original, &mut is_complete).await?;
    let settled = found(&left, &dead);
    contents.dead += settle(&mut left, &settled);
    let stream = keys.stream(partition);
    let replayed = search(redis, &stream, codec::FIELD_BALLOT, &mut is_complete).await?;
    let settled = found(&left, &replayed);
    contents.under_way += settle(&mut left, &settled);
    let settled = votes(postgres, poll, &left).await?;
    contents.counted += settle(&mut left, &settled);
    let settled = set_aside(postgres, poll, &left).await?;
    contents.set_aside += settle(&mut left, &settled);
    // A voter may have changed the vote since the register was read.
    let changed = changed(redis, keys, partition, poll, &left).await?;
    contents.under_way += settle(&mut left, &changed);
    if !is_complete {
        contents.unknown += left.len() as u64;
        return Ok((contents, Vec::new()));
    }
    contents.missing = left.len() as u64;
    let entries = left.iter().take(NAMED_MAX);
    contents.missing_entries =
        entries.map(|ballot| format!("{partition}:{}", ballot.entry)).collect();
    Ok((contents, left))
}

/// Counts the votes of voters whom the register does not know, in all partitions. Their ballots came another way, or
/// Redis has lost its register.
///
/// # Errors
/// Returns the error of the server that failed.
pub async fn unregistered<E: From<RedisError> + From<tokio_postgres::Error>>(
    redis: &mut impl ConnectionLike,
    postgres: &Client,
    keys: &Keys,
    (partitions, poll): (u16, PollId),
) -> Result<u64, E> {
    let (mut last, mut unregistered) = (Uuid::nil(), 0);
    loop {
        let sql =
            "SELECT voter FROM votes WHERE poll_id = $1 AND voter > $2 ORDER BY voter LIMIT 10000";
        let rows = postgres.query_typed(sql, &[(&poll.0, Type::INT4), (&last, Type::UUID)]).await?;
        let voters: Vec<VoterKey> = rows.iter().map(|row| VoterKey(row.get(0))).collect();
        let Some(VoterKey(end)) = voters.last().copied() else { return Ok(unregistered) };
        last = end;
        // One pipeline for each partition, since a cluster sends a pipeline to one slot.
        for partition in 0..partitions {
            let here = voters.iter().filter(|voter| voter.partition(partitions) == partition);
            let mut query = redis::pipe();
            for voter in here {
                query
                    .hexists(keys.register(partition, poll, *voter), voter.0.as_bytes().as_slice());
            }
            if !query.is_empty() {
                let known: Vec<bool> = query.query_async(redis).await?;
                unregistered += known.iter().filter(|known| !**known).count() as u64;
            }
        }
    }
}

/// Removes those that were found, and returns their number.
fn settle(left: &mut Vec<Registered>, found: &HashSet<VoterKey>) -> u64 {
    let before = left.len();
    left.retain(|ballot| !found.contains(&ballot.voter));
    (before - left.len()) as u64
}

/// The voters whose ballot is the vote that Postgres has.
async fn votes(
    postgres: &Client,
    poll: PollId,
    ballots: &[Registered],
) -> Result<HashSet<VoterKey>, tokio_postgres::Error> {
    if ballots.is_empty() {
        return Ok(HashSet::new());
    }
    let voters: Vec<Uuid> = ballots.iter().map(|ballot| ballot.voter.0).collect();
    let sql = "SELECT voter, choices, ballot FROM votes WHERE poll_id = $1 AND voter = ANY ($2)";
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&poll.0, Type::INT4), (&voters, Type::UUID_ARRAY)];
    let rows = postgres.query_typed(sql, &parameters).await?;
    let stored: HashMap<VoterKey, (i64, u32)> = rows
        .iter()
        .map(|row| (VoterKey(row.get(0)), (row.get(1), BallotId(row.get(2)).tag())))
        .collect();
    let is_vote =
        |ballot: &&Registered| stored.get(&ballot.voter) == Some(&(ballot.choices, ballot.tag));
    Ok(ballots.iter().filter(is_vote).map(|ballot| ballot.voter).collect())
}

/// The voters whose ballot Postgres has set aside.
async fn set_aside(
    postgres: &Client,
    poll: PollId,
    ballots: &[Registered],
) -> Result<HashSet<VoterKey>, tokio_postgres::Error> {
    if ballots.is_empty() {
        return Ok(HashSet::new());
    }
    let tags: Vec<String> = ballots.iter().map(|ballot| format!("{:08x}", ballot.tag)).collect();
    let sql =
        "SELECT ballot FROM set_aside WHERE poll_id = $1 AND right(ballot::text, 8) = ANY ($2)";
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&poll.0, Type::INT4), (&tags, Type::TEXT_ARRAY)];
    let rows = postgres.query_typed(sql, &parameters).await?;
    let stored: HashSet<u32> = rows.iter().map(|row| BallotId(row.get(0)).tag()).collect();
    let is_there = |ballot: &&Registered| stored.contains(&ballot.tag);
    Ok(ballots.iter().filter(is_there).map(|ballot| ballot.voter).collect())
}

/// The voters whose entry is in the stream.
async fn in_stream(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    partition: u16,
    ballots: &[Registered],
) -> Result<HashSet<VoterKey>, RedisError> {
    let mut query = redis::pipe();
    let stream = keys.stream(partition);
    for ballot in ballots {
        let entry = ballot.entry.to_string();
        query.cmd("XRANGE").arg(&stream).arg(&entry).arg(&entry);
    }
    if query.is_empty() {
        return Ok(HashSet::new());
    }
    let entries: Vec<Vec<(String, Vec<Vec<u8>>)>> = query.query_async(redis).await?;
    let is_there =
        |(ballot, found): (&Registered, &Vec<_>)| (!found.is_empty()).then_some(ballot.voter);
    Ok(ballots.iter().zip(&entries).filter_map(is_there).collect())
}

/// The voters whose line in the register is another one now.
async fn changed(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    partition: u16,
    poll: PollId,
    ballots: &[Registered],
) -> Result<HashSet<VoterKey>, RedisError> {
    let mut query = redis::pipe();
    for Registered { voter, .. } in ballots {
        query.hget(keys.register(partition, poll, *voter), voter.0.as_bytes().as_slice());
    }
    if query.is_empty() {
        return Ok(HashSet::new());
    }
    let lines: Vec<Option<Vec<u8>>> = query.query_async(redis).await?;
    let is_same = |ballot: &Registered, line: &Option<Vec<u8>>| {
        let line =
            line.as_ref().and_then(|line| Registered::parse(ballot.voter.0.as_bytes(), line));
        line == Some(*ballot)
    };
    let changed = ballots.iter().zip(&lines).filter(|(ballot, line)| !is_same(ballot, line));
    Ok(changed.map(|(ballot, _)| ballot.voter).collect())
}

/// The voters and tags of all ballots in a stream, under this field. Clears `is_complete` if it has too many entries.
async fn search(
    redis: &mut impl ConnectionLike,
    stream: &str,
    field: &str,
    is_complete: &mut bool,
) -> Result<HashSet<(VoterKey, u32)>, RedisError> {
    let (mut from, mut searched, mut ballots) = ("-".to_owned(), 0, HashSet::new());
    loop {
        let mut range = redis::cmd("XRANGE");
        range.arg(stream).arg(&from).arg("+").arg("COUNT").arg(ENTRIES_AT_ONCE);
        let entries: Vec<(String, Vec<Vec<u8>>)> = range.query_async(redis).await?;
        let Some((last, _)) = entries.last() else { return Ok(ballots) };
        from = format!("({last}");
        searched += entries.len();
        for (_, fields) in &entries {
            let mut pairs = fields.chunks_exact(2);
            let payload = pairs.find(|pair| pair[0] == field.as_bytes()).map(|pair| &pair[1]);
            if let Some(Ok(ballot)) = payload.map(|payload| codec::decode(payload)) {
                ballots.insert((ballot.voter, ballot.id.tag()));
            }
        }
        if searched >= SEARCHED_MAX {
            *is_complete = false;
            return Ok(ballots);
        }
    }
}

fn found(left: &[Registered], ballots: &HashSet<(VoterKey, u32)>) -> HashSet<VoterKey> {
    let is_there = |ballot: &&Registered| ballots.contains(&(ballot.voter, ballot.tag));
    left.iter().filter(is_there).map(|ballot| ballot.voter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_register_is_read_and_anything_else_is_not() {
        let voter = VoterKey::new();
        let read = |line: &str| Registered::parse(voter.0.as_bytes(), line.as_bytes());
        let entry = EntryId { ms: 5, seq: 6 };
        let right = Registered { voter, choices: 3, tag: 0xa0b1_c2d3, entry };
        assert_eq!(read("3 a0b1c2d3 5-6"), Some(right));
        let short = Registered { tag: 0xa, ..right };
        assert_eq!(read(&short.to_string()), Some(short), "{short}");
        for bad in ["", "3 a0b1c2d3", "3 x 5-6", "3 a0b1c2d3 5-6 7", "3 a0b1c2d3 5"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(Registered::parse(b"short", b"3 a0b1c2d3 5-6"), None);
    }

    #[test]
    fn parts_add_up_and_name_so_many_entries() {
        let part = Contents {
            registered: 30,
            counted: 15,
            missing: 15,
            missing_entries: (0..15).map(|n| format!("0:{n}-0")).collect(),
            ..Contents::default()
        };
        let mut whole = part.clone();
        whole.add(part);
        assert_eq!((whole.registered, whole.counted, whole.missing), (60, 30, 30));
        assert_eq!(whole.missing_entries.len(), NAMED_MAX);
    }
}
