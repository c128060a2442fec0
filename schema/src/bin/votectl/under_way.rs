//! Ballots that were accepted and still lie in the streams.

use redis::streams::StreamRangeReply;
use serde::Serialize;
use votestream_schema::{Ballot, PollId, codec};

use crate::failure::Failure;
use crate::servers::Redis;

/// Entries read at once.
const PAGE: usize = 1_000;
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
        let complete = each_entry(redis, &stream, |_, fields| {
            of_poll += u64::from(ballot(fields).is_some_and(|ballot| ballot.poll == poll));
        });
        under_way.complete &= complete.await?;
        under_way.ballots += of_poll;
    }
    Ok(under_way)
}

/// Fields of an entry, by name.
pub type Fields = std::collections::HashMap<String, redis::Value>;

/// The ballot in an entry of a stream, if it is one.
pub fn ballot(fields: &Fields) -> Option<Ballot> {
    codec::decode(bytes(fields, codec::FIELD_BALLOT)?).ok()
}

/// The value of a field.
pub fn bytes<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    match fields.get(name)? {
        redis::Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

/// Shows every entry of a stream; whether that were all, and not only the first [`ENTRIES_MAX`].
pub async fn each_entry(
    redis: &mut Redis,
    stream: &str,
    mut see: impl FnMut(&str, &Fields),
) -> Result<bool, Failure> {
    let mut from = "-".to_owned();
    let mut seen = 0;
    loop {
        let mut range = redis::cmd("XRANGE");
        range.arg(stream).arg(&from).arg("+").arg("COUNT").arg(PAGE);
        let page: StreamRangeReply = redis.ask(&range).await?;
        for entry in &page.ids {
            see(&entry.id, &entry.map);
        }
        seen += page.ids.len();
        match page.ids.last() {
            Some(last) if page.ids.len() == PAGE && seen < ENTRIES_MAX => {
                from = format!("({}", last.id);
            }
            _ => return Ok(page.ids.len() < PAGE),
        }
    }
}
