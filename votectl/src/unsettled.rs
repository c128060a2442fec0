//! Why a poll may still count ballots.

use std::fmt;

/// The ballots of a poll that may still be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsettled {
    /// Counting has not come past the closing time, or it is not known how far it has come.
    NotFinal,
    /// This many ballots wait in the streams; `None` if the streams are too long to look through.
    InStreams(Option<u64>),
    /// Some of its ballots are counted, and not in its public log yet.
    NotInLog,
    /// Dead letters of the poll.
    DeadLetters(u64),
    /// There are more dead letters than the given number, which are looked through at most.
    TooManyDeadLetters(usize),
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinal => f.write_str(
                "the consumers have not stored yet that everything before its closing time is counted; are they running?",
            ),
            Self::InStreams(Some(ballots)) => {
                write!(f, "{ballots} of its ballots wait in the streams")
            }
            Self::InStreams(None) => f.write_str("the streams are too long to look through"),
            Self::NotInLog => f.write_str(
                "some of its ballots are not in its public log yet; the consumers append them within seconds",
            ),
            Self::DeadLetters(letters) => write!(
                f,
                "{letters} dead letters are its ballots; replay or drop them first (`votectl dead-letters list`)"
            ),
            Self::TooManyDeadLetters(max) => write!(
                f,
                "there are more than {max} dead letters, too many to look through; replay or drop them first"
            ),
        }
    }
}
