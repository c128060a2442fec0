//! Changes of the consumer group by hand: consumers that are deleted with the entries that they hold, and a position that
//! is set elsewhere.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use votestream_schema::keys::GROUP;

use super::cure::{Cure, Injection};
use crate::testbed::Testbed;

/// The time for which entries gather before the change.
const GATHER_FOR: Duration = Duration::from_millis(800);
/// A position that no stream reaches.
const BEYOND: &str = "99999999999999-0";

/// Locks the table of votes, so that the consumers hold entries, and deletes all consumers.
pub(super) async fn delete_consumers(testbed: &mut Testbed) -> anyhow::Result<Injection> {
    let mut redis = testbed.redis().await?;
    let barrier = testbed.sql().await?;
    barrier.batch_execute("BEGIN; LOCK TABLE votes IN ACCESS EXCLUSIVE MODE").await?;
    testbed.pause(GATHER_FOR).await?;
    let mut forgotten = 0;
    for partition in 0..testbed.partitions {
        let stream = testbed.keys.stream(partition);
        for consumer in consumers(&mut redis, &stream).await? {
            let mut delete = redis::cmd("XGROUP");
            delete.arg("DELCONSUMER").arg(&stream).arg(GROUP).arg(consumer);
            forgotten += delete.query_async::<u64>(&mut redis).await?;
        }
    }
    drop(barrier);
    Injection::noting(Cure::Itself, format!("{forgotten} entries were held by deleted consumers"))
}

async fn consumers(redis: &mut MultiplexedConnection, stream: &str) -> anyhow::Result<Vec<String>> {
    let mut ask = redis::cmd("XINFO");
    ask.arg("CONSUMERS").arg(stream).arg(GROUP);
    let reply: redis::streams::StreamInfoConsumersReply = ask.query_async(redis).await?;
    Ok(reply.consumers.into_iter().map(|consumer| consumer.name).collect())
}

/// Freezes the consumers until entries wait, and sets the position of every group. The target is the position in words.
pub(super) async fn set_position(
    testbed: &mut Testbed,
    target: &'static str,
) -> anyhow::Result<Injection> {
    let position = match target {
        "to the beginning" => "0",
        "to the end" => "$",
        _ => BEYOND,
    };
    testbed.services_of("consumers")?.into_iter().for_each(|consumer| consumer.freeze());
    testbed.pause(GATHER_FOR).await?;
    let mut redis = testbed.redis().await?;
    for partition in 0..testbed.partitions {
        let mut set = redis::cmd("XGROUP");
        set.arg("SETID").arg(testbed.keys.stream(partition)).arg(GROUP).arg(position);
        set.exec_async(&mut redis).await?;
    }
    testbed.services_of("consumers")?.into_iter().for_each(|consumer| consumer.thaw());
    Injection::by(Cure::Itself)
}
