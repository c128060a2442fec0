//! Takes ballots over HTTP and appends them to a Redis Stream.
//!
//! Modules call each other in one direction: `main → run → routes → handlers → voting`, and `voting` calls
//! the `publisher`, which stores ballots, and the `catalog`, which knows the polls.
//!
//! Invariant: a ballot that was answered "accepted" is stored as durably as configured.

mod body;
mod catalog;
mod challenge;
pub mod client;
pub mod config;
mod cookie_keys;
mod durability;
mod handlers;
mod identity;
pub mod metrics;
mod networks;
pub mod pages;
mod problems;
pub mod publisher;
pub mod receipts;
pub mod register;
mod routes;
mod voting;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use votestream_schema::Keys;
use votestream_service::config::Task;
use votestream_service::health::Health;
use votestream_service::listener::{self, Limits, Stop};
use votestream_service::redis::{self as redis_client, Manager, Pool};
use votestream_service::{CancellationToken, certificates, healthcheck, process};

pub use config::Config;

use catalog::followers::Followers;
use catalog::states::StateBoard;
use challenge::Challenges;
use client::Trust;
use durability::{DiskWait, WriteProbe};
use networks::{Exempt, NetworkLimits};
use publisher::{LaneConfig, Publisher};
use register::Register;
use voting::VotingService;
use voting::wrong_codes::WrongCodes;

/// Most connections that pages share. Ballots and the catalog have connections of their own, so that a
/// crowd that looks at pages makes no replica unready.
const POOL_CONNECTIONS_MAX: u32 = 8;
/// Most connections over which the limits of networks are asked for.
const NETWORK_CONNECTIONS_MAX: u32 = 4;
/// Time between two rounds of [`housekeeping`].
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(5);

/// Serves voters on `listener` until `shutdown`, then finishes the requests in flight. Returns whether they
/// finished within the grace period.
///
/// # Errors
/// Returns an error if a setting is unusable. A Redis that is away is waited for.
pub async fn run(
    config: Config,
    listener: TcpListener,
    health: Health,
    shutdown: CancellationToken,
) -> anyhow::Result<bool> {
    metrics::BACKLOG_MAX_ENTRIES.set(config.backlog_max as f64);
    // Prepare the connections, and wait until Redis says how many partitions there are.
    let keys = Keys::new(&config.redis.key_prefix);
    let manager = Manager::new(&config.redis)?;
    let pool = manager.pool(POOL_CONNECTIONS_MAX);
    let (cookie_keys, key_refresher) = cookie_keys::new(&config)?;
    let gate = health.gate("redis").at(manager.servers());
    let servers = manager.servers();
    let Some(partitions) = deployed_partitions(&pool, &servers, &keys, &shutdown).await else {
        return Ok(true);
    };

    // Start the lanes, the copy of the polls, and the checks of Redis and its certificates.
    let lanes = TaskTracker::new();
    let disk_wait = DiskWait::default();
    let lane_config = LaneConfig {
        keys: keys.clone(),
        partitions,
        lanes: config.lanes,
        backlog_max: config.backlog_max,
        durability: config.durability,
        replicas_min: config.replicas_min,
        disk_wait: disk_wait.clone(),
    };
    let (receipts, receipts_refresher) = receipts::new(&config.signing, partitions)?;
    let publisher = Publisher::start(&manager, &lane_config, health.gate("lanes"), &lanes);
    let refusals = publisher.refusals().clone();
    let asked = if manager.is_cluster() { partitions } else { 1 };
    let write_probe = WriteProbe::new(manager.pool(1), keys.clone(), asked);
    let (catalog, refresher) =
        catalog::new(manager.pool(1), keys.clone(), health.gate("deployment"));
    let network_pool = manager.pool(NETWORK_CONNECTIONS_MAX);
    let promise = (config.durability, config.replicas_min);
    let (durability, watcher) =
        durability::new(manager, keys.clone(), partitions, promise, disk_wait, catalog.same_time());
    let place = (keys.clone(), network_pool, partitions);
    let exempt = Exempt(config.new_voters_exempt.0.clone());
    let networks = NetworkLimits::new(
        config.network_limit(),
        exempt.clone(),
        place.clone(),
        cookie_keys.clone(),
    );
    let networks = Arc::new(networks);
    let challenges = Challenges::new(&config.challenge, exempt, place, cookie_keys.clone())?;
    let challenges = Arc::new(challenges);

    let background = TaskTracker::new();
    let endpoints = vec![certificates::TlsEndpoint::of_redis(&config.redis)?];
    background.spawn(certificates::watch(endpoints, shutdown.clone()));
    background.spawn(refresher.run(gate, shutdown.clone()));
    background.spawn(watcher.run(health.gate("durability").at(servers.clone()), shutdown.clone()));
    background.spawn(write_probe.run(health.gate("writes").at(servers), shutdown.clone()));
    background.spawn(refusals.run(health.gate("ballots"), shutdown.clone()));
    let heartbeat = Duration::from_millis(config.state_heartbeat_ms);
    let board = StateBoard::default();
    background.spawn(board.clone().run(catalog.clone(), heartbeat, shutdown.clone()));
    let wrong_codes = Arc::new(WrongCodes::default());
    background.spawn(networks.clone().run(shutdown.clone()));
    background.spawn(challenges.clone().run(shutdown.clone()));
    let kept = Kept {
        pool: pool.clone(),
        wrong_codes: wrong_codes.clone(),
        cookie_keys: key_refresher,
        receipts: receipts_refresher,
        challenges: challenges.clone(),
    };
    background.spawn(housekeeping(kept, shutdown.clone()));

    // Serve until shutdown. A third of the connections is kept for ballots, however many pages follow their poll.
    let grace = config.common.shutdown_grace();
    let limits = Limits::new(&config.listener, &config.trusted_proxies.0, grace, &health);
    let limits = Limits { always_https: config.cookie_secure, ..limits };
    let streams_max = config.state_streams_max.min(limits.connections_max / 3 * 2);
    let voting = Arc::new(VotingService {
        catalog,
        followers: Followers::new(board, streams_max, limits.write_timeout),
        publisher,
        durability,
        networks: networks.clone(),
        challenges: challenges.clone(),
        wrong_codes,
        trust: Trust {
            proxies: config.trusted_proxies.0.clone(),
            origins: config.allowed_origins.0.clone(),
            always_secure: config.cookie_secure,
        },
        cookie_keys,
        receipts,
        register: Register::new(keys, config.backlog_max),
        pool,
        partitions,
        default_poll: config.default_poll.to_string(),
        base: config.listener.base_path.clone(),
        results_url: config.results_url.clone(),
    });
    let body_timeout = Duration::from_millis(config.body_timeout_ms);
    let routes = routes::all(voting, body_timeout);
    let stop = Stop { draining: health.draining().clone(), closing: shutdown };
    let drained = listener::serve("voters", listener, limits, routes, stop).await;

    // The routes have dropped the last publisher, so the lanes end once their queues are empty.
    lanes.close();
    background.close();
    let finished = async {
        lanes.wait().await;
        background.wait().await;
        networks.settle().await;
        challenges.settle().await;
    };
    let finished = tokio::time::timeout(config.common.shutdown_grace(), finished).await.is_ok();
    Ok(drained && finished)
}

