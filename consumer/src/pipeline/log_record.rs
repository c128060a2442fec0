//! Ballots on their way to the public log of their poll: how they are queued in Postgres.
//!
//! A queue row has the ballots of one batch and poll, one after the other. All numbers are big-endian:
//!
//! | bytes | content |
//! |---|---|
//! | 1 | what became of the ballot (0 counts, 1 superseded, 2 out of time); plus 128 if it replaces another |
//! | 2 | partition |
//! | 8 + 8 | milliseconds and sequence of the stream entry |
//! | 16 | ballot id |
//! | 8 | choices, as a bit mask |
//! | 8 + 8 | the stream entry that it replaces, if there is one |

use uuid::Uuid;
use votestream_schema::{BallotId, Choices, EntryId};
use votestream_transparency::entry::{Outcome, StreamEntry};

/// Added to the first byte of a ballot that replaces another.
const REPLACES: u8 = 0x80;
/// The bytes of a ballot that replaces none.
const BYTES: usize = 1 + 2 + 16 + 16 + 8;

/// One ballot for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// What became of the ballot.
    pub outcome: Outcome,
    /// The stream entry that brought it.
    pub entry: StreamEntry,
    /// The ballot's id.
    pub ballot: BallotId,
    /// Its choices.
    pub choices: Choices,
    /// The entry, of the same partition, whose ballot it replaces.
    pub replaces: Option<EntryId>,
}

/// A queue row that is not of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ballots of a row of log_queue cannot be read")]
pub struct Unreadable;

impl LogRecord {
    /// Appends the ballot to a queue row.
    pub fn write(&self, row: &mut Vec<u8>) {
        let outcome = match self.outcome {
            Outcome::Counts => 0,
            Outcome::Superseded => 1,
            Outcome::OutOfTime => 2,
        };
        row.push(if self.replaces.is_some() { outcome | REPLACES } else { outcome });
        row.extend_from_slice(&self.entry.partition.to_be_bytes());
        write_entry(self.entry.id, row);
        row.extend_from_slice(self.ballot.0.as_bytes());
        row.extend_from_slice(&self.choices.mask().to_be_bytes());
        if let Some(replaced) = self.replaces {
            write_entry(replaced, row);
        }
    }

    /// Reads all ballots of a queue row.
    ///
    /// # Errors
    /// Returns [`Unreadable`] if the row is not of this form.
    pub fn read_all(row: &[u8]) -> Result<Vec<Self>, Unreadable> {
        let mut rest = row;
        let mut records = Vec::with_capacity(row.len() / BYTES);
        while !rest.is_empty() {
            records.push(Self::read(&mut rest).ok_or(Unreadable)?);
        }
        Ok(records)
    }

    fn read(rest: &mut &[u8]) -> Option<Self> {
        let [first] = take(rest)?;
        let outcome = match first & !REPLACES {
            0 => Outcome::Counts,
            1 => Outcome::Superseded,
            2 => Outcome::OutOfTime,
            _ => return None,
        };
        let partition = u16::from_be_bytes(take(rest)?);
        let entry = StreamEntry { partition, id: read_entry(rest)? };
        let ballot = BallotId(Uuid::from_bytes(take(rest)?));
        let choices = Choices::from_mask(i64::from_be_bytes(take(rest)?))?;
        let replaces = if first & REPLACES == 0 { None } else { Some(read_entry(rest)?) };
        Some(Self { outcome, entry, ballot, choices, replaces })
    }
}

fn write_entry(entry: EntryId, row: &mut Vec<u8>) {
    row.extend_from_slice(&entry.ms.to_be_bytes());
    row.extend_from_slice(&entry.seq.to_be_bytes());
}

fn read_entry(rest: &mut &[u8]) -> Option<EntryId> {
    let (ms, seq) = (i64::from_be_bytes(take(rest)?), i64::from_be_bytes(take(rest)?));
    Some(EntryId { ms, seq })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_ballots_that_were_written() {
        let records = Outcome::ALL.map(|outcome| LogRecord {
            outcome,
            entry: StreamEntry { partition: 700, id: EntryId { ms: 1_700_000_000_000, seq: 3 } },
            ballot: BallotId::new(),
            choices: Choices::from_mask(i64::MAX).unwrap(),
            replaces: (outcome == Outcome::Counts).then_some(EntryId { ms: 5, seq: 6 }),
        });
        let mut row = Vec::new();
        for record in &records {
            record.write(&mut row);
        }
        assert_eq!(row.len(), 59 + 43 + 43);
        assert_eq!(LogRecord::read_all(&row).unwrap(), records);
        assert_eq!(LogRecord::read_all(&row[..100]), Err(Unreadable));
        assert_eq!(LogRecord::read_all(&[3; 43]), Err(Unreadable));
        assert_eq!(LogRecord::read_all(&[]), Ok(Vec::new()));
    }
}
