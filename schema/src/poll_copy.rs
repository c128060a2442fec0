//! Copies one poll from Postgres to Redis: its rules to a partition, its voting codes, its definition.
//!
//! Consumers copy the differences every second; `votectl` copies a poll that it has just changed. Both do it
//! with these functions.
//!
//! Invariant: a partition that has a poll's rules has the voting codes that go with them.
//!
//! Absent on purpose: connections, and the decision which polls differ.

use std::collections::HashSet;

use redis::aio::ConnectionLike;
use redis::{Cmd, RedisError};
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::code::CodeHash;
use crate::projection;
use crate::{Keys, Poll, PollId, VoterKey};

/// Codes that one command adds or removes at most, so that no single command blocks Redis for long.
const CODES_AT_ONCE: usize = 10_000;

/// The command to send for text that [`projection`] wrote.
///
/// # Panics
/// If the command is empty; [`projection`] writes none.
pub fn cmd(command: &[String]) -> Cmd {
    let (name, arguments) = command.split_first().expect("a command has a name");
    let mut cmd = redis::cmd(name);
    cmd.arg(arguments);
    cmd
}

/// Writes a poll's rules to one partition, after its voting codes where the partition has no rules yet
/// (`is_known` false) and voters need codes. Returns false if the partition holds newer rules.
///
/// `codes` reads all codes of the poll; it is called only when they are needed.
///
/// # Errors
/// Returns the error of Redis, or of `codes`.
pub async fn rules<E: From<RedisError>>(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    (partition, partitions): (u16, u16),
    poll: &Poll,
    is_known: bool,
    codes: impl AsyncFnOnce() -> Result<Vec<CodeHash>, E>,
) -> Result<bool, E> {
    if !is_known && poll.voter_policy.needs_code() {
        let mut hashes = codes().await?;
        hashes.retain(|hash| hash.partition(partitions) == partition);
        add_codes(redis, keys, partition, poll.id, &hashes).await?;
    }
    let script = cmd(&projection::rules_script(keys, partition, poll));
    let written: i64 = script.query_async(redis).await?;
    Ok(written == 1)
}

/// Writes a poll's definition, which the producer's pages read; of a draft it writes the slug alone.
///
/// # Errors
/// Returns the error of Redis.
pub async fn definition(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    poll: &Poll,
) -> Result<(), RedisError> {
    cmd(&projection::definition(keys, poll)).exec_async(redis).await?;
    cmd(&projection::draft(keys, poll)).exec_async(redis).await?;
    definitions_changed(redis, keys).await
}

/// Counts a change of a definition, after it was made: producers read the definitions only when the number has grown, or
/// after some seconds. Releases before this one do not count theirs.
///
/// # Errors
/// Returns the error of Redis.
pub async fn definitions_changed(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
) -> Result<(), RedisError> {
    redis::cmd("INCR").arg(keys.polls_revision()).exec_async(redis).await
}

/// The command that replaces a field of a copy which differs from Postgres, or removes it where `right` is `None`, if
/// it still holds `found`. The reply is 1 if it was changed.
pub fn repair(key: &str, field: &[u8], found: &[u8], right: Option<&str>) -> Cmd {
    let mut script = redis::cmd("EVAL");
    script.arg(include_str!("lua/repair.lua")).arg(1).arg(key).arg(field).arg(found).arg(right);
    script
}

/// Adds voting codes of a poll to one partition. All `hashes` must belong to it. Returns how many were missing.
///
/// # Errors
/// Returns the error of Redis; some of the codes may have been added.
pub async fn add_codes(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    partition: u16,
    poll: PollId,
    hashes: &[CodeHash],
) -> Result<u64, RedisError> {
    change_codes("SADD", redis, &keys.code_hashes(partition, poll), hashes).await
}

/// Removes voting codes of a poll from one partition. Returns how many were there.
///
/// # Errors
/// Returns the error of Redis; some of the codes may have been removed.
pub async fn remove_codes(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    partition: u16,
    poll: PollId,
    hashes: &[CodeHash],
) -> Result<u64, RedisError> {
    change_codes("SREM", redis, &keys.code_hashes(partition, poll), hashes).await
}

/// Removes voters from the set that the release before keeps. Returns how many were there.
///
/// # Errors
/// Returns the error of Redis; some may have been removed.
pub async fn remove_voters_before_hashes(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    partition: u16,
    poll: PollId,
    voters: &[VoterKey],
) -> Result<u64, RedisError> {
    let voters: Vec<CodeHash> = voters.iter().map(|voter| CodeHash(voter.0)).collect();
    change_codes("SREM", redis, &keys.codes_before_hashes(partition, poll), &voters).await
}

/// Makes the voting codes of one partition those of `codes`, all of which must belong to it. Returns how many were added and
/// removed.
///
/// # Errors
/// Returns the error of Redis; some of the codes may have been changed.
pub async fn settle_codes(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    (partition, poll): (u16, PollId),
    mut codes: HashSet<CodeHash>,
) -> Result<(u64, u64), RedisError> {
    let surplus = find_codes(redis, &keys.code_hashes(partition, poll), &mut codes).await?;
    let missing: Vec<CodeHash> = codes.into_iter().collect();
    let added = add_codes(redis, keys, partition, poll, &missing).await?;
    Ok((added, remove_codes(redis, keys, partition, poll, &surplus).await?))
}

/// Removes from `missing` the codes that Redis has under this key; returns those that are there and not in `missing`.
async fn find_codes(
    redis: &mut impl ConnectionLike,
    key: &str,
    missing: &mut HashSet<CodeHash>,
) -> Result<Vec<CodeHash>, RedisError> {
    // SSCAN may return a member twice.
    let (mut found, mut surplus) = (HashSet::new(), HashSet::new());
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SSCAN");
        scan.arg(key).arg(cursor).arg("COUNT").arg(CODES_AT_ONCE);
        let (next, members): (u64, Vec<Vec<u8>>) = scan.query_async(redis).await?;
        for member in members {
            // A member that is no hash admits nobody.
            let Ok(hash) = Uuid::from_slice(&member).map(CodeHash) else { continue };
            if missing.remove(&hash) {
                found.insert(hash);
            } else if !found.contains(&hash) {
                surplus.insert(hash);
            }
        }
        if next == 0 {
            return Ok(surplus.into_iter().collect());
        }
        cursor = next;
    }
}

async fn change_codes(
    command: &str,
    redis: &mut impl ConnectionLike,
    key: &str,
    hashes: &[CodeHash],
) -> Result<u64, RedisError> {
    let mut changed = 0;
    for some in hashes.chunks(CODES_AT_ONCE) {
        let mut change = redis::cmd(command);
        change.arg(key);
        for hash in some {
            change.arg(hash.0.as_bytes().as_slice());
        }
        changed += change.query_async::<u64>(redis).await?;
    }
    Ok(changed)
}

/// Reads the voting codes of a poll that were issued and not revoked.
///
/// # Errors
/// Returns the error of Postgres.
pub async fn read_codes(
    postgres: &Client,
    poll: PollId,
) -> Result<Vec<CodeHash>, tokio_postgres::Error> {
    let sql = "SELECT hash FROM voting_codes WHERE poll_id = $1 AND revoked_at_ms IS NULL";
    let rows = postgres.query_typed(sql, &[(&poll.0, Type::INT4)]).await?;
    Ok(rows.iter().map(|row| CodeHash(row.get(0))).collect())
}
