//! Everything that is broken: real servers, the real programs, and a proxy between each pair.
//!
//! Invariant: one owner moves everything, so that no fault meets another half-way; whoever waits,
//! waits with [`Site::pause`], so that processes that end by themselves are started again meanwhile.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use redis::aio::MultiplexedConnection;
use standalone::servers::{
    PostgresOptions, PostgresServer, RedisOptions, RedisServer, random_secret,
    roles_with_passwords, shipped_users,
};
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;
use votestream_schema::Keys;
use votestream_schema::voter::KeyRing;

use crate::folder::Folder;
use crate::sampler::{Shared, lock};
use crate::service::{Service, Wish};
use testkit::proxy::{Mode, Proxy};

/// The poll that is voted in.
pub(crate) const POLL: &str = "chaos";
/// Its options, in order; a ballot's choices are a mask over them.
pub(crate) const OPTIONS: [&str; 3] = ["cats", "dogs", "fish"];
/// After how long pending entries are claimed, in milliseconds: shorter than any freeze.
const CLAIM_IDLE_MS: u64 = 2_500;
/// How long Postgres may take for a statement, in milliseconds; less than half of the claim time.
const STATEMENT_TIMEOUT_MS: u64 = 1_000;
/// Sessions that Postgres takes.
pub(crate) const SESSIONS_MAX: usize = 40;
const DATABASE: &str = "votestream";
/// The role that owns the tables; `votectl` uses it, and each service has a role of its own.
const OWNER: &str = "votestream";
/// The settings of the Postgres that Kubernetes runs.
const POSTGRES_SETTINGS: &str = include_str!("../../k8s/components/postgres/postgresql.conf");
const READY_WITHIN: Duration = Duration::from_secs(60);
const SERVERS_RESTART_EVERY: Duration = Duration::from_secs(1);
const TEND_EVERY: Duration = Duration::from_millis(100);
/// All services by name.
pub(crate) const SERVICES: [&str; 5] =
    ["producer-1", "producer-2", "consumer-1", "consumer-2", "dashboard"];

/// The whole deployment.
#[derive(Debug)]
pub(crate) struct Site {
    // In the order in which they have to end.
    pub(crate) services: Vec<Service>,
    /// By pair, as `producer-1 > redis`.
    pub(crate) links: BTreeMap<String, Proxy>,
    /// Before both producers.
    pub(crate) door: Proxy,
    /// Before the dashboard.
    pub(crate) window: Proxy,
    pub(crate) redis: RedisServer,
    pub(crate) postgres: PostgresServer,
    pub(crate) keys: Keys,
    pub(crate) partitions: u16,
    pub(crate) cookies: KeyRing,
    pub(crate) folder: Folder,
    pub(crate) programs: PathBuf,
    password: String,
    /// Entries added that are no ballots.
    pub(crate) poisoned: u64,
    /// Servers made to take another one's place.
    pub(crate) servers_made: u64,
    /// Whether a failover of Redis lost counters.
    pub(crate) counters_lost: bool,
    /// Why servers have no small disks that can be filled.
    pub(crate) no_small_disks: Option<String>,
    /// Whether servers that end by themselves are started again, as a supervisor would.
    pub(crate) restart_servers: bool,
    servers_due: Instant,
    /// Deaths that nobody wished for.
    pub(crate) deaths: Vec<String>,
    /// Set when the operator wants to end.
    pub(crate) stop: CancellationToken,
    /// What is seen from outside.
    pub(crate) seen: Shared,
}

