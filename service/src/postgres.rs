//! Connects to Postgres, with pools whose sessions notice a dead or demoted server.
//!
//! Connecting, and in transactions statements and waiting for locks, are limited in time, and keep-alives are sent. A session
//! is thrown away when the server says that it is shutting down or has become read-only. Settings that
//! are files are read again for each new session.
//!
//! Between us and Postgres there may be a pooler such as PgBouncer, whose server sessions change from one transaction to
//! the next. So the limits belong to transactions ([`Session::begin`]), and every statement is sent with the types of its
//! parameters (`query_typed`): a statement with a name would exist in one server session alone.

mod session;
mod sslmode;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{PostgresArgs, Secret};
use crate::reloadable::Reloadable;
use crate::tls;
use session::Limits;
use sslmode::SslMode;

pub use session::{Session, Transaction, Warnings};

/// Longest time for one address of the server to accept a connection. The operating system repeats a lost packet after
/// one second. Where the server was replaced, packets to its old address get no answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// The time between two attempts to open a session. bb8 alone would wait two seconds after a few failures, and ballots
/// would wait with it although the server answers again.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Longest time for opening a session, over all addresses of the server. Without it, a server that accepts
/// the connection and then stays silent would block the pool, which opens one session at a time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a session of a pool.
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(4);

/// A pool of sessions with Postgres, which are opened when needed.
pub type Pool = bb8::Pool<Manager>;

/// A session that a pool has lent; it goes back when it is dropped.
pub type Borrowed<'a> = bb8::PooledConnection<'a, Manager>;

/// Opens the sessions of a pool, and notices those that a failover has made read-only.
#[derive(Clone)]
pub struct Manager {
    purpose: Arc<Purpose>,
    opener: Arc<Reloadable<Inputs, Opener>>,
    /// Reason why the last attempt to connect failed; it is logged once.
    last_reason: Arc<Mutex<Option<String>>>,
}

/// Opens sessions with one set of settings.
#[derive(Clone)]
struct Opener {
    config: tokio_postgres::Config,
    connector: MakeRustlsConnect,
    /// Host and port of each server, for the log.
    servers: Arc<str>,
}

/// The settings of all sessions of a pool that are fixed at start-up.
struct Purpose {
    args: PostgresArgs,
    application: String,
    limits: Limits,
}

impl Purpose {
    fn new(args: &PostgresArgs, application: &str, read_only: bool) -> Self {
        let limits = Limits { statement_timeout_ms: args.statement_timeout_ms, read_only };
        Self { args: args.clone(), application: application.to_owned(), limits }
    }

    fn opener(&self, inputs: &Inputs) -> anyhow::Result<Opener> {
        let config = config(&inputs.url, &self.application, self.limits.read_only)?;
        let connector = connector(&self.args, &inputs.url)?;
        Ok(Opener { config, connector, servers: servers(&inputs.url).into() })
    }
}

/// The settings that may be files, as they are now.
#[derive(PartialEq)]
struct Inputs {
    url: Secret,
    authority: Option<Vec<u8>>,
}

impl Inputs {
    fn read(args: &PostgresArgs) -> anyhow::Result<Self> {
        let read = |path: &PathBuf| {
            std::fs::read(path).with_context(|| format!("DATABASE_CA_FILE {}", path.display()))
        };
        let authority = args.database_ca_file.as_ref().map(read).transpose()?;
        Ok(Self { url: args.url()?, authority })
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Manager({})", self.purpose.application)
    }
}

impl Manager {
    /// Returns the opener for the server that the settings and their files name now.
    fn opener(&self) -> Opener {
        let inputs = Inputs::read(&self.purpose.args);
        self.opener.get("postgres", inputs, |inputs| self.purpose.opener(inputs))
    }

    /// Logs why the pool cannot connect, once per reason. Callers of the pool only learn that no session
    /// became free in time.
    fn log_failure_once(&self, reason: Option<String>) {
        let mut last = self.last_reason.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = reason.as_ref().filter(|reason| last.as_ref() != Some(reason)) {
            let servers = self.opener().servers;
            tracing::warn!(
                %servers,
                "cannot connect to postgres at {servers}, each call tries again: {reason}"
            );
        }
        *last = reason;
    }
}

