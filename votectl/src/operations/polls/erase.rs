//! Deletes the votes of polls that keep them no longer. The results stay.
//!
//! Invariant: an erased poll has neither votes, voting codes nor a secret; its tally, its series and the number of its
//! ballots stay, so that the audit still balances.

use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use votestream_schema::poll::now_ms;
use votestream_schema::poll::secrecy::Secrecy;
use votestream_schema::{Poll, Slug, db};
use votestream_service::postgres::Session;

use super::archive::remove_register;
use super::publish::publish;
use super::settled::check_settled;
use super::stored::{find, find_and_lock};
use crate::error::Error;
use crate::servers::{Redis, Servers};

/// A poll whose votes were deleted, or should be.
#[derive(Debug, Serialize)]
pub struct Erased {
    /// The poll.
    pub poll: Slug,
    /// The number of votes that were deleted, or would be.
    pub votes: u64,
    /// Why they were not deleted; `None` if they were, or would be.
    pub refused: Option<String>,
}

/// The polls to erase.
#[derive(Clone, Debug)]
pub enum Due {
    /// All polls whose votes are no longer kept.
    Expired,
    /// This poll, whether its votes should still be kept or not.
    Now(Slug),
}

/// Deletes the votes of all polls that are due. With `dry_run` it only counts them.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], or the error of the server that failed. Polls that come before it in the list of all
/// polls are erased then. A poll that refuses is no error; see [`Erased::refused`].
pub async fn erase(servers: &Servers, due: &Due, dry_run: bool) -> Result<Vec<Erased>, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let polls = match due {
        Due::Now(slug) => vec![find(&postgres, slug).await?],
        Due::Expired => {
            let mut polls = db::polls::all(&postgres).await?.readable;
            polls.retain(|poll| is_expired(poll, now_ms()));
            polls
        }
    };
    let mut erased = Vec::new();
    for poll in polls {
        let both = (&mut postgres, &mut redis);
        let outcome = erase_poll(both, servers.actor(), &poll.slug, dry_run).await;
        let (votes, refused) = match outcome {
            Ok(votes) => (votes, None),
            Err(refused @ Error::PollRefuses { .. }) => (0, Some(refused.to_string())),
            Err(error) => return Err(error.explained(format!("stopped at poll `{}`", poll.slug))),
        };
        erased.push(Erased { poll: poll.slug, votes, refused });
    }
    Ok(erased)
}

fn is_expired(poll: &Poll, now_ms: i64) -> bool {
    let erase_at_ms = poll.secrecy.erase_at_ms(poll.closes_at_ms);
    poll.secrecy.erased_at_ms.is_none() && erase_at_ms.is_some_and(|at_ms| now_ms >= at_ms)
}

async fn erase_poll(
    (postgres, redis): (&mut Session, &mut Redis),
    actor: &str,
    slug: &Slug,
    dry_run: bool,
) -> Result<u64, Error> {
    // Deleting millions of votes takes longer than any other statement may.
    let transaction = postgres.begin_long().await?;
    let poll = find_and_lock(&transaction, slug).await?;
    if poll.secrecy.erased_at_ms.is_none() {
        check_settled(&transaction, redis, &poll).await?;
    }
    if dry_run {
        let sql = "SELECT count(*) FROM votes WHERE poll_id = $1";
        let votes: i64 =
            transaction.query_typed_one(sql, &[(&poll.id.0, Type::INT4)]).await?.get(0);
        return Ok(votes.unsigned_abs());
    }
    let id: &[(&(dyn ToSql + Sync), Type)] = &[(&poll.id.0, Type::INT4)];
    transaction.execute_typed(include_str!("../../../sql/lock_tally.sql"), id).await?;
    let votes = transaction.execute_typed("DELETE FROM votes WHERE poll_id = $1", id).await?;
    let erased_at_ms = Some(now_ms());
    let sql = include_str!("../../../sql/mark_erased.sql");
    transaction.execute_typed(sql, &[id[0].clone(), (&erased_at_ms, Type::INT8)]).await?;
    let before = poll.clone();
    let keys = poll.secrecy.keys.without_secret();
    let secrecy = Secrecy { keys, erased_at_ms, ..poll.secrecy };
    let poll = Poll { secrecy, revision: poll.revision + 1, ..poll };
    db::audit_trail::store_change(&transaction, (actor, "forget"), &before, &poll).await?;
    transaction.commit().await?;
    let again = format!(
        "the votes are deleted; run `votectl forget {slug} --now`, so that redis and the disk forget too"
    );
    let vacuumed = postgres
        .batch_execute(
            "VACUUM votes, voting_codes, codes, poll_secrets, set_aside, log_bundles, log_queue",
        )
        .await;
    vacuumed.map_err(|error| Error::from(error).explained(again.clone()))?;
    publish(postgres, redis, &poll).await.map_err(|error| error.explained(again.clone()))?;
    let removed = remove_register(redis, &poll, |_, _| ()).await;
    removed.map_err(|error| error.explained(again))?;
    Ok(votes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_expire_by_the_days_that_the_poll_states_and_once() {
        let json = r#"{"id": 1, "slug": "pets", "title": "Pets", "options": [], "choices_min": 1, "choices_max": 1,
            "vote_policy": "replace", "voter_policy": "open", "visibility": "always", "opens_at_ms": 5,
            "closes_at_ms": 1000, "archived_at_ms": null, "revision": 1, "keep_votes_days": 1}"#;
        let mut poll: Poll = serde_json::from_str(json).unwrap();
        assert!(!is_expired(&poll, 86_400_999) && is_expired(&poll, 86_401_000));
        poll.secrecy.erased_at_ms = Some(1);
        assert!(!is_expired(&poll, i64::MAX));
        poll.secrecy = Secrecy::default();
        assert!(!is_expired(&poll, i64::MAX));
    }
}
