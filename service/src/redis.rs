//! Connects to Redis, with pools and dedicated connections that notice a dead or demoted server.
//!
//! `bb8_redis`' own manager sets no time-outs and never calls a connection broken; this module wraps it.
//! A connection is thrown away after a time-out, after a lost link, and after a reply of READONLY,
//! MASTERDOWN, CLUSTERDOWN, LOADING or MOVED, also to one command of a pipeline. It is thrown away as
//! well when its caller stopped waiting for a call: the reply that is still to come must never be read
//! as the reply to another call.
//!
//! Settings that are files are read again for each new connection. A [`Connection`] is one to a plain
//! server (or to one behind a fail-over address) or to a Redis Cluster, with the same methods.

pub mod functions;
mod known_nodes;
pub mod replay;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bb8_redis::RedisConnectionManager;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::io::tcp::TcpSettings;
use redis::{Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisError, RedisFuture, Value};

use crate::config::{RedisArgs, Secret};
use crate::reloadable::Reloadable;
use crate::tls;
use known_nodes::KnownNodes;

/// Longest time for a reply on a pooled connection.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time for opening a connection, to all nodes of a cluster.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time for connecting to one node of a cluster: a frozen node must leave time for the others.
const NODE_CONNECT_TIMEOUT: Duration = Duration::from_millis(700);
/// Longest wait for a connection of a pool.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(1);

/// A pool of connections to Redis, which are opened when needed.
pub type Pool = bb8::Pool<Manager>;

/// Opens connections to one Redis server or cluster. Clones are cheap and share their settings.
#[derive(Clone)]
pub struct Manager {
    args: Arc<RedisArgs>,
    target: Arc<Reloadable<Inputs, Target>>,
    /// Reason why the last attempt of a pool to connect failed; it is logged once.
    last_reason: Arc<Mutex<Option<String>>>,
    /// Addresses of a cluster's nodes, for when their names do not resolve.
    known_nodes: KnownNodes,
}

/// The server or cluster to connect to.
#[derive(Clone)]
struct Target {
    /// Host and port of each server in the URL, for the log.
    servers: Arc<str>,
    client: Client,
}

#[derive(Clone)]
enum Client {
    Server(Box<RedisConnectionManager>),
    Cluster(Arc<Cluster>),
}

/// A cluster by the names of its seed nodes, the first of which logs in as all do.
struct Cluster {
    client: ClusterClient,
    seed: ConnectionInfo,
}

impl Cluster {
    /// Connects by the addresses of the nodes that were seen last, or by name where none of them answers.
    async fn connect(
        &self,
        known: &KnownNodes,
        response_timeout: Duration,
    ) -> Result<ClusterConnection, RedisError> {
        let config = || {
            redis::cluster::ClusterConfig::new()
                .set_connection_timeout(NODE_CONNECT_TIMEOUT)
                .set_response_timeout(response_timeout)
        };
        if let Some(nodes) = known.infos(&self.seed) {
            let client = cluster_client(nodes, None)?;
            match client.get_async_connection_with_config(config()).await {
                Ok(mut connection) => {
                    known.learn(&mut connection).await;
                    return Ok(connection);
                }
                Err(error) => tracing::debug!(%error, "no node answers at its last known address"),
            }
        }
        let mut connection = self.client.get_async_connection_with_config(config()).await?;
        known.learn(&mut connection).await;
        Ok(connection)
    }
}

/// The settings and files that a [`Target`] is made from.
#[derive(PartialEq)]
struct Inputs {
    urls: Secret,
    authority: Option<Vec<u8>>,
}

impl Inputs {
    fn read(args: &RedisArgs) -> anyhow::Result<Self> {
        let read = |path: &PathBuf| {
            std::fs::read(path).with_context(|| format!("REDIS_CA_FILE {}", path.display()))
        };
        Ok(Self {
            urls: args.url()?,
            authority: args.redis_ca_file.as_ref().map(read).transpose()?,
        })
    }

