//! The real `votectl` against real servers.
#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod audit;
mod close;
mod cluster;
mod codes;
mod dead_letters;
mod deployment;
mod export;
#[path = "../../../dashboard/tests/api/log/builder.rs"]
mod log_builder;
mod migrate;
mod networks;
mod organisers;
mod poll;
mod resync;
mod secrecy;
mod servers_away;
mod verify;
mod witnesses;
