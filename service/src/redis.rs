//! Redis: a pool, and dedicated connections, that notice a dead or demoted server.
//!
//! Wraps `bb8_redis`' manager, which sets no time-outs and never calls a connection broken. Here a
//! connection is thrown away after a time-out, a lost link, a reply of READONLY, MASTERDOWN,
//! CLUSTERDOWN or MOVED (also to one command of a pipeline, whose errors are among its replies), and
//! when a call on it was given up half-way: what the server still owes on such a connection must
//! never be read as the answer to something else.
//!
//! The settings that stand in files are read again for each new connection.
//!
//! A plain server (or one behind a fail-over address) and a Redis Cluster look the same from
//! outside: a [`Connection`] is either.

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
use crate::known_nodes::KnownNodes;
use crate::renewed::Renewed;
use crate::tls;

/// How long a reply may take on a pooled connection.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one node of a cluster may take: a frozen one must leave time for the others.
const NODE_CONNECT_TIMEOUT: Duration = Duration::from_millis(700);
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections to Redis, opened when needed.
pub type Pool = bb8::Pool<Manager>;

/// Opens connections to one Redis server or cluster; cheap to clone.
#[derive(Clone)]
pub struct Manager {
    args: Arc<RedisArgs>,
    target: Arc<Renewed<Inputs, Target>>,
    /// Why the last attempt of a pool to connect failed.
    last_reason: Arc<Mutex<Option<String>>>,
    /// Of a cluster.
    known_nodes: KnownNodes,
}

#[derive(Clone)]
enum Target {
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

/// What a [`Target`] is made from.
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
        Ok(match (args.redis_cluster, infos.as_slice()) {
            (_, []) => anyhow::bail!("REDIS_URL is empty"),
            (false, [info]) => Target::Server(Box::new(RedisConnectionManager::new(info.clone())?)),
            (false, _) => anyhow::bail!(
                "REDIS_URL names several servers: add REDIS_CLUSTER=true, or name one"
            ),
            (true, [seed, ..]) => {
                let (seed, client) = (seed.clone(), cluster_client(infos, certificates)?);
                Target::Cluster(Arc::new(Cluster { client, seed }))
            }
        })
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_cluster() { "Manager(cluster)" } else { "Manager(server)" })
    }
}

impl Manager {
    /// For the server or cluster that the settings name. Connects to nothing yet.
    ///
    /// # Errors
    /// When the URL does not parse or the certificates cannot be read.
    pub fn new(args: &RedisArgs) -> anyhow::Result<Self> {
        tls::install_crypto_provider();
        let target = Renewed::new(Inputs::read(args), |inputs| inputs.target(args))?;
        let (args, target) = (Arc::new(args.clone()), Arc::new(target));
        let (last_reason, known_nodes) = (Arc::default(), KnownNodes::default());
        Ok(Self { args, target, last_reason, known_nodes })
    }

    fn target(&self) -> Target {
        let make = |inputs: &Inputs| inputs.target(&self.args);
        self.target.get("redis", Inputs::read(&self.args), make)
    }

    /// A pool of at most `connections_max`, filled when needed.
    pub fn pool(&self, connections_max: u32) -> Pool {
        bb8::Pool::builder()
            .max_size(connections_max)
            .connection_timeout(CHECKOUT_TIMEOUT)
            .test_on_check_out(false)
            .build_unchecked(self.clone())
    }

