//! `votectl poll close`.
//!
//! Invariant: every partition knows the closing time before it is reached. So whatever was accepted
//! bears an earlier entry ID than it, and is counted. Whoever would take more ballots is told last: of an
//! earlier end Redis first, then Postgres, and in between Redis refuses no ballot that Postgres would not refuse
//! as well, once the command is run again; of a later end Postgres first, and the consumers tell Redis
//! where this command could not.

use std::time::Duration;

use serde::Serialize;
use votestream_schema::poll::now_ms;
use votestream_schema::projection::{self, Rules};
use votestream_schema::{Poll, PollState, Slug, db};

use super::times::{Moment, moment, shown};
use super::{TOO_CLOSE_MS, find_and_lock, publish::publish};
use crate::failure::Failure;
use crate::output::Output;
use crate::servers::{Redis, Servers};
use crate::under_way::{self, UnderWay};

/// How far ahead the closing time lies at least, in milliseconds: long enough to tell every
/// partition.
const AHEAD_MS: i64 = 500;
/// How often a later time is chosen, when telling took longer than that.
const ATTEMPTS: u32 = 5;
/// How often it is looked whether the last ballots have been counted.
const LOOK_EVERY: Duration = Duration::from_millis(200);

const EXAMPLES: &str = "Examples:
  votectl poll close cats-vs-dogs
  votectl poll close cats-vs-dogs --wait
  votectl poll close finale --at 2026-03-01T20:15:00Z

Ballots that were accepted before the closing time are counted, even if that takes longer.";

/// Closes an open poll for good, now or at a time
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The poll
    slug: Slug,
    /// When it closes: RFC 3339, `+10m`, `+2h`; half a second from now when absent
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Moment>,
    /// Wait until every ballot is counted, for so many seconds at most
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60",
          value_parser = clap::value_parser!(u32).range(1..))]
    wait: Option<u32>,
}

#[derive(Serialize)]
struct Done {
    poll: Poll,
    state: PollState,
    /// Accepted ballots that were not counted yet.
    under_way: Option<UnderWay>,
}

/// Runs the subcommand.
pub async fn run(args: &Args, servers: &Servers, output: &Output) -> Result<(), Failure> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.transaction().await?;
    let known = find_and_lock(&transaction, &args.slug).await?;
    let redis_ms = redis_now_ms(&mut redis).await?;
    let poll = match check(&known, args.at, redis_ms)? {
        false => {
            transaction.rollback().await?;
            known
        }
        true if let Some(poll) = prolonged(&known, args.at, redis_ms) => {
            db::polls::set_times(&transaction, &poll).await?;
            transaction.commit().await?;
            poll
        }
        true => {
            let poll = tell_redis(&mut redis, &known, args.at).await?;
            let again = format!(
                "redis closes the poll at {} already, postgres does not know: run this command again",
                shown(poll.closes_at_ms.unwrap_or_default())
            );
            let stored = async {
                db::polls::set_times(&transaction, &poll).await?;
                transaction.commit().await?;
                Ok::<_, Failure>(())
            };
            stored.await.map_err(|failure| failure.and(&again))?;
            poll
        }
    };
    publish(&postgres, &mut redis, &poll).await.map_err(|failure| {
        failure.and("postgres has the closing time; the consumers will tell redis when it is back")
    })?;
    let under_way = last_ballots(&mut redis, &poll, args.wait).await?;
    let done = Done { state: poll.state(now_ms()), poll, under_way };
    output.print(&done, || describe(&done))?;
    match (&done.under_way, args.wait) {
        (Some(under_way), Some(_)) if !under_way.is_none() => Err(Failure::refused(
            "not all ballots are counted yet: look whether the consumers run, then run this command again",
        )),
        _ => Ok(()),
    }
}

/// Whether the closing time is still to be set; refuses where it cannot be.
fn check(poll: &Poll, at: Option<Moment>, now_ms: i64) -> Result<bool, Failure> {
    let refuse = |why: String| Err(Failure::refused(format!("poll `{}` {why}", poll.slug)));
    match poll.state(now_ms) {
        PollState::Draft => return refuse("is a draft; it has not opened".into()),
        PollState::Archived => return refuse("is archived".into()),
        PollState::Closed if at.is_some() => return refuse("is closed already, for good".into()),
        PollState::Closed => return Ok(false),
        PollState::Scheduled if at.is_none() => {
            return refuse("has not opened; --at sets when it will close".into());
        }
        // Moved at the last moment, the old time might be reached before all know the new one.
        PollState::Open if poll.state(now_ms + TOO_CLOSE_MS) == PollState::Closed => {
            return match at {
                Some(_) => refuse("closes by itself within seconds".into()),
                None => Ok(false),
            };
        }
        PollState::Scheduled | PollState::Open => {}
    }
    let Some(at_ms) = at.map(|at| at.ms(now_ms)) else { return Ok(true) };
    if at_ms < now_ms + AHEAD_MS {
        return refuse(format!(
            "can close {AHEAD_MS} ms from now at the earliest, for every partition to know it \
             before; choose a later --at, or none"
        ));
    }
    if poll.opens_at_ms.is_some_and(|opens_at_ms| at_ms <= opens_at_ms) {
        return refuse("would close before it opens".into());
    }
    Ok(true)
}

