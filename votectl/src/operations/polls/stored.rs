//! Reads the poll that an operation is for.

use serde::Serialize;
use tokio_postgres::Client;
use votestream_schema::poll::{PollState, now_ms};
use votestream_schema::{Poll, Slug, db};

use crate::error::{Error, Refusal};

/// How close a poll's opening or closing may be while it is still changed, in milliseconds. This is longer
/// than it takes until every consumer knows a change.
pub(super) const TOO_CLOSE_MS: i64 = 5_000;

/// A poll after an operation, with its state then.
#[derive(Debug, Serialize)]
pub struct PollNow {
    /// The poll.
    pub poll: Poll,
    /// Its state when the operation ended.
    pub state: PollState,
}

impl PollNow {
    pub(super) fn new(poll: Poll) -> Self {
        Self { state: poll.state(now_ms()), poll }
    }
}

/// Reads the poll with this slug.
pub(crate) async fn find(client: &Client, slug: &Slug) -> Result<Poll, Error> {
    let poll = db::polls::by_slug(client, slug).await?;
    poll.ok_or_else(|| Error::NoSuchPoll(slug.clone()))
}

/// Reads the poll with this slug, and its secret.
pub(crate) async fn find_with_secret(client: &Client, slug: &Slug) -> Result<Poll, Error> {
    let poll = db::polls::with_secret(client, slug).await?;
    poll.ok_or_else(|| Error::NoSuchPoll(slug.clone()))
}

/// Reads the poll with this slug and its secret, and keeps others from changing it until the transaction ends.
pub(super) async fn find_and_lock(transaction: &Client, slug: &Slug) -> Result<Poll, Error> {
    let poll = db::polls::lock(transaction, slug).await?;
    poll.ok_or_else(|| Error::NoSuchPoll(slug.clone()))
}

/// The refusal of a poll as an error.
pub(super) fn refuse<T>(poll: &Poll, reason: Refusal) -> Result<T, Error> {
    Err(Error::PollRefuses { slug: poll.slug.clone(), reason })
}
