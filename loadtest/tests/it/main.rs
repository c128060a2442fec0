//! The real binary against a fake deployment whose faults are known.

mod fake;
mod faults;
mod omission;
mod people;
mod reports;
mod safety;
mod shards;
mod tool;
