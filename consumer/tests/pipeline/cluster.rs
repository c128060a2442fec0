//! Partitions spread over the masters of a Redis Cluster.

use std::collections::BTreeSet;

use redis::AsyncCommands;
use redis::cluster::ClusterClient;
use serde_json::json;
use testkit::{database, eventually, redis_cluster};
use votestream_schema::projection::Rules;

use crate::support::{CLAIM_SOON, SOON, Site, voters};

#[tokio::test(flavor = "multi_thread")]
async fn ballots_of_all_partitions_of_a_cluster_are_counted() {
    let cluster = tokio::task::spawn_blocking(|| redis_cluster(3)).await.unwrap();
    let partitions = 6;
    let site = Site::on(cluster.urls(), database().await, partitions, json!({})).await;
    let nodes: Vec<String> = cluster.masters.iter().map(|master| master.url()).collect();
    let client = ClusterClient::new(nodes).unwrap();
    let mut redis = client.get_async_connection().await.unwrap();
    let mut owners = BTreeSet::new();
    for partition in 0..partitions {
        let slot: u16 = redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(site.keys.stream(partition))
            .query_async(&mut redis)
            .await
            .unwrap();
        owners.insert(usize::from(slot) * 3 / 16_384);
    }
    assert!(owners.len() > 1, "the partitions lie on several masters");

    let arguments = [CLAIM_SOON, &["--redis-cluster=true", "--consumer-name=first"]].concat();
    let consumer = site.spawn(&arguments);
    consumer.ready().await;
    site.add_at(&mut redis, &site.ballots(600)).await;
    // Poison goes to the dead letters of its own partition.
    for partition in 0..partitions {
        let mut add = redis::cmd("XADD");
        add.arg(site.keys.stream(partition)).arg("*").arg("odd").arg("1");
        add.exec_async(&mut redis).await.unwrap();
    }
    let sql = site.sql().await;
    let all_counted = async |people: i64, redis: &mut redis::cluster_async::ClusterConnection| {
        eventually(SOON, async || {
            let (voters, under_way) = (voters(&sql, &site.poll).await, site.under_way(redis).await);
            if (voters, under_way) == (people, (0, 0)) { Ok(()) } else { Err((voters, under_way)) }
        })
        .await;
        site.books_balance(&sql).await;
    };
    all_counted(600, &mut redis).await;
    for partition in 0..partitions {
        let dead: u64 = redis.xlen(site.keys.dead_letters(partition)).await.unwrap();
        assert_eq!(dead, 1);
        // Copied to Redis beside the counting, and not before it.
        eventually(SOON, async || {
            let rules: Option<String> =
                redis.hget(site.keys.rules(partition), site.poll.id.0).await.unwrap();
            if rules == Some(Rules::of(&site.poll).encode()) { Ok(()) } else { Err(rules) }
        })
        .await;
    }
    eventually(SOON, async || {
        let held = consumer.metric("votestream_dead_letters_held", "").await;
        if held == Some(6.0) { Ok(()) } else { Err(held) }
    })
    .await;

    // Killed under load, its lanes' entries are claimed by another's.
    site.add_at(&mut redis, &site.ballots(3_000)).await;
    drop(consumer);
    let heir = site.start(&[CLAIM_SOON, &["--redis-cluster=true"]].concat());
    all_counted(3_600, &mut redis).await;
    assert!(heir.stop().await);
}
