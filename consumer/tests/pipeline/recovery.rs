//! Consumers that crash, freeze or lose their connection with entries in hand.

mod abandoned;
mod output_limit;

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use rustix::process::Signal;
use testkit::{database, eventually, own_redis};
use tokio_postgres::Client;
use votestream_consumer::pipeline::batch;
use votestream_consumer::streams::Streams;
use votestream_service::config::RedisArgs;
use votestream_service::redis::{Connection, Manager};

use crate::support::{CLAIM_SOON, Program, SOON, TestDeployment, voters};

/// A lock that keeps every consumer from counting until it is released or dropped.
struct Barrier(Client);

impl Barrier {
    async fn new(deployment: &TestDeployment) -> Self {
        let sql = deployment.sql().await;
        sql.batch_execute("BEGIN; LOCK TABLE votes IN EXCLUSIVE MODE").await.unwrap();
        Self(sql)
    }

    async fn open(self) {
        self.0.batch_execute("COMMIT").await.unwrap();
    }
}

async fn connection(deployment: &TestDeployment) -> Connection {
    let args = RedisArgs {
        redis_url: deployment.redis_url.parse().unwrap(),
        redis_url_file: None,
        redis_cluster: false,
        redis_ca_file: None,
        key_prefix: String::new(),
    };
    Manager::new(&args).unwrap().connect(Duration::from_secs(5)).await.unwrap()
}

