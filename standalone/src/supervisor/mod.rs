//! Starts the pipeline, keeps it running, and stops it so that no vote is lost.
//!
//! Invariants: one supervisor per data folder (a lock); a child is stopped before whatever it
//! depends on; what a killed supervisor left behind is stopped before anything new starts.
//! Absent on purpose: a daemon mode. It runs in the foreground and says what it does.

mod config;
mod data_dir;
mod database;
mod error;
mod log_watch;
mod observer;
mod pipeline;
mod poll;
mod redis_nodes;
mod service;
mod stop_signals;
mod watched;

pub use config::Config;
pub use error::Error;

use std::io::Write;

use data_dir::DataDir;
use pipeline::Pipeline;
use stop_signals::StopSignals;

/// Runs the pipeline until SIGINT, SIGTERM or SIGHUP, then stops all of it.
///
/// # Errors
/// If something is in the way (a taken port, a missing program, another supervisor) or does not
/// come up. Whatever had been started is stopped first.
pub async fn run(config: &Config) -> Result<(), Error> {
    let mut stop_signals = StopSignals::listen()?;
    let data_dir = DataDir::open(&config.data_dir)?;
    tokio::task::block_in_place(|| data_dir.clear_leftovers());
    let ports = config.ports()?;

    let mut pipeline = Pipeline::new(config, &data_dir, ports);
    let outcome = tokio::select! {
        outcome = run_pipeline(&mut pipeline) => outcome,
        () = stop_signals.next() => Ok(()),
    };
    say("stopping: intake first, then what is still under way (again to hurry)");
    pipeline.stop(&mut stop_signals).await;
    say(&format!("everything is stopped; all votes are kept in {}", data_dir.root().display()));
    outcome
}

/// Returns only with an error.
async fn run_pipeline(pipeline: &mut Pipeline<'_>) -> Result<(), Error> {
    pipeline.start().await?;
    pipeline.announce();
    pipeline.keep_running().await
}

/// Tells the terminal. A terminal that is gone is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
