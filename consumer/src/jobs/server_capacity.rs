//! What the servers have left (Redis' memory, Postgres' sessions), and whether Redis would keep its ballots if it
//! restarted.
//!
//! Every replica asks both, every few seconds, and all export the same.

use std::time::Duration;

use redis::RedisError;
use votestream_schema::{Keys, replay};
use votestream_service::redis::{Pool, describe_checkout};
use votestream_service::replay::{ReplayRights, replay_rights};
use votestream_service::{CancellationToken, postgres};

use crate::metrics;

const ASK_EVERY: Duration = Duration::from_secs(5);

/// The asker.
#[derive(Clone, Debug)]
pub struct Surroundings {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    /// Partitions whose masters are asked; one alone on a plain server.
    partitions: u16,
}

impl Surroundings {
    /// Of these servers.
    pub fn new(redis: Pool, postgres: postgres::Pool, keys: Keys, partitions: u16) -> Self {
        Self { redis, postgres, keys, partitions }
    }

    /// Asks until `shutdown`. A server that does not answer leaves its gauges as they were: that it
    /// is away is told elsewhere.
    pub async fn watch(self, shutdown: CancellationToken) {
        let ask = async {
            loop {
                let (redis, replay, postgres) =
                    tokio::join!(self.ask_redis(), self.ask_replay(), self.ask_postgres());
                for error in [redis, replay, postgres].into_iter().filter_map(Result::err) {
                    tracing::debug!(error, "cannot tell what a server has left");
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = ask => {}
        }
    }

    async fn ask_redis(&self) -> Result<(), String> {
        let text = |error: RedisError| error.to_string();
        let mut connection = self.redis.get().await.map_err(describe_checkout)?;
        let info = redis::cmd("INFO").arg("memory").clone();
        for partition in 0..self.partitions {
            let reply = connection.query_at(&self.keys.stream(partition), &info).await;
            let facts: String =
                redis::from_redis_value(reply.map_err(text)?).map_err(|e| e.to_string())?;
            let (used, bound) = memory(&facts).ok_or("redis tells nothing of its memory")?;
            let partition = partition.to_string();
            metrics::REDIS_MEMORY_BYTES.with([partition.clone()]).set(used);
            metrics::REDIS_MEMORY_MAX_BYTES.with([partition]).set(bound);
        }
        Ok(())
    }

    /// A server that does not answer the question leaves no gauge, or the last one: unknown is not "yes".
    async fn ask_replay(&self) -> Result<(), String> {
        let mut connection = self.redis.get().await.map_err(describe_checkout)?;
        for partition in 0..self.partitions {
            let commands = replay::commands(&self.keys, partition);
            let key = self.keys.stream(partition);
            let rights = replay_rights(&mut connection, &key, &commands).await;
            let keeps = match rights.map_err(|error| error.to_string())? {
                ReplayRights::Complete | ReplayRights::NotNeeded => 1.0,
                ReplayRights::Missing(_) => 0.0,
                ReplayRights::Unknown(reason) => return Err(reason),
            };
            metrics::REDIS_REPLAYS_BALLOTS.with([partition.to_string()]).set(keeps);
        }
        Ok(())
    }

    async fn ask_postgres(&self) -> Result<(), String> {
        let session = self.postgres.get().await.map_err(postgres::describe_checkout)?;
        let rows = session.query_typed(include_str!("../../sql/sessions.sql"), &[]).await;
        let rows = rows.map_err(|e| postgres::describe(&e))?;
        let row = rows.first().ok_or("postgres tells nothing of its sessions")?;
        let count = |column| row.get::<_, i64>(column) as f64;
        metrics::POSTGRES_CONNECTIONS.set(count(0));
        metrics::POSTGRES_CONNECTIONS_MAX.set(count(1));
        Ok(())
    }
}

/// Memory used, and its bound, in the reply of INFO.
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
