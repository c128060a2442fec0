//! Measures how much the servers have left (memory of Redis, sessions of Postgres), and whether Redis would keep
//! its ballots if it restarted.
//!
//! Every replica asks both servers every few seconds, so all replicas export the same values.

use std::time::Duration;

use redis::RedisError;
use votestream_schema::{Keys, replay};
use votestream_service::metric::{Gauge, UNKNOWN};
use votestream_service::redis::{Pool, describe_checkout};
use votestream_service::replay::{ReplayRights, replay_rights};
use votestream_service::{CancellationToken, postgres};

use crate::error::ServerError;
use crate::metrics;

const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// Longest time for Postgres to answer. A frozen server enforces no time-out of its own.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Measures the capacity of both servers of a deployment.
#[derive(Clone, Debug)]
pub struct ServerCapacity {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    /// The partitions whose master servers are measured; one alone on a plain server.
    partitions: u16,
}

impl ServerCapacity {
    /// Creates a job that asks the masters of the first `partitions` partitions and the Postgres server.
    pub fn new(redis: Pool, postgres: postgres::Pool, keys: Keys, partitions: u16) -> Self {
        Self { redis, postgres, keys, partitions }
    }

    /// Measures until `shutdown`. When a server does not answer, its gauges are unknown (NaN); the readiness gates report
    /// that it is down.
    pub async fn watch(self, shutdown: CancellationToken) {
        let measure = async {
            loop {
                let (redis, replay, postgres) = tokio::join!(
                    self.measure_redis(),
                    self.measure_replay(),
                    self.measure_postgres()
                );
                if redis.is_err() {
                    self.forget(&[&metrics::REDIS_MEMORY_BYTES, &metrics::REDIS_MEMORY_MAX_BYTES]);
                }
                if replay.is_err() {
                    self.forget(&[&metrics::REDIS_REPLAYS_BALLOTS]);
                }
                if postgres.is_err() {
                    metrics::POSTGRES_CONNECTIONS.set(UNKNOWN);
                    metrics::POSTGRES_CONNECTIONS_MAX.set(UNKNOWN);
                }
                for error in [redis, replay, postgres].into_iter().filter_map(Result::err) {
                    tracing::debug!(%error, "the capacity of a server could not be measured");
                }
                tokio::time::sleep(MEASURE_EVERY).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = measure => {}
        }
    }

    /// Says of these gauges that their values are not known, whatever the partition: the next ones that are measured are
    /// set again.
    fn forget(&self, gauges: &[&Gauge<1>]) {
        for partition in 0..self.partitions {
            for gauge in gauges {
                gauge.with([partition.to_string()]).set(UNKNOWN);
            }
        }
    }

    async fn measure_redis(&self) -> Result<(), ServerError> {
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|e| ServerError::RedisCheckout(describe_checkout(e)))?;
        let info = redis::cmd("INFO").arg("memory").clone();
        for partition in 0..self.partitions {
            let reply = connection.query_at(&self.keys.stream(partition), &info).await?;
            let facts: String = redis::from_redis_value(reply).map_err(RedisError::from)?;
            let (used, bound) = memory(&facts).ok_or(ServerError::IncompleteRedisReply {
                command: "INFO memory",
                missing: "used_memory",
            })?;
            let partition = partition.to_string();
            metrics::REDIS_MEMORY_BYTES.with([partition.clone()]).set(used);
            metrics::REDIS_MEMORY_MAX_BYTES.with([partition]).set(bound);
        }
        Ok(())
    }

    /// Measures whether Redis could replay its append-only file. An unknown state is never exported as 1.
    async fn measure_replay(&self) -> Result<(), ServerError> {
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|e| ServerError::RedisCheckout(describe_checkout(e)))?;
        for partition in 0..self.partitions {
            let commands = replay::commands(&self.keys, partition);
            let key = self.keys.stream(partition);
            let keeps = match replay_rights(&mut connection, &key, &commands).await? {
                ReplayRights::Complete | ReplayRights::NotNeeded => 1.0,
                ReplayRights::Missing(_) => 0.0,
                ReplayRights::Unknown(reason) => return Err(ServerError::UnknownReplay(reason)),
            };
            metrics::REDIS_REPLAYS_BALLOTS.with([partition.to_string()]).set(keeps);
        }
        Ok(())
    }

    async fn measure_postgres(&self) -> Result<(), ServerError> {
        let session = self.postgres.get().await;
        let mut session =
            session.map_err(|e| ServerError::PostgresCheckout(postgres::describe_checkout(e)))?;
        let query = session.run(async |client| {
            client.query_typed(include_str!("../../sql/sessions.sql"), &[]).await
        });
        let Ok(rows) = tokio::time::timeout(ANSWER_WITHIN, query).await else {
            // The session still owes an answer, so the pool must not lend it again.
            session.give_up();
            return Err(ServerError::PostgresTimeout(ANSWER_WITHIN));
        };
        let rows = rows?;
        // An aggregate without GROUP BY always returns one row.
        let Some(row) = rows.first() else { return Ok(()) };
        let count = |column| row.get::<_, i64>(column) as f64;
        metrics::POSTGRES_CONNECTIONS.set(count(0));
        metrics::POSTGRES_CONNECTIONS_MAX.set(count(1));
        Ok(())
    }
}

/// Returns the used bytes and their upper bound from the reply of INFO: `maxmemory` where it is set, else the memory of
/// the machine.
fn memory(facts: &str) -> Option<(f64, f64)> {
    let fact = |name: &str| {
        let line = facts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().parse::<f64>().ok()
    };
    let bound = fact("maxmemory").filter(|bound| *bound > 0.0);
    Some((fact("used_memory")?, bound.or_else(|| fact("total_system_memory"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_without_a_bound_is_bounded_by_the_machine() {
        let facts =
            "# Memory\r\nused_memory:1000\r\nused_memory_rss:7\r\ntotal_system_memory:9\r\n";
        assert_eq!(
            memory(&format!("{facts}maxmemory:0\r\nmaxmemory_human:0B\r\n")),
            Some((1e3, 9.0))
        );
        assert_eq!(memory(&format!("{facts}maxmemory:5\r\n")), Some((1e3, 5.0)));
        assert_eq!(memory("ERR"), None);
    }
}
