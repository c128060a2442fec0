//! Creates a poll, or rewrites one that has never opened.

use serde::Serialize;
use votestream_schema::db::audit_trail::Step;
use votestream_schema::poll::{Definition, now_ms};
use votestream_schema::{Poll, PollState, db};
use votestream_service::postgres::Session;

use super::publish::publish;
use super::served::{self, Served};
use super::stored::{TOO_CLOSE_MS, find_and_lock, find_with_secret, refuse};
use crate::error::{Error, Refusal};
use crate::servers::Servers;

/// Decides what happens if there is a poll with the same slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfExists {
    /// The operation fails.
    Fail,
    /// The existing poll stays as it is.
    Keep,
    /// The existing poll is rewritten, if it has never opened.
    Update,
}

/// The poll after [`create`].
#[derive(Debug, Serialize)]
pub struct Created {
    /// `created`, `updated` or `kept`.
    pub outcome: &'static str,
    /// The poll as it is stored now.
    pub poll: Poll,
    /// Its state when the operation ended.
    pub state: PollState,
    /// Which producers serve it, if it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producers: Option<Served>,
}

/// Stores the poll of a definition that was validated, and copies it to Redis. If it is open, waits until every producer
/// that is alive serves it, for five seconds at most.
///
/// # Errors
/// Returns [`Error::OtherTime`] if one of the servers was restored, [`Error::Database`] with [`db::Error::SlugTaken`] if the poll exists and `if_exists` is
/// [`IfExists::Fail`], [`Error::PollRefuses`] if it may have ballots already, else the error of the server
/// that failed. After an error of Redis, Postgres has the poll, and the consumers copy it.
pub async fn create(
    servers: &Servers,
    definition: &Definition,
    if_exists: IfExists,
) -> Result<Created, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    // A number that was given out before the restore would be given out again.
    redis.check_same_time(&postgres).await?;
    let (poll, outcome) = write(&mut postgres, servers.actor(), definition, if_exists).await?;
    publish(&postgres, &mut redis, &poll).await.map_err(|error| {
        error.explained(
            "postgres has the poll already: the consumers will tell redis when it is back",
        )
    })?;
    let state = poll.state(now_ms());
    let producers = match state {
        PollState::Open => Some(served::wait(&mut redis, &poll.slug).await?),
        _ => None,
    };
    Ok(Created { outcome, state, poll, producers })
}

async fn write(
    postgres: &mut Session,
    actor: &str,
    definition: &Definition,
    if_exists: IfExists,
) -> Result<(Poll, &'static str), Error> {
    let transaction = postgres.begin().await?;
    let slug = &definition.slug;
    let known = db::polls::lock(&transaction, slug).await?;
    let before = known.clone();
    let outcome = match (known, if_exists) {
        (Some(poll), IfExists::Keep) => return Ok((poll, "kept")),
        (Some(poll), IfExists::Update) => {
            check_never_opened(&poll)?;
            db::polls::update(&transaction, definition).await?;
            "updated"
        }
        (Some(_), IfExists::Fail) | (None, _) => {
            match db::polls::create(&transaction, definition).await {
                // Somebody created it after it was looked for.
                Err(db::Error::SlugTaken(_)) if if_exists == IfExists::Keep => {
                    drop(transaction);
                    return Ok((find_with_secret(postgres, slug).await?, "kept"));
                }
                created => created.map(|_| "created")?,
            }
        }
    };
    let poll = find_and_lock(&transaction, slug).await?;
    match before {
        Some(before) => {
            db::audit_trail::store_change(&transaction, (actor, "poll update"), &before, &poll)
                .await?;
        }
        None => {
            let after = serde_json::to_value(&poll).ok();
            let (action, poll) = ("poll create", Some(poll.id));
            let step = Step { actor, action, poll, before: None, after };
            db::audit_trail::store(&transaction, &step).await?;
        }
    }
    transaction.commit().await?;
    Ok((poll, outcome))
}

/// A poll that may take a ballot while it is rewritten must stay as it is.
fn check_never_opened(poll: &Poll) -> Result<(), Error> {
    match poll.state(now_ms() + TOO_CLOSE_MS) {
        PollState::Draft | PollState::Scheduled => Ok(()),
        PollState::Open | PollState::Closed | PollState::Archived => {
            refuse(poll, Refusal::MayTakeBallots(poll.state(now_ms())))
        }
    }
}
