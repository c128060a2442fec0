//! Watches that no stream goes back: every second, by every replica.
//!
//! The furthest position of each stream stands in Postgres. A stream that is behind it has lost entries that Redis
//! had acknowledged; that is remembered there until an operator takes note of it (`votectl audit`), and every
//! replica exports how many such losses nobody has taken note of.
//!
//! Invariant: Postgres is read before Redis is measured (see `db::positions`).

use std::collections::BTreeMap;
use std::time::Duration;

use votestream_schema::poll::now_ms;
use votestream_schema::position::{self, Position};
use votestream_schema::{Keys, db};
use votestream_service::CancellationToken;
use votestream_service::postgres;
use votestream_service::redis::{Pool, describe_checkout};

use crate::metrics;

/// The watcher of one replica.
#[derive(Clone, Debug)]
pub struct Positions {
    redis: Pool,
    postgres: postgres::Pool,
    keys: Keys,
    partitions: u16,
}

/// Why the positions could not be compared.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("redis gave no connection: {0}")]
    RedisCheckout(String),
    #[error("redis did not give a stream's position: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("postgres gave no connection: {0}")]
    PostgresCheckout(String),
    #[error(transparent)]
    Postgres(#[from] db::Error),
    #[error("redis gave a last ID that is none: {0}")]
    LastId(#[from] votestream_schema::ids::Error),
}

impl Positions {
    /// Watches the streams of these partitions.
    pub fn new(redis: Pool, postgres: postgres::Pool, keys: Keys, partitions: u16) -> Self {
        Self { redis, postgres, keys, partitions }
    }

    /// Compares every `every` until `shutdown`. Servers that are away are reported by their own gates.
    pub async fn watch(self, every: Duration, shutdown: CancellationToken) {
        let compare = async {
            loop {
                if let Err(error) = self.compare().await {
                    tracing::debug!(%error, "the streams' positions were not compared");
                }
                tokio::time::sleep(every).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = compare => {}
        }
    }

    async fn compare(&self) -> Result<(), Error> {
        let session = self.postgres.get().await;
        let session =
            session.map_err(|error| Error::PostgresCheckout(postgres::describe_checkout(error)))?;
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

    async fn measure(&self) -> Result<BTreeMap<u16, Position>, Error> {
        let connection = self.redis.get().await;
        let mut connection =
            connection.map_err(|error| Error::RedisCheckout(describe_checkout(error)))?;
        let mut positions = BTreeMap::new();
        for partition in 0..self.partitions {
            let script = position::script(&self.keys, partition);
            let (name, arguments) = script.split_first().expect("a command has a name");
            let asked = redis::cmd(name).arg(arguments).clone();
            let (last, added): (String, i64) = asked.query_async(&mut *connection).await?;
            positions.insert(partition, Position { last: last.parse()?, added });
        }
        Ok(positions)
    }
}
