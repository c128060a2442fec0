//! A session with Postgres, and the transactions that it begins.
//!
//! Invariant: nothing that a session sets outlives its transaction, and no statement has a name. So it makes no difference
//! whether the other side is Postgres, or a pooler that gives each transaction another session of the server.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Makes the server answer a commit only once it is on disk, whatever the default of the role or server is.
/// Stricter settings stay, such as those that wait for a replica.
const COMMIT_IS_FLUSHED: &str = "SELECT set_config('synchronous_commit', 'on', true) \
     WHERE current_setting('synchronous_commit') = 'off'";

/// What each transaction of a session may do, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// The longest time for a statement.
    pub(super) statement_timeout_ms: u64,
    /// Whether transactions must not write.
    pub(super) read_only: bool,
}

impl Limits {
    /// Returns the statements that begin a transaction. `characteristics` are those of BEGIN, and `statement_timeout_ms`
    /// may be another one; 0 is none.
    fn begin(self, characteristics: &str, statement_timeout_ms: u64) -> String {
        // Waiting for a lock must end before the statement does, so that the error names the lock. A client that freezes
        // inside a transaction must not hold locks that all others wait for.
        let (idle_ms, lock_ms) = (self.statement_timeout_ms, self.statement_timeout_ms * 3 / 4);
        let access = if self.read_only { " READ ONLY" } else { "" };
        let mut statements = format!(
            "BEGIN{characteristics}{access}; SET LOCAL statement_timeout = {statement_timeout_ms}; \
             SET LOCAL lock_timeout = {lock_ms}; \
             SET LOCAL idle_in_transaction_session_timeout = {idle_ms}"
        );
        if !self.read_only {
            statements.push_str("; ");
            statements.push_str(COMMIT_IS_FLUSHED);
        }
        statements
    }
}

/// A session with Postgres, or with a pooler in front of it; it dereferences to its client.
///
/// A statement outside a transaction has no time limit but the server's own.
pub struct Session {
    client: Client,
    limits: Limits,
    /// Host and port of the server, for log lines.
    servers: Arc<str>,
    given_up: bool,
    /// Whether the server has sent a warning; see [`Warnings`].
    warned: Arc<AtomicBool>,
}

