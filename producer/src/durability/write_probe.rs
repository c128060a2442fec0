//! Asks Redis every second whether it takes writes.
//!
//! Redis may answer every read and refuse each write: it cannot write to its disk (MISCONF), has too few replicas
//! (NOREPLICAS), or is full (OOM); and it may lack the function with which ballots are stored. The producer is not ready
//! then, before any voter finds out.

use std::time::Duration;

use redis::{RedisError, Value};
use votestream_schema::Keys;
use votestream_schema::projection::functions;
use votestream_service::CancellationToken;
use votestream_service::health::Gate;
use votestream_service::redis::{Error, Pool};

/// Time between two questions.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Asks the master of each partition.
#[derive(Debug)]
pub struct WriteProbe {
    pool: Pool,
    keys: Keys,
    /// Partitions that are asked for; one alone on a plain server.
    partitions: u16,
}

/// Redis takes no ballots.
#[derive(Debug, thiserror::Error)]
pub enum NoWrites {
    /// Redis refuses to write, for the reason in its own words.
    #[error(
        "every ballot is refused, because redis refuses each write to partition {partition}: {reason}"
    )]
    Refused {
        /// A partition whose master refuses.
        partition: u16,
        /// Redis' answer.
        reason: RedisError,
    },
    /// A master does not have the function.
    #[error(
        "redis does not have the functions `{library}` yet, with which ballots are stored: a consumer or `votectl migrate` of \
         this release loads them"
    )]
    NoFunctions {
        /// The library of functions that is missing.
        library: &'static str,
    },
    /// Redis could not be asked.
    #[error(transparent)]
    Unknown(#[from] Error),
}

impl WriteProbe {
    /// Prepares to ask the masters of partitions 0 to `partitions`, exclusive.
    pub fn new(pool: Pool, keys: Keys, partitions: u16) -> Self {
        Self { pool, keys, partitions }
    }

    /// Asks every second until `shutdown`, and reports to `gate`.
    pub async fn run(self, gate: Gate, shutdown: CancellationToken) {
        gate.watch(ASK_EVERY, shutdown, || self.ask()).await;
    }

    /// Writes a field that nobody reads, and looks for the functions.
    async fn ask(&self) -> Result<(), NoWrites> {
        let library = functions::library().name.as_str();
        let list = redis::cmd("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(library).clone();
        let mut connection = self.pool.get().await.map_err(Error::from)?;
        for partition in 0..self.partitions {
            let mut write = redis::cmd("HSET");
            write.arg(self.keys.probe(partition)).arg("takes-writes").arg(1);
            match write.exec_async(&mut *connection).await {
                Ok(()) => {}
                Err(reason) if reason.code().is_some() => {
                    return Err(NoWrites::Refused { partition, reason });
                }
                Err(error) => return Err(Error::Redis(error).into()),
            }
            let at = self.keys.stream(partition);
            let listed = connection.query_at(&at, &list).await.map_err(Error::Redis)?;
            if matches!(listed, Value::Array(libraries) if libraries.is_empty()) {
                return Err(NoWrites::NoFunctions { library });
            }
        }
        Ok(())
    }
}
