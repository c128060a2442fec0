//! Changes a setting of a poll.

use votestream_schema::poll::network_limit::NetworkLimit;
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, Slug, db};

use super::publish::publish;
use super::stored::{PollNow, find_and_lock, refuse};
use crate::error::{Error, Refusal};
use crate::servers::Servers;

/// Sets how many new voters one client network may bring; `None` leaves that to the settings of the producers. They
/// apply it within a second or two.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`] for a poll that is over, or the error of the server that failed.
/// After an error of Redis, Postgres has the limit, and the consumers copy it.
pub async fn set_network_limit(
    servers: &Servers,
    slug: &Slug,
    network_limit: Option<NetworkLimit>,
) -> Result<PollNow, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.begin().await?;
    let poll = find_and_lock(&transaction, slug).await?;
    if let state @ (PollState::Closed | PollState::Archived) = poll.state(now_ms()) {
        return refuse(&poll, Refusal::IsOver(state));
    }
    let poll = Poll { network_limit, revision: poll.revision + 1, ..poll };
    db::polls::set_network_limit(&transaction, &poll).await?;
    transaction.commit().await?;
    publish(&postgres, &mut redis, &poll).await.map_err(|error| {
        error.explained(
            "postgres has the limit already: the consumers will tell redis when it is back",
        )
    })?;
    Ok(PollNow::new(poll))
}

/// Sets whether lists of polls name this one. Dashboards apply it within a second or two.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], or the error of the server that failed.
pub async fn set_listed(servers: &Servers, slug: &Slug, listed: bool) -> Result<PollNow, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.begin().await?;
    let poll = find_and_lock(&transaction, slug).await?;
    let poll = Poll { listed: Some(listed), revision: poll.revision + 1, ..poll };
    db::polls::set_listed(&transaction, &poll).await?;
    transaction.commit().await?;
    // The revision is in the copies of the poll, too.
    publish(&postgres, &mut redis, &poll).await.map_err(|error| {
        error.explained("postgres has it already: the consumers will tell redis when it is back")
    })?;
    Ok(PollNow::new(poll))
}
