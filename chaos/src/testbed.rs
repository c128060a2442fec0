//! The system under test: real servers, the real programs, and a proxy between each service and each server.
//!
//! Invariants: one task owns the testbed, so that two faults never change it at the same time. The task waits with
//! [`Testbed::pause`] only, which restarts processes that end meanwhile.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use redis::aio::MultiplexedConnection;
use standalone::servers::{
    DATABASE_RIGHTS, PostgresOptions, PostgresServer, RedisOptions, RedisServer, random_secret,
    roles_with_passwords, shipped_users,
};
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use votestream_schema::Keys;
use votestream_schema::voter::KeyRing;

use crate::connection::{connect, redis_connection};
use crate::folder::{Folder, SmallDiskError};
use crate::managed_service::{DesiredState, ManagedService};
use crate::sampler::{Shared, lock};
use crate::votectl::Votectl;
use testkit::proxy::{Mode, Proxy};

/// The name under which receipts and public logs are signed.
const SIGNED_BY: &str = "chaos.localhost";
/// The slug of the poll in which the harness votes.
pub(crate) const POLL: &str = "chaos";
/// The options of the poll in order. The choices of a ballot are a bit mask over them.
pub(crate) const OPTIONS: [&str; 3] = ["cats", "dogs", "fish"];
/// The time in milliseconds after which consumers claim pending entries of another one: shorter than any freeze.
const CLAIM_IDLE_MS: u64 = 2_500;
/// The time in milliseconds that a statement may take: less than half of the claim time.
const STATEMENT_TIMEOUT_MS: u64 = 1_000;
/// The number of sessions that Postgres accepts (`max_connections`).
pub(crate) const SESSIONS_MAX: usize = 40;
const DATABASE: &str = "votestream";
/// The role that owns the tables. `votectl` uses it; each service has a role of its own.
const OWNER: &str = "votestream";
/// The settings of Postgres in Kubernetes, which the harness uses as well.
const POSTGRES_SETTINGS: &str = include_str!("../../k8s/components/postgres/postgresql.conf");
const READY_WITHIN: Duration = Duration::from_secs(60);
const SERVERS_RESTART_EVERY: Duration = Duration::from_secs(1);
const SUPERVISE_EVERY: Duration = Duration::from_millis(100);
/// The names of all services.
pub(crate) const SERVICES: [&str; 5] =
    ["producer-1", "producer-2", "consumer-1", "consumer-2", "dashboard"];

/// The servers, services and proxies of a run, and the observations that it has made so far.
#[derive(Debug)]
pub(crate) struct Testbed {
    // Fields are dropped in this order: services end before the servers that they use.
    pub(crate) services: Vec<ManagedService>,
    /// The proxy of each pair, by a name such as `producer-1 > redis` or `prometheus > producer-1`.
    pub(crate) links: BTreeMap<String, Proxy>,
    /// The proxy in front of both producers, to which voters connect.
    pub(crate) vote_proxy: Proxy,
    /// The proxy in front of the dashboard, to which viewers connect.
    pub(crate) results_proxy: Proxy,
    pub(crate) redis: RedisServer,
    pub(crate) postgres: PostgresServer,
    pub(crate) keys: Keys,
    pub(crate) partitions: u16,
    pub(crate) cookies: KeyRing,
    pub(crate) folder: Folder,
    pub(crate) programs: PathBuf,
    /// The password of every role of Postgres, unless a fault has changed it.
    pub(crate) password: String,
    /// The number of malformed entries that were added to the streams.
    pub(crate) poisoned: u64,
    /// The number of servers that were started to replace another one.
    pub(crate) servers_made: u64,
    /// Whether a failover of Redis lost the counters that `votectl audit` compares.
    pub(crate) counters_lost: bool,
    /// The reason why the servers have no small disks that could be filled.
    pub(crate) no_small_disks: Option<SmallDiskError>,
    /// Whether servers that end are restarted, as a supervisor would do.
    pub(crate) restart_servers: bool,
    servers_due: Instant,
    /// Descriptions of services that ended though they should run.
    pub(crate) unexpected_exits: Vec<String>,
    /// Cancelled when the operator wants to end the run.
    pub(crate) stop: CancellationToken,
    /// Observations from outside, shared with the sampler and the load.
    pub(crate) seen: Shared,
}

