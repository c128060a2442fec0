//! Dead letters: entries that the consumers set aside, each with its reason.
//!
//! Invariant: a letter is either among the dead letters or back in the stream, never both, never
//! neither, however often an operation is run again.

mod letter;

use serde::Serialize;
use votestream_schema::{PollId, keys};

use crate::entries;
use crate::error::Error;
use crate::letter_id::LetterId;
use crate::servers::{Redis, Servers};

pub use letter::Letter;

/// The letters that an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// One letter.
    One(LetterId),
    /// All letters that are there when the operation starts.
    All,
}

/// The oldest dead letters of all partitions.
#[derive(Debug, Serialize)]
pub struct DeadLetters {
    /// The number of all dead letters.
    pub total: u64,
    /// The oldest of them, the oldest first.
    pub dead_letters: Vec<Letter>,
}

/// A letter that was sent to the consumers again.
#[derive(Debug, Serialize)]
pub struct Replayed {
    /// The letter, which is gone now.
    pub letter: LetterId,
    /// The ID of its new entry.
    pub entry: String,
}

/// Lists the oldest dead letters, `limit` at most.
///
/// # Errors
/// Returns the error of the server that failed.
pub async fn list(servers: &Servers, limit: usize) -> Result<DeadLetters, Error> {
    let (_, mut redis) = servers.both().await?;
    let mut listed = DeadLetters { total: 0, dead_letters: Vec::new() };
    for partition in 0..redis.partitions {
        let dead = redis.keys.dead_letters(partition);
        listed.total += redis.ask::<u64>(redis::cmd("XLEN").arg(&dead)).await?;
        entries::each(&mut redis, &dead, limit, |id, fields| {
            listed.dead_letters.extend(Letter::read(partition, id, fields));
        })
        .await?;
    }
    listed.dead_letters.sort_by_key(|letter| letter.id.entry);
    listed.dead_letters.truncate(limit);
    Ok(listed)
}

/// Reads one dead letter.
///
/// # Errors
/// Returns [`Error::NoSuchLetter`], or the error of the server that failed.
pub async fn show(servers: &Servers, id: LetterId) -> Result<Letter, Error> {
    let (_, mut redis) = servers.both().await?;
    find(&mut redis, id).await
}

/// Sends letters to the consumers again. A ballot keeps the time at which it first came in. An
/// entry that is still wrong becomes a dead letter again.
///
/// # Errors
/// Returns [`Error::NoSuchLetter`] for a single letter, else the error of the server that failed, with
/// the letter at which it stopped. The letters before that were replayed.
pub async fn replay(servers: &Servers, selection: Selection) -> Result<Vec<Replayed>, Error> {
    let (_, mut redis) = servers.both().await?;
    let mut replayed = Vec::new();
    for (letter, _) in selected(&mut redis, selection).await? {
        let partition = letter.partition;
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("dead_letters/replay.lua")).arg(2);
        eval.arg(redis.keys.dead_letters(partition)).arg(redis.keys.stream(partition));
        eval.arg(letter.entry.to_string());
        let sent: Result<Option<String>, Error> = redis.ask(&eval).await;
        let sent = sent.map_err(|error| error.explained(format!("stopped at {letter}")))?;
        // Somebody else may have replayed or dropped it since it was selected.
        replayed.extend(sent.map(|entry| Replayed { letter, entry }));
    }
    Ok(replayed)
}

/// Removes letters for good; a ballot in one is never counted. Returns the letters that were removed.
///
/// # Errors
/// As [`replay`].
pub async fn drop_letters(servers: &Servers, selection: Selection) -> Result<Vec<LetterId>, Error> {
    let (_, mut redis) = servers.both().await?;
    let mut dropped = Vec::new();
    for (letter, poll) in selected(&mut redis, selection).await? {
        let partition = letter.partition;
        let mut eval = redis::cmd("EVAL");
        eval.arg(include_str!("dead_letters/drop.lua")).arg(2);
        eval.arg(redis.keys.dead_letters(partition)).arg(redis.keys.accepted(partition));
        eval.arg(letter.entry.to_string());
        eval.arg(poll.map_or_else(String::new, keys::field_dropped));
        let removed: Result<i64, Error> = redis.ask(&eval).await;
        if removed.map_err(|error| error.explained(format!("stopped at {letter}")))? == 1 {
            dropped.push(letter);
        }
    }
    Ok(dropped)
}

async fn find(redis: &mut Redis, id: LetterId) -> Result<Letter, Error> {
    if id.partition >= redis.partitions {
        return Err(Error::NoSuchLetter(id));
    }
    let (dead, entry) = (redis.keys.dead_letters(id.partition), id.entry.to_string());
    let found = entries::one(redis, &dead, &entry).await?;
    let letter = found.and_then(|fields| Letter::read(id.partition, &entry, &fields));
    letter.ok_or(Error::NoSuchLetter(id))
}

/// The selected letters, each with the poll whose ballot it holds. All letters are those that are there
/// now, so that one which comes back as a dead letter is not met twice.
async fn selected(
    redis: &mut Redis,
    selection: Selection,
) -> Result<Vec<(LetterId, Option<PollId>)>, Error> {
    let with_poll = |letter: Letter| (letter.id, letter.poll);
    if let Selection::One(id) = selection {
        return Ok(vec![with_poll(find(redis, id).await?)]);
    }
    let mut letters = Vec::new();
    for partition in 0..redis.partitions {
        let dead = redis.keys.dead_letters(partition);
        let length: usize = redis.ask(redis::cmd("XLEN").arg(&dead)).await?;
        entries::each(redis, &dead, length, |id, fields| {
            letters.extend(Letter::read(partition, id, fields).map(with_poll));
        })
        .await?;
    }
    Ok(letters)
}
