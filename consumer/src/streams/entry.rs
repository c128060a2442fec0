//! Entries as Redis returns them, before their content is checked, and the parsing of the replies that hold them.
//!
//! Invariant: an entry that is larger than any ballot keeps its ID and size only, so it takes no memory in a batch.

use redis::{ErrorKind, RedisError, Value, from_redis_value};
use votestream_schema::{EntryId, codec};

/// One stream entry with its raw fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The partition whose stream holds it.
    pub partition: u16,
    /// Its ID in the text form `<milliseconds>-<sequence>`, as Redis sent it.
    pub id: String,
    /// Field names and values, alternating; empty when the entry is oversized.
    pub fields: Vec<Vec<u8>>,
    /// Its size in bytes, if that exceeds [`codec::ENTRY_BYTES_MAX`].
    pub oversized: Option<usize>,
}

impl Entry {
    /// Returns the value of the first field with this name.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let mut pairs = self.fields.chunks_exact(2);
        pairs.find(|pair| pair[0] == name.as_bytes()).map(|pair| pair[1].as_slice())
    }

    /// Returns the ID that decides time and order: the original entry's for a replayed dead letter, else its own.
    ///
    /// # Errors
    /// Returns an error when the ID does not parse or does not fit the database's columns.
    pub fn effective_id(&self) -> Result<EntryId, codec::Error> {
        match self.field(codec::FIELD_ORIGIN) {
            Some(origin) => codec::decode_origin(origin),
            None => self.id.parse().map_err(|_| codec::Error::InvalidPart("entry ID")),
        }
    }
}

/// The memory that a field name or value takes in addition to its own bytes.
pub const PART_BYTES: usize = 32;

/// The result of a read or a claim.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The entries to count.
    pub entries: Vec<Entry>,
    /// The size of the reply in bytes, including the fields of oversized entries that were not kept.
    pub bytes: usize,
    /// Partition and ID of pending entries that somebody deleted, so that they were lost before they were counted.
    pub vanished: Vec<(u16, String)>,
}

impl Delivered {
    /// Returns whether the read found neither entries nor traces of deleted ones.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.vanished.is_empty()
    }

    /// Appends the result of another read.
    pub fn extend(&mut self, more: Self) {
        if self.is_empty() {
            *self = more;
            return;
        }
        self.entries.extend(more.entries);
        self.vanished.extend(more.vanished);
        self.bytes += more.bytes;
    }
}

/// Parses the reply of XREADGROUP; `partition_of` maps a stream's key to its partition.
///
/// # Errors
/// Returns an error when the reply does not have the documented form, or holds a stream that was not asked for.
pub fn read_reply(
    reply: Value,
    partition_of: impl Fn(&str) -> Option<u16>,
) -> Result<Delivered, RedisError> {
    let mut delivered = Delivered::default();
    let streams = match reply {
        Value::Nil => return Ok(delivered),
        Value::Map(streams) => streams,
        // One by one: as a whole, two pairs could be read as one pair of arrays.
        other => {
            let pairs: Vec<Value> = from_redis_value(other)?;
            pairs.into_iter().map(from_redis_value).collect::<Result<_, _>>()?
        }
    };
    for (key, entries) in streams {
        let key: String = from_redis_value(key)?;
        let partition = partition_of(&key).ok_or_else(|| unexpected("a stream not asked for"))?;
        let entries: Vec<Value> = from_redis_value(entries)?;
        delivered.entries.reserve(entries.len());
        for entry in entries {
            take_entry(partition, entry, &mut delivered)?;
        }
    }
    Ok(delivered)
}

/// The parsed reply of XAUTOCLAIM with JUSTID.
#[derive(Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The ID from which to continue; `0-0` after the last pending entry.
    pub cursor: String,
    /// The IDs of the claimed entries.
    pub ids: Vec<String>,
    /// The IDs of entries that were pending but that somebody deleted.
    pub vanished: Vec<String>,
}

/// Parses the reply of XAUTOCLAIM with JUSTID.
///
/// # Errors
/// Returns an error when the reply does not have the documented form.
pub fn claim_reply(reply: Value) -> Result<Claimed, RedisError> {
    let (cursor, ids, vanished) = from_redis_value(reply)?;
    Ok(Claimed { cursor, ids, vanished })
}

/// Parses the reply of `fetch.lua`, which is about one partition.
///
/// # Errors
/// Returns an error when the reply does not have the form that the script documents.
pub fn fetch_reply(partition: u16, reply: Value) -> Result<Delivered, RedisError> {
    let mut delivered = Delivered::default();
    for entry in from_redis_value::<Vec<Value>>(reply)? {
        take_entry(partition, entry, &mut delivered)?;
    }
    Ok(delivered)
}