/// Reads all entries under the name of a consumer that then disappears.
async fn read_and_vanish(
    deployment: &TestDeployment,
    name: &str,
) -> Vec<votestream_consumer::streams::entry::Entry> {
    let mut connection = connection(deployment).await;
    let streams = Streams::new(deployment.keys.clone(), &[0, 1], name.to_owned());
    streams.create_groups(&mut connection).await.unwrap();
    let read = streams.read_new(&mut connection, 0, 10_000).await;
    read.unwrap().entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_commit_and_acknowledgement_counts_nobody_twice() {
    let deployment = TestDeployment::new().await;
    deployment.add(&deployment.ballots(60)).await;
    let entries = read_and_vanish(&deployment, "crashed").await;
    assert_eq!(entries.len(), 60);
    let (store, polls) = deployment.store(10_000).await;
    let batch = batch::sort(&entries, &polls);
    let counted = store.count(&batch.votes, &batch.set_aside).await.unwrap().counted;
    assert_eq!((counted.counted, counted.replaced, counted.unchanged), (60, 0, 0));
    assert_eq!(deployment.in_flight(&mut deployment.redis().await).await, (60, 60));

    let consumer = deployment.start(CLAIM_SOON);
    deployment.settles_at(60).await;
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_read_loses_nobody() {
    let deployment = TestDeployment::new().await;
    deployment.add(&deployment.ballots(60)).await;
    assert_eq!(read_and_vanish(&deployment, "crashed").await.len(), 60);
    let consumer = deployment.start(CLAIM_SOON);
    deployment.settles_at(60).await;
    assert!(consumer.stop().await);
}

/// Starts two consumer processes, each with delivered entries that it cannot count.
async fn two_with_entries_in_hand(
    deployment: &TestDeployment,
    redis: &mut MultiplexedConnection,
) -> [Program; 2] {
    let spawn = |name: &str| {
        let name = format!("--consumer-name={name}");
        deployment.spawn(&[CLAIM_SOON, &["--batch-max=8", &name]].concat())
    };
    let two = [spawn("first"), spawn("second")];
    for program in &two {
        program.ready().await;
    }
    let holds = |pending: &std::collections::BTreeMap<String, u64>, name: &str| {
        pending.iter().any(|(consumer, n)| consumer.starts_with(name) && *n > 0)
    };
    eventually(SOON, async || {
        deployment.add(&deployment.ballots(4)).await;
        let pending = deployment.pending(redis).await;
        if holds(&pending, "first") && holds(&pending, "second") { Ok(()) } else { Err(pending) }
    })
    .await;
    two
}

async fn added(deployment: &TestDeployment, redis: &mut MultiplexedConnection) -> usize {
    deployment.in_flight(redis).await.0 as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_consumers_the_survivor_claims_what_the_killed_one_held() {
    let deployment = TestDeployment::new().await;
    let mut redis = deployment.redis().await;
    let barrier = Barrier::new(&deployment).await;
    let [mut first, second] = two_with_entries_in_hand(&deployment, &mut redis).await;
    let people = added(&deployment, &mut redis).await;
    first.process.kill();
    let held = deployment.pending(&mut redis).await;
    barrier.open().await;
    deployment.settles_at(people).await;
    let claimed = second.metric("votestream_claimed_entries_total", "").await.unwrap();
    assert!(claimed >= 1.0, "{claimed} claimed, held before: {held:?}");
}

/// It freezes while a statement runs. Its transaction must not block the other consumer, and after it resumes it must not
/// change any result.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_frozen_for_longer_than_the_claim_time_does_no_harm() {
    let deployment = TestDeployment::new().await;
    let mut redis = deployment.redis().await;
    let barrier = Barrier::new(&deployment).await;
    let [mut first, second] = two_with_entries_in_hand(&deployment, &mut redis).await;
    let people = added(&deployment, &mut redis).await;
    // Its upsert waits for the lock now; it will run but not be committed.
    let sql = deployment.sql().await;
    eventually(SOON, async || {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database =
            (SELECT oid FROM pg_database WHERE datname = current_database())";
        let waiting: i64 = sql.query_one(waiting, &[]).await.unwrap().get(0);
        waiting == 2
    })
    .await;
    first.process.signal(Signal::STOP);
    barrier.open().await;
    deployment.settles_at(people).await;

    first.process.signal(Signal::CONT);
    let retried = async || {
        let counted = first.metric("votestream_votes_total", "").await;
        counted.filter(|n| *n > 0.0).ok_or(counted)
    };
    eventually(SOON, retried).await;
    deployment.add(&deployment.ballots(50)).await;
    deployment.settles_at(people + 50).await;
    assert!(second.process.pid() != first.process.pid());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_killed_again_and_again_under_load_counts_everybody_once() {
    let deployment = TestDeployment::new().await;
    let sql = deployment.sql().await;
    let mut people = 0;
    for round in 0..3 {
        let arguments = [CLAIM_SOON, &["--batch-max=20", "--linger-ms=0"]].concat();
        let mut consumer = deployment.spawn(&arguments);
        deployment.add(&deployment.ballots(1_500)).await;
        people += 1_500;
        // The crash comes in the middle of counting.
        eventually(SOON, async || {
            voters(&sql, &deployment.poll).await > people - 1_500 + 200 * (round + 1)
        })
        .await;
        consumer.process.kill();
    }
    let consumer = deployment.start(CLAIM_SOON);
    deployment.settles_at(people as usize).await;
    assert!(consumer.stop().await);
}

/// The connection is lost while a batch is counted, so the batch cannot be acknowledged. The entries are not stale for half
/// a minute, so the consumer itself must find them among its own pending ones.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_step_a_consumer_reads_its_own_pending_entries() {
    let server = own_redis();
    let deployment =
        TestDeployment::on(server.url(), database().await, 1, serde_json::json!({})).await;
    let consumer = deployment.start(&["--claim-idle-ms=600000"]);
    consumer.ready().await;
    let mut redis = deployment.redis().await;
    let before = eventually(SOON, async || {
        let names = deployment.consumers(&mut redis).await;
        (names.len() == 1).then_some(names)
    })
    .await;
    let barrier = Barrier::new(&deployment).await;
    deployment.add(&deployment.ballots(30)).await;
    deployment.pending_is(30).await;
    server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).unwrap();
    barrier.open().await;
    let sql = deployment.sql().await;
    eventually(SOON, async || voters(&sql, &deployment.poll).await == 30).await;
    deployment.settles_at(30).await;
    assert_eq!(deployment.consumers(&mut deployment.redis().await).await, before);
    assert!(consumer.stop().await);
}
