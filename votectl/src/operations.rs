//! The operations on a deployment. Each one connects, does one thing, and returns the result.
//!
//! Invariant: Postgres holds the truth. An operation that fails half-way leaves Redis no further
//! than Postgres would allow, and running it again finishes it.

pub mod audit;
pub mod codes;
pub mod dead_letters;
pub mod log;
pub mod migrate;
pub mod organisers;
pub mod polls;
pub mod resync;
