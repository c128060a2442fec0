//! Ballots that were accepted and still lie in the streams.

use serde::Serialize;
use votestream_schema::{Ballot, PollId, codec};

use crate::entries::{self, Fields};
use crate::error::Error;
use crate::servers::Redis;

/// The most entries that are read of one stream. Beyond, only its length is known.
pub const ENTRIES_MAX: usize = 100_000;

/// The ballots of one poll that lie in the streams and are not counted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct InFlight {
    /// The number of ballots, delivered to a consumer or not.
    pub ballots: u64,
    /// Whether all entries were read; if not, there may be more ballots.
    pub complete: bool,
}

impl InFlight {
    /// Whether all entries were read, and none was the poll's.
    pub fn is_none(&self) -> bool {
        self.ballots == 0 && self.complete
    }
}

/// Counts the ballots of one poll in all streams.
pub async fn of_poll(redis: &mut Redis, poll: PollId) -> Result<InFlight, Error> {
    let mut in_flight = InFlight { ballots: 0, complete: true };
    for partition in 0..redis.partitions {
        let stream = redis.keys.stream(partition);
        let mut of_poll = 0;
        let complete = entries::each(redis, &stream, ENTRIES_MAX, |_, fields| {
            of_poll += u64::from(ballot(fields).is_some_and(|ballot| ballot.poll == poll));
        });
        in_flight.complete &= complete.await?;
        in_flight.ballots += of_poll;
    }
    Ok(in_flight)
}

/// The ballot in an entry of a stream; `None` if the entry holds none.
pub fn ballot(fields: &Fields) -> Option<Ballot> {
    codec::decode(fields.value(codec::FIELD_BALLOT)?).ok()
}
