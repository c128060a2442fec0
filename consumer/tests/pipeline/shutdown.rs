//! SIGTERM: what is in hand is finished, and others go on.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use testkit::{create_database, eventually, own_postgres};

use crate::support::{SOON, Site, voters};

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_told_to_stop_under_load_leaves_nothing_pending_and_others_go_on() {
    let site = Site::new().await;
    let sql = site.sql().await;
    let arguments = |name| ["--batch-max=20", "--linger-ms=0", name];
    let mut leaving = site.spawn(&arguments("--consumer-name=leaving"));
    let staying = site.spawn(&arguments("--consumer-name=staying"));
    leaving.ready().await;
    staying.ready().await;
    let people = 6_000;
    site.add(&site.ballots(people)).await;
    eventually(SOON, async || voters(&sql, &site.poll).await > 200).await;

    let told = Instant::now();
    leaving.process.signal(Signal::TERM);
    assert!(leaving.process.wait(Duration::from_secs(10)), "the grace period is 10 s");
    assert!(leaving.process.exit_status().unwrap().success());
    assert!(told.elapsed() < Duration::from_secs(10));
    let mut redis = site.redis().await;
    assert!((voters(&sql, &site.poll).await as usize) < people, "it was told in the middle of it");
    let names = site.consumers(&mut redis).await;
    assert!(names.iter().all(|name| name.starts_with("staying")), "{names:?}");
    let pending = site.pending(&mut redis).await;
    assert!(pending.keys().all(|name| name.starts_with("staying")), "{pending:?}");

    site.settles_at(people).await;
    assert!(site.dead_letters().await.is_empty());
    assert!(staying.metric("votestream_votes_total", "counted").await.unwrap() > 0.0);
}

/// Half of the grace period is for Postgres to come back; then the entries are left to others.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_told_to_stop_while_postgres_is_away_stops_in_time_and_loses_nothing() {
    let mut postgres = own_postgres().await;
    let database = create_database(&postgres).await;
    let site = Site::on(testkit::redis(), database, 1, json!({})).await;
    let consumer = site.start(&["--shutdown-grace-ms=3000"]);
    consumer.ready().await;
    postgres.kill();
    site.add(&site.ballots(30)).await;
    site.pending_is(30).await;
    let told = Instant::now();
    assert!(consumer.stop().await, "it ends within its grace period");
    assert!(told.elapsed() < Duration::from_secs(3));
    let mut redis = site.redis().await;
    assert_eq!(site.pending(&mut redis).await.values().sum::<u64>(), 30);
    assert!(site.dead_letters().await.is_empty());

    postgres.restart().unwrap();
    let heir = site.start(crate::support::CLAIM_SOON);
    site.settles_at(30).await;
    assert!(heir.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_first_ballot_nor_a_stop_waits_for_more_to_come() {
    let site = Site::new().await;
    let consumer = site.start(&["--linger-ms=600000"]);
    consumer.ready().await;
    site.add(&site.ballots(1)).await;
    site.settles_at(1).await;
    assert!(consumer.stop().await);
}
