//! A Redis that restarts, loses data, or is full.

use redis::AsyncCommands;
use serde_json::json;
use testkit::{create_database, database, eventually, own_postgres, own_redis};
use votestream_schema::code::{Code, CodeHash};
use votestream_schema::keys::GROUP;
use votestream_schema::projection::{self, Rules, functions};

use crate::support::{SOON, TestDeployment, create_poll};

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_killed_and_restarted_loses_nothing() {
    let mut server = own_redis();
    let deployment = TestDeployment::on(server.url(), database().await, 2, json!({})).await;
    let consumer = deployment.start(&["--batch-max=20"]);
    for round in 1..=2 {
        deployment.add(&deployment.ballots(1_000)).await;
        server.kill();
        let away = async || consumer.health.ready().is_err();
        eventually(SOON, away).await;
        server.restart().unwrap();
        deployment.settles_at(1_000 * round).await;
        consumer.ready().await;
    }
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_frozen_for_a_while_holds_nothing_up_afterwards() {
    let mut server = own_redis();
    let deployment = TestDeployment::on(server.url(), database().await, 2, json!({})).await;
    let consumer = deployment.start(&[]);
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;
    server.freeze();
    eventually(SOON, async || consumer.health.ready().is_err()).await;
    server.thaw();
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(20).await;
    consumer.ready().await;
    assert!(consumer.stop().await);
}

/// A value of the past would stay green while Redis is frozen.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_measured_is_exported_as_not_known() {
    let mut server = own_redis();
    let mut postgres = own_postgres().await;
    let deployment =
        TestDeployment::on(server.url(), create_database(&postgres).await, 2, json!({})).await;
    let consumer = deployment.spawn(&["--monitor-ms=100", "--statement-timeout-ms=500"]);
    consumer.ready().await;
    let are = async |names: &[&str], known: bool| {
        for name in names {
            eventually(SOON, async || {
                let value = consumer.metric(name, "").await;
                if value.is_some_and(|value| value.is_nan() != known) {
                    Ok(())
                } else {
                    Err((*name, value))
                }
            })
            .await;
        }
    };
    let of_redis = [
        "votestream_stream_entries",
        "votestream_stream_oldest_age_seconds",
        "votestream_stream_lost_entries",
        "votestream_dead_letters_held",
        "votestream_redis_memory_bytes",
        "votestream_redis_replays_ballots",
    ];
    let of_postgres = ["votestream_unreadable_polls", "votestream_postgres_connections"];
    are(&of_redis, true).await;
    are(&of_postgres, true).await;
    server.freeze();
    are(&of_redis, false).await;
    server.thaw();
    are(&of_redis, true).await;
    postgres.freeze();
    are(&of_postgres, false).await;
    postgres.thaw();
    are(&of_postgres, true).await;
}

/// The server behind a fixed address becomes the replica of another one, and then a master again.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_becomes_a_replica_is_left_until_it_is_a_master_again() {
    let (server, master) = (own_redis(), own_redis());
    let deployment = TestDeployment::on(server.url(), database().await, 2, json!({})).await;
    let consumer = deployment.start(&[]);
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;
    let port = master.port().to_string();
    // It must keep its data, so the master that it is given does not exist.
    master.command(&["CONFIG", "SET", "requirepass", "unknown"]).unwrap();
    server.command(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
    let refused = server.command(&["SET", "anything", "1"]).unwrap_err().to_string();
    assert!(refused.contains("READONLY"), "{refused}");
    eventually(SOON, async || consumer.health.ready().is_err()).await;
    server.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    deployment.add(&deployment.ballots(20)).await;
    deployment.settles_at(30).await;
    consumer.ready().await;
    assert!(deployment.dead_letters().await.is_empty());
    assert!(consumer.stop().await);
}

