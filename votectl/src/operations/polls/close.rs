//! Closes a poll, now or at a time.
//!
//! Invariant: every partition knows the closing time before it is reached. So whatever was accepted
//! bears an earlier entry ID than it, and is counted. The server that would accept more ballots is changed
//! last. For an earlier end that is Postgres: in between, Redis refuses no ballot that Postgres would not
//! refuse as well once the operation is run again. For a later end it is Redis: the consumers copy the time
//! where this operation could not.

use std::time::Duration;

use serde::Serialize;
use votestream_schema::poll::{now_ms, rfc3339};
use votestream_schema::projection::{self, Rules};
use votestream_schema::{Poll, PollState, Slug, db};
use votestream_service::postgres::Transaction;

use super::publish::publish;
use super::stored::{PollNow, TOO_CLOSE_MS, find_and_lock, refuse};
use crate::error::{Error, Refusal};
use crate::in_flight::{self, InFlight};
use crate::moment::Moment;
use crate::servers::{Redis, Servers};

/// How far ahead the closing time lies at least, in milliseconds: long enough for every partition to
/// learn it before.
const AHEAD_MS: i64 = 500;
/// How often a later time is chosen, when a partition learnt the last one too late.
const ATTEMPTS: u32 = 5;
/// How long to wait between two looks for ballots that are not counted yet.
const COUNTED_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The next step after Postgres has a closing time and Redis has failed.
const CONSUMERS_TELL: &str =
    "postgres has the closing time; the consumers will tell redis when it is back";

/// The poll after [`close`].
#[derive(Debug, Serialize)]
pub struct Closed {
    /// The poll as it is stored now.
    pub poll: Poll,
    /// Its state when the operation ended.
    pub state: PollState,
    /// The ballots that were accepted in time and are not counted yet; `None` while the poll is open.
    #[serde(rename = "under_way")]
    pub in_flight: Option<InFlight>,
}

/// Sets when a poll closes (half a second from now if `at` is `None`), and waits no longer than `wait`
/// until every ballot is counted.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`], [`Error::RedisTooSlow`], or the error of the
/// server that failed. Running it again finishes an attempt that was broken off.
pub async fn close(
    servers: &Servers,
    slug: &Slug,
    at: Option<Moment>,
    wait: Option<Duration>,
) -> Result<Closed, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.begin().await?;
    let known = find_and_lock(&transaction, slug).await?;
    let redis_ms = redis_now_ms(&mut redis).await?;
    let poll = match must_set_time(&known, at, redis_ms)? {
        false => {
            transaction.rollback().await?;
            known
        }
        true if let Some(poll) = at.and_then(|at| prolonged(&known, at.ms(redis_ms))) => {
            store(transaction, (servers.actor(), "poll close"), &known, &poll).await?;
            poll
        }
        true => {
            let poll = close_in_redis(&mut redis, &known, at).await?;
            let stored = store(transaction, (servers.actor(), "poll close"), &known, &poll);
            stored.await.map_err(|error| {
                error.explained(format!(
                    "redis closes the poll at {} already, postgres does not know: run this command again",
                    rfc3339(poll.closes_at_ms.unwrap_or_default())
                ))
            })?;
            poll
        }
    };
    publish(&postgres, &mut redis, &poll).await.map_err(|error| error.explained(CONSUMERS_TELL))?;
    let in_flight = last_ballots(&mut redis, &poll, wait).await?;
    Ok(Closed { state: poll.state(now_ms()), poll, in_flight })
}

/// Sets a later closing time, which `later` makes of the one now and of the time now, both in milliseconds.
pub(super) async fn set_later_end(
    servers: &Servers,
    slug: &Slug,
    later: impl Fn(i64, i64) -> i64,
) -> Result<PollNow, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.begin().await?;
    let known = find_and_lock(&transaction, slug).await?;
    let redis_ms = redis_now_ms(&mut redis).await?;
    match known.state(redis_ms) {
        state @ (PollState::Closed | PollState::Archived) => {
            return refuse(&known, Refusal::IsOver(state));
        }
        PollState::Open if known.state(redis_ms + TOO_CLOSE_MS) == PollState::Closed => {
            return refuse(&known, Refusal::ClosesWithinSeconds);
        }
        PollState::Draft | PollState::Scheduled | PollState::Open => {}
    }
    let Some(closes_at_ms) = known.closes_at_ms else {
        return refuse(&known, Refusal::HasNoEnd);
    };
    let Some(poll) = prolonged(&known, later(closes_at_ms, redis_ms)) else {
        return refuse(&known, Refusal::EndsLaterAlready(closes_at_ms));
    };
    store(transaction, (servers.actor(), "poll extend"), &known, &poll).await?;
    publish(&postgres, &mut redis, &poll).await.map_err(|error| error.explained(CONSUMERS_TELL))?;
    Ok(PollNow::new(poll))
}

/// Stores the new time of a poll and the step that set it.
async fn store(
    transaction: Transaction<'_>,
    step: (&str, &str),
    before: &Poll,
    poll: &Poll,
) -> Result<(), Error> {
    db::polls::set_times(&transaction, poll).await?;
    db::audit_trail::store_change(&transaction, step, before, poll).await?;
    Ok(transaction.commit().await?)
}

