//! The watermark of a partition: the time up to which every ballot is settled, that is counted, set aside or a dead letter.
//!
//! It is the time of the oldest entry that is still in the stream, because entries leave it only once they are settled.
//! For an empty stream it is the time of the last ID, because later entries have later IDs. The least watermark of all
//! partitions is that of the deployment. A poll is final once that has passed its closing time.
//! Models: the watermarks of Flink and Beam, <https://beam.apache.org/documentation/basics/#watermarks>.

use std::collections::HashMap;

use crate::position::Position;
use crate::projection::{self, Command};
use crate::{EntryId, Keys, PollId};

/// Entries of a stream that are counted by poll at most.
const ENTRIES_COUNTED_MAX: usize = 1_000;
/// Bytes of entries after which counting ends: ballots take about 100 bytes each.
const BYTES_COUNTED_MAX: usize = 256 * 1_024;

/// One stream at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamState {
    /// How far it has come.
    pub position: Position,
    /// The number of entries in it.
    pub length: i64,
    /// The oldest entry in it.
    pub oldest: Option<EntryId>,
    /// The number of entries, from the oldest on, that were counted by poll.
    pub counted: i64,
    /// The ballots of these entries by poll.
    pub ballots: HashMap<PollId, i64>,
}

impl StreamState {
    /// The time before which every ballot is settled, in milliseconds since the epoch.
    pub fn complete_to_ms(&self) -> i64 {
        self.oldest.unwrap_or(self.position.last).ms
    }

    /// Reads the reply to [`script`]; `None` if it is not of that form.
    pub fn parse(reply: &[String]) -> Option<Self> {
        let (head, polls) = reply.split_at_checked(5)?;
        let mut state = Self {
            position: Position { last: head[0].parse().ok()?, added: head[1].parse().ok()? },
            length: head[2].parse().ok()?,
            oldest: match head[3].as_str() {
                "" => None,
                oldest => Some(oldest.parse().ok()?),
            },
            counted: head[4].parse().ok()?,
            ballots: HashMap::new(),
        };
        for pair in polls.chunks(2) {
            // A forged entry may have any number.
            if let (Ok(poll), Some(Ok(ballots))) = (pair[0].parse(), pair.get(1).map(|n| n.parse()))
            {
                state.ballots.insert(PollId(poll), ballots);
            }
        }
        Some(state)
    }

    /// Whether every entry was counted by poll.
    fn is_counted(&self) -> bool {
        self.counted >= self.length
    }
}

/// The ballots that wait in all streams, by poll; polls without any are left out. `None` if that is not known, because a
/// stream is too long to be read and more than one poll takes ballots: `only` is the one that does, if there is one.
pub fn waiting<'a>(
    streams: impl Iterator<Item = &'a StreamState> + Clone,
    only: Option<PollId>,
) -> Option<HashMap<PollId, i64>> {
    let mut waiting = HashMap::new();
    if streams.clone().all(StreamState::is_counted) {
        for (poll, ballots) in streams.flat_map(|stream| &stream.ballots) {
            *waiting.entry(*poll).or_default() += ballots;
        }
        return Some(waiting);
    }
    waiting.insert(only?, streams.map(|stream| stream.length).sum());
    Some(waiting)
}

/// Asks for the state of a stream, which [`StreamState::parse`] reads. With the `fence`, the last ID of an empty stream
/// moves to the present, so that its watermark does.
pub fn script(keys: &Keys, partition: u16, fence: bool) -> Command {
    projection::command([
        "EVAL",
        include_str!("lua/watermark.lua"),
        "2",
        &keys.stream(partition),
        &keys.sent_again(partition),
        if fence { "1" } else { "0" },
        &ENTRIES_COUNTED_MAX.to_string(),
        &BYTES_COUNTED_MAX.to_string(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(reply: &[&str]) -> StreamState {
        let reply: Vec<String> = reply.iter().map(|part| (*part).to_owned()).collect();
        StreamState::parse(&reply).unwrap()
    }

    #[test]
    fn the_oldest_entry_decides_and_else_the_last_id() {
        assert_eq!(parsed(&["9-1", "7", "2", "5-3", "2", "1", "2"]).complete_to_ms(), 5);
        assert_eq!(parsed(&["9-1", "7", "0", "", "0"]).complete_to_ms(), 9);
        for bad in
            [&["9-1", "7", "0", ""][..], &["x", "7", "0", "", "0"], &["9-1", "7", "0", "x", "0"]]
        {
            let bad: Vec<String> = bad.iter().map(|part| (*part).to_owned()).collect();
            assert_eq!(StreamState::parse(&bad), None);
        }
    }

    #[test]
    fn what_waits_is_known_by_poll_or_for_the_only_one() {
        let one = parsed(&["9-1", "7", "3", "5-3", "3", "1", "2", "99999999999", "1"]);
        let other = parsed(&["9-1", "7", "2", "5-3", "2", "1", "1", "2", "1"]);
        let both = [&one, &other];
        let known = waiting(both.into_iter(), None).unwrap();
        assert_eq!(known, HashMap::from([(PollId(1), 3), (PollId(2), 1)]));
        let long = parsed(&["9-1", "7", "5000", "5-3", "1000", "1", "1000"]);
        let both = [&one, &long];
        assert_eq!(waiting(both.into_iter(), None), None);
        let only = waiting(both.into_iter(), Some(PollId(1)));
        assert_eq!(only, Some(HashMap::from([(PollId(1), 5_003)])));
    }
}