    fn target(&self, args: &RedisArgs) -> anyhow::Result<Target> {
        let certificates = self
            .authority
            .clone()
            .map(|pem| redis::TlsCertificates { client_tls: None, root_cert: Some(pem) });
        let urls = self.urls.reveal().split(',').map(str::trim).filter(|url| !url.is_empty());
        let infos = urls
            .map(|url| match &certificates {
                Some(certificates) => redis::Client::build_with_tls(url, certificates.clone())
                    .map(|client| client.get_connection_info().clone()),
                None => url.into_connection_info(),
            })
            .map(|info| Ok(info?.set_tcp_settings(tcp_settings())))
            .collect::<Result<Vec<_>, RedisError>>()
            .context("REDIS_URL is not of the form redis://[user:password@]host:port")?;
        let servers: Vec<String> = infos.iter().map(|info| info.addr().to_string()).collect();
        let client = match (args.redis_cluster, infos.as_slice()) {
            (_, []) => anyhow::bail!("REDIS_URL is empty: set it to redis://host:port"),
            (false, [info]) => Client::Server(Box::new(RedisConnectionManager::new(info.clone())?)),
            (false, _) => anyhow::bail!(
                "REDIS_URL names several servers: add REDIS_CLUSTER=true, or name one server"
            ),
            (true, [seed, ..]) => {
                let (seed, client) = (seed.clone(), cluster_client(infos, certificates)?);
                Client::Cluster(Arc::new(Cluster { client, seed }))
            }
        };
        Ok(Target { servers: servers.join(", ").into(), client })
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_cluster() { "Manager(cluster)" } else { "Manager(server)" })
    }
}

impl Manager {
    /// Prepares to connect to the server or cluster that the settings name, without connecting yet.
    ///
    /// # Errors
    /// Returns an error if the URL does not parse or the certificates cannot be read.
    pub fn new(args: &RedisArgs) -> anyhow::Result<Self> {
        tls::install_crypto_provider();
        let target = Reloadable::new(Inputs::read(args), |inputs| inputs.target(args))?;
        let (args, target) = (Arc::new(args.clone()), Arc::new(target));
        let (last_reason, known_nodes) = (Arc::default(), KnownNodes::default());
        Ok(Self { args, target, last_reason, known_nodes })
    }

    /// Returns the server or cluster that the settings and their files name now.
    fn target(&self) -> Target {
        let make = |inputs: &Inputs| inputs.target(&self.args);
        self.target.get("redis", Inputs::read(&self.args), make)
    }

    /// Returns host and port of each server in the Redis URL, for log lines.
    pub fn servers(&self) -> Arc<str> {
        self.target().servers
    }

    /// Creates a pool of at most `connections_max` connections, which are opened when needed.
    pub fn pool(&self, connections_max: u32) -> Pool {
        bb8::Pool::builder()
            .max_size(connections_max)
            .connection_timeout(CHECKOUT_TIMEOUT)
            .test_on_check_out(false)
            .build_unchecked(self.clone())
    }

