//! Partitions spread over the masters of a Redis Cluster.

use std::collections::BTreeSet;

use redis::AsyncCommands;
use redis::cluster::ClusterClient;
use serde_json::json;
use testkit::{database, eventually, redis_cluster};
use votestream_schema::projection::{Rules, functions};

use crate::support::{CLAIM_SOON, SOON, TestDeployment, voters};

#[tokio::test(flavor = "multi_thread")]
async fn ballots_of_all_partitions_of_a_cluster_are_counted() {
    let cluster = tokio::task::spawn_blocking(|| redis_cluster(3)).await.unwrap();
    let partitions = 6;
    let deployment =
        TestDeployment::on(cluster.urls(), database().await, partitions, json!({})).await;
    let nodes: Vec<String> = cluster.masters.iter().map(|master| master.url()).collect();
    let client = ClusterClient::new(nodes).unwrap();
    let mut redis = client.get_async_connection().await.unwrap();
    let mut owners = BTreeSet::new();
    for partition in 0..partitions {
        let slot: u16 = redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg(deployment.keys.stream(partition))
            .query_async(&mut redis)
            .await
            .unwrap();
        owners.insert(usize::from(slot) * 3 / 16_384);
    }
    assert!(owners.len() > 1, "the partitions lie on several masters");

    let arguments = [CLAIM_SOON, &["--redis-cluster=true", "--consumer-name=first"]].concat();
    let consumer = deployment.spawn(&arguments);
    consumer.ready().await;
    deployment.add_at(&mut redis, &deployment.ballots(600)).await;
    // A bad entry goes to the dead letters of its own partition.
    for partition in 0..partitions {
        let mut add = redis::cmd("XADD");
        add.arg(deployment.keys.stream(partition)).arg("*").arg("odd").arg("1");
        add.exec_async(&mut redis).await.unwrap();
    }
    let sql = deployment.sql().await;
    let all_counted = async |people: i64, redis: &mut redis::cluster_async::ClusterConnection| {
        eventually(SOON, async || {
            let (voters, in_flight) =
                (voters(&sql, &deployment.poll).await, deployment.in_flight(redis).await);
            if (voters, in_flight) == (people, (0, 0)) { Ok(()) } else { Err((voters, in_flight)) }
        })
        .await;
        deployment.results_equal_recount(&sql).await;
    };
    all_counted(600, &mut redis).await;
    for partition in 0..partitions {
        let dead: u64 = redis.xlen(deployment.keys.dead_letters(partition)).await.unwrap();
        assert_eq!(dead, 1);
        // Polls are copied to Redis at the same time as ballots are counted, so this may come later.
        eventually(SOON, async || {
            let rules: Option<String> =
                redis.hget(deployment.keys.rules(partition), deployment.poll.id.0).await.unwrap();
            if rules == Some(Rules::of(&deployment.poll).encode()) { Ok(()) } else { Err(rules) }
        })
        .await;
    }
    // Every master has the functions that producers call.
    for master in &cluster.masters {
        eventually(SOON, async || {
            let listed = master.command(&["FUNCTION", "LIST"]).unwrap();
            if listed.contains(&functions::library().register) { Ok(()) } else { Err(listed) }
        })
        .await;
    }
    eventually(SOON, async || {
        let held = consumer.metric("votestream_dead_letters_held", "").await;
        if held == Some(6.0) { Ok(()) } else { Err(held) }
    })
    .await;

    // It is killed under load; the workers of another replica claim its entries.
    deployment.add_at(&mut redis, &deployment.ballots(3_000)).await;
    drop(consumer);
    let heir = deployment.start(&[CLAIM_SOON, &["--redis-cluster=true"]].concat());
    all_counted(3_600, &mut redis).await;
    assert!(heir.stop().await);
}
