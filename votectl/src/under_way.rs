//! Ballots that were accepted and still lie in the streams.

use serde::Serialize;
use votestream_schema::{Ballot, PollId, codec};

use crate::entries::{self, Fields};
use crate::failure::Failure;
use crate::servers::Redis;

/// Entries of one stream read at most; beyond, what is under way is told by length alone.
pub const ENTRIES_MAX: usize = 100_000;

/// How many ballots of a poll lie in the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct UnderWay {
    /// Delivered or not.
    pub ballots: u64,
    /// Whether all entries were read; else there may be more.
    pub complete: bool,
}

impl UnderWay {
    /// Whether all entries were read, and none was the poll's.
    pub fn is_none(&self) -> bool {
        self.ballots == 0 && self.complete
    }
}

/// Counts the ballots of one poll in all streams.
pub async fn of_poll(redis: &mut Redis, poll: PollId) -> Result<UnderWay, Failure> {
    let mut under_way = UnderWay { ballots: 0, complete: true };
    for partition in 0..redis.partitions {
        let stream = redis.keys.stream(partition);
        let mut of_poll = 0;
        let complete = entries::each(redis, &stream, ENTRIES_MAX, |_, fields| {
            of_poll += u64::from(ballot(fields).is_some_and(|ballot| ballot.poll == poll));
        });
        under_way.complete &= complete.await?;
        under_way.ballots += of_poll;
    }
    Ok(under_way)
}

/// The ballot in an entry of a stream, if it is one.
pub fn ballot(fields: &Fields) -> Option<Ballot> {
    codec::decode(fields.value(codec::FIELD_BALLOT)?).ok()
}
