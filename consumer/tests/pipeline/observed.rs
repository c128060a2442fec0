//! What an operator sees of it.

use serde_json::json;
use testkit::{database, eventually};

use crate::support::{Program, SOON, Site};

/// Waits until a gauge or counter has this value.
async fn reaches(consumer: &Program, name: &str, label: &str, wanted: f64) {
    eventually(SOON, async || {
        let found = consumer.metric(name, label).await;
        if found == Some(wanted) { Ok(()) } else { Err(format!("{name} is {found:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_is_measured_even_when_redis_does_not_know_the_lag() {
    let site = Site::on(testkit::redis(), database().await, 1, json!({})).await;
    let consumer = site.spawn(&["--batch-max=4", "--linger-ms=0"]);
    consumer.ready().await;
    let gauge = async |name: &str, wanted: f64| {
        reaches(&consumer, &format!("votestream_stream_{name}"), "partition=\"0\"", wanted).await;
    };
    gauge("lag", 0.0).await;
    gauge("lag_unknown", 0.0).await;
    gauge("oldest_pending_age_seconds", 0.0).await;

    let barrier = site.sql().await;
    barrier.batch_execute("BEGIN; LOCK TABLE votes IN EXCLUSIVE MODE").await.unwrap();
    site.add(&site.ballots(10)).await;
    gauge("pending", 4.0).await;
    gauge("lag", 6.0).await;
    gauge("entries", 10.0).await;
    gauge("lag_unknown", 0.0).await;
    gauge("consumers", 1.0).await;
    for age in ["oldest_pending_age_seconds", "oldest_age_seconds"] {
        eventually(SOON, async || {
            let age = consumer.metric(&format!("votestream_stream_{age}"), "").await;
            age.filter(|age| (0.5..30.0).contains(age)).ok_or(age)
        })
        .await;
    }
    eventually(SOON, async || {
        let retries = consumer.metric("votestream_retries_total", "postgres").await;
        retries.filter(|n| *n > 0.0).ok_or(retries)
    })
    .await;

    // Somebody deletes an entry that was not delivered yet: Redis gives up counting.
    let mut redis = site.redis().await;
    let stream = site.keys.stream(0);
    let newest: Vec<(String, Vec<String>)> = redis::cmd("XREVRANGE")
        .arg(&stream)
        .arg("+")
        .arg("-")
        .arg("COUNT")
        .arg(2)
        .query_async(&mut redis)
        .await
        .unwrap();
    let delete = redis::cmd("XDEL").arg(&stream).arg(&newest[1].0).clone();
    delete.exec_async(&mut redis).await.unwrap();
    gauge("lag_unknown", 1.0).await;
    gauge("lag", 5.0).await;
    gauge("pending", 4.0).await;

    barrier.batch_execute("COMMIT").await.unwrap();
    site.settles_at(9).await;
    gauge("lag", 0.0).await;
    gauge("pending", 0.0).await;
    gauge("entries", 0.0).await;
    gauge("oldest_pending_age_seconds", 0.0).await;
    gauge("oldest_age_seconds", 0.0).await;
    reaches(&consumer, "votestream_votes_total", "counted", 9.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_counted_and_every_metric_is_explained() {
    let site = Site::new().await;
    let consumer = site.spawn(&[]);
    consumer.ready().await;
    let ballots = site.ballots(20);
    site.add(&ballots).await;
    site.settles_at(20).await;
    let again: Vec<_> = ballots[..5]
        .iter()
        .map(|first| crate::support::ballot(&site.poll, first.voter, 2))
        .collect();
    site.add(&again).await;
    let mut redis = site.redis().await;
    for partition in 0..site.partitions {
        let mut add = redis::cmd("XADD");
        add.arg(site.keys.stream(partition)).arg("*").arg("odd").arg("1");
        add.exec_async(&mut redis).await.unwrap();
    }
    reaches(&consumer, "votestream_dead_letters_total", "", 2.0).await;
    reaches(&consumer, "votestream_dead_letters_held", "", 2.0).await;
    reaches(&consumer, "votestream_votes_total", "outcome=\"counted\"", 20.0).await;
    reaches(&consumer, "votestream_votes_total", "outcome=\"unchanged\"", 5.0).await;
    reaches(&consumer, "votestream_votes_total", "outcome=\"replaced\"", 0.0).await;
    reaches(&consumer, "votestream_ballot_to_commit_seconds_count", "", 25.0).await;
    reaches(&consumer, "votestream_vanished_entries_total", "", 0.0).await;
    reaches(&consumer, "votestream_build_info", "service=\"consumer\"", 1.0).await;
    reaches(&consumer, "votestream_dependency_up", "", 3.0).await;

    let (status, text) = consumer.ask("/metrics").await.unwrap();
    assert_eq!(status, 200);
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(name.starts_with("votestream_"), "{name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not explained");
        assert_ne!(kind, "summary", "{name}: summaries do not add up over replicas");
    }
    assert_eq!(consumer.ask("/healthz").await.unwrap().0, 200);
    assert_eq!(consumer.ask("/else").await.unwrap().0, 404);
}
