//! The consumer on real servers: whatever happens, what is stored is counted, once.
//!
//! One module per subject. Each test has a database and a key prefix of its own; those that harm a
//! server have a server of their own.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod cluster;
mod concurrency;
mod forgetting;
mod journey;
mod names;
mod observed;
mod order;
mod poison;
mod postgres_away;
mod recovery;
mod redis_away;
mod shutdown;
mod support;
mod tls;
mod whole;
