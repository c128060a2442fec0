//! Pushes the tally to every watching browser.
//!
//! `main → run → routes → handlers → board ← feed`: the feed reads Postgres and publishes to the board, and handlers
//! and viewers read the board. The one promise: everybody sees the same state at the same moment, however many watch.

mod accounts;
mod board;
pub mod config;
pub mod embedding;
mod feed;
mod handlers;
mod history;
mod log;
pub mod metrics;
pub mod pages;
mod past;
mod picture;
mod problems;
mod reading;
mod routes;
mod snapshot;
mod spans;
mod viewers;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use votestream_service::config::Task;
use votestream_service::health::Health;
use votestream_service::listener::{self, Limits, Stop};
use votestream_service::{CancellationToken, certificates, healthcheck, postgres, process};

pub use config::Config;

use accounts::Accounts;
use board::Board;
use embedding::Embedding;
use feed::Feed;
use handlers::AppState;
use history::History;
use log::Logs;
use past::Pasts;
use picture::Pictures;
use viewers::Viewers;

/// Size of the Postgres pool: one session for the feed, one for the accounts, the others for the history and the public logs, which
/// use one of them at most.
const POSTGRES_CONNECTIONS_MAX: u32 = 4;

/// Serves viewers on `listener` until `shutdown`, then closes their streams. Returns whether all connections ended within
/// the grace period.
///
/// # Errors
/// Returns an error when a setting is wrong. A Postgres that is down is waited for instead.
pub async fn run(
    config: Config,
    listener: TcpListener,
    health: Health,
    shutdown: CancellationToken,
) -> anyhow::Result<bool> {
    let max = POSTGRES_CONNECTIONS_MAX;
    let pool = postgres::pool(&config.postgres, "votestream-dashboard", max, true)?;

    // The feed reads Postgres and publishes to the board.
    let board = Board::default();
    let feed = Feed::new(pool.clone(), max, board.clone());
    let endpoints = vec![certificates::TlsEndpoint::of_postgres(&config.postgres)?];
    tokio::spawn(certificates::watch(endpoints, shutdown.clone()));
    let tick = Duration::from_millis(config.tick_ms);
    let heartbeat = Duration::from_millis(config.heartbeat_ms);
    let servers = postgres::servers_of(&config.postgres);
    let gate = health.gate("postgres").at(servers.clone());
    let feed = tokio::spawn(feed.run(gate, tick, heartbeat, shutdown.clone()));

    // Viewers and pages read the board.
    let grace = config.common.shutdown_grace();
    let limits = Limits::new(&config.listener, &config.trusted_proxies.0, grace, &health);
    // A fifth of the connections is kept for pages, so that they are served even when all viewers' seats are taken.
    let viewers_max = config.viewers_max.min(limits.connections_max - limits.connections_max / 5);
    let viewers = Viewers::new(board.clone(), viewers_max, limits.write_timeout);
    let permits = Arc::new(Semaphore::new(max as usize - 2));
    let state = Arc::new(AppState {
        board,
        viewers,
        accounts: Accounts::new(pool.clone()),
        logs: Logs::new(pool.clone(), permits.clone()),
        pasts: Pasts::new(pool.clone(), permits.clone()),
        history: History::new(pool, permits, tick),
        postgres: servers,
        default_poll: config.default_poll.to_string(),
        base: config.listener.base_path.clone(),
        vote_url: config.vote_url.clone(),
        results_url: config.results_url.clone(),
        embedding: Embedding::new(&config.embed_origins.0),
        pictures: Pictures::new(),
        proxies: config.trusted_proxies.0.clone(),
    });
    let routes = routes::all(state);
    let stop = Stop { draining: health.draining().clone(), closing: shutdown };
    let drained = listener::serve("viewers", listener, limits, routes, stop).await;
    feed.await.context("the feed panicked")?;
    Ok(drained)
}

/// Runs one dashboard process to its end, as `main` does after parsing: serves, or checks the settings, or asks a running
/// dashboard for its health.
///
/// # Errors
/// Returns an error when an address is taken or a setting is wrong.
pub async fn start(config: Config) -> anyhow::Result<()> {
    if config.common.check_config {
        return postgres::pool(&config.postgres, "votestream-dashboard", 1, true).map(drop);
    }
    if let Some(Task::Healthcheck) = config.task {
        return healthcheck::ask(config.admin_addr);
    }
    // Compress the files before anybody asks whether this replica is ready.
    LazyLock::force(&pages::FILES);
    let listener = listener::bind(config.listen_addr)?;
    let (common, admin_addr) = (config.common.clone(), config.admin_addr);
    let drain_delay = config.listener.drain_delay();
    let work = |health, shutdown| run(config, listener, health, shutdown);
    process::run("dashboard", metrics::TABLES, &common, admin_addr, drain_delay, work).await
}
