//! Reads ballots from Redis Streams, counts them in Postgres, and acknowledges them.
//!
//! `main → run → lane → {stream, batch, store}`, never back. The one promise: what is stored is
//! counted, once: delivered at least once, and counted by an idempotent upsert.

pub mod config;
mod jobs;
pub mod metrics;
pub mod pipeline;
pub mod polls;
pub mod streams;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use votestream_schema::{Keys, db};
use votestream_service::certificates::TlsEndpoint;
use votestream_service::config::Task;
use votestream_service::health::Health;
use votestream_service::postgres::{self, describe_checkout};
use votestream_service::redis::Manager;
use votestream_service::{CancellationToken, certificates, healthcheck, process, telemetry};

pub use config::Config;

use jobs::auditor::Auditor;
use jobs::monitor::Monitor;
use jobs::positions::Positions;
use jobs::projector::Projector;
use jobs::register_expiry::Forgetter;
use jobs::server_capacity::Surroundings;
use pipeline::store::Store;
use pipeline::worker::{Lane, Pace};
use polls::Book;
use streams::{Bounds, Streams};

/// Connections that projector, monitor, auditor and surroundings share; lanes have their own.
const REDIS_CONNECTIONS_MAX: u32 = 5;
/// Connections beside one for each lane.
const POSTGRES_CONNECTIONS_BESIDE: u32 = 4;

/// Works until `shutdown`, then finishes the batches in hand; whether that was done within the grace
/// period.
///
/// # Errors
/// When a setting is wrong. Servers that are away are waited for.
pub async fn run(
    config: Config,
    health: Health,
    shutdown: CancellationToken,
) -> anyhow::Result<bool> {
    let config = config.validated()?;
    let keys = Keys::new(&config.redis.key_prefix);
    let manager = Manager::new(&config.redis)?;
    let redis_gate = health.gate("redis");
    let postgres_gate = health.gate("postgres");
    let setup_pool = postgres::pool(&config.postgres, "votestream-consumer", 1, false)?;
    let Some(partitions) = deployed_partitions(&setup_pool, &shutdown).await else {
        return Ok(true);
    };

    let lanes = lanes_of(partitions, manager.is_cluster());
    let connections_max = lanes.len() as u32 + POSTGRES_CONNECTIONS_BESIDE;
    let pool = postgres::pool(&config.postgres, "votestream-consumer", connections_max, false)?;
    let redis = manager.pool(REDIS_CONNECTIONS_MAX);
    // Claims begin above this (see `Config::validated`).
    let answer_within = Duration::from_millis(2 * config.postgres.statement_timeout_ms);
    let book = Book::new(pool.clone(), answer_within);
    let pace = Pace {
        bounds: Bounds {
            entries: config.batch_max as usize,
            bytes: config.batch_bytes_max as usize,
        },
        linger: Duration::from_millis(config.linger_ms),
        block_ms: config.block_ms,
        claim_idle_ms: config.claim_idle_ms,
        bury_idle_ms: config.bury_idle_ms,
    };

    let watchers = TaskTracker::new();
    let project_every = Duration::from_millis(config.project_ms);
    watchers.spawn(postgres_gate.watch(project_every, shutdown.clone(), {
        let book = book.clone();
        move || {
            let book = book.clone();
            async move { book.reload().await.map(drop) }
        }
    }));
    let projector = Projector::new(redis.clone(), pool.clone(), keys.clone(), partitions);
    let kept_ms = i64::from(config.register_kept_s) * 1_000;
    let forgetter = Forgetter::new(redis.clone(), keys.clone(), partitions, kept_ms);
    watchers.spawn(health.gate("projection").watch(project_every, shutdown.clone(), {
        let book = book.clone();
        move || {
            let (projector, forgetter) = (projector.clone(), forgetter.clone());
            let polls = book.polls();
            async move {
                projector.project(&polls).await?;
                forgetter.forget(&polls).await
            }
        }
    }));
    let seals =
        vec![TlsEndpoint::of_redis(&config.redis)?, TlsEndpoint::of_postgres(&config.postgres)?];
    watchers.spawn(certificates::watch(seals, shutdown.clone()));
    let masters = if manager.is_cluster() { partitions } else { 1 };
    let around = Surroundings::new(redis.clone(), pool.clone(), keys.clone(), masters);
    watchers.spawn(around.watch(shutdown.clone()));
    let audit_every = Duration::from_millis(config.audit_ms);
    let auditor = Auditor::new(redis.clone(), pool.clone(), keys.clone(), partitions, audit_every);
    watchers.spawn(auditor.watch(shutdown.clone()));
    let positions = Positions::new(redis.clone(), pool.clone(), keys.clone(), partitions);
    watchers.spawn(positions.watch(Duration::from_millis(config.monitor_ms), shutdown.clone()));
    let monitor = Monitor::new(redis.clone(), keys.clone(), partitions);
    let monitor_every = Duration::from_millis(config.monitor_ms);
    watchers.spawn(redis_gate.watch(monitor_every, shutdown.clone(), {
        let pool = pool.clone();
        move || {
            telemetry::record_pool("postgres", &pool.state(), connections_max);
            telemetry::record_pool("redis", &redis.state(), REDIS_CONNECTIONS_MAX);
            let monitor = monitor.clone();
            async move { monitor.measure().await }
        }
    }));
    let hurry = CancellationToken::new();
    let mut running = JoinSet::new();
    for (lane, partitions) in lanes.into_iter().enumerate() {
        let name = consumer_name(config.consumer_name.as_deref(), lane);
        tracing::info!(consumer = name, ?partitions, "lane starts");
        let streams = Streams::new(keys.clone(), &partitions, name);
        let store = Store::new(pool.clone(), answer_within);
        let tokens = (shutdown.clone(), hurry.clone());
        let lane = Lane::new(manager.clone(), streams, store, book.clone(), pace, tokens);
        running.spawn(lane.run());
    }
    watchers.close();
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        Some(ended) = running.join_next() => {
            anyhow::bail!("a lane ended before it was told to: {ended:?}");
        }
    }
    Ok(drained(running, watchers, &hurry, config.common.shutdown_grace()).await)
}

