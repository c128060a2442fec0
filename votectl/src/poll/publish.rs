//! Tells Redis of a poll.
//!
//! Invariant: a partition that has a poll's rules has the voting codes that go with them.

use tokio_postgres::GenericClient;
use votestream_schema::poll::VoterPolicy;
use votestream_schema::{Poll, projection};

use crate::codes;
use crate::failure::Failure;
use crate::servers::Redis;

/// Rules to every partition, then the definition, so that no page offers what is not yet accepted.
///
/// What Postgres holds is the truth: consumers repair Redis from it, should this stop half-way.
pub async fn publish(
    postgres: &impl GenericClient,
    redis: &mut Redis,
    poll: &Poll,
) -> Result<(), Failure> {
    for partition in 0..redis.partitions {
        let rules = redis.keys.rules(partition);
        let mut known = redis::cmd("HEXISTS");
        known.arg(rules).arg(poll.id.0);
        if poll.voter_policy == VoterPolicy::Code && !redis.ask::<bool>(&known).await? {
            codes::restore(postgres, redis, poll, partition).await?;
        }
        redis.send::<i64>(&projection::rules_script(&redis.keys, partition, poll)).await?;
    }
    redis.send::<()>(&projection::definition(&redis.keys, poll)).await
}