impl bb8::ManageConnection for Manager {
    type Connection = Session;
    type Error = tokio_postgres::Error;

    /// Tries until a session opens, or until the callers of the pool have given up; then bb8 begins anew for the next
    /// caller.
    async fn connect(&self) -> Result<Session, Self::Error> {
        let began = Instant::now();
        loop {
            let Opener { config, connector, servers } = self.opener();
            let opening = Session::open(&config, connector, self.purpose.limits, servers);
            let Ok(outcome) = tokio::time::timeout(HANDSHAKE_TIMEOUT, opening).await else {
                self.log_failure_once(Some(format!("no session within {HANDSHAKE_TIMEOUT:?}")));
                continue;
            };
            self.log_failure_once(outcome.as_ref().err().map(describe));
            match outcome {
                Ok(session) => return Ok(session),
                Err(error) if began.elapsed() >= CHECKOUT_TIMEOUT => return Err(error),
                Err(_) => tokio::time::sleep(CONNECT_AGAIN_AFTER).await,
            }
        }
    }

    /// Fails for a session that was closed while it was idle; the pool then opens another one. Other sessions are not
    /// asked, because a round trip before each call would cost more than it finds.
    async fn is_valid(&self, session: &mut Session) -> Result<(), Self::Error> {
        // A query on a closed session returns its error at once.
        if session.is_closed() { session.simple_query("").await.map(drop) } else { Ok(()) }
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.is_unusable()
    }
}

/// A statement on a pooled session failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No session of the pool was free, or could be opened, in time.
    #[error("no connection to postgres within 4 s")]
    NoConnection,
    /// Postgres refused the statement, or the session broke.
    #[error("{}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
}

impl From<bb8::RunError<tokio_postgres::Error>> for Error {
    fn from(error: bb8::RunError<tokio_postgres::Error>) -> Self {
        match error {
            bb8::RunError::User(error) => Self::Postgres(error),
            bb8::RunError::TimedOut => Self::NoConnection,
        }
    }
}

/// Describes in words why a pool gave no session, with the server's own words if there are any.
pub fn describe_checkout(error: bb8::RunError<tokio_postgres::Error>) -> String {
    Error::from(error).to_string()
}

/// Creates a pool of at most `connections_max` sessions, which are opened when needed: a database that is
/// away at start-up is waited for.
///
/// `application` is the name that `pg_stat_activity` shows. `read_only` sessions refuse to write.
///
/// # Errors
/// Returns an error if the URL does not parse or a file cannot be read.
pub fn pool(
    args: &PostgresArgs,
    application: &str,
    connections_max: u32,
    read_only: bool,
) -> anyhow::Result<Pool> {
    let purpose = Purpose::new(args, application, read_only);
    let opener = Reloadable::new(Inputs::read(args), |inputs| purpose.opener(inputs))?;
    let (purpose, opener) = (Arc::new(purpose), Arc::new(opener));
    let manager = Manager { purpose, opener, last_reason: Arc::default() };
    Ok(bb8::Pool::builder()
        .max_size(connections_max)
        .connection_timeout(CHECKOUT_TIMEOUT)
        .test_on_check_out(true)
        .build_unchecked(manager))
}

/// Opens one session outside any pool, for command-line tools; its driver runs as a task.
///
/// # Errors
/// Returns an error if the server cannot be reached or refuses the connection.
pub async fn connect(args: &PostgresArgs, application: &str) -> anyhow::Result<Session> {
    let purpose = Purpose::new(args, application, false);
    let Opener { config, connector, servers } = purpose.opener(&Inputs::read(args)?)?;
    Ok(Session::open(&config, connector, purpose.limits, servers).await?)
}

/// Sends an empty statement on a session of the pool.
///
/// # Errors
/// Returns an error if there is no session in time, or if the server does not answer.
pub async fn probe(pool: &Pool) -> Result<(), Error> {
    let mut session = pool.get().await?;
    let outcome = session.simple_query("").await;
    outcome.map(drop).map_err(|error| {
        session.judge(&error);
        Error::Postgres(error)
    })
}