impl Testbed {
    /// Starts servers, proxies and services, and waits until all are ready.
    ///
    /// # Errors
    /// Returns an error if a program is not installed, or a server or a service does not become ready.
    pub(crate) async fn open(
        programs: &Path,
        kept: bool,
        small_disks: bool,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let programs = programs.canonicalize().context("the folder of the programs")?;
        let folder = Folder::make(kept, small_disks)?;
        let no_small_disks =
            folder.prepare("redis").and_then(|()| folder.prepare("postgres")).err();
        // The servers, and the database with its roles.
        let redis = RedisServer::start(redis_options("redis", &folder))?;
        let postgres = PostgresServer::start(postgres_options("postgres", &folder))?;
        let password = random_secret();
        prepare(&postgres, &password).await?;
        let (secret, keys) = (random_secret(), Keys::default());
        let signing_key = format!("{SIGNED_BY} {}", random_secret());
        let mut testbed = Self {
            services: Vec::new(),
            links: BTreeMap::new(),
            vote_proxy: Proxy::open(Vec::new()).await?,
            results_proxy: Proxy::open(Vec::new()).await?,
            redis,
            postgres,
            keys,
            partitions: votestream_schema::keys::PARTITIONS_DEFAULT,
            cookies: KeyRing::parse(&secret).context("a fresh cookie key")?,
            folder,
            programs,
            password,
            poisoned: 0,
            servers_made: 0,
            counters_lost: false,
            no_small_disks,
            restart_servers: false,
            servers_due: Instant::now(),
            unexpected_exits: Vec::new(),
            stop,
            seen: Shared::default(),
        };
        // The tables and the poll.
        testbed.migrate()?;
        let options = OPTIONS.iter().flat_map(|option| ["--option", *option]);
        let create = ["poll", "create", "--slug", POLL, "--title", "Chaos", "--open"];
        testbed.votectl(&create.into_iter().chain(options).collect::<Vec<_>>())?;
        // The services, each behind its own proxies, and the proxies in front of them.
        for name in SERVICES {
            let mut service = testbed.service(name, &secret, &signing_key).await?;
            service.start(DesiredState::Up)?;
            let metrics = Proxy::open(vec![service.admin_port]).await?;
            testbed.links.insert(metrics_link(name), metrics);
            testbed.services.push(service);
        }
        let ports = |program: &str| -> Vec<u16> {
            let ours = testbed.services.iter().filter(|service| service.name.starts_with(program));
            ours.map(|service| service.port).collect()
        };
        testbed.vote_proxy = Proxy::open(ports("producer")).await?;
        testbed.results_proxy = Proxy::open(ports("dashboard")).await?;
        ensure!(
            testbed.wait_ready(READY_WITHIN).await?,
            "the services are not ready: {}",
            testbed.logs()
        );
        Ok(testbed)
    }

    /// Prepares a service that connects to each server through a proxy of its own.
    async fn service(
        &mut self,
        name: &'static str,
        secret: &str,
        signing_key: &str,
    ) -> anyhow::Result<ManagedService> {
        let mut settings = vec![
            ("COOKIE_KEYS", secret.to_owned()),
            ("DEFAULT_POLL", POLL.to_owned()),
            ("CLAIM_IDLE_MS", CLAIM_IDLE_MS.to_string()),
            ("STATEMENT_TIMEOUT_MS", STATEMENT_TIMEOUT_MS.to_string()),
            ("BLOCK_MS", "500".to_owned()),
            ("CONSUMER_NAME", name.to_owned()),
            ("LOG_LEVEL", "info".to_owned()),
        ];
        if !name.starts_with("dashboard") {
            settings.push(("SIGNING_KEYS", signing_key.to_owned()));
            let proxy = Proxy::open(vec![self.redis.port()]).await?;
            settings.push(("REDIS_URL_FILE", self.url_file(name, "redis").display().to_string()));
            self.links.insert(format!("{name} > redis"), proxy);
            self.write_urls(kind_of(name), "redis", &redis_password(kind_of(name)))?;
        }
        if !name.starts_with("producer") {
            let proxy = Proxy::open(vec![self.postgres.port()]).await?;
            let file = self.url_file(name, "postgres");
            settings.push(("DATABASE_URL_FILE", file.display().to_string()));
            self.links.insert(format!("{name} > postgres"), proxy);
            self.write_urls(kind_of(name), "postgres", &self.password)?;
        }
        Ok(ManagedService::new(name, &self.programs, &self.folder.run(), &settings))
    }

