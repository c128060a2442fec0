//! One dead letter, as the consumers write it.

use std::collections::BTreeMap;

use serde::Serialize;
use votestream_schema::poll::rfc3339;
use votestream_schema::{EntryId, PollId, codec};

use crate::entries::Fields;
use crate::letter_id::LetterId;

/// The prefix of the names of the original entry's fields.
const ORIGINAL: &str = "original:";

/// A dead letter with everything that is known of it.
#[derive(Debug, Serialize)]
pub struct Letter {
    /// Its name.
    pub id: LetterId,
    /// When it was set aside, in RFC 3339.
    pub since: String,
    /// Why the consumer set it aside.
    pub reason: String,
    /// The ID of the stream entry that it was.
    pub entry: Option<String>,
    /// How often the entry was delivered to a consumer.
    pub deliveries: Option<String>,
    /// The poll, if the letter holds a ballot.
    pub poll: Option<PollId>,
    /// The fields of the stream entry; bytes that are not UTF-8 are replaced.
    pub original: BTreeMap<String, String>,
}

impl Letter {
    /// Reads a letter from the fields of its entry; `None` if its ID is beyond the range of [`EntryId`].
    pub fn read(partition: u16, id: &str, fields: &Fields) -> Option<Self> {
        let entry: EntryId = id.parse().ok()?;
        let readable = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let text = |name: &str| fields.value(name).map(readable);
        let original = |(name, value): (&[u8], &[u8])| {
            Some((readable(name.strip_prefix(ORIGINAL.as_bytes())?), readable(value)))
        };
        let payload = fields.value(&format!("{ORIGINAL}{}", codec::FIELD_BALLOT));
        Some(Self {
            id: LetterId { partition, entry },
            since: rfc3339(entry.ms),
            reason: text("reason").unwrap_or_else(|| "unknown".to_owned()),
            entry: text("entry"),
            deliveries: text("deliveries"),
            poll: payload.and_then(|payload| codec::decode(payload).ok()).map(|ballot| ballot.poll),
            original: fields.iter().filter_map(original).collect(),
        })
    }
}
