//! How far counting has come: a poll is complete only once every ballot that was accepted in time is settled.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;
use tokio_postgres::{Client, Transaction};
use votestream_schema::db::watermarks::{Progress, progress};
use votestream_schema::poll::now_ms;
use votestream_schema::register_contents::Registered;
use votestream_schema::register_contents::repair::send_again;
use votestream_schema::{EntryId, Poll, codec};

use crate::support::{SOON, TestDeployment};

async fn now(deployment: &TestDeployment) -> Progress {
    progress(&deployment.sql().await, deployment.poll.id).await.unwrap()
}

fn is_final(poll: &Poll, progress: Progress) -> bool {
    poll.is_final(progress.complete_to_ms, now_ms())
}

/// Closes the deployment's poll a moment from now, as votectl does.
async fn close(deployment: &TestDeployment) -> Poll {
    let closes_at_ms = now_ms() + 1_000;
    let poll = Poll {
        closes_at_ms: Some(closes_at_ms),
        revision: deployment.poll.revision + 1,
        ..deployment.poll.clone()
    };
    let sql = deployment.sql().await;
    votestream_schema::db::polls::set_times(&sql, &poll).await.unwrap();
    poll
}

async fn becomes_final(deployment: &TestDeployment, poll: &Poll) {
    eventually(SOON, async || {
        let progress = now(deployment).await;
        if is_final(poll, progress) { Ok(()) } else { Err(progress) }
    })
    .await;
}

/// A deployment in which three ballots are counted, and whose consumer has stopped.
async fn counted_and_stopped() -> TestDeployment {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.start(&[]);
    consumer.ready().await;
    deployment.add(&deployment.ballots(3)).await;
    deployment.settles_at(3).await;
    assert!(consumer.stop().await);
    deployment
}