    /// Opens a connection outside the pools, for blocking calls and for calls that must not share one.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached within 2 s, or if it refuses the connection.
    pub async fn connect(&self, response_timeout: Duration) -> Result<Connection, RedisError> {
        let opening = async {
            Ok::<_, RedisError>(match self.target().client {
                Client::Server(manager) => {
                    let mut link = bb8::ManageConnection::connect(&*manager).await?;
                    link.set_response_timeout(response_timeout);
                    Link::Server(link)
                }
                Client::Cluster(cluster) => {
                    Link::Cluster(cluster.connect(&self.known_nodes, response_timeout).await?)
                }
            })
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
            Ok(link) => {
                let servers = self.servers();
                Ok(Connection { link: link?, broken: false, pooled_by: None, servers })
            }
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    /// Logs why a pool cannot connect, once per reason. Callers of the pool only learn that no connection
    /// became free in time.
    fn log_failure_once(&self, error: Option<&RedisError>) {
        let reason = error.map(RedisError::to_string);
        let mut last = self.last_reason.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = reason.as_ref().filter(|reason| last.as_ref() != Some(reason)) {
            let servers = self.servers();
            tracing::warn!(
                %servers,
                "cannot connect to redis at {servers}, each call tries again: {reason}"
            );
        }
        *last = reason;
    }

    /// Returns whether the keys are spread over several masters.
    pub fn is_cluster(&self) -> bool {
        self.args.redis_cluster
    }
}

/// A call on a pooled connection failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection of the pool was free, or could be opened, in time.
    #[error("no connection to redis within 1 s")]
    NoConnection,
    /// Redis refused the call, or the connection broke.
    #[error(transparent)]
    Redis(#[from] RedisError),
}

impl From<bb8::RunError<RedisError>> for Error {
    fn from(error: bb8::RunError<RedisError>) -> Self {
        match error {
            bb8::RunError::User(error) => Self::Redis(error),
            bb8::RunError::TimedOut => Self::NoConnection,
        }
    }
}

/// Sends PING on a connection of the pool.
///
/// # Errors
/// Returns an error if there is no connection in time, or if the server does not answer.
pub async fn probe(pool: &Pool) -> Result<(), Error> {
    let mut connection = pool.get().await?;
    Ok(redis::cmd("PING").exec_async(&mut *connection).await?)
}

/// Describes in words why a pool gave no connection.
pub fn describe_checkout(error: bb8::RunError<RedisError>) -> String {
    Error::from(error).to_string()
}

impl bb8::ManageConnection for Manager {
    type Connection = Connection;
    type Error = RedisError;

    async fn connect(&self) -> Result<Connection, RedisError> {
        let outcome = Self::connect(self, RESPONSE_TIMEOUT).await;
        self.log_failure_once(outcome.as_ref().err());
        outcome.map(|connection| Connection { pooled_by: Some(self.clone()), ..connection })
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), RedisError> {
        redis::cmd("PING").exec_async(connection).await
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_broken()
    }
}

/// One connection. It is broken for good after a time-out, a lost link, or a call whose caller stopped
/// waiting.
///
/// Redis may close a pooled connection that was idle, which only the next call notices. So a
/// pooled connection replaces a lost link and repeats the call once. Calls on pooled connections must
/// therefore be repeatable; the register's calls use connections of their own.
pub struct Connection {
    link: Link,
    broken: bool,
    /// Opens a new link; `None` outside pools.
    pooled_by: Option<Manager>,
    /// Host and port of each server in the Redis URL, for log lines.
    servers: Arc<str>,
}

enum Link {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    async fn command(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        match self {
            Self::Server(link) => link.req_packed_command(command).await,
            Self::Cluster(link) => link.req_packed_command(command).await,
        }
    }

    async fn commands(
        &mut self,
        pipeline: &Pipeline,
        offset: usize,
        count: usize,
    ) -> Result<Vec<Value>, RedisError> {
        match self {
            Self::Server(link) => link.req_packed_commands(pipeline, offset, count).await,
            Self::Cluster(link) => link.req_packed_commands(pipeline, offset, count).await,
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection {{ broken: {} }}", self.broken)
    }
}

impl Connection {
    /// Returns host and port of each server in the Redis URL, for log lines.
    pub fn servers(&self) -> &Arc<str> {
        &self.servers
    }

    /// Returns whether this connection must be thrown away.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Sends a command that names no key to the master that owns the slot of `key`.
    ///
    /// # Errors
    /// Returns the error of the link, or that with which Redis refuses the command.
    pub async fn query_at(&mut self, key: &str, command: &Cmd) -> Result<Value, RedisError> {
        self.broken = true;
        let outcome = match &mut self.link {
            Link::Server(link) => link.send_packed_command(command).await,
            Link::Cluster(link) => {
                let node =
                    SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master));
                link.route_command(command.clone(), RoutingInfo::SingleNode(node)).await
            }
        };
        // A plain server's refusal arrives as a value.
        self.note_outcome(outcome.and_then(Value::extract_error))
    }

    /// Opens a new link if a pooled connection has lost its own, as this outcome of a call says. Returns
    /// whether there is a new one; then the caller repeats the call.
    async fn has_new_link_after<T>(&mut self, outcome: &Result<T, RedisError>) -> bool {
        let (Some(manager), Err(error)) = (self.pooled_by.clone(), outcome) else { return false };
        if !is_lost_link(error) {
            return false;
        }
        // If there is no new link, the error of the lost one says enough.
        let Ok(fresh) = Manager::connect(&manager, RESPONSE_TIMEOUT).await else { return false };
        self.link = fresh.link;
        true
    }

    /// Ends a call: the connection is broken only if the outcome says so. Before the call it was marked
    /// as broken, in case the caller stops waiting.
    fn note_outcome<T>(&mut self, outcome: Result<T, RedisError>) -> Result<T, RedisError> {
        self.broken = outcome.as_ref().is_err_and(breaks_connection);
        outcome
    }
}

/// Returns whether the server, or something on the way, closed the connection. A time-out is another matter: the server
/// may still run the call.
fn is_lost_link(error: &RedisError) -> bool {
    (error.is_io_error() || error.is_connection_dropped()) && !error.is_timeout()
}

/// Returns whether a connection that returned this error must be thrown away.
fn breaks_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || error.code().is_some_and(is_wrong_server)
}

