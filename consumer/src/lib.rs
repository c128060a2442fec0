//! Reads ballots from Redis Streams, counts them in Postgres, and acknowledges them.
//!
//! `main → run → pipeline → streams`; `pipeline::worker` is the loop that reads, counts and acknowledges, and
//! `jobs` keeps both servers' data in step and measures it. The one promise: every stored ballot is counted
//! exactly once, because entries are delivered at least once and the statement that counts them is idempotent.

pub mod config;
mod error;
mod jobs;
pub mod metrics;
pub mod pipeline;
pub mod polls;
mod signing_keys;
pub mod streams;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use votestream_schema::{Keys, db};
use votestream_service::certificates::TlsEndpoint;
use votestream_service::config::Task;
use votestream_service::health::{Gate, Health};
use votestream_service::http::outbound;
use votestream_service::postgres::{self, describe_checkout};
use votestream_service::redis::{self, Manager};
use votestream_service::{CancellationToken, certificates, healthcheck, process, telemetry};

pub use config::Config;

use error::ServerError;
use jobs::accounts::Accountant;
use jobs::auditor::Auditor;
use jobs::code_repair::CodeRepair;
use jobs::epoch::{EpochCheck, SameTime};
use jobs::monitor::Monitor;
use jobs::positions::Positions;
use jobs::projector::Projector;
use jobs::register_expiry::RegisterExpiry;
use jobs::sealer::Sealer;
use jobs::server_capacity::ServerCapacity;
use jobs::witnesses::WitnessJob;
use pipeline::last_failure::LastFailure;
use pipeline::store::Store;
use pipeline::worker::{Worker, WorkerConfig};
use polls::PollCache;
use streams::{BatchBounds, Streams};

/// Size of the Redis pool that the background jobs share; each worker has a connection of its own.
const REDIS_CONNECTIONS_MAX: u32 = 6;
/// Postgres sessions for the background jobs, in addition to one for each worker.
const POSTGRES_CONNECTIONS_FOR_JOBS: u32 = 7;

/// Polls that were read longer ago are not written to Redis: a consumer that is cut off from Postgres knows no changes.
const POLLS_AGE_MAX: Duration = Duration::from_secs(3);

/// While nothing changes, the definitions in Redis are compared once in so many times that could be.
const PROJECTIONS_PER_COMPARISON: u32 = 5;

/// The voting codes in Redis are compared each time that definitions were compared this often.
const PROJECTIONS_PER_CODE_REPAIR: u32 = 5;

/// The two servers of one deployment, as every background job needs them.
struct Deployment {
    redis: redis::Pool,
    /// Host and port of each server in the Redis URL, for log lines.
    redis_servers: Arc<str>,
    postgres: postgres::Pool,
    postgres_connections_max: u32,
    keys: Keys,
    partitions: u16,
    is_cluster: bool,
}

/// Counts ballots until `shutdown`, then finishes the batches in hand. Returns whether they were finished within
/// the grace period.
///
/// # Errors
/// Returns an error when a setting is wrong, or when a worker ends before `shutdown`. Servers that are down are
/// waited for instead.
pub async fn run(
    config: Config,
    health: Health,
    shutdown: CancellationToken,
) -> anyhow::Result<bool> {
    let config = config.validated()?;
    let keys = Keys::new(&config.redis.key_prefix);
    let manager = Manager::new(&config.redis)?;
    // Created before anything is awaited, so that the process is unready until both servers have answered.
    let redis_gate = health.gate("redis").at(manager.servers());
    let postgres_servers = postgres::servers_of(&config.postgres);
    let postgres_gate = health.gate("postgres").at(postgres_servers.clone());
    let setup_pool = postgres::pool(&config.postgres, "votestream-consumer", 1, false)?;
    let found = deployed_partitions(&setup_pool, &postgres_servers, &shutdown).await;
    let Some(partitions) = found else {
        return Ok(true);
    };
    drop(setup_pool);

    // The pools are sized by the number of workers, which only the deployed number of partitions decides.
    let assignments = partitions_per_worker(partitions, manager.is_cluster());
    let postgres_connections_max = assignments.len() as u32 + POSTGRES_CONNECTIONS_FOR_JOBS;
    let deployment = Deployment {
        redis: manager.pool(REDIS_CONNECTIONS_MAX),
        redis_servers: manager.servers(),
        postgres: postgres::pool(
            &config.postgres,
            "votestream-consumer",
            postgres_connections_max,
            false,
        )?,
        postgres_connections_max,
        keys,
        partitions,
        is_cluster: manager.is_cluster(),
    };
    // Entries are claimed by others only after longer than this: see `Config::validated`.
    let response_timeout = Duration::from_millis(2 * config.postgres.statement_timeout_ms);
    let polls = PollCache::new(deployment.postgres.clone(), response_timeout);

    // Background jobs.
    let jobs = TaskTracker::new();
    spawn_poll_jobs(&jobs, &deployment, &config, &polls, &health, postgres_gate, &shutdown);
    let last_failure = LastFailure::default();
    let same_time = SameTime::default();
    let epoch =
        EpochCheck::new(deployment.keys.clone(), health.gate("deployment"), same_time.clone());
    let gates = (redis_gate, health.gate("counting"));
    let measured = (&polls, &last_failure, epoch);
    spawn_measuring_jobs(&jobs, &deployment, &config, measured, gates, &shutdown)?;
    jobs.close();

    // The workers that count.
    let force_stop = CancellationToken::new();
    let mut workers = JoinSet::new();
    for (number, partitions) in assignments.into_iter().enumerate() {
        let name = consumer_name(config.consumer_name.as_deref(), number);
        tracing::info!(consumer = name, ?partitions, "worker starts reading its partitions");
        let streams = Streams::new(deployment.keys.clone(), &partitions, name);
        let store =
            Store::new(deployment.postgres.clone(), response_timeout, deployment.partitions);
        let tokens = (shutdown.clone(), force_stop.clone());
        let settings = worker_config(&config, last_failure.clone(), same_time.clone());
        let worker = Worker::new(manager.clone(), streams, store, polls.clone(), settings, tokens);
        workers.spawn(worker.run());
    }
    tokio::select! {
        biased;
        () = shutdown.cancelled() => {}
        Some(ended) = workers.join_next() => {
            anyhow::bail!("a worker ended although no shutdown was requested: {ended:?}");
        }
    }
    Ok(drain(workers, jobs, &force_stop, config.common.shutdown_grace()).await)
}