/// Keeps everybody else from counting votes until it ends.
async fn busy(sql: &mut Client) -> Transaction<'_> {
    let lock = sql.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE votes IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    lock
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_poll_whose_last_ballots_wait_is_not_final() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.start(&[]);
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;
    eventually(SOON, async || match now(&deployment).await.waiting {
        Some(0) => Ok(()),
        other => Err(other),
    })
    .await;
    assert!(consumer.stop().await);

    // Nobody counts; 40 more ballots are accepted, and the poll closes.
    deployment.add(&deployment.ballots(40)).await;
    let poll = close(&deployment).await;
    let closes_at_ms = poll.closes_at_ms.unwrap();
    while now_ms() < closes_at_ms + 500 {
        let progress = now(&deployment).await;
        assert!(progress.complete_to_ms < Some(closes_at_ms), "{progress:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What was known of the waiting ballots is too old to be true.
    eventually(SOON, async || match now(&deployment).await.waiting {
        None => Ok(()),
        other => Err(other),
    })
    .await;

    let consumer = deployment.start(&[]);
    becomes_final(&deployment, &poll).await;
    deployment.settles_at(50).await;
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_final_soon_after_its_end_even_if_nobody_voted_lately() {
    let deployment = TestDeployment::new().await;
    // Rarely measured, but for the closing time.
    let consumer = deployment.start(&["--monitor-ms=3000"]);
    consumer.ready().await;
    deployment.add(&deployment.ballots(3)).await;
    deployment.settles_at(3).await;
    let poll = close(&deployment).await;
    becomes_final(&deployment, &poll).await;
    // No later entry of any partition can have an ID before the end.
    let mut redis = deployment.redis().await;
    for partition in 0..deployment.partitions {
        let mut add = redis::cmd("XADD");
        add.arg(deployment.keys.stream(partition))
            .arg(format!("{}-0", poll.closes_at_ms.unwrap() - 1));
        add.arg("ballot").arg("late");
        let refused = add.query_async::<String>(&mut redis).await.unwrap_err();
        assert!(refused.to_string().contains("equal or smaller"), "{refused}");
    }
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ballots_are_known_by_poll() {
    let deployment = TestDeployment::new().await;
    let mut sql = deployment.sql().await;
    let other = crate::support::create_poll(&mut sql, json!({})).await;
    let consumer = deployment.start(&[]);
    consumer.ready().await;
    // Postgres is busy: the table of votes is locked, and ballots wait.
    let lock = busy(&mut sql).await;
    deployment.add(&deployment.ballots(7)).await;
    let ballots: Vec<_> = (0..5)
        .map(|_| crate::support::ballot(&other, votestream_schema::VoterKey::new(), 1))
        .collect();
    deployment.add(&ballots).await;
    let client = deployment.sql().await;
    eventually(SOON, async || {
        let ours = progress(&client, deployment.poll.id).await.unwrap().waiting;
        let others = progress(&client, other.id).await.unwrap().waiting;
        if (ours, others) == (Some(7), Some(5)) { Ok(()) } else { Err((ours, others)) }
    })
    .await;
    lock.commit().await.unwrap();
    deployment.settles_at(7).await;
    assert!(consumer.stop().await);
}

/// Redis has gone back to an earlier state, so nobody knows which ballots are missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_of_redis_keeps_a_poll_from_being_final_until_somebody_has_taken_note() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.start(&[]);
    consumer.ready().await;
    deployment.add(&deployment.ballots(20)).await;
    deployment.settles_at(20).await;
    let sql = deployment.sql().await;
    eventually(SOON, async || {
        let seen = votestream_schema::db::positions::seen(&sql).await.unwrap();
        let added: i64 = seen.values().map(|position| position.added).sum();
        if added == 20 { Ok(()) } else { Err(added) }
    })
    .await;
    // As if the stream had been further once. A newer Redis refuses to move a stream back itself.
    let further = "UPDATE stream_positions SET added = added + 5 WHERE partition = 0";
    assert_eq!(sql.execute(further, &[]).await.unwrap(), 1);
    eventually(SOON, async || {
        let found = votestream_schema::db::positions::regressions(&sql).await.unwrap();
        if found.is_empty() { Err(()) } else { Ok(()) }
    })
    .await;
    let poll = close(&deployment).await;
    while now_ms() < poll.closes_at_ms.unwrap() + 1_500 {
        assert!(!is_final(&poll, now(&deployment).await));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    votestream_schema::db::positions::acknowledge_regressions(&sql, now_ms()).await.unwrap();
    becomes_final(&deployment, &poll).await;
    assert!(consumer.stop().await);
}

/// As after an outage that lasted longer than the end of the poll, or an update from a release without watermarks.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_closed_long_ago_becomes_final() {
    let ago = |ms| votestream_schema::poll::rfc3339(now_ms() - ms);
    let changes = json!({ "opens_at": ago(3_600_000), "closes_at": ago(300_000) });
    let deployment = TestDeployment::with_poll(changes).await;
    let mut redis = deployment.redis().await;
    for ballot in deployment.ballots(6) {
        let partition = ballot.voter.partition(deployment.partitions);
        let mut add = redis::cmd("XADD");
        add.arg(deployment.keys.stream(partition)).arg(format!("{}-*", now_ms() - 600_000));
        add.arg("ballot").arg(votestream_schema::codec::encode(&ballot));
        add.exec_async(&mut redis).await.unwrap();
    }
    let consumer = deployment.start(&[]);
    becomes_final(&deployment, &deployment.poll).await;
    deployment.settles_at(6).await;
    assert!(consumer.stop().await);
}

/// A stream that is too long to be searched may hold a ballot of an earlier time at its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_not_final_while_a_ballot_of_its_time_waits_behind_thousands_of_others() {
    let deployment = counted_and_stopped().await;
    // The poll closes. Many ballots of another poll come in, then one that the first had accepted is sent again.
    let mut sql = deployment.sql().await;
    let other = crate::support::create_poll(&mut sql, json!({})).await;
    let ours = deployment.ballot(1);
    let origin_ms = now_ms();
    let poll = close(&deployment).await;
    let closes_at_ms = poll.closes_at_ms.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let others: Vec<_> = (0..2 * 2_500)
        .map(|_| crate::support::ballot(&other, votestream_schema::VoterKey::new(), 1))
        .collect();
    deployment.add(&others).await;
    let partition = ours.voter.partition(deployment.partitions);
    let accepted = Registered {
        voter: ours.voter,
        choices: 1,
        tag: ours.id.tag(),
        entry: EntryId { ms: origin_ms, seq: 0 },
    };
    let (mut redis, place) = (deployment.redis().await, (partition, poll.id));
    let sent = send_again(&mut redis, &deployment.keys, place, &[accepted]).await.unwrap();
    assert_eq!(sent, 1);

    // Postgres is busy, and nothing is final.
    let lock = busy(&mut sql).await;
    let consumer = deployment.start(&[]);
    consumer.ready().await;
    while now_ms() < closes_at_ms + 4_000 {
        let progress = now(&deployment).await;
        assert!(progress.complete_to_ms < Some(closes_at_ms), "{progress:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    lock.rollback().await.unwrap();
    becomes_final(&deployment, &poll).await;
    deployment.settles_at(4).await;
    assert!(consumer.stop().await);
    let left: i64 = redis::cmd("EXISTS")
        .arg(deployment.keys.sent_again(partition))
        .query_async(&mut redis)
        .await
        .unwrap();
    assert_eq!(left, 0, "the mark goes when its last ballot is settled");
}

/// `votectl resync` and `votectl dead-letters replay` send ballots again that came in earlier.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_not_final_while_a_ballot_of_its_time_is_sent_again() {
    let deployment = counted_and_stopped().await;
    let mut sql = deployment.sql().await;
    // The poll closes while nobody counts. Then a ballot that came in before is sent again, and Postgres is busy.
    let lock = busy(&mut sql).await;
    let poll = close(&deployment).await;
    let closes_at_ms = poll.closes_at_ms.unwrap();
    let origin_ms = now_ms();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let ballot = deployment.ballot(1);
    let mut redis = deployment.redis().await;
    let mut add = redis::cmd("XADD");
    add.arg(deployment.keys.stream(ballot.voter.partition(deployment.partitions))).arg("*");
    add.arg(codec::FIELD_BALLOT).arg(codec::encode(&ballot));
    add.arg(codec::FIELD_ORIGIN).arg(format!("{origin_ms}-0"));
    let entry: String = add.query_async(&mut redis).await.unwrap();
    assert!(entry.as_str() > closes_at_ms.to_string().as_str(), "{entry} {closes_at_ms}");
    let consumer = deployment.start(&[]);
    consumer.ready().await;
    while now_ms() < closes_at_ms + 4_000 {
        let progress = now(&deployment).await;
        assert!(progress.complete_to_ms < Some(closes_at_ms), "{progress:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(now(&deployment).await.waiting, Some(1));
    lock.rollback().await.unwrap();
    becomes_final(&deployment, &poll).await;
    deployment.settles_at(4).await;
    assert!(consumer.stop().await);
}
