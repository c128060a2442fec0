//! The consumer on real servers: whatever fails, every stored ballot is counted exactly once.
//!
//! One module per subject. Each test has its own database and key prefix; tests that stop or break a server start one
//! of their own.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod accounts;
mod cluster;
mod concurrency;
mod counting;
mod forgery;
mod names;
mod observed;
mod order;
mod poison;
mod postgres_away;
mod recovery;
mod redis_away;
mod refused_commands;
mod register_expiry;
mod shutdown;
mod support;
mod tls;
mod watermark;
mod whole;
