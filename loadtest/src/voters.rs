//! Simulated voters: their behaviour, their requests, and the vote that should be stored for each.
//!
//! Nothing here opens a connection; [`crate::workers`] plays the voters.

pub(crate) mod challenge;
pub(crate) mod crowd;
pub(crate) mod expected_vote;
pub(crate) mod mix;
pub(crate) mod outcome;
pub(crate) mod requests;
pub(crate) mod weights;
