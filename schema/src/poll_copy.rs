//! Copies one poll from Postgres to Redis: its rules to a partition, its voting codes, its definition.
//!
//! Consumers copy the differences every second; `votectl` copies a poll that it has just changed. Both do it
//! with these functions.
//!
//! Invariant: a partition that has a poll's rules has the voting codes that go with them.
//!
//! Absent on purpose: connections, and the decision which polls differ.

use redis::aio::ConnectionLike;
use redis::{Cmd, RedisError};
use tokio_postgres::GenericClient;

use crate::projection;
use crate::{Keys, Poll, PollId, VoterId};

/// Codes that one SADD adds at most, so that no single command blocks Redis for long.
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
/// `codes` reads the voters of all codes of the poll; it is called only when they are needed.
///
/// # Errors
/// Returns the error of Redis, or of `codes`.
pub async fn rules<E: From<RedisError>>(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    (partition, partitions): (u16, u16),
    poll: &Poll,
    is_known: bool,
    codes: impl AsyncFnOnce() -> Result<Vec<VoterId>, E>,
) -> Result<bool, E> {
    if !is_known && poll.voter_policy.needs_code() {
        let mut voters = codes().await?;
        voters.retain(|voter| voter.partition(partitions) == partition);
        add_codes(redis, keys, partition, poll.id, &voters).await?;
    }
    let script = cmd(&projection::rules_script(keys, partition, poll));
    let written: i64 = script.query_async(redis).await?;
    Ok(written == 1)
}

/// Writes a poll's definition, which the producer's pages read; removes that of a draft.
///
/// # Errors
/// Returns the error of Redis.
pub async fn definition(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    poll: &Poll,
) -> Result<(), RedisError> {
    cmd(&projection::definition(keys, poll)).exec_async(redis).await
}

/// Adds voting codes of a poll to one partition. All `voters` must belong to it.
///
/// # Errors
/// Returns the error of Redis; some of the codes may have been added.
pub async fn add_codes(
    redis: &mut impl ConnectionLike,
    keys: &Keys,
    partition: u16,
    poll: PollId,
    voters: &[VoterId],
) -> Result<(), RedisError> {
    for some in voters.chunks(CODES_AT_ONCE) {
        let mut add = redis::cmd("SADD");
        add.arg(keys.codes(partition, poll));
        for voter in some {
            add.arg(voter.0.as_bytes().as_slice());
        }
        add.exec_async(redis).await?;
    }
    Ok(())
}

/// Reads the voters of all voting codes that were issued for a poll.
///
/// # Errors
/// Returns the error of Postgres.
pub async fn read_codes(
    postgres: &impl GenericClient,
    poll: PollId,
) -> Result<Vec<VoterId>, tokio_postgres::Error> {
    let rows = postgres.query("SELECT voter FROM codes WHERE poll_id = $1", &[&poll.0]).await?;
    Ok(rows.iter().map(|row| VoterId(row.get(0))).collect())
}
