//! One-time voting codes.
//!
//! Invariant: a code that somebody holds is known to Redis and to Postgres. Only hashes are stored, so a
//! code is seen once: in the value that [`issue`] returns. Both servers change under the lock of the copies, so no
//! consumer takes codes that only Redis knows yet for wrong ones.

use std::collections::HashSet;

use serde::Serialize;
use tokio_postgres::Client;
use uuid::Uuid;
use votestream_schema::code::{Code, CodeHash};
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, Slug, db, poll_copy};

use super::polls;
use crate::error::{Error, Refusal};
use crate::servers::{Redis, Servers};

/// Codes that one INSERT adds at most.
const CODES_AT_ONCE: usize = 10_000;

/// The most codes that one call of [`issue`] makes.
pub const CODES_MAX: u32 = 1_000_000;

/// Makes `count` new codes for a poll.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::TakesNoCodes`], [`Error::PollRefuses`] for a poll that is
/// closed or archived, else the error of the server that failed. In each case no code was issued.
pub async fn issue(servers: &Servers, slug: &Slug, count: u32) -> Result<Vec<Code>, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let poll = polls::find(&postgres, slug).await?;
    takes_codes(&poll)?;
    let (codes, hashes) = generate(&poll, count as usize);
    let added = add(&mut postgres, &mut redis, &poll, &hashes).await;
    added.map_err(|error| error.explained("no code was issued; run the command again"))?;
    Ok(codes)
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

/// New codes, no two of them alike, and the hash of each one.
fn generate(poll: &Poll, count: usize) -> (Vec<Code>, Vec<CodeHash>) {
    let mut seen = HashSet::with_capacity(count);
    let mut codes = Vec::with_capacity(count);
    while codes.len() < count {
        let code = Code::generate();
        if seen.insert(code.voter(poll.id)) {
            codes.push(code);
        }
    }
    let hashes = codes.iter().map(|code| CodeHash::of(code.voter(poll.id))).collect();
    (codes, hashes)
}

/// Stores codes in both servers. If the transaction fails at its end, Redis has codes that nobody holds; the consumers
/// remove them.
async fn add(
    postgres: &mut Client,
    redis: &mut Redis,
    poll: &Poll,
    hashes: &[CodeHash],
) -> Result<(), Error> {
    let transaction = postgres.transaction().await?;
    db::locks::share_copies(&transaction).await?;
    for some in hashes.chunks(CODES_AT_ONCE) {
        let hashes: Vec<Uuid> = some.iter().map(|hash| hash.0).collect();
        let sql = "INSERT INTO voting_codes (poll_id, hash) SELECT $1, unnest($2::uuid[])";
        transaction.execute(sql, &[&poll.id.0, &hashes]).await?;
    }
    for partition in 0..redis.partitions {
        let here = hashes.iter().copied();
        let here: Vec<_> =
            here.filter(|hash| hash.partition(redis.partitions) == partition).collect();
        let keys = &redis.keys;
        poll_copy::add_codes(&mut redis.connection, keys, partition, poll.id, &here).await?;
    }
    Ok(transaction.commit().await?)
}

/// The codes of a poll, by how far they have come.
#[derive(Debug, Serialize)]
pub struct Counted {
    /// The poll.
    pub poll: Slug,
    /// Codes that were ever issued, revoked ones too.
    pub issued: i64,
    /// Codes that were revoked.
    pub revoked: i64,
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
    Ok(Counted { poll: poll.slug, issued: row.get(0), revoked: row.get(1), voted: row.get(2) })
}
