//! Real programs that are replaced, and servers that die, while people vote: what was acknowledged is
//! counted, once.
//!
//! Every ballot comes from the load tester's library, and every audit is its audit by name.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod balancer;
mod cluster;
mod deployment;
mod durability;
mod rolling;
mod versions;