/// Returns whether a server that answers with this code no longer serves the key, or not yet.
fn is_wrong_server(code: &str) -> bool {
    matches!(code, "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "LOADING" | "MOVED")
}

/// Returns whether a reply, or one of the replies in a transaction, comes from a wrong server.
fn is_from_wrong_server(reply: &Value) -> bool {
    match reply {
        Value::ServerError(error) => is_wrong_server(error.code()),
        Value::Array(replies) => replies.iter().any(is_from_wrong_server),
        _ => false,
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            self.broken = true;
            let mut outcome = self.link.command(cmd).await;
            if self.has_new_link_after(&outcome).await {
                outcome = self.link.command(cmd).await;
            }
            self.note_outcome(outcome)
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            self.broken = true;
            let mut outcome = self.link.commands(pipeline, offset, count).await;
            if self.has_new_link_after(&outcome).await {
                outcome = self.link.commands(pipeline, offset, count).await;
            }
            let outcome = self.note_outcome(outcome)?;
            // The errors of a pipeline's commands are among its replies.
            self.broken = outcome.iter().any(is_from_wrong_server);
            Ok(outcome)
        })
    }

    fn get_db(&self) -> i64 {
        match &self.link {
            Link::Server(link) => link.get_db(),
            Link::Cluster(link) => link.get_db(),
        }
    }
}

fn tcp_settings() -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_user_timeout(Duration::from_secs(10))
        // Drop unsent data when a connection is closed: a ballot that was answered 503 and arrived
        // later could replace a newer one.
        .set_linger_time(Duration::ZERO)
        .set_keepalive(socket2::TcpKeepalive::new().with_time(Duration::from_secs(10)))
}

/// Builds a cluster client that retries little. Callers know which calls they may repeat, and do so
/// themselves.
fn cluster_client(
    nodes: Vec<redis::ConnectionInfo>,
    certificates: Option<redis::TlsCertificates>,
) -> Result<ClusterClient, RedisError> {
    let builder = ClusterClient::builder(nodes)
        .retries(3)
        .min_retry_wait(20)
        .max_retry_wait(200)
        .connection_timeout(NODE_CONNECT_TIMEOUT)
        .response_timeout(RESPONSE_TIMEOUT)
        .tcp_settings(tcp_settings());
    match certificates {
        Some(certificates) => builder.certs(certificates).build(),
        None => builder.build(),
    }
}
