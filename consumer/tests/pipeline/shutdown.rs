//! SIGTERM: a consumer finishes the batch in hand, and the other replicas continue.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use testkit::{create_database, eventually, own_postgres};

use crate::support::{SOON, TestDeployment, voters};

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_told_to_stop_under_load_leaves_nothing_pending_and_others_go_on() {
    let deployment = TestDeployment::new().await;
    let sql = deployment.sql().await;
    let arguments = |name| ["--batch-max=20", "--linger-ms=0", name];
    let mut leaving = deployment.spawn(&arguments("--consumer-name=leaving"));
    let staying = deployment.spawn(&arguments("--consumer-name=staying"));
    leaving.ready().await;
    staying.ready().await;
    let people = 6_000;
    deployment.add(&deployment.ballots(people)).await;
    eventually(SOON, async || voters(&sql, &deployment.poll).await > 200).await;

    let told = Instant::now();
    leaving.process.signal(Signal::TERM);
    assert!(leaving.process.wait(Duration::from_secs(10)), "the grace period is 10 s");
    assert!(leaving.process.exit_status().unwrap().success());
    assert!(told.elapsed() < Duration::from_secs(10));
    let mut redis = deployment.redis().await;
    assert!(
        (voters(&sql, &deployment.poll).await as usize) < people,
        "it was told in the middle of it"
    );
    let names = deployment.consumers(&mut redis).await;
    assert!(names.iter().all(|name| name.starts_with("staying")), "{names:?}");
    let pending = deployment.pending(&mut redis).await;
    assert!(pending.keys().all(|name| name.starts_with("staying")), "{pending:?}");

    deployment.settles_at(people).await;
    assert!(deployment.dead_letters().await.is_empty());
    assert!(staying.metric("votestream_votes_total", "counted").await.unwrap() > 0.0);
}

/// For half of the grace period the consumer waits for Postgres; then it leaves its entries to other replicas.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_told_to_stop_while_postgres_is_away_stops_in_time_and_loses_nothing() {
    let mut postgres = own_postgres().await;
    let database = create_database(&postgres).await;
    let deployment = TestDeployment::on(testkit::redis(), database, 1, json!({})).await;
    let consumer = deployment.start(&["--shutdown-grace-ms=3000"]);
    consumer.ready().await;
    postgres.kill();
    deployment.add(&deployment.ballots(30)).await;
    deployment.pending_is(30).await;
    let told = Instant::now();
    assert!(consumer.stop().await, "it ends within its grace period");
    assert!(told.elapsed() < Duration::from_secs(3));
    let mut redis = deployment.redis().await;
    assert_eq!(deployment.pending(&mut redis).await.values().sum::<u64>(), 30);
    assert!(deployment.dead_letters().await.is_empty());

    postgres.restart().unwrap();
    let heir = deployment.start(crate::support::CLAIM_SOON);
    deployment.settles_at(30).await;
    assert!(heir.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_first_ballot_nor_a_stop_waits_for_more_to_come() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.start(&["--linger-ms=600000"]);
    consumer.ready().await;
    deployment.add(&deployment.ballots(1)).await;
    deployment.settles_at(1).await;
    assert!(consumer.stop().await);
}
