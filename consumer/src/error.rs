//! Why a server could not be used: one error type for the background jobs and the poll cache.
//!
//! Each text names the server, because readiness pages and log lines show these errors without other context.

use std::time::Duration;

use redis::RedisError;
use votestream_service::postgres;

/// A step that needs Redis or Postgres failed; every such step is retried later.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The pool had no Redis connection to give within its time-out.
    #[error("cannot get a redis connection: {0}")]
    RedisCheckout(String),
    /// Redis refused a command, or the connection broke while it ran.
    #[error("redis: {0}")]
    Redis(#[from] RedisError),
    /// Redis answered, but its answer lacks something that every supported version sends.
    #[error("the redis reply to {command} has no {missing}")]
    IncompleteRedisReply {
        /// The command that was sent.
        command: &'static str,
        /// The part that the reply lacks.
        missing: &'static str,
    },
    /// Redis reported a last ID that does not parse.
    #[error("redis sent a last entry ID that is not one: {0}")]
    BadEntryId(#[from] votestream_schema::ids::Error),
    /// Redis did not say whether it could replay its append-only file after a restart.
    #[error("redis: {0}")]
    UnknownReplay(String),
    /// Redis holds the data of a deployment with another number of partitions.
    #[error(
        "redis was set up for {redis} partitions, postgres for {postgres}: they do not belong \
         together; check REDIS_URL, KEY_PREFIX and DATABASE_URL"
    )]
    OtherDeployment {
        /// The number of partitions stored in Redis.
        redis: u16,
        /// The number of partitions stored in Postgres.
        postgres: u16,
    },
    /// The servers are not of the same time.
    #[error(transparent)]
    Epoch(#[from] votestream_schema::projection::epoch::Mismatch),
    /// The commit of a statement was not confirmed by a synchronous standby.
    #[error("postgres: the wait for a synchronous standby was cancelled")]
    UnconfirmedCommit,
    /// The pool had no Postgres session to give within its time-out.
    #[error("cannot get a postgres session: {0}")]
    PostgresCheckout(String),
    /// Postgres refused a statement, or the session broke while it ran; in the server's own words.
    #[error("postgres: {0}")]
    Postgres(String),
    /// A query of the schema crate failed; its text names Postgres already.
    #[error(transparent)]
    Database(#[from] votestream_schema::db::Error),
    /// Postgres accepted the statement and then sent no answer for this long.
    #[error("postgres did not answer within {0:?}")]
    PostgresTimeout(Duration),
}

impl From<tokio_postgres::Error> for ServerError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(postgres::describe(&error))
    }
}
