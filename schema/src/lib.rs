//! What the parts of Votestream agree on.
//!
//! Owns the words of the domain ([`poll`], [`ballot`], [`choices`], [`ids`]), how a ballot travels
//! ([`codec`]), where it lies in Redis ([`keys`]), who a voter is ([`voter`], [`code`]), what one submits ([`submission`]), and, behind
//! the feature `db`, the Postgres schema ([`db`]).
//!
//! Invariant: nothing here does I/O except [`db`].

pub mod ballot;
pub mod choices;
pub mod code;
pub mod codec;
#[cfg(feature = "db")]
pub mod db;
pub mod ids;
pub mod keys;
pub mod poll;
#[cfg(feature = "poll-file")]
pub mod poll_file;
pub mod position;
pub mod projection;
pub mod replay;
pub mod submission;
pub mod tally;
pub mod voter;

pub use ballot::Ballot;
pub use choices::Choices;
pub use ids::{BallotId, EntryId, PollId, Slug, VoterId};
pub use keys::Keys;
pub use poll::{Poll, PollOption, PollState};