/// Only counting makes room in a full Redis, so a consumer must be able to start and to work when there is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_is_emptied_by_a_consumer_that_starts_when_it_is_full() {
    let server = own_redis();
    let deployment = TestDeployment::on(server.url(), database().await, 2, json!({})).await;
    let consumer = deployment.start(&[]);
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;
    let copied = ["HLEN", &deployment.keys.polls()];
    eventually(SOON, async || server.command(&copied).unwrap().trim() == "1").await;
    assert!(consumer.stop().await);
    deployment.add(&deployment.ballots(300)).await;
    let mut poison = redis::cmd("XADD");
    poison.arg(deployment.keys.stream(0)).arg("*").arg("ballot").arg("no ballot");
    poison.exec_async(&mut deployment.redis().await).await.unwrap();
    server.command(&["XGROUP", "DESTROY", &deployment.keys.stream(1), GROUP]).unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let refused = server.command(&["SET", "anything", "1"]).unwrap_err().to_string();
    assert!(refused.contains("OOM"), "{refused}");

    let consumer = deployment.start(&[]);
    deployment.settles_at(310).await;
    assert_eq!(deployment.dead_letters().await.len(), 1);
    // It measures the backlog and is ready: while it empties the full Redis, no operator is needed.
    consumer.ready().await;
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_or_group_that_is_removed_under_a_waiting_reader_is_made_anew() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.start(&["--block-ms=5000"]);
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;
    let mut redis = deployment.redis().await;
    for (round, what) in ["stream", "group", "everything"].iter().enumerate() {
        for partition in 0..deployment.partitions {
            let stream = deployment.keys.stream(partition);
            if *what == "group" {
                let mut destroy = redis::cmd("XGROUP");
                destroy.arg("DESTROY").arg(&stream).arg(GROUP);
                destroy.exec_async(&mut redis).await.unwrap();
            } else {
                let _: () = redis.del(&stream).await.unwrap();
            }
        }
        deployment.add(&deployment.ballots(10)).await;
        deployment.settles_at(20 + 10 * round).await;
    }
    assert!(deployment.dead_letters().await.is_empty());
    assert!(consumer.stop().await);
}

