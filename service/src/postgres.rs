//! Postgres: a pool whose connections notice a dead server.
//!
//! Connections time out on connecting, on statements and on locks, send keep-alives, and are thrown
//! away when the server says that it is shutting down or has become read-only. The settings that
//! stand in files are read again for each new connection.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bb8_postgres::PostgresConnectionManager;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{PostgresArgs, Secret};
use crate::renewed::Renewed;
use crate::sslmode::SslMode;
use crate::tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For a whole connection, over as many addresses as the server may have. A server that takes it and then
/// says nothing would else hold the pool up: it opens no other while it waits for this one.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const CHECKOUT_TIMEOUT: Duration = Duration::from_secs(4);

/// Connections to Postgres, opened when needed.
pub type Pool = bb8::Pool<Manager>;

/// Opens sessions; wraps `bb8_postgres`' manager, which keeps sessions that a failover has made
/// read-only.
#[derive(Clone)]
pub struct Manager {
    purpose: Arc<Purpose>,
    opener: Arc<Renewed<Inputs, Opener>>,
    /// Why the last attempt to connect failed.
    last_reason: Arc<Mutex<Option<String>>>,
}

type Opener = PostgresConnectionManager<MakeRustlsConnect>;

/// What sessions are for; fixed at start-up.
struct Purpose {
    args: PostgresArgs,
    application: String,
    read_only: bool,
}

impl Purpose {
    fn opener(&self, inputs: &Inputs) -> anyhow::Result<Opener> {
        let config = config(&self.args, &inputs.url, &self.application, self.read_only)?;
        let connector = connector(&self.args, &inputs.url)?;
        Ok(PostgresConnectionManager::new(config, connector))
    }
}

/// Whatever a role's or a server's default is, a commit is on disk when it is answered. Settings that wait for
/// more than that stay.
const COMMIT_IS_FLUSHED: &str = "SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') = 'off'";

/// What stands in files, or in the settings themselves.
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
    /// The way to the server, as the settings' files name it now.
    fn opener(&self) -> Opener {
        let inputs = Inputs::read(&self.purpose.args);
        self.opener.get("postgres", inputs, |inputs| self.purpose.opener(inputs))
    }

    /// Logs why no connection can be had, once a reason: who waits for one only learns that none
    /// came in time.
    fn tell_once(&self, reason: Option<String>) {
        let mut last = self.last_reason.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = reason.as_ref().filter(|reason| last.as_ref() != Some(reason)) {
            tracing::warn!(reason, "cannot connect to postgres");
        }
        *last = reason;
    }
}

/// A session on loan from a [`Pool`]; used as the client that it holds.
pub struct Session {
    client: tokio_postgres::Client,
    given_up: bool,
}

impl Session {
    /// Throws the session away instead of giving it back: it owes an answer that nobody waits for.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Throws the session away, instead of giving it back, if this error means that it is of no
    /// more use.
    pub fn judge(&mut self, error: &tokio_postgres::Error) {
        self.given_up |= error.is_closed()
            || error.code().is_some_and(|code| {
                *code == SqlState::READ_ONLY_SQL_TRANSACTION
                    || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
                    || code.code().starts_with("57P")
            });
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session {{ given_up: {} }}", self.given_up)
    }
}

impl Deref for Session {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.client
    }
}

impl bb8::ManageConnection for Manager {
    type Connection = Session;
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Session, Self::Error> {
        loop {
            let opening = async {
                let client = self.opener().connect().await?;
                if !self.purpose.read_only {
                    client.batch_execute(COMMIT_IS_FLUSHED).await?;
                }
                Ok(client)
            };
            let Ok(outcome) = tokio::time::timeout(HANDSHAKE_TIMEOUT, opening).await else {
                self.tell_once(Some(format!("it says nothing for {HANDSHAKE_TIMEOUT:?}")));
                continue;
            };
            self.tell_once(outcome.as_ref().err().map(describe));
            return Ok(Session { client: outcome?, given_up: false });
        }
    }

    async fn is_valid(&self, session: &mut Session) -> Result<(), Self::Error> {
        session.simple_query("").await.map(drop)
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.given_up || session.client.is_closed()
    }
}

