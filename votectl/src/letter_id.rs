//! The name of a dead letter.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use votestream_schema::EntryId;

/// The name of a letter: `<partition>/<entry ID>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetterId {
    /// The partition of the stream that holds it.
    pub partition: u16,
    /// The letter's own entry ID.
    pub entry: EntryId,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.entry)
    }
}

/// Why a text is not the name of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write it as `votectl dead-letters list` shows it: 3/1763912345678-0")]
pub struct InvalidLetterId;

impl FromStr for LetterId {
    type Err = InvalidLetterId;

    fn from_str(text: &str) -> Result<Self, InvalidLetterId> {
        let read = || {
            let (partition, entry) = text.split_once('/')?;
            Some(Self { partition: partition.parse().ok()?, entry: entry.parse().ok()? })
        };
        read().ok_or(InvalidLetterId)
    }
}

impl Serialize for LetterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