/// Asks Redis for the deployment's number of partitions until it answers; `None` if `shutdown` comes first.
async fn deployed_partitions(
    pool: &Pool,
    servers: &str,
    keys: &Keys,
    shutdown: &CancellationToken,
) -> Option<u16> {
    let ask = || async {
        let mut connection = pool.get().await.map_err(redis_client::Error::from)?;
        let found: Option<u16> = redis::cmd("HGET")
            .arg(keys.meta())
            .arg("partitions")
            .query_async(&mut *connection)
            .await
            .map_err(redis_client::Error::from)?;
        found.ok_or(PartitionsUnknown::NotSetUp)
    };
    process::wait_for(&format!("redis at {servers}"), shutdown, ask)
        .await
        .map(|partitions| partitions.max(1))
}

/// The number of partitions is not known yet.
#[derive(Debug, thiserror::Error)]
enum PartitionsUnknown {
    #[error(transparent)]
    Redis(#[from] redis_client::Error),
    #[error("this deployment is not set up: run `votectl migrate`")]
    NotSetUp,
}

/// The parts that [`housekeeping`] looks after.
struct Kept {
    pool: Pool,
    wrong_codes: Arc<WrongCodes>,
    cookie_keys: cookie_keys::Refresher,
    receipts: receipts::Refresher,
    challenges: Arc<Challenges>,
}

/// Reads cookie keys and secrets again, records the use of the pool and forgets quiet networks, every few seconds.
async fn housekeeping(kept: Kept, shutdown: CancellationToken) {
    loop {
        kept.cookie_keys.refresh();
        kept.receipts.refresh();
        kept.challenges.refresh();
        let pool = kept.pool.state();
        votestream_service::telemetry::record_pool("redis", &pool, POOL_CONNECTIONS_MAX);
        kept.wrong_codes.forget_quiet();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(HOUSEKEEPING_EVERY) => {}
        }
    }
}

/// Runs one producer process from its parsed settings to its orderly stop; `main` calls it.
///
/// # Errors
/// Returns an error if an address is taken or a setting is unusable.
pub async fn start(config: Config) -> anyhow::Result<()> {
    if config.common.check_config {
        return check(&config);
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
    process::run("producer", metrics::TABLES, &common, admin_addr, drain_delay, work).await
}

/// Checks that a producer could start with these settings and the files that they name, without connecting to
/// any server.
///
/// # Errors
/// Returns an error that names the unusable setting.
fn check(config: &Config) -> anyhow::Result<()> {
    Manager::new(&config.redis)?;
    if let Some(verifier) = config.challenge.verifier()? {
        verifier.secret()?;
    }
    receipts::check(&config.signing)?;
    cookie_keys::new(config).map(drop)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use votestream_service::config::RedisArgs;

    use super::*;

    #[test]
    fn without_keys_it_says_how_to_make_one() {
        let config = Config::parse_from(["producer"]);
        if config.cookie_keys.is_none() && config.cookie_keys_file.is_none() {
            assert!(check(&config).unwrap_err().to_string().contains("openssl rand"));
        }
        let config = Config::parse_from(["producer", "--cookie-keys", &"ab".repeat(32)]);
        assert!(check(&config).is_ok());
        let config = Config {
            redis: RedisArgs { redis_url: "rdis://h".parse().unwrap(), ..config.redis },
            ..config
        };
        assert!(check(&config).unwrap_err().to_string().contains("REDIS_URL"));
    }
}
