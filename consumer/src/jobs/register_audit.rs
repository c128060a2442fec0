//! The standing audit's comparison of the register with the votes, a part at a time.
//!
//! A register may have millions of voters, so each audit compares some parts of it, in rotation. The result of a
//! rotation stands until the next one has ended.

use std::sync::Arc;
use std::time::Duration;

use votestream_schema::keys::BUCKETS;
use votestream_schema::poll::now_ms;
use votestream_schema::register_contents::{self, Contents, Search};
use votestream_schema::{Keys, Poll, PollId, PollState};
use votestream_service::postgres;
use votestream_service::redis::Connection;

use crate::error::ServerError;
use crate::polls::PollCache;

/// Buckets of one part, all of one poll and partition.
const BUCKETS_OF_PART: u16 = 512;
/// Buckets that are compared at a time.
const BUCKETS_AT_ONCE: u16 = 128;
const PARTS_OF_REGISTER: u16 = BUCKETS / BUCKETS_OF_PART;
const _: () = assert!(PARTS_OF_REGISTER * BUCKETS_OF_PART == BUCKETS, "parts have equal sizes");
/// The most parts that one audit compares: the whole register of two polls with four partitions.
const PARTS_AT_ONCE: usize = 256;
/// A ballot that is not found at first is looked for among all entries and dead letters after this time, because an
/// operator may just have moved it.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The most parts that are searched in this way by one audit, because it reads whole streams. After a large loss the result
/// is a part of it; `votectl audit` has it all.
const PARTS_SEARCHED_MAX: usize = 4;

/// The state of a rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The first part that was not compared yet in this rotation.
    pub(crate) next_part: i64,
    /// Voters whose ballot is missing, found in this rotation.
    pub(crate) found: i64,
    /// The same of the whole rotation before.
    pub(crate) found_before: i64,
}

impl Rotation {
    /// Voters whose ballot is missing, as far as is known.
    pub(crate) fn missing(self) -> i64 {
        self.found.max(self.found_before)
    }

    /// Adds the result of parts that were compared; `all` is the number of parts of a rotation.
    fn advance(self, compared: usize, found: i64, all: usize) -> Self {
        let next_part = self.next_part + compared as i64;
        let found = self.found + found;
        match next_part >= all as i64 {
            true => Self { next_part: 0, found: 0, found_before: found },
            false => Self { next_part, found, ..self },
        }
    }
}

/// Compares registers with votes; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RegisterAudit {
    postgres: postgres::Pool,
    polls: PollCache,
    keys: Keys,
    partitions: u16,
}

/// One part: a poll, a partition and the first bucket.
type Part = (PollId, u16, u16);

impl RegisterAudit {
    /// Creates a comparison for a deployment with this many partitions.
    pub(crate) fn new(
        postgres: postgres::Pool,
        polls: PollCache,
        keys: Keys,
        partitions: u16,
    ) -> Self {
        Self { postgres, polls, keys, partitions }
    }

    /// Compares the next parts. Also returns for how long it waited in between, which is no work.
    ///
    /// # Errors
    /// Returns the error of the server that failed; the rotation then goes on where it was.
    pub(crate) async fn compare_next(
        &self,
        redis: &mut Connection,
        rotation: Rotation,
    ) -> Result<(Rotation, Duration), ServerError> {
        let parts = self.parts();
        let from = usize::try_from(rotation.next_part).unwrap_or(0).min(parts.len());
        let next = &parts[from..parts.len().min(from + PARTS_AT_ONCE)];
        let mut suspicious = Vec::new();
        for part in next {
            if self.compare(redis, *part, Search::Quick).await?.unknown > 0 {
                suspicious.push(*part);
            }
        }
        let (mut found, mut waited) = (0, Duration::ZERO);
        if !suspicious.is_empty() {
            // Parts with dead letters are always suspicious. Another one comes first each time, so that all have a turn.
            let turn = usize::try_from(now_ms() / 1_000).unwrap_or(0) % suspicious.len();
            suspicious.rotate_left(turn);
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            waited = LOOK_AGAIN_AFTER;
        }
        for part in suspicious.into_iter().take(PARTS_SEARCHED_MAX) {
            found += self.missing(redis, part).await?;
        }
        Ok((rotation.advance(next.len(), found, parts.len()), waited))
    }

    /// All parts of the registers that are kept, always in the same order.
    fn parts(&self) -> Vec<Part> {
        let polls = self.polls.polls();
        let is_kept =
            |poll: &&Arc<Poll>| matches!(poll.state(now_ms()), PollState::Open | PollState::Closed);
        let mut kept: Vec<PollId> = polls.values().filter(is_kept).map(|poll| poll.id).collect();
        kept.sort_unstable();
        let buckets = || (0..BUCKETS).step_by(usize::from(BUCKETS_OF_PART));
        let of_poll = |poll: PollId| {
            (0..self.partitions)
                .flat_map(move |partition| buckets().map(move |first| (poll, partition, first)))
        };
        kept.into_iter().flat_map(of_poll).collect()
    }

    /// The number of voters of one part whose ballot is nowhere to be found, without those that an operator may have
    /// dropped.
    async fn missing(&self, redis: &mut Connection, part: Part) -> Result<i64, ServerError> {
        let compared = self.compare(redis, part, Search::Thorough).await?;
        let missing = compared.missing.cast_signed();
        let (poll, partition, _) = part;
        let mut dropped = redis::cmd("HGET");
        dropped
            .arg(self.keys.accepted(partition))
            .arg(votestream_schema::keys::field_dropped(poll));
        let dropped: Option<i64> = dropped.query_async(redis).await?;
        Ok((missing - dropped.unwrap_or(0)).max(0))
    }

    async fn session(&self) -> Result<postgres::Borrowed<'_>, ServerError> {
        let session = self.postgres.get().await;
        session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))
    }

    /// Compares one part. Postgres is asked only where there are voters, in a short transaction each time: it ends
    /// transactions that wait for Redis for too long.
    async fn compare(
        &self,
        redis: &mut Connection,
        (poll, partition, first): Part,
        how: Search,
    ) -> Result<Contents, ServerError> {
        let (keys, place) = (&self.keys, (partition, poll));
        let mut contents = Contents::default();
        for first in (first..first + BUCKETS_OF_PART).step_by(usize::from(BUCKETS_AT_ONCE)) {
            let buckets = first..first + BUCKETS_AT_ONCE;
            let read = register_contents::read(redis, keys, place, buckets).await?;
            if read.are_empty() {
                continue;
            }
            let mut session = self.session().await?;
            let compared = session.run(async |client| {
                register_contents::compare::<ServerError>(redis, client, keys, place, read, how)
                    .await
            });
            contents.add(compared.await?.0);
        }
        Ok(contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rotation_has_found_stands_until_the_next_one_has_ended() {
        let start = Rotation::default();
        let first = start.advance(256, 2, 600);
        assert_eq!((first.next_part, first.missing()), (256, 2));
        let ended = first.advance(256, 0, 600).advance(88, 0, 600);
        assert_eq!((ended.next_part, ended.missing()), (0, 2));
        let next = ended.advance(256, 0, 600).advance(256, 0, 600);
        assert_eq!(next.missing(), 2);
        assert_eq!(next.advance(88, 0, 600).missing(), 0);
        assert_eq!(start.advance(0, 0, 0), start, "no poll");
    }
}