/// Returns whether the data is at fault, so that the same statement would fail again: SQLSTATE classes 21
/// (cardinality), 22 (data), 23 (integrity), P0 (raised by our own triggers). Other errors, such as an
/// unreachable server or a missing table, go away by waiting or by an operator's action.
pub fn is_data_error(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| matches!(&state.code()[..2], "21" | "22" | "23" | "P0"))
}

/// Describes the error with the server's own words; tokio-postgres prints only `db error`. Details are left out, because
/// they quote rows, and logs must not say who voted or for what.
pub fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{error}: {}: {} ({})", db.severity(), db.message(), db.code().code());
    }
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

/// Returns the driver's settings for one session. The start-up parameter `options` is not among them, because PgBouncer
/// refuses it.
fn config(
    url: &Secret,
    application: &str,
    read_only: bool,
) -> anyhow::Result<tokio_postgres::Config> {
    let mut config = address(url)?;
    config
        .application_name(application)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(Duration::from_secs(20))
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5));
    if !read_only {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    Ok(config)
}

/// Parses the address of the server, without any of our own settings.
///
/// # Errors
/// Returns an error that names DATABASE_URL, but does not show it, if the URL does not parse.
pub(crate) fn address(url: &Secret) -> anyhow::Result<tokio_postgres::Config> {
    let (_, url) = SslMode::of(url.reveal()).context("DATABASE_URL")?;
    url.parse().context("DATABASE_URL")
}

/// Returns host and port of each server that the settings name, for log lines.
pub fn servers_of(args: &PostgresArgs) -> Arc<str> {
    args.url().map(|url| servers(&url)).unwrap_or_default().into()
}

/// Host and port of each server in the URL, for the log.
fn servers(url: &Secret) -> String {
    let Ok(config) = address(url) else { return String::new() };
    let ports = config.get_ports();
    let servers = config.get_hosts().iter().enumerate().map(|(index, host)| match host {
        Host::Tcp(host) => {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            format!("{host}:{port}")
        }
        Host::Unix(path) => path.display().to_string(),
    });
    servers.collect::<Vec<_>>().join(", ")
}

/// Returns whether the settings insist on TLS.
pub(crate) fn wants_tls(args: &PostgresArgs, config: &tokio_postgres::Config) -> bool {
    config.get_ssl_mode() == tokio_postgres::config::SslMode::Require
        || args.database_ca_file.is_some()
}

fn connector(args: &PostgresArgs, url: &Secret) -> anyhow::Result<MakeRustlsConnect> {
    let (mode, _) = SslMode::of(url.reveal()).context("DATABASE_URL")?;
    let ca_file = args.database_ca_file.as_deref();
    let verification = mode.verification(ca_file.is_some());
    Ok(MakeRustlsConnect::new(tls::client_config(ca_file, verification)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: &str) -> PostgresArgs {
        PostgresArgs {
            database_url: url.parse().unwrap(),
            database_url_file: None,
            database_ca_file: None,
            statement_timeout_ms: 1_000,
        }
    }

    #[test]
    fn a_wrong_url_is_named_without_being_shown() {
        let args = args("postgres://u:hunter2@h:notaport/d");
        let error = format!("{:#}", pool(&args, "test", 1, false).unwrap_err());
        assert!(error.contains("DATABASE_URL") && !error.contains("hunter2"), "{error}");
    }

    /// With bb8's own waits there would be four attempts, and the last of them long before the caller gives up.
    #[tokio::test]
    async fn a_server_that_is_away_is_tried_again_and_again_while_a_caller_waits() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://u@{}/d?sslmode=disable", listener.local_addr().unwrap());
        let pool = pool(&args(&url), "test", 1, false).unwrap();
        let mut attempts = 0;
        let caller = pool.get();
        tokio::pin!(caller);
        let outcome = loop {
            tokio::select! {
                outcome = &mut caller => break outcome,
                // The connection closes at once, as if the server were not there.
                accepted = listener.accept() => attempts += usize::from(accepted.is_ok()),
            }
        };
        assert!(matches!(outcome, Err(bb8::RunError::TimedOut)));
        assert!(attempts >= 8, "{attempts} attempts");
    }
}
