//! The timetable of a load, and which voter arrives when.
//!
//! A [`timetable`] is drawn up before the run from a built-in [`profile`] or a [`file`](mod@file). [`shard`] divides
//! its voters among processes and threads, and [`arrivals`] lists the voters of one thread in order of time.

pub(crate) mod arrivals;
pub(crate) mod file;
pub(crate) mod profile;
pub(crate) mod shard;
pub(crate) mod timetable;
