//! Settles which state counts after a server was restored: that of Postgres. A restore ends with it.
//!
//! Invariant: producers and consumers refuse ballots from the moment a consumer has noticed the restore until this has
//! ended, so nothing is stored under a poll's number that Postgres gives to another poll later.
//! Absent on purpose: votes that the restored state does not have. `votectl audit` shows them where Redis still knows of
//! them.

use std::collections::HashMap;

use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use votestream_schema::projection::Rules;
use votestream_schema::projection::epoch;
use votestream_schema::{Poll, db, poll_copy};

use super::polls::publish;
use crate::error::Error;
use crate::servers::{Redis, Servers};

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
}

/// Writes the polls of Postgres to Redis, whatever revision Redis has, removes others, lets no number of a poll return, and
/// gives both servers a new epoch. Running it again does no harm.
///
/// # Errors
/// Returns [`Error::OtherDeployment`], or the error of the server that failed; run it again then.
pub async fn resync(servers: &Servers) -> Result<Resynced, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let known = known_polls(&mut redis).await?;
    let stamp = redis.stamp().await?;

    // Postgres: numbers and revisions that are above all that Redis has seen.
    let transaction = postgres.transaction().await?;
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
    transaction.commit().await?;

    // Only now may ballots be taken again.
    let stamp = db::epoch::renew(&postgres, stamp.generation).await?;
    redis.send::<()>(&epoch::store(&redis.keys, &stamp)).await?;
    redis.send::<()>(&epoch::forget(&redis.keys)).await?;
    let epoch = stamp.epoch.unwrap_or_default().to_string();
    Ok(Resynced { epoch, polls: polls.len(), removed, highest_poll })
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
async fn raise_numbers(
    transaction: &Transaction<'_>,
    known: &HashMap<i32, i32>,
) -> Result<i32, Error> {
    let highest = known.keys().copied().max().unwrap_or_default();
    let sql = include_str!("../../sql/raise_poll_numbers.sql");
    let rows = transaction.query_typed(sql, &[(&highest, Type::INT4)]).await?;
    Ok(rows.first().map_or(highest, |row| row.get(0)))
}

/// Gives a poll a revision above that of its rules in Redis, which never return to an earlier one.
async fn raise_revision(
    transaction: &Transaction<'_>,
    poll: &Poll,
    seen: i32,
) -> Result<(), Error> {
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
    if !removed.is_empty() {
        poll_copy::definitions_changed(&mut redis.connection, &redis.keys).await?;
    }
    removed.sort();
    Ok(removed)
}
