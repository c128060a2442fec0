//! The ballots that each setting of DURABILITY keeps when Redis is killed, and those that it loses.

use testkit::{eventually, own_redis_with};
use votestream_loadtest::{Report, Stop};

use crate::deployment::{Deployment, SOON, drive, expect_kept};

/// Lets ballots be acknowledged while no consumer runs, kills Redis at once, and starts it and a consumer again.
async fn acknowledged_then_killed(durability: &str, appended: &str) -> (Report, u64) {
    let mut redis = own_redis_with(|options| {
        options.settings.push(("appendonly".to_owned(), appended.to_owned()));
    });
    let deployment = Deployment::on(&redis.url(), &[("DURABILITY", durability)]).await;
    // A consumer copies the poll to Redis, and then ends: without it no ballot is counted before the kill.
    let mut consumer = deployment.started("consumer").await;
    let (producer, dashboard) =
        (deployment.started("producer").await, deployment.started("dashboard").await);
    consumer.terminate();
    consumer.ended().await;
    let mut config = deployment.load(producer.port, Some(dashboard.port), 300.0, 2.0);
    config.drain_time_max = std::time::Duration::from_secs(12);
    let load = tokio::spawn(drive(config, Stop::default()));
    let entries = || {
        let keys = votestream_schema::Keys::default();
        let length = |p| redis.command(&["XLEN", &keys.stream(p)]).ok()?.trim().parse().ok();
        (0..6).map(|p| length(p).unwrap_or(0_u64)).sum::<u64>()
    };
    // When the load is over, every voter has an answer.
    let mut last = 0;
    eventually(SOON, async || {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        let before = std::mem::replace(&mut last, entries());
        last > 100 && last == before
    })
    .await;
    redis.kill();
    redis.restart().unwrap();
    let consumer = deployment.started("consumer").await;
    let report = load.await.unwrap();
    drop((consumer, producer, dashboard));
    (report, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn fsync_keeps_every_acknowledged_ballot_when_redis_is_killed() {
    let (report, entries) = acknowledged_then_killed("fsync", "yes").await;
    expect_kept(&report);
    assert_eq!(report.audit.acknowledged_voters, entries, "all of them were at stake");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_loses_what_was_not_counted_yet_and_the_audit_says_so() {
    let (report, entries) = acknowledged_then_killed("memory", "no").await;
    assert_eq!(report.audit.findings.lost, entries, "{:?}", report.audit);
    assert_eq!(report.verdict.exit_code, 2);
}
