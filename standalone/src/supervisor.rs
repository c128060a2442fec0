//! Starts the pipeline, restarts processes that die, and stops everything so that no vote is lost.
//!
//! Invariants: at most one supervisor runs per data folder (a lock file); a process is stopped before the processes that
//! it depends on; processes that a killed supervisor left behind are stopped before new ones start.
//! Absent on purpose: a daemon mode. The supervisor runs in the foreground and prints each of its steps.

mod addresses;
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
mod supervised;
mod terminal;

pub use config::Config;
pub use error::Error;

use data_dir::DataDir;
use pipeline::Pipeline;
use stop_signals::StopSignals;
use terminal::say;

/// Runs the pipeline until SIGINT, SIGTERM or SIGHUP, and then stops all of it.
///
/// # Errors
/// Returns an error if a port is taken, a program is missing, another supervisor uses the data folder, or a process does
/// not become ready. All processes that were started are stopped first.
pub async fn run(config: &Config) -> Result<(), Error> {
    let mut stop_signals = StopSignals::listen()?;
    let data_dir = DataDir::open(&config.data_dir)?;
    tokio::task::block_in_place(|| data_dir.clear_leftovers());
    let ports = config.ports()?;

    let mut pipeline = Pipeline::new(config, &data_dir, ports)?;
    let outcome = tokio::select! {
        outcome = run_pipeline(&mut pipeline) => outcome,
        () = stop_signals.next() => Ok(()),
    };
    say("stopping: the producer first, then consumers and servers once they have finished their \
         work; press Ctrl-C again to force the stop");
    pipeline.stop(&mut stop_signals).await;
    say(&format!("everything is stopped; all votes are kept in {}", data_dir.root().display()));
    outcome
}

/// Starts the pipeline and keeps it running. Returns only with an error.
async fn run_pipeline(pipeline: &mut Pipeline<'_>) -> Result<(), Error> {
    pipeline.start().await?;
    pipeline.announce();
    pipeline.keep_running().await
}
