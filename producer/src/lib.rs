//! Takes ballots over HTTP and appends them to a Redis Stream.
//!
//! `main → run → routes → handlers → {booth, publisher, catalog}`, never back. The one promise: a
//! ballot that was answered "accepted" is stored as durably as configured.

mod body;
mod booth;
mod catalog;
pub mod client;
pub mod config;
mod cookie_keys;
mod durability;
mod handlers;
mod identity;
mod limiter;
pub mod metrics;
pub mod pages;
pub mod publisher;
pub mod register;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use votestream_schema::Keys;
use votestream_service::config::Task;
use votestream_service::health::Health;
use votestream_service::listener::{self, Limits, Stop};
use votestream_service::redis::{Manager, Pool, describe_checkout};
use votestream_service::{CancellationToken, certificates, healthcheck, process};

pub use config::Config;

use booth::Booth;
use client::Trust;
use limiter::Limiter;
use publisher::Publisher;
use register::Register;

/// Connections that pages share. Ballots have their own, and so has the catalog: however many look at
/// pages, they make no replica unready.
const POOL_CONNECTIONS_MAX: u32 = 8;
const KEEP_HOUSE_EVERY: Duration = Duration::from_secs(5);

/// Serves voters on `listener` until `shutdown`, then finishes what is under way; whether that was
/// done within the grace period.
///
/// # Errors
/// When a setting is wrong. A Redis that is away is waited for.
pub async fn run(
    config: Config,
    listener: TcpListener,
    health: Health,
    shutdown: CancellationToken,
) -> anyhow::Result<bool> {
    metrics::BACKLOG_MAX_ENTRIES.set(config.backlog_max as f64);
    let keys = Keys::new(&config.redis.key_prefix);
    let manager = Manager::new(&config.redis)?;
    let pool = manager.pool(POOL_CONNECTIONS_MAX);
    let (cookie_keys, key_refresher) = cookie_keys::new(&config)?;
    let gate = health.gate("redis");
    let Some(partitions) = deployed_partitions(&pool, &keys, &shutdown).await else {
        return Ok(true);
    };

    let lanes = TaskTracker::new();
    let options = publisher::Options {
        keys: keys.clone(),
        partitions,
        lanes: config.lanes,
        backlog_max: config.backlog_max,
        durability: config.durability,
        replicas_min: config.replicas_min,
    };
    let publisher = Publisher::start(&manager, &options, health.gate("lanes"), &lanes);
    let (catalog, refresher) = catalog::new(manager.pool(1), keys.clone());
    let (promise, watcher) =
        durability::new(manager, keys.clone(), partitions, config.durability, config.replicas_min);
    let limiter =
        Arc::new(Limiter::new(config.new_voters_per_minute, config.new_voters_exempt.clone()));

    let background = TaskTracker::new();
    let seals = vec![certificates::Seal::of_redis(&config.redis)?];
    background.spawn(certificates::watch(seals, shutdown.clone()));
    background.spawn(refresher.run(gate, shutdown.clone()));
    background.spawn(watcher.run(health.gate("durability"), shutdown.clone()));
    background.spawn(keep_house(pool.clone(), limiter.clone(), key_refresher, shutdown.clone()));

    let booth = Arc::new(Booth {
        catalog,
        publisher,
        promise,
        limiter,
        trust: Trust {
            proxies: config.trusted_proxies.clone(),
            origins: config.allowed_origins.clone(),
            always_secure: config.cookie_secure,
        },
        cookie_keys,
        register: Register::new(keys, config.backlog_max),
        pool,
        partitions,
        default_poll: config.default_poll.to_string(),
        results_url: config.results_url.clone(),
    });
    let body_timeout = Duration::from_millis(config.body_timeout_ms);
    let limits = Limits::new(&config.listener, config.common.shutdown_grace());
    let routes = routes::all(booth, body_timeout);
    let stop = Stop { draining: health.draining().clone(), closing: shutdown };
    let drained = listener::serve("voters", listener, limits, routes, stop).await;

    // The routes, and with them the last publisher, are gone: the lanes end with their queues.
    lanes.close();
    background.close();
    let finished = async {
        lanes.wait().await;
        background.wait().await;
    };
    let finished = tokio::time::timeout(config.common.shutdown_grace(), finished).await.is_ok();
    Ok(drained && finished)
}

/// The deployment's number of partitions, waiting until Redis tells; `None` when told to stop.
async fn deployed_partitions(
    pool: &Pool,
    keys: &Keys,
    shutdown: &CancellationToken,
) -> Option<u16> {
    let ask = || async {
        let mut connection = pool.get().await.map_err(describe_checkout)?;
        let found: Option<u16> = redis::cmd("HGET")
            .arg(keys.meta())
            .arg("partitions")
            .query_async(&mut *connection)
            .await
            .map_err(|e| e.to_string())?;
        found.ok_or_else(|| "this deployment is not set up: run `votectl migrate`".to_owned())
    };
    process::wait_for("redis", shutdown, ask).await.map(|partitions| partitions.max(1))
}

async fn keep_house(
    pool: Pool,
    limiter: Arc<Limiter>,
    cookie_keys: cookie_keys::Refresher,
    shutdown: CancellationToken,
) {
    loop {
        cookie_keys.refresh();
        votestream_service::telemetry::record_pool("redis", &pool.state(), POOL_CONNECTIONS_MAX);
        limiter.forget_quiet();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(KEEP_HOUSE_EVERY) => {}
        }
    }
}

/// Binds, runs and drains one producer process: what `main` does after parsing.
///
/// # Errors
/// When an address is taken or a setting is wrong.
pub async fn start(config: Config) -> anyhow::Result<()> {
    if config.common.check_config {
        return config.check();
    }
    if let Some(Task::Healthcheck) = config.task {
        return healthcheck::ask(config.admin_addr);
    }
    let listener = listener::bind(config.listen_addr)?;
    let (common, admin_addr) = (config.common.clone(), config.admin_addr);
    let drain_delay = config.listener.drain_delay();
    let work = |health, shutdown| run(config, listener, health, shutdown);
    process::run("producer", metrics::TABLES, &common, admin_addr, drain_delay, work).await
}
