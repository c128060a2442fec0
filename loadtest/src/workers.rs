//! Threads that play voters, and the figures that they record.
//!
//! A [`worker`] follows its part of the timetable and hands due voters to connections ([`dispatcher`]). A [`session`]
//! plays one voter and enters the outcome in the [`recorder`] and, on request, in the [`journal`].

pub(crate) mod dispatcher;
pub(crate) mod journal;
pub(crate) mod precise_timer;
pub(crate) mod recorder;
pub(crate) mod session;
pub(crate) mod worker;
