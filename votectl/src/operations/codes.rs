//! One-time voting codes.
//!
//! Invariant: a code that somebody holds is known to Redis and to Postgres. Only hashes are stored, so a
//! new code is seen once: in the value that [`issue`] returns.

use std::collections::HashSet;

use serde::Serialize;
use tokio_postgres::Client;
use uuid::Uuid;
use votestream_schema::code::Code;
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, Slug, VoterId, poll_copy};

use super::polls;
use crate::error::{Error, Refusal};
use crate::servers::Servers;

/// Codes that one INSERT adds at most.
const CODES_AT_ONCE: usize = 10_000;

/// The most codes that one call of [`issue`] makes, and that one file holds ([`crate::code_file`]).
pub const CODES_MAX: u32 = 1_000_000;

/// New codes of a poll.
#[derive(Debug)]
pub struct Issued {
    /// The poll.
    pub poll: Poll,
    /// The codes, in the order in which they were made.
    pub codes: Vec<Code>,
}

/// Makes `count` new codes for a poll.
///
/// # Errors
/// Returns the errors of [`add`]. In each case no code was issued.
pub async fn issue(servers: &Servers, slug: &Slug, count: u32) -> Result<Issued, Error> {
    let codes = generate(count as usize);
    let Added { poll, .. } = add(servers, slug, &codes).await?;
    Ok(Issued { poll, codes })
}

/// The outcome of [`add`].
#[derive(Debug)]
pub struct Added {
    /// The poll.
    pub poll: Poll,
    /// Codes that the poll did not have before.
    pub added: u64,
    /// Codes that the poll had already. They stay as they are, with the votes that they cast.
    pub already_there: u64,
}

/// Adds codes to a poll. No two of `codes` may be alike.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::TakesNoCodes`], [`Error::PollRefuses`] for a poll that is
/// closed or archived, else the error of the server that failed. In each case no code was added.
pub async fn add(servers: &Servers, slug: &Slug, codes: &[Code]) -> Result<Added, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let poll = polls::find(&postgres, slug).await?;
    takes_codes(&poll)?;
    let voters: Vec<VoterId> = codes.iter().map(|code| code.voter(poll.id)).collect();
    // Redis first: a code in somebody's hands is known there. Codes that only Redis knows, nobody holds.
    for partition in 0..redis.partitions {
        let here = voters.iter().copied();
        let here: Vec<_> =
            here.filter(|voter| voter.partition(redis.partitions) == partition).collect();
        let keys = &redis.keys;
        poll_copy::add_codes(&mut redis.connection, keys, partition, poll.id, &here).await?;
    }
    let stored = store(&mut postgres, &poll, &voters).await;
    let added = stored.map_err(|error| error.explained("no code was added; run it again"))?;
    Ok(Added { poll, added, already_there: voters.len() as u64 - added })
}

fn takes_codes(poll: &Poll) -> Result<(), Error> {
    if !poll.voter_policy.needs_code() {
        return Err(Error::TakesNoCodes(poll.slug.clone()));
    }
    match poll.state(now_ms()) {
        state @ (PollState::Closed | PollState::Archived) => {
            let (slug, reason) = (poll.slug.clone(), Refusal::TakesNoBallots(state));
            Err(Error::PollRefuses { slug, reason })
        }
        PollState::Draft | PollState::Scheduled | PollState::Open => Ok(()),
    }
}

/// New codes, no two of them alike.
fn generate(count: usize) -> Vec<Code> {
    let mut seen = HashSet::with_capacity(count);
    let new = std::iter::repeat_with(Code::generate).filter(|code| seen.insert(code.clone()));
    new.take(count).collect()
}

/// Stores the codes that the poll does not have yet, and returns their number.
async fn store(postgres: &mut Client, poll: &Poll, voters: &[VoterId]) -> Result<u64, Error> {
    let transaction = postgres.transaction().await?;
    let mut added = 0;
    for some in voters.chunks(CODES_AT_ONCE) {
        let voters: Vec<Uuid> = some.iter().map(|voter| voter.0).collect();
        let sql = "INSERT INTO codes (poll_id, voter) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING";
        added += transaction.execute(sql, &[&poll.id.0, &voters]).await?;
    }
    transaction.commit().await?;
    Ok(added)
}

/// The codes of a poll, by how far they have come.
#[derive(Debug, Serialize)]
pub struct Counted {
    /// The poll.
    pub poll: Slug,
    /// Codes that were ever issued.
    pub issued: i64,
    /// Codes whose vote is counted.
    pub voted: i64,
}

/// Counts the codes of a poll. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], or the error of Postgres.
pub async fn count(servers: &Servers, slug: &Slug) -> Result<Counted, Error> {
    let postgres = servers.postgres().await?;
    let poll = polls::find(&postgres, slug).await?;
    let sql = include_str!("../../sql/count_codes.sql");
    let row = postgres.query_one(sql, &[&poll.id.0]).await?;
    Ok(Counted { poll: poll.slug, issued: row.get(0), voted: row.get(1) })
}
