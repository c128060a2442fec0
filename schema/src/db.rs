//! The part of Postgres that all parts share: migrations, locks, poll definitions, results, stream
//! positions, and whether Redis is of the same time.
//!
//! Absent on purpose: the statements that count votes, which are the consumer's, and those that read
//! tallies every tick, which are the dashboard's.

pub mod accounts;
pub mod audit_trail;
pub mod epoch;
mod error;
pub mod locks;
pub mod log;
pub mod migrations;
pub mod organisers;
pub mod poll_changes;
pub mod polls;
pub mod positions;
pub mod results;
pub mod secrets;
pub mod watermarks;

pub use error::{Error, UnreadablePoll, describe};
pub use migrations::{Migrated, migrate, partitions};
