//! Brings register and votes together again after one of the servers was restored.
//!
//! A ballot that the register has and nobody else was acknowledged: it is appended to its stream again, under the time at
//! which it came in. A vote whose voter the register does not know is registered again, so that nobody votes twice.
//!
//! Invariant: doing it again changes nothing. A ballot that was sent again is found in its stream, or as the vote.

use redis::RedisError;
use redis::aio::ConnectionLike;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::Registered;
use crate::ballot::Ballot;
use crate::{BallotId, Choices, EntryId, Keys, PollId, VoterKey, codec};

/// Ballots that one round trip appends or registers at most.
const AT_ONCE: usize = 1_000;

/// Appends these ballots to their stream once more, each with the entry ID under which it was accepted. Returns how many;
/// a line without a choice is none.
///
/// # Errors
/// Returns the error of Redis; some may have been appended.
pub async fn send_again(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    (partition, poll): (u16, PollId),
    lost: &[Registered],
) -> Result<u64, RedisError> {
    let stream = keys.stream(partition);
    let mut sent = 0;
    for some in lost.chunks(AT_ONCE) {
        let mut append = redis::cmd("EVAL");
        append.arg(include_str!("../lua/send_again.lua")).arg(2);
        append.arg(&stream).arg(keys.sent_again(partition));
        let mut is_empty = true;
        for Registered { voter, choices, tag, entry } in some {
            let Some(choices) = Choices::from_mask(*choices) else { continue };
            // The register keeps the end of the ballot's id, by which everything recognises it.
            let ballot = Ballot { poll, voter: *voter, id: BallotId::with_tag(*tag), choices };
            append.arg(codec::encode(&ballot)).arg(entry.to_string());
            is_empty = false;
        }
        if !is_empty {
            sent += append.query_async::<u64>(redis).await?;
        }
    }
    Ok(sent)
}

/// Registers the voters of all votes of a poll whom the register of their partition does not know, or knows with an earlier
/// ballot. Returns how many. Leaves out the partitions for which `is_kept` is false.
///
/// # Errors
/// Returns the error of the server that failed; some may have been registered.
pub async fn register_votes<E: From<RedisError> + From<tokio_postgres::Error>>(
    redis: &mut impl ConnectionLike,
    postgres: &Client,
    keys: &Keys,
    (is_kept, poll): (&[bool], PollId),
) -> Result<u64, E> {
    let (mut last, mut registered) = (Uuid::nil(), 0);
    let partitions = u16::try_from(is_kept.len()).unwrap_or(u16::MAX);
    loop {
        let sql = "SELECT voter, choices, entry_ms, entry_seq, ballot FROM votes \
                   WHERE poll_id = $1 AND voter > $2 ORDER BY voter LIMIT 10000";
        let rows = postgres.query_typed(sql, &[(&poll.0, Type::INT4), (&last, Type::UUID)]).await?;
        let votes: Vec<Registered> = rows.iter().map(line).collect();
        let Some(end) = votes.last() else { return Ok(registered) };
        last = end.voter.0;
        // One pipeline for each partition, since a cluster sends a pipeline to one slot.
        for partition in (0..partitions).filter(|partition| is_kept[usize::from(*partition)]) {
            let here: Vec<&Registered> =
                votes.iter().filter(|vote| vote.voter.partition(partitions) == partition).collect();
            for some in here.chunks(AT_ONCE) {
                let mut add = redis::pipe();
                for vote in some {
                    let bucket = keys.register(partition, poll, vote.voter);
                    let call = add.cmd("EVAL").arg(include_str!("../lua/register_vote.lua"));
                    call.arg(1).arg(bucket).arg(vote.voter.0.as_bytes().as_slice());
                    call.arg(vote.to_string()).arg(vote.entry.ms).arg(vote.entry.seq);
                }
                let added: Vec<u64> = add.query_async(redis).await?;
                registered += added.iter().sum::<u64>();
            }
        }
    }
}

fn line(row: &tokio_postgres::Row) -> Registered {
    Registered {
        voter: VoterKey(row.get(0)),
        choices: row.get(1),
        entry: EntryId { ms: row.get(2), seq: row.get(3) },
        tag: BallotId(row.get(4)).tag(),
    }
}
