//! Detects streams whose last ID or number of added entries went back: every replica compares them once a second.
//!
//! Postgres holds the furthest position that was seen of each stream. A stream behind that position has lost entries
//! that Redis had acknowledged. The loss stays recorded in Postgres until an operator takes note of it with
//! `votectl audit`, and every replica exports the number of losses that nobody has taken note of.
//!
//! Invariant: Postgres is read before Redis is measured (see `db::positions`).

use std::collections::BTreeMap;
use std::time::Duration;

use votestream_schema::poll::now_ms;
use votestream_schema::poll_copy::cmd;
use votestream_schema::position::{self, Position};
use votestream_schema::{Keys, db};
use votestream_service::CancellationToken;
use votestream_service::postgres;
use votestream_service::redis::{Pool, describe_checkout};

use crate::error::ServerError;
use crate::metrics;

/// Compares the positions of one deployment's streams.
#[derive(Clone, Debug)]
pub struct Positions {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    partitions: u16,
}

impl Positions {
    /// Creates a job that compares the streams of partitions 0 to `partitions`, exclusive.
    pub fn new(redis: Pool, postgres: postgres::Pool, keys: Keys, partitions: u16) -> Self {
        Self { redis, postgres, keys, partitions }
    }

    /// Compares every `period` until `shutdown`. When a server is down, the readiness gates report it.
    pub async fn watch(self, period: Duration, shutdown: CancellationToken) {
        let compare = async {
            loop {
                if let Err(error) = self.compare().await {
                    tracing::debug!(%error, "the positions of the streams could not be compared");
                }
                tokio::time::sleep(period).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = compare => {}
        }
    }

    /// Compares once, and records a stream that went back.
    async fn compare(&self) -> Result<(), ServerError> {
        let session = self.postgres.get().await;
        let session = session
            .map_err(|error| ServerError::PostgresCheckout(postgres::describe_checkout(error)))?;
        let before = db::positions::seen(&**session).await?;
        let now = self.measure().await?;
        let gone_back = db::positions::advance(&**session, &before, &now, now_ms()).await?;
        for partition in gone_back {
            let (before, now) = (before[&partition], now[&partition]);
            tracing::error!(
                partition,
                last_id_before = %before.last,
                last_id_now = %now.last,
                added_before = before.added,
                added_now = now.added,
                "redis lost acknowledged entries of a stream; `votectl audit` shows which polls miss ballots"
            );
        }
        let regressions = db::positions::regressions(&**session).await?;
        metrics::STREAM_REGRESSIONS.set(regressions.len() as f64);
        Ok(())
    }

    /// Reads the current position of every stream from Redis.
    async fn measure(&self) -> Result<BTreeMap<u16, Position>, ServerError> {
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|error| ServerError::RedisCheckout(describe_checkout(error)))?;
        let mut positions = BTreeMap::new();
        for partition in 0..self.partitions {
            let script = position::script(&self.keys, partition);
            let (last, added): (String, i64) = cmd(&script).query_async(&mut *connection).await?;
            positions.insert(partition, Position { last: last.parse()?, added });
        }
        Ok(positions)
    }
}
