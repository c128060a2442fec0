//! Cancels the opening of a scheduled poll.
//!
//! Invariant: Redis takes no ballot of a poll that Postgres has as a draft, so Redis is changed first.

use votestream_schema::{Poll, PollState, Slug, db, projection};

use super::close::redis_now_ms;
use super::publish::publish;
use super::stored::{PollNow, TOO_CLOSE_MS, find_and_lock, refuse};
use crate::error::{Error, Refusal};
use crate::servers::Servers;

/// Makes a draft of a scheduled poll: it has neither an opening nor a closing time then.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`] for a poll that is not scheduled or opens within five seconds, or the
/// error of the server that failed. Where Redis has the change and Postgres does not, the consumers take it back.
pub async fn cancel(servers: &Servers, slug: &Slug) -> Result<PollNow, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.begin().await?;
    let known = find_and_lock(&transaction, slug).await?;
    let poll = cancelled(&known, redis_now_ms(&mut redis).await?)?;
    for partition in 0..redis.partitions {
        redis.send::<i64>(&projection::rules_script(&redis.keys, partition, &poll)).await?;
    }
    // A partition that was told late may have taken ballots already.
    let now_ms = redis_now_ms(&mut redis).await?;
    if known.opens_at_ms.is_some_and(|opens_at_ms| opens_at_ms <= now_ms) {
        return refuse(&known, Refusal::OpensWithinSeconds);
    }
    db::polls::set_times(&transaction, &poll).await?;
    let step = (servers.actor(), "poll cancel");
    db::audit_trail::store_change(&transaction, step, &known, &poll).await?;
    transaction.commit().await?;
    publish(&postgres, &mut redis, &poll).await.map_err(|error| {
        error.explained(
            "the opening is cancelled; the consumers will take the poll off the pages when redis is back",
        )
    })?;
    Ok(PollNow::new(poll))
}

/// The poll without its times, if it may lose them at `now_ms`.
fn cancelled(poll: &Poll, now_ms: i64) -> Result<Poll, Error> {
    match poll.state(now_ms) {
        PollState::Scheduled if poll.state(now_ms + TOO_CLOSE_MS) == PollState::Scheduled => {}
        PollState::Scheduled => return refuse(poll, Refusal::OpensWithinSeconds),
        PollState::Draft => return refuse(poll, Refusal::IsNotScheduled),
        PollState::Open => return refuse(poll, Refusal::HasOpened),
        state @ (PollState::Closed | PollState::Archived) => {
            return refuse(poll, Refusal::IsOver(state));
        }
    }
    Ok(Poll { opens_at_ms: None, closes_at_ms: None, revision: poll.revision + 1, ..poll.clone() })
}