/// Starts the jobs that follow the poll definitions: the cache, the copies in Redis, and expired registers.
fn spawn_poll_jobs(
    jobs: &TaskTracker,
    deployment: &Deployment,
    config: &Config,
    polls: &PollCache,
    health: &Health,
    postgres_gate: Gate,
    shutdown: &CancellationToken,
) {
    let Deployment { redis, redis_servers, postgres, keys, partitions, is_cluster, .. } =
        deployment;
    let age_max = POLLS_AGE_MAX.max(Duration::from_millis(3 * config.project_ms));
    let period = Duration::from_millis(config.project_ms);
    jobs.spawn(postgres_gate.watch(period, shutdown.clone(), {
        let polls = polls.clone();
        move || {
            let polls = polls.clone();
            async move { polls.reload().await.map(drop) }
        }
    }));
    let masters = if *is_cluster { *partitions } else { 1 };
    let compare_every = period * PROJECTIONS_PER_COMPARISON;
    let places = (*partitions, masters);
    let projector =
        Projector::new(redis.clone(), postgres.clone(), keys.clone(), places, compare_every);
    let code_repair = CodeRepair::new(
        redis.clone(),
        postgres.clone(),
        polls.clone(),
        keys.clone(),
        *partitions,
        period * PROJECTIONS_PER_CODE_REPAIR,
    );
    jobs.spawn(code_repair.watch(shutdown.clone()));
    let postgres_servers = postgres::servers_of(&config.postgres);
    let servers = format!("redis at {redis_servers}, postgres at {postgres_servers}");
    let gate = health.gate("projection").at(servers);
    let kept_ms = i64::from(config.register_kept_s) * 1_000;
    let expiry = RegisterExpiry::new(redis.clone(), keys.clone(), *partitions, kept_ms);
    jobs.spawn(gate.watch(period, shutdown.clone(), {
        let polls = polls.clone();
        move || {
            let (projector, expiry) = (projector.clone(), expiry.clone());
            let polls = polls.clone();
            async move {
                let polls = polls.recent(age_max).await?;
                projector.project(&polls).await?;
                expiry.expire_next(&polls).await
            }
        }
    }));
}

