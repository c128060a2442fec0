//! The trait of all kinds of challenges.

use std::net::IpAddr;

use futures_util::future::BoxFuture;
use serde_json::Value;
use votestream_schema::{Poll, VoterId};

use crate::client::Source;

/// The voter who has to solve a challenge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Challenged<'a> {
    pub(crate) poll: &'a Poll,
    pub(crate) voter: VoterId,
    pub(crate) source: Source,
}

impl Challenged<'_> {
    /// The address of the client, if it can be read.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.source {
            Source::Address { address, .. } => Some(address),
            Source::Unreadable => None,
        }
    }
}

/// The verdict on a solution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is one.
    Solved,
    /// It is none, for this reason.
    Wrong(String),
    /// Nobody could check it.
    Unknown,
}

/// A kind of challenge.
pub(super) trait Challenge: Send + Sync {
    /// Describes the challenge for this voter, as the member `challenge` of a problem.
    fn describe(&self, of: Challenged<'_>) -> Value;

    /// Checks whether a text solves the challenge of this voter.
    fn check<'a>(&'a self, of: Challenged<'a>, solution: &'a str) -> BoxFuture<'a, Verdict>;

    /// Whether the challenge can be checked now, as far as is known.
    fn is_up(&self) -> bool;
}