    /// Waits, and restarts processes that end meanwhile.
    ///
    /// # Errors
    /// Returns an error if a service cannot be started again.
    pub(crate) async fn pause(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + time;
        loop {
            self.supervise()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(SUPERVISE_EVERY)).await;
        }
    }

    fn supervise(&mut self) -> anyhow::Result<()> {
        for service in &mut self.services {
            self.unexpected_exits.extend(service.supervise()?);
        }
        if self.restart_servers && Instant::now() >= self.servers_due {
            self.servers_due = Instant::now() + SERVERS_RESTART_EVERY;
            // A server whose disk is full does not start. The next round tries again.
            if !self.redis.process().is_running() {
                let _ = self.redis.respawn();
            }
            if !self.postgres.process().is_running() {
                let _ = self.postgres.respawn();
            }
        }
        let pids = self.services.iter().filter_map(|service| Some((service.name, service.pid()?)));
        let mut seen = lock(&self.seen);
        seen.pids = pids.collect();
        seen.redis_url = self.redis.url();
        seen.database_url = self.database_url();
        Ok(())
    }

    /// Waits up to `within` until every service is ready. Returns whether that happened.
    pub(crate) async fn wait_ready(&mut self, within: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            let ports: Vec<u16> = self.services.iter().map(|service| service.admin_port).collect();
            let mut ready = true;
            for port in ports {
                ready &= crate::http::get(port, "/readyz", Duration::from_secs(2))
                    .await
                    .is_ok_and(|reply| reply.status == 200);
            }
            if ready {
                return Ok(true);
            }
            self.pause(SUPERVISE_EVERY).await?;
        }
        Ok(false)
    }

    /// Returns the services of a target: the name of one (`consumer-1`), or all of a kind (`consumers`).
    ///
    /// # Errors
    /// Returns [`NoSuchService`] if the target matches no service.
    pub(crate) fn services_of(
        &mut self,
        target: &str,
    ) -> Result<Vec<&mut ManagedService>, NoSuchService> {
        matching(&mut self.services, target)
    }

    /// Returns the proxies of a link, or those of all services of a kind (`consumers > redis`).
    pub(crate) fn link(&self, target: &str) -> Vec<&Proxy> {
        let Some((clients, server)) = target.split_once(" > ") else { return Vec::new() };
        let kind = clients.strip_suffix('s').map(|kind| format!("{kind}-"));
        let is_meant = |name: &str| {
            name.split_once(" > ").is_some_and(|(client, its)| {
                its == server
                    && (client == clients
                        || kind.as_ref().is_some_and(|kind| client.starts_with(kind)))
            })
        };
        self.links.iter().filter(|(name, _)| is_meant(name)).map(|(_, proxy)| proxy).collect()
    }

    /// Returns the proxies in front of a server, of all its clients.
    pub(crate) fn links_to(&self, server: &str) -> impl Iterator<Item = &Proxy> {
        let end = format!(" > {server}");
        self.links.iter().filter(move |(name, _)| name.ends_with(&end)).map(|(_, proxy)| proxy)
    }

    /// Returns the ports at which Prometheus finds the metrics of each kind of service.
    pub(crate) fn metrics_targets(&self) -> Vec<(String, Vec<u16>)> {
        let mut targets: BTreeMap<String, Vec<u16>> = BTreeMap::new();
        for name in SERVICES {
            let port = self.links.get(&metrics_link(name)).map(Proxy::port);
            targets.entry(kind_of(name).to_owned()).or_default().extend(port);
        }
        targets.into_iter().collect()
    }

    /// Lets all bytes pass at all proxies.
    pub(crate) fn clear_proxies(&self) {
        self.links
            .values()
            .chain([&self.vote_proxy, &self.results_proxy])
            .for_each(|link| link.set(Mode::Pass));
    }

    /// Returns the address of the database for the owner of its tables, bypassing all proxies.
    pub(crate) fn database_url(&self) -> String {
        database_url(OWNER, &self.password, self.postgres.port())
    }

    /// Returns the address of the database for the role of a service, bypassing all proxies.
    pub(crate) fn role_url(&self, service: &str) -> String {
        database_url(&format!("votestream_{service}"), &self.password, self.postgres.port())
    }

    /// Returns the address of the database for the superuser, bypassing all proxies.
    pub(crate) fn superuser_url(&self) -> String {
        self.postgres.url(DATABASE)
    }

    /// Opens a session as the owner of the tables, bypassing all proxies.
    pub(crate) async fn sql(&self) -> anyhow::Result<Client> {
        connect(&self.database_url()).await
    }

    /// Opens a session as the superuser, bypassing all proxies.
    pub(crate) async fn superuser(&self) -> anyhow::Result<Client> {
        connect(&self.superuser_url()).await
    }

    /// Opens a connection to Redis as the operator, bypassing all proxies.
    pub(crate) async fn redis(&self) -> anyhow::Result<MultiplexedConnection> {
        redis_connection(&self.redis.url()).await
    }

    /// Returns votectl for both servers, bypassing all proxies.
    pub(crate) fn tool(&self) -> Votectl {
        Votectl {
            program: self.programs.join("votectl"),
            redis_url: self.redis.url(),
            database_url: self.database_url(),
        }
    }

    /// Runs votectl and returns its output.
    ///
    /// # Errors
    /// Returns an error with the output if votectl fails.
    pub(crate) fn votectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        tokio::task::block_in_place(|| self.tool().run(arguments))
    }

    /// Makes the tables, and grants the roles of the services their rights.
    ///
    /// # Errors
    /// Returns an error with the output if votectl fails.
    pub(crate) fn migrate(&self) -> anyhow::Result<String> {
        self.votectl(&[
            "migrate",
            "--grant-consumer=votestream_consumer",
            "--grant-dashboard=votestream_dashboard",
        ])
    }

    /// Makes an empty database, in place of the one that may be there.
    ///
    /// # Errors
    /// Returns the error of Postgres.
    pub(crate) async fn make_database(&self) -> anyhow::Result<()> {
        make_database(&self.postgres).await
    }

    /// Returns the file with the address of a server from which a service reads it.
    fn url_file(&self, service: &str, server: &str) -> PathBuf {
        self.folder.run().join(format!("{service}.{server}-url"))
    }

    /// Writes the addresses of a server, with this password, for all services of one kind.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub(crate) fn write_urls(
        &self,
        kind: &str,
        server: &str,
        password: &str,
    ) -> anyhow::Result<()> {
        for (link, proxy) in &self.links {
            let Some((service, its)) = link.split_once(" > ") else { continue };
            if its != server || kind_of(service) != kind {
                continue;
            }
            let url = match server {
                "redis" => format!("redis://{kind}:{password}@127.0.0.1:{}/", proxy.port()),
                _ => database_url(&format!("votestream_{kind}"), password, proxy.port()),
            };
            // A service never reads half an address.
            let (file, new) = (self.url_file(service, server), self.folder.run().join("new-url"));
            std::fs::write(&new, url)?;
            std::fs::rename(&new, &file).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(())
    }

    /// Returns the last log lines of every service.
    pub(crate) fn logs(&self) -> String {
        let tail = |service: &ManagedService| {
            format!("{}: {}", service.name, standalone::servers::log_tail(&service.log(), 3))
        };
        self.services.iter().map(tail).collect::<Vec<_>>().join("\n")
    }
}