/// Starts the jobs that only measure: certificates, server capacity, the audit, and the streams' backlog.
///
/// # Errors
/// Returns an error when a server's URL or certificate file cannot be read.
fn spawn_measuring_jobs(
    jobs: &TaskTracker,
    deployment: &Deployment,
    config: &Config,
    (polls, last_failure, epoch): (&PollCache, &LastFailure, EpochCheck),
    (redis_gate, counting_gate): (Gate, Gate),
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let Deployment { redis, postgres, keys, partitions, is_cluster, .. } = deployment;
    let endpoints =
        vec![TlsEndpoint::of_redis(&config.redis)?, TlsEndpoint::of_postgres(&config.postgres)?];
    jobs.spawn(certificates::watch(endpoints, shutdown.clone()));

    let masters = if *is_cluster { *partitions } else { 1 };
    let capacity = ServerCapacity::new(redis.clone(), postgres.clone(), keys.clone(), masters);
    jobs.spawn(capacity.watch(shutdown.clone()));

    let audit_every = Duration::from_millis(config.audit_ms);
    let auditor = Auditor::new(
        redis.clone(),
        postgres.clone(),
        (keys.clone(), *partitions),
        polls.clone(),
        audit_every,
    );
    jobs.spawn(auditor.watch(shutdown.clone()));

    let accountant = Accountant::new(redis.clone(), postgres.clone(), (keys.clone(), *partitions));
    jobs.spawn(accountant.watch(shutdown.clone()));

    let signing_keys = signing_keys::Keys::new(&config.signing)?;
    let postgres_servers = postgres::servers_of(&config.postgres);
    let sealer =
        Sealer::new(postgres.clone(), postgres_servers.clone(), polls.clone(), signing_keys);
    jobs.spawn(sealer.watch(shutdown.clone()));
    for witness in config.witnesses()? {
        let client = outbound::Client::new(None)?;
        let job = WitnessJob::new(witness, client, postgres.clone(), postgres_servers.clone());
        jobs.spawn(job.watch(shutdown.clone()));
    }

    let monitor_every = Duration::from_millis(config.monitor_ms);
    let positions = Positions::new(
        redis.clone(),
        postgres.clone(),
        polls.clone(),
        (keys.clone(), *partitions),
        epoch,
    );
    jobs.spawn(positions.watch(monitor_every, shutdown.clone()));

    let monitor = Monitor::new(redis.clone(), keys.clone(), *partitions);
    jobs.spawn(redis_gate.watch(monitor_every, shutdown.clone(), {
        let (redis, postgres) = (redis.clone(), postgres.clone());
        let last_failure = last_failure.clone();
        let postgres_connections_max = deployment.postgres_connections_max;
        move || {
            telemetry::record_pool("postgres", &postgres.state(), postgres_connections_max);
            telemetry::record_pool("redis", &redis.state(), REDIS_CONNECTIONS_MAX);
            let (monitor, last_failure) = (monitor.clone(), last_failure.clone());
            let counting_gate = counting_gate.clone();
            async move {
                monitor.measure().await?;
                counting_gate.report(monitor.stalls().check(last_failure.get()));
                Ok::<(), ServerError>(())
            }
        }
    }));
    Ok(())
}

/// Waits for all tasks to end and returns whether they did within `grace`. The first half of the grace period is
/// for counting the batches in hand; at half time workers stop waiting for Postgres and leave theirs to other
/// replicas.
async fn drain(
    mut workers: JoinSet<()>,
    jobs: TaskTracker,
    force_stop: &CancellationToken,
    grace: Duration,
) -> bool {
    let all_ended = async {
        while workers.join_next().await.is_some() {}
        jobs.wait().await;
    };
    let out_of_time = async {
        tokio::time::sleep(grace / 2).await;
        force_stop.cancel();
        tokio::time::sleep(grace / 2).await;
    };
    tokio::select! {
        biased;
        () = all_ended => true,
        () = out_of_time => false,
    }
}

fn worker_config(config: &Config, last_failure: LastFailure, same_time: SameTime) -> WorkerConfig {
    WorkerConfig {
        postgres: postgres::servers_of(&config.postgres),
        last_failure,
        same_time,
        bounds: BatchBounds {
            entries: config.batch_max as usize,
            bytes: config.batch_bytes_max as usize,
        },
        linger: Duration::from_millis(config.linger_ms),
        block_ms: config.block_ms,
        claim_idle_ms: config.claim_idle_ms,
        consumer_expiry_ms: config.consumer_expiry_ms,
    }
}

/// Assigns partitions to workers. On a plain server one worker reads them all; in a cluster each partition has a
/// worker of its own, because one read cannot span hash slots.
fn partitions_per_worker(partitions: u16, is_cluster: bool) -> Vec<Vec<u16>> {
    if is_cluster {
        (0..partitions).map(|partition| vec![partition]).collect()
    } else {
        vec![(0..partitions).collect()]
    }
}

/// Makes a consumer name that is unique to this process start and worker. With a shared name, a new process would
/// read the pending entries of a dead replica as its own and nobody would claim them.
fn consumer_name(first: Option<&str>, worker: usize) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let first = first.map_or_else(|| host.trim().to_owned(), str::to_owned);
    let unique = Uuid::new_v4().simple().to_string();
    format!("{first}-{worker}-{}", &unique[..12])
}

/// Reads the deployment's number of partitions, retrying until Postgres answers. Returns `None` when `shutdown`
/// comes first.
async fn deployed_partitions(
    pool: &postgres::Pool,
    servers: &str,
    shutdown: &CancellationToken,
) -> Option<u16> {
    let read = || async {
        let session = pool.get().await;
        let mut session =
            session.map_err(|e| ServerError::PostgresCheckout(describe_checkout(e)))?;
        Ok::<u16, ServerError>(session.run(db::partitions).await?)
    };
    process::wait_for(&format!("postgres at {servers}"), shutdown, read).await
}

/// Runs one consumer process to its end, as `main` does after parsing: serves, or checks the settings, or asks a
/// running consumer for its health.
///
/// # Errors
/// Returns an error when the admin address is taken, a setting is wrong, or a worker fails.
pub async fn start(config: Config) -> anyhow::Result<()> {
    if config.common.check_config {
        return config.check();
    }
    if let Some(Task::Healthcheck) = config.task {
        return healthcheck::ask(config.admin_addr);
    }
    let (common, admin_addr) = (config.common.clone(), config.admin_addr);
    // No load balancer sends work to a consumer, so there is no drain delay.
    let work = |health, shutdown| run(config, health, shutdown);
    process::run("consumer", metrics::TABLES, &common, admin_addr, Duration::ZERO, work).await
}
