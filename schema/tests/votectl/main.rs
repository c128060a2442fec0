//! The real `votectl` against real servers.
#![cfg(feature = "votectl")]

mod audit;
mod close;
mod cluster;
mod codes;
mod dead_letters;
mod deployment;
mod export;
mod migrate;
mod poll;
mod servers_away;
