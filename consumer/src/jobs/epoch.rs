//! Checks whether Redis and Postgres are of the same time, before anything is counted and then every second.
//!
//! While they are not, the workers of this replica count nothing, and both servers hold the reason: producers refuse
//! ballots, and nothing is shown as live or final. `votectl resync` ends that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use votestream_schema::poll_copy::cmd;
use votestream_schema::projection::epoch::{self, Mismatch, Stamp};
use votestream_schema::{Keys, db};
use votestream_service::health::Gate;
use votestream_service::postgres::Session;
use votestream_service::redis::Connection;

use crate::error::ServerError;

/// Whether the last check found both servers to be of the same time; false before the first one. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SameTime(Arc<AtomicBool>);

impl SameTime {
    /// Returns whether ballots may be counted.
    pub fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Compares the servers; clones share the result.
#[derive(Clone, Debug)]
pub(crate) struct EpochCheck {
    keys: Keys,
    gate: Gate,
    same_time: SameTime,
}

impl EpochCheck {
    /// Creates a check that reports to this gate.
    pub(crate) fn new(keys: Keys, gate: Gate, same_time: SameTime) -> Self {
        Self { keys, gate, same_time }
    }

    /// Compares both servers, and returns the stamp of Postgres.
    ///
    /// # Errors
    /// Returns [`ServerError::Epoch`] if they are not of the same time, or the error of the server that failed; the result
    /// of the check before stays then.
    pub(crate) async fn check(
        &self,
        redis: &mut Connection,
        session: &mut Session,
    ) -> Result<Stamp, ServerError> {
        let (epoch, generation) = cmd(&epoch::read(&self.keys)).query_async(redis).await?;
        let in_redis = epoch::parse(epoch, generation);
        let in_postgres = session.run(db::epoch::of_postgres).await?;
        let outcome = epoch::compare(&in_redis, &in_postgres);
        self.same_time.0.store(outcome.is_ok(), Ordering::Relaxed);
        self.gate.report(outcome.map(drop));
        match outcome {
            Ok(0) => Ok(in_postgres),
            Ok(behind_ms) => {
                let servers = session.servers();
                tracing::error!(
                    behind_ms,
                    %servers,
                    "postgres at {servers} has lost the last {behind_ms} ms, as a failover to an asynchronous standby does: votes of this \
                     time may be missing; `votectl audit` shows which"
                );
                Ok(in_postgres)
            }
            Err(mismatch) => {
                cmd(&epoch::note(&self.keys, mismatch)).exec_async(redis).await?;
                session.run(async |client| db::epoch::note(client, mismatch).await).await?;
                Err(mismatch.into())
            }
        }
    }

    /// Copies a generation that Postgres has stored for certain to Redis, with the epoch.
    ///
    /// # Errors
    /// Returns [`ServerError::Epoch`] if both servers got another epoch since the stamp was read, or the Redis error.
    pub(crate) async fn copy(
        &self,
        redis: &mut Connection,
        stamp: &Stamp,
    ) -> Result<(), ServerError> {
        match cmd(&epoch::copy(&self.keys, stamp)).query_async(redis).await? {
            0 => Err(Mismatch::OtherEpoch.into()),
            _ => Ok(()),
        }
    }
}
