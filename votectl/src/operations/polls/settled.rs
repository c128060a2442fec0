//! Makes sure that nothing of a poll can still be counted, before its votes lose their voters.

use tokio_postgres::Client;
use tokio_postgres::types::Type;
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, PollState, db};

use super::stored::refuse;
use crate::entries;
use crate::error::{Error, Refusal};
use crate::in_flight::{self, ENTRIES_MAX};
use crate::operations::dead_letters::Letter;
use crate::servers::Redis;
use crate::unsettled::Unsettled;

/// Refuses a poll that is not archived, or of which a ballot may still be counted.
pub(super) async fn check_settled(
    transaction: &Client,
    redis: &mut Redis,
    poll: &Poll,
) -> Result<(), Error> {
    match poll.state(now_ms()) {
        PollState::Archived => {}
        state => return refuse(poll, Refusal::NotArchived(state)),
    }
    if let Some(unsettled) = unsettled(transaction, redis, poll).await? {
        return refuse(poll, Refusal::NotFinal(unsettled));
    }
    Ok(())
}

async fn unsettled(
    transaction: &Client,
    redis: &mut Redis,
    poll: &Poll,
) -> Result<Option<Unsettled>, Error> {
    let never_opened = poll.opens_at_ms.is_none();
    let progress = db::watermarks::progress(transaction, poll.id).await?;
    if !never_opened && !poll.is_final(progress.complete_to_ms, now_ms()) {
        return Ok(Some(Unsettled::NotFinal));
    }
    let in_flight = in_flight::of_poll(redis, poll.id).await?;
    if !in_flight.is_none() {
        let known = in_flight.complete.then_some(in_flight.ballots);
        return Ok(Some(Unsettled::InStreams(known)));
    }
    // What is counted before it is sealed would never get into the log: its nonces follow from the secret.
    let sql = "SELECT EXISTS (SELECT FROM log_queue WHERE poll_id = $1)";
    if transaction.query_typed_one(sql, &[(&poll.id.0, Type::INT4)]).await?.get(0) {
        return Ok(Some(Unsettled::NotInLog));
    }
    dead_letters(redis, poll).await
}

async fn dead_letters(redis: &mut Redis, poll: &Poll) -> Result<Option<Unsettled>, Error> {
    let mut of_poll = 0;
    for partition in 0..redis.partitions {
        let dead = redis.keys.dead_letters(partition);
        let complete = entries::each(redis, &dead, ENTRIES_MAX, |id, fields| {
            let letter = Letter::read(partition, id, fields);
            of_poll += u64::from(letter.is_some_and(|letter| letter.poll == Some(poll.id)));
        });
        if !complete.await? {
            return Ok(Some(Unsettled::TooManyDeadLetters(ENTRIES_MAX)));
        }
    }
    Ok((of_poll > 0).then_some(Unsettled::DeadLetters(of_poll)))
}