/// The poll with a later end, where it has one and is given a later one.
fn prolonged(poll: &Poll, at: Option<Moment>, now_ms: i64) -> Option<Poll> {
    let closes_at_ms = at?.ms(now_ms);
    let later = closes_at_ms > poll.closes_at_ms?;
    let revision = poll.revision + 1;
    later.then(|| Poll { closes_at_ms: Some(closes_at_ms), revision, ..poll.clone() })
}

/// The poll with a closing time that every partition has learnt in time.
async fn tell_redis(redis: &mut Redis, poll: &Poll, at: Option<Moment>) -> Result<Poll, Failure> {
    let mut closed = Poll { revision: poll.revision + 1, ..poll.clone() };
    if at.is_none()
        && let Some(closes_at_ms) = told_before(redis, poll).await?
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
        if tell_all(redis, &closed).await? {
            return Ok(closed);
        }
    }
    Err(Failure::Away(format!(
        "redis is too slow to learn a closing time before it is reached ({ATTEMPTS} attempts); run \
         this command again"
    )))
}

/// Whether every partition learnt the closing time before it was reached.
async fn tell_all(redis: &mut Redis, poll: &Poll) -> Result<bool, Failure> {
    for partition in 0..redis.partitions {
        let told = redis.send::<i64>(&projection::close_script(&redis.keys, partition, poll)).await;
        let again = "some partitions may know the closing time already: run this command again";
        if told.map_err(|failure| failure.and(again))? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The closing time that an earlier run told all partitions, before it failed to tell Postgres.
async fn told_before(redis: &mut Redis, poll: &Poll) -> Result<Option<i64>, Failure> {
    let mut told = None;
    for partition in 0..redis.partitions {
        let mut get = redis::cmd("HGET");
        get.arg(redis.keys.rules(partition)).arg(poll.id.0);
        let rules: Option<String> = redis.ask(&get).await?;
        let Some(rules) = rules.and_then(|rules| rules.parse::<Rules>().ok()) else {
            return Ok(None);
        };
        let is_newer =
            rules.revision == poll.revision + 1 && rules.closes_at_ms != projection::NEVER_MS;
        if !is_newer || told.is_some_and(|told| told != rules.closes_at_ms) {
            return Ok(None);
        }
        told = Some(rules.closes_at_ms);
    }
    Ok(told)
}

/// The latest of all clocks that give entry IDs, and of this machine's.
async fn redis_now_ms(redis: &mut Redis) -> Result<i64, Failure> {
    let mut latest_ms = now_ms();
    for partition in 0..redis.partitions {
        let ms: i64 = redis.send(&projection::clock_script(&redis.keys, partition)).await?;
        latest_ms = latest_ms.max(ms);
    }
    Ok(latest_ms)
}

/// What is still to be counted once the poll has closed; `None` while that is further away than
/// one would wait.
async fn last_ballots(
    redis: &mut Redis,
    poll: &Poll,
    wait_s: Option<u32>,
) -> Result<Option<UnderWay>, Failure> {
    let wait_ms = i64::from(wait_s.unwrap_or(0)) * 1_000;
    let patience_ms = wait_ms.max(AHEAD_MS * 2_i64.pow(ATTEMPTS));
    let closes_at_ms = poll.closes_at_ms.unwrap_or_default();
    if closes_at_ms - now_ms() > patience_ms {
        return Ok(None);
    }
    while redis_now_ms(redis).await? < closes_at_ms {
        let left_ms = (closes_at_ms - now_ms()).clamp(1, AHEAD_MS);
        tokio::time::sleep(Duration::from_millis(left_ms.unsigned_abs())).await;
    }
    let until_ms = now_ms() + wait_ms;
    loop {
        let under_way = under_way::of_poll(redis, poll.id).await?;
        if under_way.is_none() || now_ms() >= until_ms {
            return Ok(Some(under_way));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn describe(done: &Done) -> String {
    let slug = &done.poll.slug;
    let at = shown(done.poll.closes_at_ms.unwrap_or_default());
    match &done.under_way {
        None => format!("poll `{slug}` closes at {at}"),
        Some(under_way) if under_way.is_none() => {
            format!("poll `{slug}` is closed since {at}; every ballot is counted")
        }
        Some(UnderWay { ballots, complete }) => {
            let about = if *complete { "" } else { "at least " };
            format!(
                "poll `{slug}` is closed since {at}; {about}{ballots} ballots are still to be counted"
            )
        }
    }
}
