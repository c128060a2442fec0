//! A synthetic voter: it votes through the front door all the time, and measures when its vote is on screen.
//!
//! `main → start → rounds → voter, screen`: a round casts one ballot at the producer (`voter`) and waits until an event
//! stream of the dashboard shows it (`screen`). What no metric of a service can say, this one does: whether a vote gets
//! from one end to the other.
//!
//! Invariant: the canary votes as one voter in a poll of its own, so it changes no result that people look at.

pub mod config;
pub mod metrics;
mod rounds;
mod screen;
mod voter;

use votestream_service::config::Task;
use votestream_service::health::Health;
use votestream_service::http::outbound::Client;
use votestream_service::{CancellationToken, healthcheck, process};

pub use config::Config;

use rounds::Rounds;
use screen::Screen;
use voter::Voter;

/// Votes until `shutdown`. Returns true: nothing is left to be finished.
///
/// # Errors
/// Returns an error if there are no certificate authorities, or if their file cannot be read.
pub async fn run(
    config: Config,
    health: Health,
    shutdown: CancellationToken,
) -> anyhow::Result<bool> {
    let client = Client::new(config.ca_file.as_deref())?;
    let screen = Screen::watch(client.clone(), &config, shutdown.clone());
    let voter = Voter::new(client, &config);
    let rounds = Rounds::new(voter, screen, &config);
    rounds.run(&health.gate("round"), shutdown).await;
    Ok(true)
}

/// Runs one canary to its end, as `main` does after parsing: votes, or checks the settings, or asks a running canary for its
/// health.
///
/// # Errors
/// Returns an error when the admin address is taken or a setting is wrong.
pub async fn start(config: Config) -> anyhow::Result<()> {
    if config.common.check_config {
        return Client::new(config.ca_file.as_deref()).map(drop);
    }
    if let Some(Task::Healthcheck) = config.task {
        return healthcheck::ask(config.admin_addr);
    }
    let (common, admin_addr) = (config.common.clone(), config.admin_addr);
    let work = |health, shutdown| run(config, health, shutdown);
    let at_once = std::time::Duration::ZERO;
    process::run("canary", metrics::TABLES, &common, admin_addr, at_once, work).await
}
