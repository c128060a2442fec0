//! Opens a draft or a scheduled poll, now or at a time.

use serde::Serialize;
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, Slug, db};

use super::publish::publish;
use super::served::{self, Served};
use super::stored::{PollNow, TOO_CLOSE_MS, find_and_lock, refuse};
use crate::error::{Error, Refusal};
use crate::moment::Moment;
use crate::servers::Servers;

/// A poll that was opened.
#[derive(Debug, Serialize)]
pub struct Opened {
    /// The poll with its state.
    #[serde(flatten)]
    pub now: PollNow,
    /// Which producers serve it, if it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producers: Option<Served>,
}

/// Sets when a poll opens and, if `closes_at` is given, when it closes. If it is open then, waits until every
/// producer that is alive serves it, for five seconds at most.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`], or the error of the server that failed. After an
/// error of Redis, Postgres has the times, and the consumers copy them.
pub async fn open(
    servers: &Servers,
    slug: &Slug,
    opens_at: Moment,
    closes_at: Option<Moment>,
) -> Result<Opened, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.begin().await?;
    let before = find_and_lock(&transaction, slug).await?;
    let poll = opened(&before, opens_at, closes_at, now_ms())?;
    db::polls::set_times(&transaction, &poll).await?;
    let step = (servers.actor(), "poll open");
    db::audit_trail::store_change(&transaction, step, &before, &poll).await?;
    transaction.commit().await?;
    publish(&postgres, &mut redis, &poll).await.map_err(|error| {
        error.explained(
            "postgres has the opening already: the consumers will tell redis when it is back",
        )
    })?;
    let producers = match poll.state(now_ms()) {
        PollState::Open => Some(served::wait(&mut redis, &poll.slug).await?),
        _ => None,
    };
    Ok(Opened { now: PollNow::new(poll), producers })
}

/// The poll with its new times, if it may have them at `now_ms`.
fn opened(
    poll: &Poll,
    opens_at: Moment,
    closes_at: Option<Moment>,
    now_ms: i64,
) -> Result<Poll, Error> {
    match poll.state(now_ms) {
        PollState::Draft => {}
        PollState::Scheduled if poll.state(now_ms + TOO_CLOSE_MS) == PollState::Scheduled => {}
        PollState::Scheduled => return refuse(poll, Refusal::OpensWithinSeconds),
        PollState::Open => return refuse(poll, Refusal::IsOpen),
        state @ (PollState::Closed | PollState::Archived) => {
            return refuse(poll, Refusal::IsOver(state));
        }
    }
    let opens_at_ms = opens_at.ms(now_ms);
    if opens_at_ms < now_ms {
        return refuse(poll, Refusal::OpensInThePast);
    }
    let closes_at_ms = closes_at.map(|at| at.ms(now_ms)).or(poll.closes_at_ms);
    if closes_at_ms.is_some_and(|closes_at_ms| closes_at_ms <= opens_at_ms) {
        return refuse(poll, Refusal::ClosesBeforeItOpens);
    }
    Ok(Poll {
        opens_at_ms: Some(opens_at_ms),
        closes_at_ms,
        revision: poll.revision + 1,
        ..poll.clone()
    })
}
