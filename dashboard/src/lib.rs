//! Pushes the tally to every watching browser.
//!
//! `main → run → routes → handlers → board ← feed`, never back. The one promise: everybody sees the
//! same, at once, however many they are.

mod board;
pub mod config;
mod feed;
mod handlers;
mod history;
pub mod metrics;
pub mod pages;
mod problems;
mod reading;
mod routes;
mod snapshot;
mod viewers;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use votestream_service::config::Task;
use votestream_service::health::Health;
use votestream_service::listener::{self, Limits, Stop};
use votestream_service::{CancellationToken, certificates, healthcheck, postgres, process};

pub use config::Config;

use board::Board;
use feed::Feed;
use handlers::Desk;
use history::History;
use viewers::Viewers;

/// One connection for the feed, the others for the history.
const POSTGRES_CONNECTIONS_MAX: u32 = 4;

/// Serves viewers on `listener` until `shutdown`, then sends them away; whether all were gone within
/// the grace period.
///
/// # Errors
/// When a setting is wrong. A Postgres that is away is waited for.
pub async fn run(
    config: Config,
    listener: TcpListener,
    health: Health,
    shutdown: CancellationToken,
) -> anyhow::Result<bool> {
    let max = POSTGRES_CONNECTIONS_MAX;
    let pool = postgres::pool(&config.postgres, "votestream-dashboard", max, true)?;
    let board = Board::default();
    let feed = Feed::new(pool.clone(), max, board.clone());
    let seals = vec![certificates::TlsEndpoint::of_postgres(&config.postgres)?];
    tokio::spawn(certificates::watch(seals, shutdown.clone()));
    let tick = Duration::from_millis(config.tick_ms);
    let heartbeat = Duration::from_millis(config.heartbeat_ms);
    let feed = tokio::spawn(feed.run(health.gate("postgres"), tick, heartbeat, shutdown.clone()));

    let limits = Limits::new(&config.listener, config.common.shutdown_grace());
    // Pages are served when all seats are taken, also where file handles are few.
    let seats = config.viewers_max.min(limits.connections_max - limits.connections_max / 5);
    let viewers = Viewers::new(board.clone(), seats, limits.write_timeout, shutdown.clone());
    let desk = Arc::new(Desk {
        board,
        viewers: viewers.clone(),
        history: History::new(pool, max - 1, tick),
        default_poll: config.default_poll.to_string(),
        vote_url: config.vote_url.clone(),
    });
    let intercept = move |stream, peer, permit| viewers.clone().intercept(stream, peer, permit);
    let routes = routes::all(desk);
    let stop = Stop { draining: health.draining().clone(), closing: shutdown };
    let drained =
        listener::serve_intercepted("viewers", listener, limits, routes, stop, intercept).await;
    feed.await.context("the feed panicked")?;
    Ok(drained)
}

/// Binds, runs and drains one dashboard process: what `main` does after parsing.
///
/// # Errors
/// When an address is taken or a setting is wrong.
pub async fn start(config: Config) -> anyhow::Result<()> {
    if config.common.check_config {
        return postgres::pool(&config.postgres, "votestream-dashboard", 1, true).map(drop);
    }
    if let Some(Task::Healthcheck) = config.task {
        return healthcheck::ask(config.admin_addr);
    }
    let listener = listener::bind(config.listen_addr)?;
    let (common, admin_addr) = (config.common.clone(), config.admin_addr);
    let drain_delay = config.listener.drain_delay();
    let work = |health, shutdown| run(config, listener, health, shutdown);
    process::run("dashboard", metrics::TABLES, &common, admin_addr, drain_delay, work).await
}
