//! Reads the audit trail: who changed what, and when.

use votestream_schema::db::audit_trail::StoredStep;
use votestream_schema::{Slug, db};

use super::polls;
use crate::error::Error;
use crate::servers::Servers;

/// The last `steps_max` steps, the oldest first; with a slug, those of that poll. Needs Postgres alone.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], or the error of Postgres.
pub async fn log(
    servers: &Servers,
    slug: Option<&Slug>,
    steps_max: u32,
) -> Result<Vec<StoredStep>, Error> {
    let postgres = servers.postgres().await?;
    let poll = match slug {
        Some(slug) => Some(polls::find(&postgres, slug).await?.id),
        None => None,
    };
    Ok(db::audit_trail::last(&postgres, poll, steps_max).await?)
}
