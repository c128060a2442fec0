//! Which producers are alive, and how recent their copies of the polls are.
//!
//! Each producer writes one field, under its own name, every second. Whoever has just changed a poll can so wait until
//! every producer has read it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Command, command};
use crate::Keys;

/// A producer that has not read the polls for this long does not run any more, in milliseconds.
pub const ALIVE_MS: i64 = 10_000;
/// Slugs of unreadable polls that a producer names at most.
pub const UNREADABLE_MAX: usize = 32;

/// One producer, as it describes itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Redis' time before it last read the polls or found them unchanged, in milliseconds since the epoch. It has all changes
    /// made before, except those of a release that does not count them: they may be ten seconds late.
    pub read_at_ms: i64,
    /// The slugs of polls that it cannot read, such as those of a later release; [`UNREADABLE_MAX`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

impl Presence {
    /// The command that writes the presence of the producer with this name.
    ///
    /// # Panics
    /// Never: numbers and texts always serialise.
    pub fn write(&self, keys: &Keys, name: &str) -> Command {
        let json = serde_json::to_string(self).expect("numbers and texts always serialise");
        command(["HSET", &keys.producers(), name, &json])
    }

    /// Whether the producer still runs at `now_ms`, by Redis' clock.
    pub fn is_alive(&self, now_ms: i64) -> bool {
        now_ms - self.read_at_ms < ALIVE_MS
    }
}

/// Asks for all producers; [`parse`] reads the reply.
pub fn all(keys: &Keys) -> Command {
    command(["HGETALL", &keys.producers()])
}

/// All producers with their names, in the order of the names. One that cannot be read counts as one that has never read the
/// polls.
pub fn parse(fields: HashMap<String, String>) -> Vec<(String, Presence)> {
    let read = |(name, json): (String, String)| {
        let presence = serde_json::from_str(&json).unwrap_or_default();
        (name, presence)
    };
    let mut all: Vec<(String, Presence)> = fields.into_iter().map(read).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// Removes a producer that stops, or has stopped.
pub fn remove(keys: &Keys, name: &str) -> Command {
    command(["HDEL", &keys.producers(), name])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_that_has_not_read_for_long_is_not_alive() {
        let presence = Presence { read_at_ms: 100_000, unreadable: Vec::new() };
        assert!(
            presence.is_alive(100_000 + ALIVE_MS - 1) && !presence.is_alive(100_000 + ALIVE_MS)
        );
        assert_eq!(serde_json::to_string(&presence).unwrap(), r#"{"read_at_ms":100000}"#);
    }
}