/// Parses one entry and adds it to `into`, as an entry to count, an oversized one, or a deleted one.
fn take_entry(partition: u16, entry: Value, into: &mut Delivered) -> Result<(), RedisError> {
    let (id, fields): (String, Value) = from_redis_value(entry)?;
    match fields {
        Value::Nil => into.vanished.push((partition, id)),
        // `fetch.lua` sends only the size of an entry that is too large.
        Value::Int(size) => {
            let oversized = Some(size.unsigned_abs() as usize);
            into.entries.push(Entry { partition, id, fields: Vec::new(), oversized });
        }
        fields => {
            let fields: Vec<Vec<u8>> = from_redis_value(fields)?;
            let size = fields.iter().map(|part| part.len() + PART_BYTES).sum();
            into.bytes += size;
            let oversized = (size > codec::ENTRY_BYTES_MAX).then_some(size);
            // It cannot be a ballot, so its fields are dropped instead of staying in memory until the batch is counted.
            let fields = if oversized.is_some() { Vec::new() } else { fields };
            into.entries.push(Entry { partition, id, fields, oversized });
        }
    }
    Ok(())
}

fn unexpected(problem: &'static str) -> RedisError {
    (ErrorKind::UnexpectedReturnType, "stream reply", problem.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn entry(id: &str, fields: Value) -> Value {
        Value::Array(vec![bulk(id), fields])
    }

    #[test]
    fn a_deleted_entry_is_distinguished_from_an_empty_one() {
        let entries = Value::Array(vec![
            entry("1-0", Value::Array(vec![bulk("ballot"), bulk("x")])),
            entry("2-0", Value::Nil),
        ]);
        let reply = Value::Array(vec![Value::Array(vec![bulk("s"), entries])]);
        let delivered = read_reply(reply, |key| (key == "s").then_some(3)).unwrap();
        assert_eq!(delivered.entries.len(), 1);
        assert_eq!(delivered.entries[0].field("ballot"), Some(&b"x"[..]));
        assert_eq!(delivered.entries[0].field("trace"), None);
        assert_eq!(delivered.vanished, [(3, "2-0".to_owned())]);
        assert_eq!(read_reply(Value::Nil, |_| None).unwrap(), Delivered::default());
    }

    #[test]
    fn a_claim_returns_its_cursor_and_the_deleted_entries() {
        let ids = |ids: &[&str]| Value::Array(ids.iter().map(|id| bulk(id)).collect());
        let reply = Value::Array(vec![bulk("5-0"), ids(&["1-0"]), ids(&["2-0"])]);
        let claimed = claim_reply(reply).unwrap();
        assert_eq!(claimed.cursor, "5-0");
        assert_eq!((claimed.ids, claimed.vanished), (vec!["1-0".into()], vec!["2-0".into()]));
    }

    #[test]
    fn nothing_is_kept_of_an_entry_too_large_to_be_a_ballot() {
        let fields = Value::Array(vec![bulk("ballot"), bulk(&"x".repeat(codec::ENTRY_BYTES_MAX))]);
        let reply = Value::Array(vec![
            entry("1-0", fields),
            entry("2-0", Value::Int(1 << 40)),
            entry("3-0", Value::Nil),
        ]);
        let mut delivered = fetch_reply(3, reply.clone()).unwrap();
        delivered.extend(fetch_reply(4, reply).unwrap());
        let sizes: Vec<_> = delivered.entries.iter().map(|entry| entry.oversized).collect();
        let beside = 2 * PART_BYTES + "ballot".len();
        let expected = [Some(codec::ENTRY_BYTES_MAX + beside), Some(1 << 40)];
        assert_eq!(sizes, [expected, expected].concat());
        assert!(delivered.entries.iter().all(|entry| entry.fields.is_empty()));
        assert_eq!(delivered.vanished.len(), 2);
        assert!(delivered.bytes > 2 * codec::ENTRY_BYTES_MAX, "what was read counts");
    }

    #[test]
    fn the_origin_decides_where_there_is_one() {
        let plain = Entry { partition: 0, id: "7-1".into(), fields: vec![], oversized: None };
        assert_eq!(plain.effective_id(), Ok(EntryId { ms: 7, seq: 1 }));
        let fields = vec![b"origin".to_vec(), b"3-0".to_vec()];
        let replayed = Entry { fields, ..plain.clone() };
        assert_eq!(replayed.effective_id(), Ok(EntryId { ms: 3, seq: 0 }));
        let odd = Entry { id: "18446744073709551615-0".into(), ..plain };
        assert!(odd.effective_id().is_err());
    }
}
