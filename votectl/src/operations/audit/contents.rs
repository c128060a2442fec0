//! Compares the register with the votes, voter by voter.

use serde::Serialize;
use tokio_postgres::Client;
use votestream_schema::keys::BUCKETS;
use votestream_schema::register_contents::{self, Contents, Search};
use votestream_schema::{Poll, PollId};

use super::balance::CheckOutcome;
use crate::error::Error;
use crate::servers::Redis;

/// Buckets of the register that are compared at a time.
const BUCKETS_AT_ONCE: u16 = 256;

/// The register of one poll, compared with the votes.
#[derive(Clone, Debug, Serialize)]
pub struct ContentsCheck {
    /// What became of the registered ballots.
    #[serde(flatten)]
    pub contents: Contents,
    /// Votes of voters whom the register does not know.
    pub unregistered: u64,
    /// Whether every registered ballot was found.
    pub verdict: CheckOutcome,
    /// The likely cause, if not.
    pub why: Option<String>,
}

impl ContentsCheck {
    fn new(contents: Contents, unregistered: u64, dropped: i64) -> Self {
        let missing = i64::try_from(contents.missing).unwrap_or(i64::MAX);
        let (verdict, why) = if missing > dropped {
            let entries = contents.missing_entries.join(", ");
            let why = format!(
                "{} accepted ballots are nowhere to be found, {dropped} of them at most were dropped by an operator; \
                 they came in as partition:entry {entries}",
                contents.missing
            );
            (CheckOutcome::Different, Some(why))
        } else if contents.unknown > 0 {
            let why = format!(
                "{} lines of the register could not be compared: they are not readable, or the streams are too long; \
                 try again with --wait",
                contents.unknown
            );
            (CheckOutcome::Unproved, Some(why))
        } else if unregistered > 0 {
            let why = format!(
                "the register does not know the voters of {unregistered} votes: redis lost its register, or these votes \
                 came another way"
            );
            (CheckOutcome::Unproved, Some(why))
        } else {
            (CheckOutcome::Ok, None)
        };
        Self { contents, unregistered, verdict, why }
    }
}

/// Compares the whole register of a poll. `dropped` is the number of its dead letters that an operator dropped. Returns
/// `None` if the register of the poll was removed, as it is some time after the poll has closed.
pub(super) async fn of_poll(
    postgres: &Client,
    redis: &mut Redis,
    poll: &Poll,
    dropped: i64,
) -> Result<Option<ContentsCheck>, Error> {
    if poll.archived_at_ms.is_some() {
        return Ok(None);
    }
    let mut all = Contents::default();
    for partition in 0..redis.partitions {
        if is_forgotten(redis, partition, poll.id).await? {
            return Ok(None);
        }
        for first in (0..BUCKETS).step_by(usize::from(BUCKETS_AT_ONCE)) {
            let buckets = first..(first + BUCKETS_AT_ONCE).min(BUCKETS);
            let (connection, keys, place) =
                (&mut redis.connection, &redis.keys, (partition, poll.id));
            let read = register_contents::read(connection, keys, place, buckets).await?;
            let part = register_contents::compare::<Error>(
                connection,
                postgres,
                keys,
                place,
                read,
                Search::Thorough,
            );
            all.add(part.await?.0);
        }
    }
    let place = (redis.partitions, poll.id);
    let unregistered = register_contents::unregistered::<Error>(
        &mut redis.connection,
        postgres,
        &redis.keys,
        place,
    );
    Ok(Some(ContentsCheck::new(all, unregistered.await?, dropped)))
}

async fn is_forgotten(redis: &mut Redis, partition: u16, poll: PollId) -> Result<bool, Error> {
    let key = redis.keys.forgotten(partition);
    redis.ask(redis::cmd("HEXISTS").arg(key).arg(poll.0)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_ballot_weighs_most_and_dropped_ones_are_allowed_for() {
        let verdict = |missing, unknown, unregistered, dropped| {
            let contents = Contents { missing, unknown, ..Contents::default() };
            ContentsCheck::new(contents, unregistered, dropped).verdict
        };
        assert_eq!(verdict(0, 0, 0, 0), CheckOutcome::Ok);
        assert_eq!(verdict(2, 0, 0, 2), CheckOutcome::Ok);
        assert_eq!(verdict(3, 1, 1, 2), CheckOutcome::Different);
        assert_eq!(verdict(0, 1, 0, 0), CheckOutcome::Unproved);
        assert_eq!(verdict(0, 0, 1, 0), CheckOutcome::Unproved);
    }
}
