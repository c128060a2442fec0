//! Archives a closed poll, or a draft.

use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, Slug, db, keys, projection};

use super::publish::publish;
use super::stored::{PollNow, find_and_lock, refuse};
use crate::error::{Error, Refusal};
use crate::servers::{Redis, Servers};

/// Buckets of a register that one command removes.
const BUCKETS_AT_ONCE: u16 = 1_024;

/// Archives a poll and removes its register from Redis; votes and results are kept. Run again, it finishes
/// an attempt that was broken off.
///
/// `progress` is called with the number of partitions that are done, and the number of all of them.
///
/// # Errors
/// Returns [`Error::NoSuchPoll`], [`Error::PollRefuses`] if the poll is neither closed nor a draft, or the
/// error of the server that failed.
pub async fn archive(
    servers: &Servers,
    slug: &Slug,
    progress: impl FnMut(u16, u16),
) -> Result<PollNow, Error> {
    let (mut postgres, mut redis) = servers.both().await?;
    let transaction = postgres.begin().await?;
    let mut poll = find_and_lock(&transaction, slug).await?;
    match poll.state(now_ms()) {
        PollState::Draft | PollState::Closed => {
            let before = poll.clone();
            poll = Poll { archived_at_ms: Some(now_ms()), revision: poll.revision + 1, ..poll };
            db::polls::set_times(&transaction, &poll).await?;
            let step = (servers.actor(), "poll archive");
            db::audit_trail::store_change(&transaction, step, &before, &poll).await?;
            transaction.commit().await?;
        }
        PollState::Archived => drop(transaction),
        state @ (PollState::Scheduled | PollState::Open) => {
            return refuse(&poll, Refusal::NotClosed(state));
        }
    }
    let again = "the poll is archived; run this command again to tell redis";
    publish(&postgres, &mut redis, &poll).await.map_err(|error| error.explained(again))?;
    let removed = remove_register(&mut redis, &poll, progress).await;
    removed.map_err(|error| error.explained(again))?;
    Ok(PollNow::new(poll))
}

/// Removes the poll's register and what is known of its networks, a few buckets at a time so that no single command blocks Redis for long.
pub(super) async fn remove_register(
    redis: &mut Redis,
    poll: &Poll,
    mut progress: impl FnMut(u16, u16),
) -> Result<(), Error> {
    for partition in 0..redis.partitions {
        progress(partition, redis.partitions);
        let mut networks = redis::cmd("UNLINK");
        networks.arg(redis.keys.networks(partition, poll.id));
        networks.arg(redis.keys.unchallenged(partition, poll.id));
        redis.ask::<i64>(&networks).await?;
        for first in (0..keys::BUCKETS).step_by(usize::from(BUCKETS_AT_ONCE)) {
            let buckets = first..(first + BUCKETS_AT_ONCE).min(keys::BUCKETS);
            let command = projection::forget_register(&redis.keys, partition, poll.id, buckets);
            redis.send::<i64>(&command).await?;
        }
    }
    progress(redis.partitions, redis.partitions);
    Ok(())
}
