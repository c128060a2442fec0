//! Injects faults into a running Votestream, and audits whether every acknowledged ballot was counted exactly once.
//!
//! A run has these steps. A [`schedule`] is drawn from the seed. A `testbed` starts private servers, the real programs,
//! and a [`testkit::proxy`] between each service and each server. The library of the load tester casts ballots, and
//! `closing` lets polls close meanwhile, and `overview` looks at the dashboard of whoever is on call. `inject` injects faults and heals them, and after each one a `probe` measures
//! the recovery. At the end `audit` waits until everything is counted and compares the records, and `report` judges the
//! run.
//!
//! Invariant: a run touches no process, file or server that it did not start or make itself.
//! Absent on purpose: the services' code. They are programs that read their settings from the environment.

mod audit;
pub mod cli;
mod closing;
pub mod config;
mod connection;
pub mod fault;
mod folder;
mod http;
mod inject;
mod managed_service;
mod overview;
mod probe;
mod report;
mod run;
mod sampler;
pub mod schedule;
mod testbed;
mod votectl;

pub use config::Config;
pub use fault::Fault;
pub use report::{EXIT_BROKEN, EXIT_FAILED, EXIT_OK};