impl Session {
    /// Opens a session, whose driver runs as a task.
    pub(super) async fn open(
        config: &Config,
        connector: MakeRustlsConnect,
        limits: Limits,
        servers: Arc<str>,
    ) -> Result<Self, Error> {
        let (client, mut driver) = config.connect(connector).await?;
        let warned = Arc::new(AtomicBool::new(false));
        let (flag, place) = (warned.clone(), servers.clone());
        tokio::spawn(async move {
            loop {
                match std::future::poll_fn(|context| driver.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notice(notice))) => {
                        if *notice.code() == SqlState::WARNING {
                            flag.store(true, Ordering::Release);
                            let warning = notice.message();
                            tracing::warn!(
                                servers = &*place,
                                "postgres at {place} warns: {warning}"
                            );
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        tracing::debug!("a session with postgres ended: {error}");
                        return;
                    }
                    None => return,
                }
            }
        });
        Ok(Self { client, limits, servers, given_up: false, warned })
    }

    /// Begins a transaction with the limits of this session.
    ///
    /// # Errors
    /// Returns the error of Postgres, or of the broken session.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        let statements = self.limits.begin("", self.limits.statement_timeout_ms);
        self.begin_with(&statements).await
    }

    /// Begins a transaction whose statements may run for any time.
    ///
    /// # Errors
    /// Returns the error of Postgres, or of the broken session.
    pub async fn begin_long(&mut self) -> Result<Transaction<'_>, Error> {
        let statements = self.limits.begin("", 0);
        self.begin_with(&statements).await
    }

    /// Begins a transaction that only reads, and that sees one moment. Each statement may run for `statement_timeout`;
    /// zero is any time.
    ///
    /// # Errors
    /// Returns the error of Postgres, or of the broken session.
    pub async fn begin_snapshot(
        &mut self,
        statement_timeout: Duration,
    ) -> Result<Transaction<'_>, Error> {
        let limits = Limits { read_only: true, ..self.limits };
        let timeout_ms = statement_timeout.as_millis() as u64;
        self.begin_with(&limits.begin(" ISOLATION LEVEL REPEATABLE READ", timeout_ms)).await
    }

    async fn begin_with(&mut self, statements: &str) -> Result<Transaction<'_>, Error> {
        // The guard comes first: the server may run statements whose answer nobody has waited for.
        let transaction = Transaction { client: &mut self.client, is_open: true };
        transaction.client.batch_execute(statements).await?;
        Ok(transaction)
    }

    /// Runs `work` in a transaction and commits it.
    ///
    /// # Errors
    /// Returns the error of `work`, or of Postgres; nothing is committed then.
    pub async fn run<T, E: From<Error>>(
        &mut self,
        work: impl AsyncFnOnce(&Client) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.begin().await?;
        let outcome = work(&transaction).await?;
        transaction.commit().await?;
        Ok(outcome)
    }

    /// Returns what the server warns of; it can be read while the session is in use.
    pub fn warnings(&self) -> Warnings {
        Warnings(self.warned.clone())
    }

    /// Returns host and port of the server, for log lines.
    pub fn servers(&self) -> &Arc<str> {
        &self.servers
    }

    /// Has the pool close this session instead of reusing it, because the reply to a statement is still to
    /// come and nobody waits for it.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Returns whether the pool must close this session.
    pub(super) fn is_unusable(&self) -> bool {
        self.given_up || self.client.is_closed()
    }

    /// Has the pool close this session instead of reusing it if this error means that it is unusable.
    pub fn judge(&mut self, error: &Error) {
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
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// A transaction with the limits of its session; it dereferences to the client. Dropping it rolls it back.
pub struct Transaction<'a> {
    client: &'a mut Client,
    is_open: bool,
}

impl Transaction<'_> {
    /// Commits the transaction.
    ///
    /// # Errors
    /// Returns the error of Postgres, or of the broken session; then nobody knows whether it is committed.
    pub async fn commit(mut self) -> Result<(), Error> {
        let outcome = self.client.batch_execute("COMMIT").await;
        self.is_open = outcome.is_err();
        outcome
    }

    /// Rolls the transaction back, and waits until that is done.
    ///
    /// # Errors
    /// Returns the error of Postgres, or of the broken session, which has then rolled it back.
    pub async fn rollback(mut self) -> Result<(), Error> {
        self.is_open = false;
        self.client.batch_execute("ROLLBACK").await
    }
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transaction {{ is_open: {} }}", self.is_open)
    }
}

impl Deref for Transaction<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // The driver's own transactions do the same: the statement is sent, and nobody waits for its answer.
            self.client.__private_api_rollback(None);
        }
    }
}

/// Whether the server has sent a warning (SQLSTATE 01000).
#[derive(Clone, Debug)]
pub struct Warnings(Arc<AtomicBool>);

impl Warnings {
    /// Forgets earlier warnings. Called before a COMMIT: a warning after it means that the wait for a synchronous standby
    /// was cancelled. The transaction is committed then, and may be lost with this server.
    pub fn forget(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Returns whether there was a warning since [`Warnings::forget`].
    pub fn are_there(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_brings_its_limits_along() {
        let limits = Limits { statement_timeout_ms: 1_000, read_only: false };
        let begin = limits.begin("", 1_000);
        for part in ["BEGIN; ", "statement_timeout = 1000;", "lock_timeout = 750;", "'on', true)"] {
            assert!(begin.contains(part), "{part}: {begin}");
        }
        let limits = Limits { read_only: true, ..limits };
        let begin = limits.begin(" ISOLATION LEVEL REPEATABLE READ", 0);
        assert!(begin.starts_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "), "{begin}");
        assert!(begin.contains("statement_timeout = 0;") && !begin.contains("set_config"));
    }
}
