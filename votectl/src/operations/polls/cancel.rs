//! Cancels the opening of a scheduled poll.

use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, Slug, db};

use super::publish::publish;
use super::stored::{PollNow, TOO_CLOSE_MS, find_and_lock, refuse};
use crate::error::{Error, Refusal};
use crate::servers::Servers;

/// Makes a draft of a scheduled poll: it has neither an opening nor a closing time then.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`] for a poll that is not scheduled or opens within five seconds, or the
/// error of the server that failed. After an error of Redis, Postgres has the change, and the consumers copy it.
pub async fn cancel(servers: &Servers, slug: &Slug) -> Result<PollNow, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.begin().await?;
    let poll = find_and_lock(&transaction, slug).await?;
    let poll = cancelled(&poll, now_ms())?;
    db::polls::set_times(&transaction, &poll).await?;
    transaction.commit().await?;
    publish(&postgres, &mut redis, &poll).await.map_err(|error| {
        error.explained(
            "postgres has cancelled the opening already: the consumers will tell redis when it is back",
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
