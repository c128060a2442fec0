//! Compares the votes that were counted with the ballots that were acknowledged.
//!
//! Over HTTP only the sums of the tally can be compared ([`balance`]). With access to the [`database`] every voter is
//! compared with its own row ([`by_name`]).

pub(crate) mod balance;
pub(crate) mod by_name;
pub(crate) mod claims;
pub(crate) mod database;
pub(crate) mod drain;
pub(crate) mod findings;
pub(crate) mod ledger;
pub(crate) mod result;
pub(crate) mod row_key;