    /// A connection of one's own, for blocking calls and for calls that must not share.
    ///
    /// # Errors
    /// When the server cannot be reached within 2 s, or refuses.
    pub async fn connect(&self, response_timeout: Duration) -> Result<Connection, RedisError> {
        let opening = async {
            Ok::<_, RedisError>(match self.target() {
                Target::Server(manager) => {
                    let mut link = bb8::ManageConnection::connect(&*manager).await?;
                    link.set_response_timeout(response_timeout);
                    Link::Server(link)
                }
                Target::Cluster(cluster) => {
                    Link::Cluster(cluster.connect(&self.known_nodes, response_timeout).await?)
                }
            })
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
            Ok(link) => Ok(Connection { link: link?, broken: false }),
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    /// Logs why no connection can be had, once a reason: who waits for one only learns that none
    /// came in time.
    fn tell_once(&self, error: Option<&RedisError>) {
        let reason = error.map(RedisError::to_string);
        let mut last = self.last_reason.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = reason.as_ref().filter(|reason| last.as_ref() != Some(reason)) {
            tracing::warn!(reason, "cannot connect to redis");
        }
        *last = reason;
    }

    /// Whether keys are spread over several masters.
    pub fn is_cluster(&self) -> bool {
        self.args.redis_cluster
    }
}

/// Whether the pool's server answers.
///
/// # Errors
/// Why it does not.
pub async fn probe(pool: &Pool) -> Result<(), String> {
    let mut connection = pool.get().await.map_err(describe_checkout)?;
    redis::cmd("PING").exec_async(&mut *connection).await.map_err(|e| e.to_string())
}

/// A failed check-out in words.
pub fn describe_checkout(error: bb8::RunError<RedisError>) -> String {
    match error {
        bb8::RunError::User(error) => error.to_string(),
        bb8::RunError::TimedOut => "no connection within 1 s".to_owned(),
    }
}

impl bb8::ManageConnection for Manager {
    type Connection = Connection;
    type Error = RedisError;

    async fn connect(&self) -> Result<Connection, RedisError> {
        let outcome = Self::connect(self, RESPONSE_TIMEOUT).await;
        self.tell_once(outcome.as_ref().err());
        outcome
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), RedisError> {
        redis::cmd("PING").exec_async(connection).await
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_broken()
    }
}

/// One connection; broken for good after a time-out, a lost link, or a call that was given up.
pub struct Connection {
    link: Link,
    broken: bool,
}

enum Link {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection {{ broken: {} }}", self.broken)
    }
}

impl Connection {
    /// Whether this connection must be thrown away.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Sends a command that names no key to the master that owns the slot of `key`.
    ///
    /// # Errors
    /// Redis', or the link's.
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
        // A plain server's refusal comes as a value.
        self.settle(outcome.and_then(Value::extract_error))
    }

    fn settle<T>(&mut self, outcome: Result<T, RedisError>) -> Result<T, RedisError> {
        self.broken = outcome.as_ref().is_err_and(breaks);
        outcome
    }
}

/// Whether a connection that gave this error is of no more use.
fn breaks(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || error.code().is_some_and(is_elsewhere)
}

/// Whether a server that answers with this code is not, or no longer, the one to ask.
fn is_elsewhere(code: &str) -> bool {
    matches!(code, "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "LOADING" | "MOVED")
}

/// Whether a reply, or one in a transaction's, is that of a server which is not the one to ask.
fn tells_elsewhere(reply: &Value) -> bool {
    match reply {
        Value::ServerError(error) => is_elsewhere(error.code()),
        Value::Array(replies) => replies.iter().any(tells_elsewhere),
        _ => false,
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            self.broken = true;
            let outcome = match &mut self.link {
                Link::Server(link) => link.req_packed_command(cmd).await,
                Link::Cluster(link) => link.req_packed_command(cmd).await,
            };
            self.settle(outcome)
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
            let outcome = match &mut self.link {
                Link::Server(link) => link.req_packed_commands(pipeline, offset, count).await,
                Link::Cluster(link) => link.req_packed_commands(pipeline, offset, count).await,
            };
            let outcome = self.settle(outcome)?;
            // Here errors are among the replies.
            self.broken = outcome.iter().any(tells_elsewhere);
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
        // What was given up must not arrive later: a ballot answered 503 could replace a newer one.
        .set_linger_time(Duration::ZERO)
        .set_keepalive(socket2::TcpKeepalive::new().with_time(Duration::from_secs(10)))
}

/// Few retries: what a caller may repeat, it repeats itself, knowing what it repeats.
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