/// Whether the closing time is still to be set; refuses where it cannot be.
fn must_set_time(poll: &Poll, at: Option<Moment>, now_ms: i64) -> Result<bool, Error> {
    match poll.state(now_ms) {
        PollState::Draft => return refuse(poll, Refusal::IsDraft),
        PollState::Archived => return refuse(poll, Refusal::IsArchived),
        PollState::Closed if at.is_some() => return refuse(poll, Refusal::IsClosed),
        PollState::Closed => return Ok(false),
        PollState::Scheduled if at.is_none() => return refuse(poll, Refusal::NotOpened),
        // Moved at the last moment, the old time might be reached before all know the new one.
        PollState::Open if poll.state(now_ms + TOO_CLOSE_MS) == PollState::Closed => {
            return match at {
                Some(_) => refuse(poll, Refusal::ClosesWithinSeconds),
                None => Ok(false),
            };
        }
        PollState::Scheduled | PollState::Open => {}
    }
    let Some(at_ms) = at.map(|at| at.ms(now_ms)) else { return Ok(true) };
    if at_ms < now_ms + AHEAD_MS {
        return refuse(poll, Refusal::ClosesTooEarly(AHEAD_MS));
    }
    if poll.opens_at_ms.is_some_and(|opens_at_ms| at_ms <= opens_at_ms) {
        return refuse(poll, Refusal::ClosesBeforeItOpens);
    }
    Ok(true)
}

/// The poll with a later closing time, if it has one already and this one is later.
fn prolonged(poll: &Poll, closes_at_ms: i64) -> Option<Poll> {
    let later = closes_at_ms > poll.closes_at_ms?;
    let revision = poll.revision + 1;
    later.then(|| Poll { closes_at_ms: Some(closes_at_ms), revision, ..poll.clone() })
}

/// Sets a closing time in every partition before it is reached, and returns the poll with that time.
async fn close_in_redis(redis: &mut Redis, poll: &Poll, at: Option<Moment>) -> Result<Poll, Error> {
    let mut closed = Poll { revision: poll.revision + 1, ..poll.clone() };
    if at.is_none()
        && let Some(closes_at_ms) = set_before(redis, poll).await?
    {
        closed.closes_at_ms = Some(closes_at_ms);
        return Ok(closed);
    }
    for attempt in 0..ATTEMPTS {
        let now_ms = redis_now_ms(redis).await?;
        let earliest_ms = now_ms + AHEAD_MS * 2_i64.pow(attempt);
        let closes_at_ms = match at.map(|at| at.ms(now_ms)) {
            Some(at_ms) if attempt == 0 => at_ms,
            at_ms => earliest_ms.max(at_ms.unwrap_or(0)),
        };
        closed.closes_at_ms = Some(closes_at_ms);
        if set_everywhere(redis, &closed).await? {
            return Ok(closed);
        }
    }
    Err(Error::RedisTooSlow(ATTEMPTS))
}

/// Sets the closing time in every partition; false if a partition has reached it already.
async fn set_everywhere(redis: &mut Redis, poll: &Poll) -> Result<bool, Error> {
    for partition in 0..redis.partitions {
        let set = redis.send::<i64>(&projection::close_script(&redis.keys, partition, poll)).await;
        let again = "some partitions may know the closing time already: run this command again";
        if set.map_err(|error| error.explained(again))? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The closing time that an earlier run set in all partitions, before it failed to store it in Postgres.
async fn set_before(redis: &mut Redis, poll: &Poll) -> Result<Option<i64>, Error> {
    let mut found = None;
    for partition in 0..redis.partitions {
        let mut get = redis::cmd("HGET");
        get.arg(redis.keys.rules(partition)).arg(poll.id.0);
        let rules: Option<String> = redis.ask(&get).await?;
        let Some(rules) = rules.and_then(|rules| rules.parse::<Rules>().ok()) else {
            return Ok(None);
        };
        let is_newer =
            rules.revision == poll.revision + 1 && rules.closes_at_ms != projection::NEVER_MS;
        if !is_newer || found.is_some_and(|found| found != rules.closes_at_ms) {
            return Ok(None);
        }
        found = Some(rules.closes_at_ms);
    }
    Ok(found)
}

/// The latest of all clocks that give entry IDs, and of this machine's.
pub(super) async fn redis_now_ms(redis: &mut Redis) -> Result<i64, Error> {
    let mut latest_ms = now_ms();
    for partition in 0..redis.partitions {
        let ms: i64 = redis.send(&projection::clock_script(&redis.keys, partition)).await?;
        latest_ms = latest_ms.max(ms);
    }
    Ok(latest_ms)
}

/// The ballots that are not counted once the poll has closed; `None` if that is further away than
/// anybody would wait.
async fn last_ballots(
    redis: &mut Redis,
    poll: &Poll,
    wait: Option<Duration>,
) -> Result<Option<InFlight>, Error> {
    let wait_ms = wait.map_or(0, |wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    let patience_ms = wait_ms.max(AHEAD_MS * 2_i64.pow(ATTEMPTS));
    let closes_at_ms = poll.closes_at_ms.unwrap_or_default();
    if closes_at_ms - now_ms() > patience_ms {
        return Ok(None);
    }
    while redis_now_ms(redis).await? < closes_at_ms {
        let left_ms = (closes_at_ms - now_ms()).clamp(1, AHEAD_MS);
        tokio::time::sleep(Duration::from_millis(left_ms.unsigned_abs())).await;
    }
    let until_ms = now_ms().saturating_add(wait_ms);
    loop {
        let in_flight = in_flight::of_poll(redis, poll.id).await?;
        if in_flight.is_none() || now_ms() >= until_ms {
            return Ok(Some(in_flight));
        }
        tokio::time::sleep(COUNTED_CHECK_INTERVAL).await;
    }
}