/// Everything that the producer needs is restored within moments, including voting codes.
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_gets_polls_rules_and_codes_back() {
    let server = own_redis();
    let deployment = TestDeployment::on(server.url(), database().await, 2, json!({})).await;
    let mut sql = deployment.sql().await;
    let by_code = create_poll(&mut sql, json!({"voter_policy": "code"})).await;
    let hash = |_| CodeHash::of(Code::generate().key_in(&by_code).unwrap());
    let hashes: Vec<CodeHash> = (0..50).map(hash).collect();
    for hash in &hashes {
        let insert = "INSERT INTO voting_codes (poll_id, hash) VALUES ($1, $2)";
        sql.execute(insert, &[&by_code.id.0, &hash.0]).await.unwrap();
    }
    let draft = create_poll(&mut sql, json!({"opens_at": null})).await;
    let sorted = |mut notes: Vec<String>| {
        notes.sort();
        notes
    };
    let right = sorted(projection::draft_notes(&draft).into());
    let consumer = deployment.start(&[]);
    let mut redis = deployment.redis().await;
    for round in 0..3 {
        eventually(SOON, async || {
            is_whole(&deployment, &mut redis, &[&deployment.poll, &by_code], &by_code, &hashes)
                .await
        })
        .await;
        let drafts: bool =
            redis.hexists(deployment.keys.polls(), draft.slug.as_str()).await.unwrap();
        assert!(!drafts, "a draft is not shown");
        let noted: Vec<String> = redis.smembers(deployment.keys.drafts()).await.unwrap();
        assert_eq!(sorted(noted), right, "its slug and number alone are noted");
        let _: i64 =
            redis.sadd(deployment.keys.drafts(), &["none-such", "99:none-such"]).await.unwrap();
        eventually(SOON, async || {
            let noted: Vec<String> = redis.smembers(deployment.keys.drafts()).await.unwrap();
            if sorted(noted.clone()) == right { Ok(()) } else { Err(noted) }
        })
        .await;
        deployment.add(&deployment.ballots(5)).await;
        deployment.settles_at(5 * (round + 1)).await;
        server.command(&["FLUSHALL"]).unwrap();
    }
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_redis_has_lost_are_loaded_again() {
    let server = own_redis();
    let deployment = TestDeployment::on(server.url(), database().await, 2, json!({})).await;
    let consumer = deployment.start(&["--project-ms=100"]);
    let library = functions::library();
    let is_loaded = async || {
        let listed = server.command(&["FUNCTION", "LIST", "LIBRARYNAME", &library.name]).unwrap();
        if listed.contains(&library.register) { Ok(()) } else { Err(listed) }
    };
    eventually(SOON, is_loaded).await;
    // A library of another release stays: its producers may still be there.
    let other = library.text.replace(&library.name["votestream_".len()..], "0123456789abcdef");
    server.command(&["FUNCTION", "LOAD", &other]).unwrap();
    server.command(&["FUNCTION", "DELETE", &library.name]).unwrap();
    eventually(SOON, is_loaded).await;
    let listed = server.command(&["FUNCTION", "LIST"]).unwrap();
    assert!(listed.contains("votestream_register_0123456789abcdef"), "{listed}");
    assert!(consumer.stop().await);
}

async fn is_whole(
    deployment: &TestDeployment,
    redis: &mut redis::aio::MultiplexedConnection,
    polls: &[&votestream_schema::Poll],
    by_code: &votestream_schema::Poll,
    hashes: &[CodeHash],
) -> Result<(), String> {
    let partitions: Option<u16> = redis.hget(deployment.keys.meta(), "partitions").await.unwrap();
    if partitions != Some(deployment.partitions) {
        return Err(format!("{partitions:?} partitions"));
    }
    for poll in polls {
        let definition: Option<String> =
            redis.hget(deployment.keys.polls(), poll.slug.as_str()).await.unwrap();
        let definition = definition.ok_or("a definition is missing")?;
        let read = votestream_schema::projection::read_definition(&definition).unwrap();
        assert_eq!(read, **poll);
        for partition in 0..deployment.partitions {
            let rules: Option<String> =
                redis.hget(deployment.keys.rules(partition), poll.id.0).await.unwrap();
            if rules != Some(Rules::of(poll).encode()) {
                return Err(format!("rules of partition {partition}: {rules:?}"));
            }
        }
    }
    for hash in hashes {
        let partition = hash.partition(deployment.partitions);
        let key = deployment.keys.code_hashes(partition, by_code.id);
        let known: bool = redis.sismember(key, hash.0.as_bytes().as_slice()).await.unwrap();
        // Rules are written after codes, so where the rules are, the codes are too.
        assert!(known, "a voting code is missing though the rules are there");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_of_another_deployment_is_not_believed() {
    let deployment = TestDeployment::new().await;
    let mut redis = deployment.redis().await;
    let _: () = redis.hset(deployment.keys.meta(), "partitions", 7).await.unwrap();
    let consumer = deployment.start(&[]);
    eventually(SOON, async || {
        let reasons = consumer.health.ready().err()?;
        reasons.get("projection").filter(|reason| reason.contains("7 partitions")).cloned()
    })
    .await;
    assert!(consumer.stop().await);
}

/// An entry that somebody deleted after its delivery is reported as lost, and does not block the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_pending_entry_that_was_deleted_is_reported_and_holds_nothing_up() {
    let deployment = TestDeployment::with_poll(json!({})).await;
    let mut redis = deployment.redis().await;
    let ballots = deployment.ballots(40);
    deployment.add(&ballots).await;
    for partition in 0..deployment.partitions {
        let stream = deployment.keys.stream(partition);
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&stream).arg(GROUP).arg("0");
        create.exec_async(&mut redis).await.unwrap();
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg("gone").arg("STREAMS").arg(&stream).arg(">");
        read.exec_async(&mut redis).await.unwrap();
    }
    let victim = deployment.keys.stream(0);
    let entries: Vec<(String, Vec<String>)> =
        redis::cmd("XRANGE").arg(&victim).arg("-").arg("+").query_async(&mut redis).await.unwrap();
    let deleted: Vec<&String> = entries.iter().map(|(id, _)| id).step_by(4).collect();
    let _: () = redis.xdel(&victim, &deleted).await.unwrap();

    let consumer = deployment.spawn(crate::support::CLAIM_SOON);
    deployment.settles_at(40 - deleted.len()).await;
    let vanished = consumer.metric("votestream_vanished_entries_total", "").await;
    assert_eq!(vanished, Some(deleted.len() as f64));
    assert!(deployment.dead_letters().await.is_empty());
}
