//! One-time voting codes.
//!
//! Invariant: a code that somebody holds is known to Redis and to Postgres. Only hashes are stored, so a
//! new code is seen once: in the value that [`issue`] returns. Postgres has a
//! code first, and loses it last, because it decides which ballots count.

use std::collections::HashSet;

use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use uuid::Uuid;
use votestream_schema::code::{Code, CodeHash};
use votestream_schema::db::audit_trail::Step;
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, Slug, VoterKey, db, poll_copy, projection};
use votestream_service::postgres::Session;

use super::polls;
use crate::error::{Error, Refusal};
use crate::servers::{Redis, Servers};

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
    /// Why Redis does not have them yet; the consumers copy them when it is back.
    pub not_copied: Option<Error>,
}

/// Makes `count` new codes for a poll.
///
/// # Errors
/// Returns the errors of [`add`]. In each case no code was issued.
pub async fn issue(servers: &Servers, slug: &Slug, count: u32) -> Result<Issued, Error> {
    let codes = generate(count as usize);
    let Added { poll, not_copied, .. } = add(servers, slug, &codes).await?;
    Ok(Issued { poll, codes, not_copied })
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
    /// The part of `already_there` that was revoked, and stays revoked.
    pub revoked: u64,
    /// Why Redis does not have them yet; the consumers copy them when it is back.
    pub not_copied: Option<Error>,
}

/// Adds codes to a poll. No two of `codes` may be alike.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::TakesNoCodes`], [`Error::PollRefuses`] for a poll that is
/// closed or archived, else the error of the server that failed. In each case no code was added.
pub async fn add(servers: &Servers, slug: &Slug, codes: &[Code]) -> Result<Added, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let poll = polls::find_with_secret(&postgres, slug).await?;
    takes_codes(&poll)?;
    let hashes: Vec<CodeHash> = keys_of(&poll, codes)?.into_iter().map(CodeHash::of).collect();
    let stored = store(&mut postgres, servers.actor(), &poll, &hashes).await;
    let (added, good) =
        stored.map_err(|error| error.explained("no code was added; run it again"))?;
    // Postgres first: a ballot with a code that only Redis knows would not be counted.
    let not_copied = copy(&mut redis, &poll, &good).await.err();
    let (all, revoked) = (hashes.len() as u64, (hashes.len() - good.len()) as u64);
    Ok(Added { poll, added, already_there: all - added, revoked, not_copied })
}

