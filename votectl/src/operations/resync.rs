//! Settles which state counts after a server was restored: that of Postgres. A restore ends with it.
//!
//! Invariant: producers and consumers refuse ballots from the moment a consumer has noticed the restore until this has
//! ended, so nothing is stored under a poll's number that Postgres gives to another poll later.
//! Ballots that only the register in Redis still has are sent to the consumers again, and voters whom it does not know are
//! registered again.
//! Absent on purpose: ballots that neither server has any more.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::Type;
use votestream_schema::db::audit_trail::Step;
use votestream_schema::keys::{BUCKETS, field_dropped};
use votestream_schema::poll::now_ms;
use votestream_schema::projection::epoch;
use votestream_schema::projection::{self, Rules};
use votestream_schema::register_contents::{self, Search, compare, repair};
use votestream_schema::{Poll, PollState, db, poll_copy};

use super::polls::publish;
use crate::error::Error;
use crate::servers::{Redis, Servers};

/// Buckets of the register that are searched at a time.
const BUCKETS_AT_ONCE: u16 = 256;

/// The state after [`resync`].
#[derive(Debug, Serialize)]
pub struct Resynced {
    /// The new epoch of both servers.
    pub epoch: String,
    /// Polls that were written to Redis again, with their rules and voting codes.
    pub polls: usize,
    /// Polls that Redis knew and Postgres does not; they were removed from Redis, but not their ballots.
    pub removed: Vec<String>,
    /// The highest number of a poll that was ever given out; a new poll gets a higher one.
    pub highest_poll: i32,
    /// What was settled of voters and codes.
    #[serde(flatten)]
    pub voters: Voters,
}

/// What [`resync`] changed in register, streams and voting codes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Voters {
    /// Accepted ballots that Postgres does not have; they were sent to the consumers again.
    pub ballots_sent_again: u64,
    /// Ballots that Postgres does not have and that were not sent again: an operator dropped dead letters of their partition, or
    /// the streams are too long to be searched.
    pub ballots_left: u64,
    /// Voters whose vote is counted, and whom the register did not know.
    pub voters_registered: u64,
    /// Voting codes that Redis did not have.
    pub codes_added: u64,
    /// Voting codes that Postgres does not have, or that were revoked.
    pub codes_removed: u64,
}

/// Writes the polls of Postgres to Redis, whatever revision Redis has, removes others, lets no number of a poll return,
/// settles the register and the voting codes, and gives both servers a new epoch. Running it again does no harm.
///
/// # Errors
/// Returns [`Error::OtherDeployment`], or the error of the server that failed; run it again then.
pub async fn resync(servers: &Servers) -> Result<Resynced, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let known = known_polls(&mut redis).await?;
    let stamp = redis.stamp().await?;

    // Postgres: numbers and revisions that are above all that Redis has seen.
    let transaction = postgres.begin().await?;
    db::locks::share_copies(&transaction).await?;
    let highest_poll = raise_numbers(&transaction, &known).await?;
    let polls = db::polls::all(&transaction).await?;
    for poll in &polls.readable {
        let seen = known.get(&poll.id.0).copied().unwrap_or_default();
        raise_revision(&transaction, poll, seen).await?;
    }
    let polls = db::polls::all(&transaction).await?.readable;

    // Redis: the polls, as they are in Postgres now, and no others.
    for poll in &polls {
        publish(&transaction, &mut redis, poll).await?;
    }
    let removed = remove_others(&mut redis, &polls).await?;
    let mut voters = Voters::default();
    for poll in &polls {
        settle_codes(&transaction, &mut redis, poll, &mut voters).await?;
    }
    let step = Step { actor: servers.actor(), action: "resync", ..Step::default() };
    db::audit_trail::store(&transaction, &step).await?;
    transaction.commit().await?;
    for poll in polls.iter().filter(|poll| has_register(poll)) {
        settle_register(&postgres, &mut redis, poll, &mut voters).await?;
    }

    // Only now may ballots be taken again.
    let stamp = db::epoch::renew(&postgres, stamp.generation).await?;
    redis.send::<()>(&epoch::store(&redis.keys, &stamp)).await?;
    redis.send::<()>(&epoch::forget(&redis.keys)).await?;
    let epoch = stamp.epoch.unwrap_or_default().to_string();
    Ok(Resynced { epoch, polls: polls.len(), removed, highest_poll, voters })
}

