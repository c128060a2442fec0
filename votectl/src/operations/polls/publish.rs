//! Copies a poll that has just changed from Postgres to Redis.

use tokio_postgres::Client;
use votestream_schema::{Poll, db, poll_copy};

use crate::error::Error;
use crate::servers::Redis;

/// Writes the rules to every partition, then the definition, so that no page offers a poll whose ballots
/// are not accepted yet.
///
/// Postgres holds the truth: if this stops half-way, the consumers finish it.
pub(crate) async fn publish(
    postgres: &Client,
    redis: &mut Redis,
    poll: &Poll,
) -> Result<(), Error> {
    // Not every caller knows the secret, and a definition without it would admit nobody.
    let mut poll = poll.clone();
    db::secrets::fill(postgres, std::slice::from_mut(&mut poll)).await?;
    let (connection, keys) = (&mut redis.connection, &redis.keys);
    for partition in 0..redis.partitions {
        let mut known = redis::cmd("HEXISTS");
        known.arg(keys.rules(partition)).arg(poll.id.0);
        let is_known: bool = known.query_async(connection).await?;
        let codes = async || Ok::<_, Error>(poll_copy::read_codes(postgres, poll.id).await?);
        let place = (partition, redis.partitions);
        poll_copy::rules(connection, keys, place, &poll, is_known, codes).await?;
    }
    Ok(poll_copy::definition(connection, keys, &poll).await?)
}
