//! Lets organisers change polls, on pages and through an API.
//!
//! `main → run → routes → handlers → desk → votectl's operations`: handlers turn a request into an order, and the desk
//! carries it out under the organiser's name. The one promise: whoever changes a poll was let in by a token, may use that
//! poll, and stands in the audit trail.

mod access;
mod attempts;
mod body;
mod codes;
pub mod config;
mod desk;
mod fields;
mod handlers;
pub mod metrics;
mod mistakes;
mod order;
pub mod pages;
mod problems;
mod routes;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::net::TcpListener;
use votestream_service::config::Task;
use votestream_service::health::Health;
use votestream_service::listener::{self, Limits, Stop};
use votestream_service::redis::{self, Manager};
use votestream_service::{
    CancellationToken, certificates, healthcheck, postgres, process, telemetry,
};
use votestream_votectl::Servers;

pub use config::Config;

use access::Access;
use desk::{APPLICATION, Desk};
use handlers::AppState;

/// Size of the Postgres pool, which reads organisers and sessions; each operation has a session of its own beside it.
const POSTGRES_CONNECTIONS_MAX: u32 = 4;
/// Size of the Redis pool, which only asks whether Redis answers; operations have connections of their own.
const REDIS_CONNECTIONS_MAX: u32 = 1;
/// How often both servers are asked whether they can be used.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Serves organisers on `listener` until `shutdown`. Returns whether all connections ended within the grace period.
///
/// # Errors
/// Returns an error when a setting is wrong. A server that is down is waited for instead.
pub async fn run(
    config: Config,
    listener: TcpListener,
    health: Health,
    shutdown: CancellationToken,
) -> anyhow::Result<bool> {
    // Both servers are asked now and then, so that /readyz says which of them is away.
    let pool = postgres::pool(&config.postgres, APPLICATION, POSTGRES_CONNECTIONS_MAX, false)?;
    let redis = Manager::new(&config.redis)?.pool(REDIS_CONNECTIONS_MAX);
    let gate = health.gate("postgres").at(postgres::servers_of(&config.postgres));
    let probed = pool.clone();
    tokio::spawn(gate.watch(PROBE_EVERY, shutdown.clone(), move || {
        let pool = probed.clone();
        telemetry::record_pool("postgres", &pool.state(), POSTGRES_CONNECTIONS_MAX);
        async move { postgres::probe(&pool).await }
    }));
    let gate = health.gate("redis");
    tokio::spawn(gate.watch(PROBE_EVERY, shutdown.clone(), move || {
        let pool = redis.clone();
        telemetry::record_pool("redis", &pool.state(), REDIS_CONNECTIONS_MAX);
        async move { redis::probe(&pool).await }
    }));
    let endpoints = vec![certificates::TlsEndpoint::of_postgres(&config.postgres)?];
    tokio::spawn(certificates::watch(endpoints, shutdown.clone()));

    let grace = config.common.shutdown_grace();
    let limits = Limits::new(&config.listener, &config.trusted_proxies.0, grace, &health);
    let limits = Limits { always_https: config.cookie_secure, ..limits };
    let servers =
        Servers::new(config.redis.clone(), config.postgres.clone(), Duration::ZERO, |_| ());
    let state = Arc::new(AppState {
        base: config.listener.base_path.clone(),
        access: Access::new(pool, &config),
        desk: Desk::new(servers),
        vote_url: config.vote_url.clone(),
        results_url: config.results_url.clone(),
    });
    let stop = Stop { draining: health.draining().clone(), closing: shutdown };
    Ok(listener::serve("organisers", listener, limits, routes::all(state), stop).await)
}

/// Runs one process of the host's service to its end, as `main` does after parsing: serves, or checks the settings, or asks
/// a running one for its health.
///
/// # Errors
/// Returns an error when an address is taken or a setting is wrong.
pub async fn start(config: Config) -> anyhow::Result<()> {
    if config.common.check_config {
        Manager::new(&config.redis)?;
        return postgres::pool(&config.postgres, APPLICATION, 1, false).map(drop);
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
    process::run("host", metrics::TABLES, &common, admin_addr, drain_delay, work).await
}