/// Says in words that codes are stored and that Redis does not have them yet.
pub fn not_copied(error: &Error) -> String {
    format!(
        "postgres has the codes; redis could not be reached ({error}). The consumers copy them when it is back; until then \
         ballots with them are refused"
    )
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

/// The keys of the voters whom these codes identify.
fn keys_of(poll: &Poll, codes: &[Code]) -> Result<Vec<VoterKey>, Error> {
    let keys: Option<_> = codes.iter().map(|code| code.key_in(poll)).collect();
    let sealed = || Error::PollRefuses { slug: poll.slug.clone(), reason: Refusal::IsSealed };
    keys.ok_or_else(sealed)
}

/// New codes, no two of them alike.
fn generate(count: usize) -> Vec<Code> {
    let mut seen = HashSet::with_capacity(count);
    let new = std::iter::repeat_with(Code::generate).filter(|code| seen.insert(code.clone()));
    new.take(count).collect()
}

/// Stores the codes that the poll does not have yet in Postgres. Returns their number, and all given codes that are not
/// revoked.
async fn store(
    postgres: &mut Session,
    actor: &str,
    poll: &Poll,
    hashes: &[CodeHash],
) -> Result<(u64, Vec<CodeHash>), Error> {
    let transaction = postgres.begin().await?;
    db::locks::share_copies(&transaction).await?;
    let mut added = 0;
    let mut revoked = HashSet::new();
    for some in hashes.chunks(CODES_AT_ONCE) {
        let hashes: Vec<Uuid> = some.iter().map(|hash| hash.0).collect();
        let sql = "INSERT INTO voting_codes (poll_id, hash) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING";
        added += transaction
            .execute_typed(sql, &[(&poll.id.0, Type::INT4), (&hashes, Type::UUID_ARRAY)])
            .await?;
        let sql = "SELECT hash FROM voting_codes \
                   WHERE poll_id = $1 AND hash = ANY ($2) AND revoked_at_ms IS NOT NULL";
        let rows = transaction
            .query_typed(sql, &[(&poll.id.0, Type::INT4), (&hashes, Type::UUID_ARRAY)])
            .await?;
        revoked.extend(rows.iter().map(|row| CodeHash(row.get(0))));
    }
    let good: Vec<CodeHash> =
        hashes.iter().copied().filter(|hash| !revoked.contains(hash)).collect();
    note_codes(&transaction, (actor, "codes add"), poll, added).await?;
    transaction.commit().await?;
    Ok((added, good))
}

/// Stores the step that added or revoked so many codes. The codes themselves are stored nowhere.
async fn note_codes(
    transaction: &Client,
    (actor, action): (&str, &str),
    poll: &Poll,
    codes: u64,
) -> Result<(), Error> {
    let (poll, after) = (Some(poll.id), Some(serde_json::json!({ "codes": codes })));
    let step = Step { actor, action, poll, before: None, after };
    Ok(db::audit_trail::store(transaction, &step).await?)
}

/// Copies codes that Postgres has to Redis, where producers look for them.
async fn copy(redis: &mut Redis, poll: &Poll, hashes: &[CodeHash]) -> Result<(), Error> {
    for partition in 0..redis.partitions {
        let here = of_partition(hashes, partition, redis.partitions);
        let keys = &redis.keys;
        poll_copy::add_codes(&mut redis.connection, keys, partition, poll.id, &here).await?;
    }
    Ok(())
}

fn of_partition(hashes: &[CodeHash], partition: u16, partitions: u16) -> Vec<CodeHash> {
    let hashes = hashes.iter().copied();
    hashes.filter(|hash| hash.partition(partitions) == partition).collect()
}

/// The outcome of [`revoke`].
#[derive(Debug, Serialize)]
pub struct Revoked {
    /// The poll.
    pub poll: Slug,
    /// Codes that were revoked now.
    pub revoked: u64,
    /// The part of `revoked` whose ballot is counted already. It stays counted.
    pub voted: u64,
    /// Codes that had been revoked before.
    pub already_revoked: u64,
    /// Codes that the poll does not have.
    pub unknown: u64,
}

/// Revokes codes of a poll: no ballot with them is accepted from now on. Ballots that were accepted before are counted.
/// No two of `codes` may be alike.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`] or [`Error::TakesNoCodes`], else the error of the server that failed. In each case no
/// code was revoked; the consumers give back to Redis what was taken away there.
pub async fn revoke(servers: &Servers, slug: &Slug, codes: &[Code]) -> Result<Revoked, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let poll = polls::find_with_secret(&postgres, slug).await?;
    if !poll.voter_policy.needs_code() {
        return Err(Error::TakesNoCodes(poll.slug));
    }
    let voters = keys_of(&poll, codes)?;
    let hashes: Vec<CodeHash> = voters.iter().copied().map(CodeHash::of).collect();
    let transaction = postgres.begin().await?;
    db::locks::share_copies(&transaction).await?;
    let mut revoked_now = HashSet::new();
    for partition in 0..redis.partitions {
        let here = of_partition(&hashes, partition, redis.partitions);
        if here.is_empty() {
            continue;
        }
        // After this no ballot with them is accepted; entries of ballots that were have no later time than this.
        let keys = &redis.keys;
        poll_copy::remove_codes(&mut redis.connection, keys, partition, poll.id, &here).await?;
        // Producers of the release before look here.
        let before = voters.iter().copied();
        let before: Vec<VoterKey> =
            before.filter(|voter| voter.partition(redis.partitions) == partition).collect();
        poll_copy::remove_voters_before_hashes(
            &mut redis.connection,
            keys,
            partition,
            poll.id,
            &before,
        )
        .await?;
        let last_ms: i64 = redis.send(&projection::clock_script(&redis.keys, partition)).await?;
        let here: Vec<Uuid> = here.iter().map(|hash| hash.0).collect();
        let sql = "UPDATE voting_codes SET revoked_at_ms = $3 \
                   WHERE poll_id = $1 AND hash = ANY ($2) AND revoked_at_ms IS NULL RETURNING hash";
        let rows = transaction
            .query_typed(
                sql,
                &[(&poll.id.0, Type::INT4), (&here, Type::UUID_ARRAY), (&last_ms, Type::INT8)],
            )
            .await?;
        revoked_now.extend(rows.iter().map(|row| CodeHash(row.get(0))));
    }
    let all: Vec<Uuid> = hashes.iter().map(|hash| hash.0).collect();
    let sql = "SELECT count(*) FROM voting_codes WHERE poll_id = $1 AND hash = ANY ($2)";
    let known: i64 = transaction
        .query_typed_one(sql, &[(&poll.id.0, Type::INT4), (&all, Type::UUID_ARRAY)])
        .await?
        .get(0);
    let now = voters.iter().zip(&hashes).filter(|(_, hash)| revoked_now.contains(*hash));
    let now: Vec<Uuid> = now.map(|(voter, _)| voter.0).collect();
    let sql = "SELECT count(*) FROM votes WHERE poll_id = $1 AND voter = ANY ($2)";
    let voted: i64 = transaction
        .query_typed_one(sql, &[(&poll.id.0, Type::INT4), (&now, Type::UUID_ARRAY)])
        .await?
        .get(0);
    let revoked = revoked_now.len() as u64;
    note_codes(&transaction, (servers.actor(), "codes revoke"), &poll, revoked).await?;
    transaction.commit().await.map_err(Error::from).map_err(|error| {
        error.explained("no code was revoked, unless only the answer was lost; run it again")
    })?;
    Ok(Revoked {
        poll: poll.slug,
        revoked,
        voted: voted.unsigned_abs(),
        already_revoked: known.unsigned_abs() - revoked,
        unknown: codes.len() as u64 - known.unsigned_abs(),
    })
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
    let row = postgres.query_typed_one(sql, &[(&poll.id.0, Type::INT4)]).await?;
    Ok(Counted { poll: poll.slug, issued: row.get(0), revoked: row.get(1), voted: row.get(2) })
}
