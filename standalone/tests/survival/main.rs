//! Real programs are replaced, and servers die, while people vote: every acknowledged ballot is counted exactly once.
//!
//! The load tester's library casts the ballots and audits them voter by voter.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod balancer;
mod cluster;
mod deployment;
mod durability;
mod logs;
mod names;
mod poolers;
mod rolling;
mod verdicts;
mod versions;
