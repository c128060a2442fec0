//! Seals a poll: from then on nobody can find out who chose what.
//!
//! Invariant: a sealed poll has no secret in Postgres, and its votes have neither a key that somebody could compute nor a
//! time. Its results stay as they are. The trigger `refuse_sealed` keeps any further vote out, because a ballot that
//! comes a second time would no longer be recognised.

use tokio_postgres::types::{ToSql, Type};
use votestream_schema::poll::now_ms;
use votestream_schema::poll::secrecy::Secrecy;
use votestream_schema::{Poll, Slug, db};

use super::archive::remove_register;
use super::publish::publish;
use super::settled::check_settled;
use super::stored::{PollNow, find_and_lock};
use crate::error::Error;
use crate::servers::Servers;

/// Destroys the secret of an archived poll, shuffles its votes, and removes their times. Run again, it finishes an
/// attempt that was broken off.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`] if the poll is not archived or a ballot may still be counted,
/// or the error of the server that failed.
pub async fn seal(
    servers: &Servers,
    slug: &Slug,
    progress: impl FnMut(u16, u16),
) -> Result<PollNow, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    // Rewriting millions of votes takes longer than any other statement may.
    let transaction = postgres.begin_long().await?;
    let mut poll = find_and_lock(&transaction, slug).await?;
    if !poll.secrecy.is_sealed() {
        check_settled(&transaction, &mut redis, &poll).await?;
        let id: &[(&(dyn ToSql + Sync), Type)] = &[(&poll.id.0, Type::INT4)];
        transaction.execute_typed(include_str!("../../../sql/lock_tally.sql"), id).await?;
        transaction.execute_typed(include_str!("../../../sql/shuffle_votes.sql"), id).await?;
        let sealed_at_ms = Some(now_ms());
        let sql = include_str!("../../../sql/mark_sealed.sql");
        transaction.execute_typed(sql, &[id[0].clone(), (&sealed_at_ms, Type::INT8)]).await?;
        let before = poll.clone();
        let keys = poll.secrecy.keys.without_secret();
        let secrecy = Secrecy { keys, sealed_at_ms, ..poll.secrecy };
        poll = Poll { secrecy, revision: poll.revision + 1, ..poll };
        let step = (servers.actor(), "poll seal");
        db::audit_trail::store_change(&transaction, step, &before, &poll).await?;
    }
    transaction.commit().await?;
    let again = "the poll is sealed in postgres; run this command again, so that redis and the disk forget as well";
    // The rows from before stay on the disk until they are vacuumed.
    let vacuumed = postgres
        .batch_execute("VACUUM votes, poll_secrets, set_aside, log_bundles, log_queue")
        .await;
    vacuumed.map_err(|error| Error::from(error).explained(again))?;
    publish(&postgres, &mut redis, &poll).await.map_err(|error| error.explained(again))?;
    let removed = remove_register(&mut redis, &poll, progress).await;
    removed.map_err(|error| error.explained(again))?;
    Ok(PollNow::new(poll))
}
