//! The metrics by which an operator watches a consumer.

mod standing_audit;

use serde_json::json;
use testkit::{database, eventually};

use crate::support::{Program, SOON, TestDeployment, ballot};

/// Waits until a gauge or counter has exactly this value.
async fn reaches(consumer: &Program, name: &str, label: &str, wanted: f64) {
    eventually(SOON, async || {
        let found = consumer.metric(name, label).await;
        if found == Some(wanted) { Ok(()) } else { Err(format!("{name} is {found:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_is_measured_even_when_redis_does_not_know_the_lag() {
    let deployment = TestDeployment::on(testkit::redis(), database().await, 1, json!({})).await;
    let consumer = deployment.spawn(&["--batch-max=4", "--linger-ms=0"]);
    consumer.ready().await;
    let gauge = async |name: &str, wanted: f64| {
        reaches(&consumer, &format!("votestream_stream_{name}"), "partition=\"0\"", wanted).await;
    };
    gauge("lag", 0.0).await;
    gauge("lag_unknown", 0.0).await;
    gauge("oldest_pending_age_seconds", 0.0).await;

    let barrier = deployment.sql().await;
    barrier.batch_execute("BEGIN; LOCK TABLE votes IN EXCLUSIVE MODE").await.unwrap();
    deployment.add(&deployment.ballots(10)).await;
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

    // Somebody deletes an entry that was not delivered yet, after which Redis reports no lag any more.
    let mut redis = deployment.redis().await;
    let stream = deployment.keys.stream(0);
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
    deployment.settles_at(9).await;
    gauge("lag", 0.0).await;
    gauge("pending", 0.0).await;
    gauge("entries", 0.0).await;
    gauge("oldest_pending_age_seconds", 0.0).await;
    gauge("oldest_age_seconds", 0.0).await;
    reaches(&consumer, "votestream_votes_total", "counted", 9.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_counted_and_every_metric_is_explained() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.spawn(&[]);
    consumer.ready().await;
    let ballots = deployment.ballots(20);
    deployment.add(&ballots).await;
    deployment.settles_at(20).await;
    let again: Vec<_> = ballots[..5]
        .iter()
        .map(|first| crate::support::ballot(&deployment.poll, first.voter, 2))
        .collect();
    deployment.add(&again).await;
    let mut redis = deployment.redis().await;
    for partition in 0..deployment.partitions {
        let mut add = redis::cmd("XADD");
        add.arg(deployment.keys.stream(partition)).arg("*").arg("odd").arg("1");
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
    reaches(&consumer, "votestream_dependency_up", "", 5.0).await;

    let (status, text) = consumer.ask("/metrics").await.unwrap();
    assert_eq!(status, 200);
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(name.starts_with("votestream_") || name.starts_with("process_"), "{name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not explained");
        assert_ne!(kind, "summary", "{name}: summaries do not add up over replicas");
    }
    assert_eq!(consumer.ask("/healthz").await.unwrap().0, 200);
    assert_eq!(consumer.ask("/else").await.unwrap().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_trimmed_before_they_were_delivered_are_seen_to_be_lost() {
    let deployment = TestDeployment::on(testkit::redis(), database().await, 1, json!({})).await;
    // The stream already lacks entries when the count of removed ones starts.
    deployment.add(&deployment.ballots(3)).await;
    let mut redis = deployment.redis().await;
    let stream = deployment.keys.stream(0);
    let mut trim = redis::cmd("XTRIM");
    trim.arg(&stream).arg("MAXLEN").arg(0).exec_async(&mut redis).await.unwrap();

    let consumer = deployment.spawn(&["--batch-max=4", "--linger-ms=0"]);
    consumer.ready().await;
    let lost =
        async |wanted| reaches(&consumer, "votestream_stream_lost_entries", "", wanted).await;
    // Entries that were counted, dead-lettered, or acknowledged twice are not lost.
    let ballots = deployment.ballots(20);
    deployment.add(&ballots).await;
    deployment.add(&ballots).await;
    let mut add = redis::cmd("XADD");
    add.arg(&stream).arg("*").arg("odd").arg("1").exec_async(&mut redis).await.unwrap();
    reaches(&consumer, "votestream_dead_letters_held", "", 1.0).await;
    deployment.settles_at(20).await;
    lost(0.0).await;

    let barrier = deployment.sql().await;
    barrier.batch_execute("BEGIN; LOCK TABLE votes IN EXCLUSIVE MODE").await.unwrap();
    deployment.add(&deployment.ballots(10)).await;
    deployment.pending_is(4).await;
    // Somebody trims the stream, which removes four pending and three undelivered entries.
    let mut trim = redis::cmd("XTRIM");
    trim.arg(&stream).arg("MAXLEN").arg("=").arg(3).exec_async(&mut redis).await.unwrap();
    lost(7.0).await;
    barrier.batch_execute("COMMIT").await.unwrap();
    // The delivered ones are still counted, but the metric keeps them as lost from the stream.
    deployment.settles_at(27).await;
    lost(7.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standing_audit_finds_drift_and_missing_ballots() {
    let deployment = TestDeployment::with_poll(json!({"voter_policy": "code"})).await;
    let brisk = ["--audit-ms=200"];
    let (one, other) = (deployment.spawn(&brisk), deployment.spawn(&brisk));
    one.ready().await;
    let ballots = deployment.ballots(8);
    let sql = deployment.sql().await;
    for ballot in &ballots {
        let insert = "INSERT INTO voting_codes VALUES ($1, code_hash($2))";
        sql.execute(insert, &[&deployment.poll.id.0, &ballot.voter.0]).await.unwrap();
    }
    deployment.add(&ballots[..6]).await;
    deployment.settles_at(6).await;
    let both = async |name: &str, wanted| {
        eventually(SOON, async || {
            deployment.audit_is_due().await;
            let found = [one.metric(name, "").await, other.metric(name, "").await];
            if found == [Some(wanted); 2] { Ok(()) } else { Err(format!("{name} is {found:?}")) }
        })
        .await;
    };
    both("votestream_codes_used", 6.0).await;
    both("votestream_codes_issued", 8.0).await;
    both("votestream_codes_unused_ratio", 0.25).await;
    both("votestream_audit_drift_votes", 0.0).await;
    both("votestream_audit_missing_ballots", 0.0).await;
    both("votestream_audit_surplus_ballots", 6.0).await;

    // Each of these changes makes a stored result wrong in a way that only a recount finds.
    let set = async |statement: &str| sql.batch_execute(statement).await.unwrap();
    set("UPDATE tally SET votes = votes + 3 WHERE position = 0").await;
    both("votestream_audit_drift_votes", 3.0).await;
    set("UPDATE poll_tally SET voters = voters + 2").await;
    both("votestream_audit_drift_votes", 5.0).await;
    set("DELETE FROM series").await;
    both("votestream_audit_drift_votes", 11.0).await;
    set("UPDATE tally SET votes = votes - 3 WHERE position = 0").await;
    set("UPDATE poll_tally SET voters = voters - 2").await;
    both("votestream_audit_drift_votes", 6.0).await;

    // Redis' counter says that it accepted ballots which exist nowhere.
    let mut redis = deployment.redis().await;
    let mut count = redis::cmd("HINCRBY");
    count.arg(deployment.keys.accepted(1)).arg(deployment.poll.id.0).arg(6 + 4);
    count.exec_async(&mut redis).await.unwrap();
    both("votestream_audit_missing_ballots", 4.0).await;
    both("votestream_audit_surplus_ballots", 0.0).await;
    let before = one.metric("votestream_audit_timestamp_seconds", "").await.unwrap();
    eventually(SOON, async || {
        let now = other.metric("votestream_audit_timestamp_seconds", "").await;
        now.filter(|now| *now > before).ok_or(now)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_goes_back_is_remembered_and_counted_once() {
    let deployment = TestDeployment::new().await;
    let (one, other) =
        (deployment.spawn(&["--monitor-ms=100"]), deployment.spawn(&["--monitor-ms=100"]));
    one.ready().await;
    other.ready().await;
    deployment.add(&deployment.ballots(20)).await;
    deployment.settles_at(20).await;
    let sql = deployment.sql().await;
    eventually(SOON, async || {
        let seen = "SELECT coalesce(sum(added), 0)::int8 FROM stream_positions";
        let added: i64 = sql.query_one(seen, &[]).await.unwrap().get(0);
        (added == 20).then_some(()).ok_or(added)
    })
    .await;
    reaches(&one, "votestream_stream_regressions", "", 0.0).await;
    reaches(&one, "votestream_redis_replays_ballots", "", 1.0).await;

    // Redis lost one stream, and goes on with later IDs.
    let mut redis = deployment.redis().await;
    let stream = deployment.keys.stream(0);
    redis::cmd("DEL").arg(&stream).exec_async(&mut redis).await.unwrap();
    for consumer in [&one, &other] {
        reaches(consumer, "votestream_stream_regressions", "", 1.0).await;
    }
    let sql_text = "SELECT partition, from_added > to_added FROM stream_regressions";
    let rows = sql.query(sql_text, &[]).await.unwrap();
    assert_eq!(rows.len(), 1, "two replicas saw it, and it is remembered once");
    assert_eq!((rows[0].get::<_, i16>(0), rows[0].get::<_, bool>(1)), (0, true));
    // An operator takes note: `votectl audit --acknowledge-regressions`.
    votestream_schema::db::positions::acknowledge_regressions(&sql, 1).await.unwrap();
    reaches(&one, "votestream_stream_regressions", "", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_servers_have_left_is_told() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.spawn(&[]);
    consumer.ready().await;
    for (used, bound) in [
        ("votestream_redis_memory_bytes", "votestream_redis_memory_max_bytes"),
        ("votestream_postgres_connections", "votestream_postgres_connections_max"),
    ] {
        eventually(SOON, async || {
            let both = (consumer.metric(used, "").await, consumer.metric(bound, "").await);
            let (Some(used), Some(bound)) = both else { return Err(both) };
            if used >= 1.0 && used < bound { Ok(()) } else { Err(both) }
        })
        .await;
    }
    eventually(SOON, async || {
        let bytes = consumer.metric("votestream_stream_bytes", "partition=\"0\"").await;
        bytes.filter(|bytes| *bytes > 0.0).ok_or(bytes)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_voters_are_not_all_new_is_told_of() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.spawn(&[]);
    consumer.ready().await;
    let first = deployment.ballots(8);
    deployment.add(&first).await;
    deployment.settles_at(8).await;
    reaches(&consumer, "votestream_refused_inserts_total", "", 0.0).await;

    // The register is gone, as after Redis lost its data.
    let again: Vec<_> = first.iter().map(|b| ballot(&deployment.poll, b.voter, 2)).collect();
    deployment.add(&again).await;
    reaches(&consumer, "votestream_refused_inserts_total", "", 1.0).await;
    reaches(&consumer, "votestream_votes_total", "unchanged", 8.0).await;
    reaches(&consumer, "votestream_votes_total", "\"counted", 8.0).await;
    reaches(&consumer, "votestream_dead_letters_total", "", 0.0).await;
}

/// Whoever reads the logs of either side learns neither voters nor choices.
#[tokio::test(flavor = "multi_thread")]
async fn no_log_says_who_voted_or_for_what() {
    let mut server = testkit::own_postgres().await;
    let database_url = testkit::create_database(&server).await;
    let deployment =
        TestDeployment::on(testkit::redis(), database_url, 2, json!({"vote_policy": "replace"}))
            .await;
    let consumer = deployment.spawn(&[]);
    consumer.ready().await;
    let first = deployment.ballots(8);
    deployment.add(&first).await;
    deployment.settles_at(8).await;
    // Voters who replace their vote, and choices that the poll does not have.
    let again: Vec<_> = first.iter().map(|b| ballot(&deployment.poll, b.voter, 2)).collect();
    deployment.add(&again).await;
    reaches(&consumer, "votestream_refused_inserts_total", "", 1.0).await;
    let odd = ballot(&deployment.poll, first[0].voter, 1 << 40);
    deployment.add(&[odd]).await;
    crate::support::wait_for_dead_letters(&deployment, 1).await;
    let theirs = std::fs::read_to_string(server.process().log()).unwrap();
    assert!(theirs.contains("duplicate key value"), "{theirs}");
    let ours = std::fs::read_to_string(consumer.process.log()).unwrap();
    assert!(ours.contains("moving an entry to the dead letters"), "{ours}");
    for log in [theirs, ours] {
        for ballot in &first {
            assert!(!log.contains(&ballot.voter.to_string()), "{log}");
            assert!(!log.contains(&ballot.voter.0.to_string()), "{log}");
        }
        assert!(!log.contains(&(1_u64 << 40).to_string()), "{log}");
    }
}