/// Waits for the end of all tasks: half of the grace period for the batches in hand to be counted,
/// the other half for what cannot be to be left to other replicas.
async fn drained(
    mut lanes: JoinSet<()>,
    watchers: TaskTracker,
    hurry: &CancellationToken,
    grace: Duration,
) -> bool {
    let all = async {
        while lanes.join_next().await.is_some() {}
        watchers.wait().await;
    };
    let patience = async {
        tokio::time::sleep(grace / 2).await;
        hurry.cancel();
        tokio::time::sleep(grace / 2).await;
    };
    tokio::select! {
        biased;
        () = all => true,
        () = patience => false,
    }
}

/// One lane reads all partitions of a plain server; in a cluster a read cannot span slots.
fn lanes_of(partitions: u16, is_cluster: bool) -> Vec<Vec<u16>> {
    if is_cluster {
        (0..partitions).map(|partition| vec![partition]).collect()
    } else {
        vec![(0..partitions).collect()]
    }
}

/// Unique for each process start and lane: a shared name would hide a dead replica's entries.
fn consumer_name(first: Option<&str>, lane: usize) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let first = first.map_or_else(|| host.trim().to_owned(), str::to_owned);
    let unique = Uuid::new_v4().simple().to_string();
    format!("{first}-{lane}-{}", &unique[..12])
}

/// The deployment's number of partitions, waiting until Postgres tells; `None` when told to stop.
async fn deployed_partitions(pool: &postgres::Pool, shutdown: &CancellationToken) -> Option<u16> {
    let ask = || async {
        let session = pool.get().await.map_err(describe_checkout)?;
        db::partitions(&**session).await.map_err(|e| e.to_string())
    };
    process::wait_for("postgres", shutdown, ask).await
}

/// Runs and drains one consumer process: what `main` does after parsing.
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
    let (common, admin_addr) = (config.common.clone(), config.admin_addr);
    // Nobody sends work to a consumer: there is nothing to wait for.
    let work = |health, shutdown| run(config, health, shutdown);
    process::run("consumer", metrics::TABLES, &common, admin_addr, Duration::ZERO, work).await
}