/// Whether the register of a poll is kept, and its votes still have their voters.
fn has_register(poll: &Poll) -> bool {
    let secrecy = &poll.secrecy;
    matches!(poll.state(now_ms()), PollState::Open | PollState::Closed)
        && !secrecy.is_sealed()
        && secrecy.erased_at_ms.is_none()
}

/// Makes the voting codes in Redis those of Postgres.
async fn settle_codes(
    transaction: &Client,
    redis: &mut Redis,
    poll: &Poll,
    settled: &mut Voters,
) -> Result<(), Error> {
    if !poll.voter_policy.needs_code() || poll.archived_at_ms.is_some() {
        return Ok(());
    }
    let mut codes = vec![HashSet::new(); redis.partitions.into()];
    for hash in poll_copy::read_codes(transaction, poll.id).await? {
        codes[usize::from(hash.partition(redis.partitions))].insert(hash);
    }
    for (partition, codes) in (0..redis.partitions).zip(codes) {
        // A session that was idle for too long has ended, and the lock with it.
        transaction.batch_execute("SELECT 1").await?;
        let place = (partition, poll.id);
        let changed = poll_copy::settle_codes(&mut redis.connection, &redis.keys, place, codes);
        let (added, removed) = changed.await?;
        settled.codes_added += added;
        settled.codes_removed += removed;
    }
    Ok(())
}

/// Sends ballots again that only the register has, and registers voters whom it does not know.
async fn settle_register(
    postgres: &Client,
    redis: &mut Redis,
    poll: &Poll,
    settled: &mut Voters,
) -> Result<(), Error> {
    let mut is_kept = Vec::new();
    for partition in 0..redis.partitions {
        is_kept.push(is_register_kept(redis, partition, poll).await?);
    }
    // First the voters: a ballot that a later vote has replaced is not lost.
    let (connection, place) = (&mut redis.connection, (is_kept.as_slice(), poll.id));
    let registered =
        repair::register_votes::<Error>(connection, postgres, &redis.keys, place).await?;
    settled.voters_registered += registered;
    for (partition, _) in (0..).zip(&is_kept).filter(|(_, is_kept)| **is_kept) {
        send_lost(postgres, redis, (partition, poll), settled).await?;
    }
    Ok(())
}

/// Whether a partition has a register of the poll. An open poll has one, whatever the partition noted before a restore.
async fn is_register_kept(redis: &mut Redis, partition: u16, poll: &Poll) -> Result<bool, Error> {
    let key = redis.keys.forgotten(partition);
    if poll.state(now_ms()) == PollState::Open {
        redis.ask::<i64>(redis::cmd("HDEL").arg(key).arg(poll.id.0)).await?;
        return Ok(true);
    }
    let is_forgotten: bool = redis.ask(redis::cmd("HEXISTS").arg(key).arg(poll.id.0)).await?;
    Ok(!is_forgotten)
}

/// Sends the ballots of one partition again that neither Postgres nor the streams have.
async fn send_lost(
    postgres: &Client,
    redis: &mut Redis,
    (partition, poll): (u16, &Poll),
    settled: &mut Voters,
) -> Result<(), Error> {
    // All are searched for before the first is sent, because what is sent makes the stream longer.
    let (mut lost, place) = (Vec::new(), (partition, poll.id));
    for first in (0..BUCKETS).step_by(usize::from(BUCKETS_AT_ONCE)) {
        let buckets = first..(first + BUCKETS_AT_ONCE).min(BUCKETS);
        let (connection, keys) = (&mut redis.connection, &redis.keys);
        let read = register_contents::read(connection, keys, place, buckets).await?;
        let how = Search::Thorough;
        let compared = compare::<Error>(connection, postgres, keys, place, read, how);
        let (contents, some) = compared.await?;
        settled.ballots_left += contents.unknown;
        lost.extend(some);
    }
    let mut dropped = redis::cmd("HGET");
    dropped.arg(redis.keys.accepted(partition)).arg(field_dropped(poll.id));
    let dropped: Option<i64> = redis.ask(&dropped).await?;
    if dropped.unwrap_or(0) > 0 {
        // Nobody knows which of them were dropped.
        settled.ballots_left += lost.len() as u64;
        return Ok(());
    }
    let sent = repair::send_again(&mut redis.connection, &redis.keys, place, &lost).await?;
    settled.ballots_sent_again += sent;
    Ok(())
}