/// A target that matches no service. A fault with such a target would strike nobody and pass.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no service is called `{0}`, and no kind of services either")]
pub(crate) struct NoSuchService(String);

/// Returns the services that a target matches.
fn matching<'a>(
    services: &'a mut [ManagedService],
    target: &str,
) -> Result<Vec<&'a mut ManagedService>, NoSuchService> {
    let kind = target.strip_suffix('s').unwrap_or(target);
    let is_meant = |name: &str| name == target || name.starts_with(&format!("{kind}-"));
    let found: Vec<_> = services.iter_mut().filter(|service| is_meant(service.name)).collect();
    if found.is_empty() { Err(NoSuchService(target.to_owned())) } else { Ok(found) }
}

/// Returns the name of the link through which Prometheus reads the metrics of a service.
pub(crate) fn metrics_link(service: &str) -> String {
    format!("prometheus > {service}")
}

/// Returns the program of a service: `producer` for `producer-1`.
pub(crate) fn kind_of(name: &str) -> &str {
    name.split_once('-').map_or(name, |(kind, _)| kind)
}

fn database_url(role: &str, password: &str, port: u16) -> String {
    format!("postgres://{role}:{password}@127.0.0.1:{port}/{DATABASE}")
}

/// Returns the usual password of a user of Redis.
pub(crate) fn redis_password(user: &str) -> String {
    format!("{user}-in-chaos")
}

