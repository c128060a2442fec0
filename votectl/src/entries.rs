//! Reads the entries of a stream page by page.
//!
//! Invariants: field names and values are bytes, whatever anybody wrote; a page is bounded in entries and
//! in bytes, so that large entries never make a reply that takes too long.

use redis::{FromRedisValue, ParsingError, Value};
use votestream_schema::codec;

use crate::error::Error;
use crate::servers::Redis;

/// The most entries of a page.
const PAGE_ENTRIES: usize = 1_000;
/// The bytes after which a page ends; the entry that passes them is its last.
const PAGE_BYTES: usize = 4 << 20;
/// The most bytes that are read of one entry: more than a dead letter has that holds a ballot.
const ENTRY_BYTES: usize = 2 * codec::ENTRY_BYTES_MAX;
/// The bytes that a name or a value costs in a reply beside its own.
const PART_BYTES: usize = 32;

/// Names and values of an entry's fields, in their order.
#[derive(Debug)]
pub struct Fields(Vec<(Vec<u8>, Vec<u8>)>);

impl Fields {
    /// The value of the first field of that name.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
    }

    /// All pairs of a name and a value, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }
}

impl FromRedisValue for Fields {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut parts = Vec::<Vec<u8>>::from_redis_value(value)?.into_iter();
        let pairs = std::iter::from_fn(|| Some((parts.next()?, parts.next()?)));
        Ok(Self(pairs.collect()))
    }
}

/// Calls `see` with the ID and the fields of each of the first `entries_max` entries. Returns whether
/// those were all. Of an entry that is larger than any ballot, only the first fields are given.
pub async fn each(
    redis: &mut Redis,
    stream: &str,
    entries_max: usize,
    mut see: impl FnMut(&str, &Fields),
) -> Result<bool, Error> {
    let (mut from, mut seen) = ("-".to_owned(), 0);
    while seen < entries_max {
        let mut read = redis::cmd("EVAL");
        read.arg(include_str!("entries/page.lua")).arg(1).arg(stream).arg(&from);
        read.arg(PAGE_ENTRIES.min(entries_max - seen));
        read.arg(PAGE_BYTES).arg(ENTRY_BYTES).arg(PART_BYTES);
        let page: Vec<(String, Fields)> = redis.ask(&read).await?;
        let Some((last, _)) = page.last() else { return Ok(true) };
        from = format!("({last}");
        seen += page.len();
        for (id, fields) in &page {
            see(id, fields);
        }
    }
    Ok(false)
}

/// Reads one whole entry; `None` if it is not in the stream.
pub async fn one(redis: &mut Redis, stream: &str, id: &str) -> Result<Option<Fields>, Error> {
    let range = redis::cmd("XRANGE").arg(stream).arg(id).arg(id).clone();
    let found: Vec<(String, Fields)> = redis.ask(&range).await?;
    Ok(found.into_iter().next().map(|(_, fields)| fields))
}
