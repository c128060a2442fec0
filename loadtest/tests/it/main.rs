//! Runs the real binary against a deployment whose mistakes are known.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

mod fake;
mod faults;
mod files;
mod omission;
mod options;
mod people;
mod reports;
mod safety;
mod shards;
mod terminal;
mod tls;
mod tool;
