//! Rows of the table `locks`, each held until the transaction ends.
//!
//! Whoever changes in one step what Postgres stores and Redis copies shares the lock `copies`. A consumer that repairs
//! the copies holds it alone, so it never undoes a change that is half done.
//!
//! Only roles that may update the table can lock its rows; an advisory lock could be held by any role.

use tokio_postgres::Client;

/// Shares the lock of the copies in Redis; waits while a consumer repairs them.
///
/// # Errors
/// Returns the database's error.
pub async fn share_copies(tx: &Client) -> Result<(), tokio_postgres::Error> {
    tx.query_typed("SELECT FROM locks WHERE name = 'copies' FOR SHARE", &[]).await.map(drop)
}

/// Takes the lock of the copies in Redis for itself; returns false if anybody else has it.
///
/// # Errors
/// Returns the database's error.
pub async fn take_copies(tx: &Client) -> Result<bool, tokio_postgres::Error> {
    take(tx, "SELECT FROM locks WHERE name = 'copies' FOR UPDATE SKIP LOCKED").await
}

/// Takes the lock of the audit; returns false if another replica has it.
///
/// # Errors
/// Returns the database's error.
pub async fn take_audit(tx: &Client) -> Result<bool, tokio_postgres::Error> {
    take(tx, "SELECT FROM locks WHERE name = 'audit' FOR UPDATE SKIP LOCKED").await
}

/// Takes the lock of the public logs; returns false if another replica has it.
///
/// # Errors
/// Returns the database's error.
pub async fn take_log(tx: &Client) -> Result<bool, tokio_postgres::Error> {
    take(tx, "SELECT FROM locks WHERE name = 'log' FOR UPDATE SKIP LOCKED").await
}

async fn take(tx: &Client, sql: &str) -> Result<bool, tokio_postgres::Error> {
    Ok(!tx.query_typed(sql, &[]).await?.is_empty())
}
