//! A load tester for a Votestream deployment. It also audits whether every acknowledged ballot was counted once.
//!
//! The binary `loadtest` is a thin shell over this library, so that other harnesses can drive the load too: they call
//! [`run()`] with a [`Config`]. A run has five steps:
//!
//! 1. `run/preflight.rs` checks the arguments and the target. Nothing has been sent until then.
//! 2. `viewers` open event streams of the live results.
//! 3. `workers` play the `voters` of the `plan` over `http`.
//! 4. `audit` waits until everything is counted, and compares the votes with the replies.
//! 5. `report` holds the figures and the verdict.
//!
//! Each folder uses only those before it in this list: `measure`, `plan`, `http`, `voters`, `audit`,
//! `workers`, `viewers`, `report`, `run`, `cli`.
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
//! The load tester speaks HTTP and, on request, reads Postgres. It uses no other code of Votestream.

#![warn(clippy::large_stack_frames)]

mod audit;
pub mod cli;
mod config;
mod http;
mod lock;
mod measure;
mod plan;
mod poll;
mod report;
mod rng;
mod run;
mod text;
mod units;
mod viewers;
mod voters;
mod workers;

pub use audit::findings::{Findings, NamedFinding};
pub use audit::ledger::Ledger;
pub use audit::result::{Audit, AuditVerdict};
pub use config::Config;
pub use http::addresses::Resolve;
pub use http::target::{Target, TargetError};
pub use measure::histogram::{Distribution, Latencies};
pub use plan::profile::{Profile, Shape};
pub use plan::shard::{Shard, ShardError};
pub use plan::timetable::{Phase, Plan, Spacing};
pub use report::compare::{Comparison, compare};
pub use report::data::{Report, SCHEMA_VERSION};
pub use report::html::render as render_html;
pub use report::merge::merge;
pub use report::slo::Slo;
pub use report::verdict::{
    EXIT_AUDIT, EXIT_INCOMPLETE, EXIT_MISSED, EXIT_OK, EXIT_USAGE, EXIT_WRITE,
};
pub use rng::Rng;
pub use run::progress::{Progress, Stage};
pub use run::stop::Stop;
pub use run::{CompletedRun, drive, run};
pub use voters::expected_vote::{ExpectedVote, VoterRecord};
pub use voters::mix::Mix;
pub use voters::outcome::Outcome;
