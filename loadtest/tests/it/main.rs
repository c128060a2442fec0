//! The real binary against a fake deployment whose faults are known.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

mod fake;
mod faults;
mod omission;
mod people;
mod reports;
mod safety;
mod shards;
mod tls;
mod tool;
