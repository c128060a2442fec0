//! The definitions that all parts of Votestream share.
//!
//! Owns the terms of the domain ([`poll`], [`ballot`], [`choices`], [`ids`]), the format in which a ballot
//! travels ([`codec`]), the names of Redis keys ([`keys`]), the identity of a voter ([`voter`], [`code`],
//! [`idempotency`]) and the key of a voter in one poll ([`poll::voter_key`],
//! [`poll::secrecy`]), the networks of clients ([`poll::network`]), the forms in which a voter submits a ballot
//! ([`submission`]), and, behind the feature `db`,
//! the Postgres schema ([`db`]).
//!
//! Invariant: nothing here does I/O except [`db`] and, behind the feature `poll-copy`,
//! [`poll_copy`] and [`register_contents`].

pub mod ballot;
pub mod choices;
pub mod code;
pub mod codec;
#[cfg(feature = "db")]
pub mod db;
pub mod idempotency;
pub mod ids;
pub mod keys;
pub mod poll;
#[cfg(feature = "poll-copy")]
pub mod poll_copy;
#[cfg(feature = "poll-file")]
pub mod poll_file;
pub mod position;
pub mod projection;
#[cfg(feature = "poll-copy")]
pub mod register_contents;
pub mod replay;
pub mod submission;
pub mod tally;
pub mod voter;
pub mod watermark;

pub use ballot::Ballot;
pub use choices::Choices;
pub use ids::{BallotId, EntryId, PollId, Slug, VoterId, VoterKey};
pub use keys::Keys;
pub use poll::{Poll, PollOption, PollState, organiser};
