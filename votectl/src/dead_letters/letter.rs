//! One dead letter, in the form in which the consumers write it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use votestream_schema::poll::rfc3339;
use votestream_schema::{EntryId, PollId, codec};

use crate::entries::Fields;
use crate::output::visible;

/// What stands before the name of a field of the original entry.
const ORIGINAL: &str = "original:";

/// Where a letter lies: `<partition>/<entry ID>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetterId {
    /// The partition.
    pub partition: u16,
    /// The letter's own entry ID.
    pub entry: EntryId,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.entry)
    }
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (partition, entry) = text.split_once('/')?;
            Some(Self { partition: partition.parse().ok()?, entry: entry.parse().ok()? })
        };
        read().ok_or_else(|| {
            "write it as `votectl dead-letters list` shows it: 3/1763912345678-0".into()
        })
    }
}

impl Serialize for LetterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A dead letter.
#[derive(Debug, Serialize)]
pub struct Letter {
    /// Where it lies.
    pub id: LetterId,
    /// When it was set aside.
    pub since: String,
    /// Why.
    pub reason: String,
    /// The ID under which it was delivered.
    pub entry: Option<String>,
    /// How often it was delivered.
    pub deliveries: Option<String>,
    /// The poll, where it holds a ballot.
    pub poll: Option<PollId>,
    /// The fields it came with; bytes that are no text are replaced.
    pub original: BTreeMap<String, String>,
}

impl Letter {
    /// Reads what Redis gave; `None` for an ID that we could not name again.
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

    /// For people.
    pub fn describe(&self) -> String {
        let unknown = || "?".to_owned();
        let facts = [
            ("letter", self.id.to_string()),
            ("since", self.since.clone()),
            ("reason", self.reason.clone()),
            ("entry", self.entry.clone().unwrap_or_else(unknown)),
            ("deliveries", self.deliveries.clone().unwrap_or_else(unknown)),
        ];
        let facts = facts.map(|(name, value)| format!("{name:<12}{}", visible(&value)));
        let fields = self.original.iter();
        let fields =
            fields.map(|(name, value)| format!("  {} = {}", visible(name), visible(value)));
        let fields: Vec<String> = fields.collect();
        format!("{}\noriginal fields\n{}", facts.join("\n"), fields.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_named_by_partition_and_entry() {
        let id: LetterId = "3/1763912345678-0".parse().unwrap();
        assert_eq!((id.partition, id.to_string().as_str()), (3, "3/1763912345678-0"));
        for bad in ["", "3", "3/", "x/1-0", "3/1", "-1/1-0", "70000/1-0"] {
            assert!(bad.parse::<LetterId>().is_err(), "{bad}");
        }
    }
}
