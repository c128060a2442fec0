//! The operator's operations on a deployment, as a library that any front end can call.
//!
//! Owns the [`operations`] on polls, voting codes, organisers, dead letters and the books, and the way to the two
//! [`servers`]. The program `votectl` (`main.rs` and `commands/`) is one front end; a web page can be
//! another.
//!
//! Invariant: nothing here prints or reads the command line. An operation takes plain values and returns
//! a plain value, or an [`Error`] that says whether trying again later may help.

mod ballot_address;
pub mod code_file;
mod entries;
mod error;
pub mod guessable;
mod in_flight;
mod letter_id;
mod moment;
pub mod operations;
pub mod option_argument;
pub mod servers;
mod unsettled;
pub mod verify;

pub use ballot_address::{BallotAddress, InvalidAddress};
pub use error::{Error, Refusal};
pub use in_flight::InFlight;
pub use letter_id::{InvalidLetterId, LetterId};
pub use moment::{InvalidMoment, Moment};
pub use servers::Servers;
pub use unsettled::Unsettled;