impl Site {
    /// Starts servers, proxies and services, and waits until all are ready.
    ///
    /// # Errors
    /// When something is not installed or does not come up.
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
        let redis = RedisServer::start(redis_options("redis", &folder))?;
        let postgres = PostgresServer::start(postgres_options("postgres", &folder))?;
        let password = random_secret();
        prepare(&postgres, &password).await?;
        let (secret, keys) = (random_secret(), Keys::default());
        let mut site = Self {
            services: Vec::new(),
            links: BTreeMap::new(),
            door: Proxy::open(Vec::new()).await?,
            window: Proxy::open(Vec::new()).await?,
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
            deaths: Vec::new(),
            stop,
            seen: Shared::default(),
        };
        site.votectl(&[
            "migrate",
            "--grant-consumer=votestream_consumer",
            "--grant-dashboard=votestream_dashboard",
        ])?;
        let options = OPTIONS.iter().flat_map(|option| ["--option", *option]);
        let create = ["poll", "create", "--slug", POLL, "--title", "Chaos", "--open"];
        site.votectl(&create.into_iter().chain(options).collect::<Vec<_>>())?;
        for name in SERVICES {
            let mut service = site.service(name, &secret).await?;
            service.start(Wish::Up)?;
            site.services.push(service);
        }
        let ports = |program: &str| -> Vec<u16> {
            let ours = site.services.iter().filter(|service| service.name.starts_with(program));
            ours.map(|service| service.port).collect()
        };
        site.door = Proxy::open(ports("producer")).await?;
        site.window = Proxy::open(ports("dashboard")).await?;
        ensure!(
            site.wait_ready(READY_WITHIN).await?,
            "the services are not ready: {}",
            site.logs()
        );
        Ok(site)
    }

    /// A service that reaches each server through a proxy of its own.
    async fn service(&mut self, name: &'static str, secret: &str) -> anyhow::Result<Service> {
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
            let proxy = Proxy::open(vec![self.redis.port()]).await?;
            let url = self.redis.url_at(kind_of(name), proxy.port());
            settings.push(("REDIS_URL", url.context("redis has no user for this service")?));
            self.links.insert(format!("{name} > redis"), proxy);
        }
        if !name.starts_with("producer") {
            let proxy = Proxy::open(vec![self.postgres.port()]).await?;
            let role = format!("votestream_{}", kind_of(name));
            let url = database_url(&role, &self.password, proxy.port());
            settings.push(("DATABASE_URL", url));
            self.links.insert(format!("{name} > postgres"), proxy);
        }
        Ok(Service::new(name, &self.programs, &self.folder.run(), &settings))
    }

    /// Waits, and tends the services meanwhile.
    ///
    /// # Errors
    /// When a service cannot be started again.
    pub(crate) async fn pause(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + time;
        loop {
            self.tend()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(TEND_EVERY)).await;
        }
    }

    fn tend(&mut self) -> anyhow::Result<()> {
        for service in &mut self.services {
            self.deaths.extend(service.tend()?);
        }
        if self.restart_servers && Instant::now() >= self.servers_due {
            self.servers_due = Instant::now() + SERVERS_RESTART_EVERY;
            // An attempt that fails, for want of room as likely as not, is made again.
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
        Ok(())
    }

    /// Waits until every service that should run is ready; whether they were in time.
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
            self.pause(TEND_EVERY).await?;
        }
        Ok(false)
    }

    /// Services by the name of one, or of all of a kind (`consumers`).
    pub(crate) fn named(&mut self, target: &str) -> Vec<&mut Service> {
        let kind = target.strip_suffix('s').unwrap_or(target);
        let is_meant = |name: &str| name == target || name.starts_with(&format!("{kind}-"));
        self.services.iter_mut().filter(|service| is_meant(service.name)).collect()
    }

    /// The proxies of a link, or of all of a kind (`consumers > redis`).
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

    /// The proxies to a server, whoever its client.
    pub(crate) fn links_to(&self, server: &str) -> impl Iterator<Item = &Proxy> {
        let end = format!(" > {server}");
        self.links.iter().filter(move |(name, _)| name.ends_with(&end)).map(|(_, proxy)| proxy)
    }

    /// Lets everything pass everywhere.
    pub(crate) fn clear_links(&self) {
        self.links.values().chain([&self.door, &self.window]).for_each(|link| link.set(Mode::Pass));
    }

    /// The database as its owner sees it, past all proxies.
    pub(crate) fn database_url(&self) -> String {
        database_url(OWNER, &self.password, self.postgres.port())
    }

    /// A session past all proxies.
    pub(crate) async fn sql(&self) -> anyhow::Result<Client> {
        connect(&self.database_url()).await
    }

    /// A superuser's session past all proxies.
    pub(crate) async fn superuser(&self) -> anyhow::Result<Client> {
        connect(&self.postgres.url(DATABASE)).await
    }

    /// A connection to Redis past all proxies.
    pub(crate) async fn redis(&self) -> anyhow::Result<MultiplexedConnection> {
        redis_connection(&self.redis.url()).await
    }

    /// Runs votectl past all proxies; gives what it prints.
    pub(crate) fn votectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(self.programs.join("votectl"));
        command
            .env_clear()
            .env("REDIS_URL", self.redis.url())
            .env("DATABASE_URL", self.database_url())
            .args(arguments)
            .stdin(Stdio::null());
        let output = command.output().context("votectl cannot be started")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if !output.status.success() {
            bail!("votectl {}: {} {}", arguments[0], text(&output.stderr), text(&output.stdout));
        }
        Ok(text(&output.stdout))
    }

    /// The last words of every service.
    pub(crate) fn logs(&self) -> String {
        let tail = |service: &Service| {
            format!("{}: {}", service.name, standalone::servers::log_tail(&service.log(), 3))
        };
        self.services.iter().map(tail).collect::<Vec<_>>().join("\n")
    }
}

/// The program of a service: `producer-1` is a `producer`.
fn kind_of(name: &str) -> &str {
    name.split_once('-').map_or(name, |(kind, _)| kind)
}

fn database_url(role: &str, password: &str, port: u16) -> String {
    format!("postgres://{role}:{password}@127.0.0.1:{port}/{DATABASE}")
}

/// Connects within five seconds; the session ends with the client.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let connecting = tokio_postgres::connect(url, NoTls);
    let connecting = tokio::time::timeout(Duration::from_secs(5), connecting).await;
    let (client, connection) = connecting.context("postgres does not answer")??;
    tokio::spawn(connection);
    Ok(client)
}

/// A connection that gives up on an answer after two seconds.
pub(crate) async fn redis_connection(url: &str) -> anyhow::Result<MultiplexedConnection> {
    let client = redis::Client::open(url)?;
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(2)))
        .set_response_timeout(Some(Duration::from_secs(2)));
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}

pub(crate) fn redis_options(name: &str, folder: &Folder) -> RedisOptions {
    let mut options = RedisOptions::new(name, folder.path().join(name));
    (options.log, options.run) = (folder.run(), folder.run());
    // A server that takes the place of another one has the same users, with the same passwords.
    let Ok(users) = shipped_users(|user| Ok::<_, Infallible>(format!("{user}-in-chaos")));
    options.users = users;
    options
}

pub(crate) fn postgres_options(name: &str, folder: &Folder) -> PostgresOptions {
    let mut options = PostgresOptions::new(name, folder.path().join(name), &random_secret());
    (options.log, options.run) = (folder.run(), folder.run());
    // Little write-ahead log, so that a small disk has room for it.
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

/// Makes the roles that are shipped, all with this password, and the database.
async fn prepare(postgres: &PostgresServer, password: &str) -> anyhow::Result<()> {
    let client = connect(&postgres.url("postgres")).await?;
    let Ok(roles) = roles_with_passwords(|_| Ok::<_, Infallible>(password.to_owned()));
    client.batch_execute(&roles).await?;
    client.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}")).await?;
    Ok(())
}