/// Why a session could not be had, in the server's words where there are any.
pub fn describe_checkout(error: bb8::RunError<tokio_postgres::Error>) -> String {
    match error {
        bb8::RunError::User(error) => describe(&error),
        bb8::RunError::TimedOut => "no connection to postgres within 4 s".to_owned(),
    }
}

/// A pool of at most `connections_max`; connects lazily, so that a database that is away at
/// start-up is waited for rather than crashed on.
///
/// `application` is what `pg_stat_activity` shows; `read_only` sessions refuse to write.
///
/// # Errors
/// When the URL does not parse or a file cannot be read.
pub fn pool(
    args: &PostgresArgs,
    application: &str,
    connections_max: u32,
    read_only: bool,
) -> anyhow::Result<Pool> {
    let purpose = Purpose { args: args.clone(), application: application.to_owned(), read_only };
    let opener = Renewed::new(Inputs::read(args), |inputs| purpose.opener(inputs))?;
    let (purpose, opener) = (Arc::new(purpose), Arc::new(opener));
    let manager = Manager { purpose, opener, last_reason: Arc::default() };
    Ok(bb8::Pool::builder()
        .max_size(connections_max)
        .connection_timeout(CHECKOUT_TIMEOUT)
        .test_on_check_out(false)
        .build_unchecked(manager))
}

/// One connection outside any pool, for tools; its driver runs as a task.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn connect(
    args: &PostgresArgs,
    application: &str,
) -> anyhow::Result<tokio_postgres::Client> {
    let url = args.url()?;
    let config = config(args, &url, application, false)?;
    let (client, driver) = config.connect(connector(args, &url)?).await?;
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "postgres connection ended");
        }
    });
    Ok(client)
}

/// Whether the pool's server answers.
///
/// # Errors
/// Why it does not, in the server's words where there are any.
pub async fn probe(pool: &Pool) -> Result<(), String> {
    let mut session = pool.get().await.map_err(describe_checkout)?;
    let outcome = session.simple_query("").await;
    outcome.map(drop).map_err(|error| {
        session.judge(&error);
        describe(&error)
    })
}

/// Whether the data is at fault, so that the same statement would fail again: SQLSTATE classes 21
/// (cardinality), 22 (data), 23 (integrity), P0 (raised by our own triggers). Everything else, an
/// unreachable server or a missing table among it, is a matter of waiting and operating.
pub fn is_data_error(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| matches!(&state.code()[..2], "21" | "22" | "23" | "P0"))
}

/// The error with the server's own words; tokio-postgres prints only `db error`.
pub fn describe(error: &tokio_postgres::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

fn config(
    args: &PostgresArgs,
    url: &Secret,
    application: &str,
    read_only: bool,
) -> anyhow::Result<tokio_postgres::Config> {
    let mut config = address(url)?;
    let read_only_option = if read_only { " -c default_transaction_read_only=on" } else { "" };
    // Waiting for a lock must end before the statement does, for the reason to be told.
    let (statement_ms, lock_ms) = (args.statement_timeout_ms, args.statement_timeout_ms * 3 / 4);
    // A client that freezes inside a transaction must not hold its locks, which all others want.
    config
        .application_name(application)
        .options(format!(
            "-c statement_timeout={statement_ms} -c lock_timeout={lock_ms} \
             -c idle_in_transaction_session_timeout={statement_ms}{read_only_option}"
        ))
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(Duration::from_secs(20))
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5));
    if !read_only {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    Ok(config)
}

/// Where Postgres is, without any of our settings.
///
/// # Errors
/// When the URL does not parse.
pub(crate) fn address(url: &Secret) -> anyhow::Result<tokio_postgres::Config> {
    let (_, url) = SslMode::of(url.reveal()).context("DATABASE_URL")?;
    url.parse().context("DATABASE_URL")
}

/// Whether the settings insist on TLS.
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

    #[test]
    fn a_wrong_url_is_named_without_being_shown() {
        let args = PostgresArgs {
            database_url: "postgres://u:hunter2@h:notaport/d".parse().unwrap(),
            database_url_file: None,
            database_ca_file: None,
            statement_timeout_ms: 1_000,
        };
        let error = format!("{:#}", pool(&args, "test", 1, false).unwrap_err());
        assert!(error.contains("DATABASE_URL") && !error.contains("hunter2"), "{error}");
    }
}