/// Returns the options of a Redis with the shipped users.
pub(crate) fn redis_options(name: &str, folder: &Folder) -> RedisOptions {
    let mut options = RedisOptions::new(name, folder.path().join(name));
    (options.log, options.run) = (folder.run(), folder.run());
    // A server that replaces another one must have the same users with the same passwords.
    let Ok(users) = shipped_users(|user| Ok::<_, Infallible>(redis_password(user)));
    options.users = users;
    options
}

/// Returns the options of a Postgres with the settings of Kubernetes, made smaller.
pub(crate) fn postgres_options(name: &str, folder: &Folder) -> PostgresOptions {
    let mut options = PostgresOptions::new(name, folder.path().join(name), &random_secret());
    (options.log, options.run) = (folder.run(), folder.run());
    // The write-ahead log must fit on a small disk.
    let ours = [
        ("listen_addresses", "127.0.0.1".to_owned()),
        // Debian's Postgres is built without lz4.
        ("wal_compression", "on".to_owned()),
        ("max_connections", SESSIONS_MAX.to_string()),
        ("max_wal_size", "64MB".to_owned()),
        ("min_wal_size", "32MB".to_owned()),
        ("shared_buffers", "32MB".to_owned()),
    ];
    let shipped = POSTGRES_SETTINGS.lines().filter(|line| !line.starts_with('#'));
    let shipped = shipped.filter_map(|line| line.split_once(" = "));
    let shipped = shipped.map(|(name, value)| (name, value.trim_matches('\'').to_owned()));
    // The last value of a setting wins.
    let settings = shipped.chain(ours);
    options.settings = settings.map(|(name, value)| (name.to_owned(), value)).collect();
    options
}

/// Creates the shipped roles, all with this password, and the database.
async fn prepare(postgres: &PostgresServer, password: &str) -> anyhow::Result<()> {
    let client = connect(&postgres.url("postgres")).await?;
    let Ok(roles) = roles_with_passwords(|_| Ok::<_, Infallible>(password.to_owned()));
    client.batch_execute(&roles).await?;
    client.batch_execute(DATABASE_RIGHTS).await?;
    make_database(postgres).await
}

async fn make_database(postgres: &PostgresServer) -> anyhow::Result<()> {
    let client = connect(&postgres.url("postgres")).await?;
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")).await?;
    client.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}")).await?;
    connect(&postgres.url(DATABASE)).await?.batch_execute(DATABASE_RIGHTS).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Fault, Place};

    fn services() -> Vec<ManagedService> {
        let service =
            |name| ManagedService::new(name, Path::new("/nowhere"), Path::new("/nowhere"), &[]);
        SERVICES.map(service).into()
    }

    #[test]
    fn a_target_that_matches_no_service_is_an_error() {
        for target in ["producer-3", "consumers-1", "viewers", ""] {
            let error = matching(&mut services(), target).unwrap_err();
            assert_eq!(error, NoSuchService(target.to_owned()));
        }
    }

    #[test]
    fn every_target_of_the_table_matches_a_service() {
        let mut services = services();
        for fault in Fault::ALL.iter().filter(|fault| fault.place() == Place::Service) {
            for target in fault.targets() {
                let found = matching(&mut services, target).unwrap();
                let expected = if target.ends_with("ers") { 2 } else { 1 };
                assert_eq!(found.len(), expected, "{fault} {target}");
            }
        }
    }

    #[test]
    fn a_service_that_was_never_started_does_not_run() {
        assert!(services().iter_mut().all(|service| !service.is_running()));
    }
}