/// The numbers of all polls that Redis has ever had, with the highest revision of their rules.
async fn known_polls(redis: &mut Redis) -> Result<HashMap<i32, i32>, Error> {
    let mut known: HashMap<i32, i32> = HashMap::new();
    for partition in 0..redis.partitions {
        for key in [redis.keys.rules(partition), redis.keys.accepted(partition)] {
            let fields = redis::cmd("HGETALL").arg(key).clone();
            let fields: HashMap<String, String> = redis.ask(&fields).await?;
            for (field, value) in fields {
                let Ok(number) = field.parse() else { continue };
                let revision = value.parse::<Rules>().map_or(0, |rules| rules.revision);
                let highest = known.entry(number).or_default();
                *highest = revision.max(*highest);
            }
        }
    }
    Ok(known)
}

/// Lets the next poll have a number above all that were ever given out. Returns the highest of those.
async fn raise_numbers(transaction: &Client, known: &HashMap<i32, i32>) -> Result<i32, Error> {
    let highest = known.keys().copied().max().unwrap_or_default();
    let sql = include_str!("../../sql/raise_poll_numbers.sql");
    let rows = transaction.query_typed(sql, &[(&highest, Type::INT4)]).await?;
    Ok(rows.first().map_or(highest, |row| row.get(0)))
}

/// Gives a poll a revision above that of its rules in Redis, which never return to an earlier one.
async fn raise_revision(transaction: &Client, poll: &Poll, seen: i32) -> Result<(), Error> {
    if seen < poll.revision {
        return Ok(());
    }
    let sql = "UPDATE polls SET revision = $1 WHERE id = $2";
    transaction.query_typed(sql, &[(&(seen + 1), Type::INT4), (&poll.id.0, Type::INT4)]).await?;
    Ok(())
}

/// Removes definitions and rules of polls that Postgres does not have. Returns their slugs.
async fn remove_others(redis: &mut Redis, polls: &[Poll]) -> Result<Vec<String>, Error> {
    for partition in 0..redis.partitions {
        let key = redis.keys.rules(partition);
        let numbers: Vec<String> = redis.ask(redis::cmd("HKEYS").arg(&key)).await?;
        for number in numbers {
            if polls.iter().all(|poll| poll.id.to_string() != number) {
                redis.ask::<i64>(redis::cmd("HDEL").arg(&key).arg(number)).await?;
            }
        }
    }
    let key = redis.keys.polls();
    let slugs: Vec<String> = redis.ask(redis::cmd("HKEYS").arg(&key)).await?;
    let mut removed = Vec::new();
    for slug in slugs {
        if polls.iter().all(|poll| poll.slug.as_str() != slug) {
            redis.ask::<i64>(redis::cmd("HDEL").arg(&key).arg(&slug)).await?;
            removed.push(slug);
        }
    }
    let key = redis.keys.drafts();
    let drafts: Vec<String> = redis.ask(redis::cmd("SMEMBERS").arg(&key)).await?;
    for note in drafts {
        let (slug, _) = projection::read_draft_note(&note);
        if polls.iter().all(|poll| poll.slug.as_str() != slug) {
            redis.ask::<i64>(redis::cmd("SREM").arg(&key).arg(&note)).await?;
            removed.push(slug.to_owned());
        }
    }
    if !removed.is_empty() {
        poll_copy::definitions_changed(&mut redis.connection, &redis.keys).await?;
    }
    removed.sort();
    removed.dedup();
    Ok(removed)
}
