//! Breaks a running Votestream, and audits whether every acknowledged ballot was counted once.
//!
//! The way of a run: a [`schedule`] is drawn from the seed; a `site` of private servers, the real
//! programs and a [`testkit::proxy`] between each pair is started; the load tester's library votes; faults are
//! brought about and healed (`inject`); after each one a `probe` measures the recovery; at the end
//! everything is counted and balanced (`audit`), and a `report` says what was kept.
//!
//! Invariant: nothing is touched that was not started here.
//! Absent on purpose: the services' code. They are programs, set up by their environment.

mod audit;
mod chance;
pub mod cli;
pub mod config;
pub mod fault;
mod folder;
mod html;
mod http;
mod inject;
mod markdown;
mod probe;
mod report;
mod run;
mod sampler;
pub mod schedule;
mod service;
mod site;
mod timeline;

pub use config::Config;
pub use fault::Fault;
pub use report::{EXIT_BROKEN, EXIT_FAILED, EXIT_OK};
