//! Load for a Votestream deployment, and the audit of what became of it.
//!
//! The binary `loadtest` is a thin shell over this library; other harnesses call [`run()`] with a
//! [`Config`]. The way of a run: [`run()`] looks at the target (`preflight`), lets viewers in
//! (`viewer`), starts its lanes (`lane` → `pool` → `visit` → `connection`), watches them (`watch`),
//! waits until all is counted (`drain`), balances the books (`ledger` → `audit`, `deep`) and puts a
//! [`Report`] together (`assemble` → `verdict`).
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use votestream_loadtest::{Config, Plan, Profile, Shape, Stop, Target, run};
//!
//! let shape = Shape { rate: Some(500.0), seconds: Some(60.0), ..Shape::default() };
//! let plan = Plan::of(Profile::Constant, &shape)?;
//! let mut config = Config::new(Target::parse("http://localhost:8080")?, "cats-vs-dogs", plan);
//! config.results = Some(Target::parse("http://localhost:8081")?);
//! let report = run(&config, &Stop::default(), &mut |progress| {
//!     println!("{} acknowledged", progress.acknowledged);
//! })
//! .await?;
//! assert!(!report.audit.findings.is_violated());
//! # Ok(())
//! # }
//! ```
//!
//! It talks HTTP, and on request reads Postgres; it knows no other part of Votestream.

#![warn(clippy::large_stack_frames)]

mod alarm;
mod args;
mod arrivals;
mod assemble;
mod audit;
mod chance;
mod chart;
mod charts;
pub mod cli;
mod client;
mod clock;
mod compare;
mod config;
mod connection;
mod database;
mod deep;
mod drain;
mod facts;
mod frame;
mod histogram;
mod host;
mod html;
mod journal;
mod lane;
mod ledger;
mod live;
mod merge;
mod mix;
mod outcome;
mod plan;
mod poll;
mod pool;
mod preflight;
mod progress;
mod reckoning;
mod recorder;
mod reply;
mod report;
mod request;
mod run;
mod scrape;
mod screen;
mod shard;
mod sights;
mod slo;
mod stream;
mod summary;
mod tables;
mod target;
mod text;
mod verdict;
mod viewer;
mod visit;
mod voter;
mod watch;
mod wire;

pub use audit::{Audit, Findings, Named, Verdict as AuditVerdict};
pub use compare::{Comparison, compare};
pub use config::Config;
pub use histogram::{Distribution, Latencies};
pub use html::render as render_html;
pub use ledger::{Ledger, Standing, Witness};
pub use merge::merge;
pub use mix::Mix;
pub use outcome::Outcome;
pub use plan::{Phase, Plan, Profile, Shape, Spacing};
pub use progress::{Progress, Stage};
pub use report::{Report, SCHEMA_VERSION};
pub use run::{Driven, Stop, drive, run};
pub use shard::Shard;
pub use slo::Slo;
pub use target::Target;
pub use verdict::{EXIT_AUDIT, EXIT_MISSED, EXIT_OK, EXIT_USAGE};
