//! The register of a closed poll is kept for a while and then removed.

use redis::AsyncCommands;
use serde_json::json;
use testkit::eventually;
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, VoterKey, db, projection};

use crate::support::{SOON, TestDeployment, create_poll};

const HOUR_MS: i64 = 3_600_000;

/// Creates a poll that closes this many milliseconds from now, with one registered voter in each partition.
async fn poll_that_closes(deployment: &TestDeployment, in_ms: i64) -> (Poll, Vec<String>) {
    let closes_at = votestream_schema::poll::rfc3339(now_ms() + in_ms);
    let poll = create_poll(&mut deployment.sql().await, json!({ "closes_at": closes_at })).await;
    let mut redis = deployment.redis().await;
    let mut buckets = Vec::new();
    for partition in 0..deployment.partitions {
        let bucket = deployment.keys.register(partition, poll.id, VoterKey::new());
        let _: () = redis.hset(&bucket, "voter", "1 0 1-0").await.unwrap();
        buckets.push(bucket);
    }
    (poll, buckets)
}

async fn exists(deployment: &TestDeployment, buckets: &[String]) -> usize {
    deployment.redis().await.exists(buckets).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_is_forgotten_some_time_after_its_poll_has_closed_and_never_before() {
    let deployment = TestDeployment::new().await;
    let (_, long_closed) = poll_that_closes(&deployment, -2 * HOUR_MS).await;
    let (_, just_closed) = poll_that_closes(&deployment, -HOUR_MS / 2).await;
    let (_, still_open) = poll_that_closes(&deployment, HOUR_MS).await;
    let (prolonged, kept) = poll_that_closes(&deployment, -2 * HOUR_MS).await;
    // As in votectl, which holds this lock meanwhile, Redis gets the new closing time first.
    let mut sql = deployment.sql().await;
    let change = sql.transaction().await.unwrap();
    db::locks::share_copies(change.client()).await.unwrap();
    let mut told = Poll { revision: prolonged.revision + 1, ..prolonged };
    told.closes_at_ms = Some(now_ms() - HOUR_MS / 2);
    let mut redis = deployment.redis().await;
    for partition in 0..deployment.partitions {
        let command = projection::rules_script(&deployment.keys, partition, &told);
        let _: i64 =
            redis::cmd(&command[0]).arg(&command[1..]).query_async(&mut redis).await.unwrap();
    }

    let consumer = deployment.start(&["--register-kept-s=3600"]);
    eventually(SOON, async || match exists(&deployment, &long_closed).await {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
    // A register that is due later was removed, so these had their turn before it.
    let (_, last) = poll_that_closes(&deployment, -3 * HOUR_MS).await;
    eventually(SOON, async || exists(&deployment, &last).await == 0).await;
    for buckets in [just_closed, still_open, kept] {
        assert_eq!(exists(&deployment, &buckets).await, buckets.len());
    }
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_noted_and_not_done_again_until_the_poll_closes_once_more() {
    let deployment = TestDeployment::new().await;
    let (poll, buckets) = poll_that_closes(&deployment, -10_000).await;
    let consumer = deployment.start(&["--register-kept-s=5"]);
    let mut redis = deployment.redis().await;
    let noted = async |redis: &mut redis::aio::MultiplexedConnection| -> Vec<Option<i64>> {
        let mut all = Vec::new();
        for partition in 0..deployment.partitions {
            let key = deployment.keys.forgotten(partition);
            all.push(redis.hget(key, poll.id.0).await.unwrap());
        }
        all
    };
    let closed = vec![poll.closes_at_ms; usize::from(deployment.partitions)];
    eventually(SOON, async || noted(&mut deployment.redis().await).await == closed).await;
    assert_eq!(exists(&deployment, &buckets).await, 0);
    assert!(consumer.stop().await);

    // After a restart the consumer reads the note and removes nothing again.
    let _: () = redis.hset(&buckets[0], "voter", "1 0 1-0").await.unwrap();
    let consumer = deployment.start(&["--register-kept-s=5"]);
    let (_, other) = poll_that_closes(&deployment, -20_000).await;
    eventually(SOON, async || exists(&deployment, &other).await == 0).await;
    assert_eq!(exists(&deployment, &buckets[..1]).await, 1);

    // After the poll was extended, its register is removed five seconds after the new closing time.
    let again = now_ms() + 1_000;
    let prolong = "UPDATE polls SET closes_at_ms = $2, revision = revision + 1 WHERE id = $1";
    deployment.sql().await.execute(prolong, &[&poll.id.0, &again]).await.unwrap();
    let gone_at = eventually(SOON, async || match exists(&deployment, &buckets[..1]).await {
        0 => Ok(now_ms()),
        left => Err(left),
    })
    .await;
    assert!(gone_at >= again + 5_000, "{} ms too early", again + 5_000 - gone_at);
    assert!(consumer.stop().await);
}
