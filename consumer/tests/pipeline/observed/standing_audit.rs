//! The standing audit while ballots are on their way, and while the clock of a replica is wrong.

use serde_json::json;
use testkit::eventually;
use votestream_schema::codec;

use crate::support::{SOON, TestDeployment, create_poll};

/// Adds ballots as producers do: each partition gets its entries and their count in one atomic step.
async fn accept(deployment: &TestDeployment, n: usize) {
    let ballots = deployment.ballots(n);
    let mut redis = deployment.redis().await;
    for partition in 0..deployment.partitions {
        let mut step = redis::pipe();
        step.atomic();
        let mut accepted = 0;
        for ballot in
            ballots.iter().filter(|it| it.voter.partition(deployment.partitions) == partition)
        {
            let add = step.cmd("XADD").arg(deployment.keys.stream(partition)).arg("*");
            add.arg(codec::FIELD_BALLOT).arg(codec::encode(ballot));
            accepted += 1;
        }
        let count = step.cmd("HINCRBY").arg(deployment.keys.accepted(partition));
        count.arg(deployment.poll.id.0).arg(accepted);
        step.exec_async(&mut redis).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ballots_on_their_way_hide_no_loss_and_are_no_loss() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.spawn(&["--audit-ms=100", "--batch-max=16"]);
    consumer.ready().await;
    // Three ballots are lost, and new ones come in all the time: many more than those that are lost.
    accept(&deployment, 10).await;
    deployment.settles_at(10).await;
    let sql = deployment.sql().await;
    let one = "(SELECT ctid FROM votes LIMIT 3)";
    sql.batch_execute(&format!("DELETE FROM votes WHERE ctid IN (SELECT unnest(ARRAY{one}))"))
        .await
        .unwrap();
    sql.batch_execute("UPDATE poll_tally SET voters = voters - 3").await.unwrap();
    let mut seen = Vec::new();
    eventually(2 * SOON, async || {
        accept(&deployment, 40).await;
        deployment.audit_is_due().await;
        let missing = consumer.metric("votestream_audit_missing_ballots", "").await;
        let time = consumer.metric("votestream_audit_timestamp_seconds", "").await;
        if time.is_some() && seen.last() != Some(&(time, missing)) {
            seen.push((time, missing));
        }
        // The first audits may have ended before the loss.
        let found = seen.iter().filter(|(_, missing)| *missing == Some(3.0)).count();
        let wrong = seen.iter().filter(|(_, missing)| missing.is_some_and(|n| n > 3.0)).count();
        assert_eq!(wrong, 0, "ballots on their way are no loss: {seen:?}");
        if found >= 1 { Ok(()) } else { Err(seen.clone()) }
    })
    .await;
    let surplus = consumer.metric("votestream_audit_surplus_ballots", "").await;
    assert_eq!(surplus, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_clock_is_ahead_puts_off_no_audit() {
    let deployment = TestDeployment::new().await;
    // The result of an audit that ended in three hours, by the clock of the replica that stored it.
    let in_three_hours = votestream_schema::poll::now_ms() + 3 * 3_600_000;
    let mut redis = deployment.redis().await;
    let mut store = redis::cmd("HSET");
    store.arg(deployment.keys.audit()).arg("ended_ms").arg(in_three_hours);
    store.exec_async(&mut redis).await.unwrap();
    let consumer = deployment.spawn(&["--audit-ms=500"]);
    eventually(SOON, async || {
        let ended = consumer.metric("votestream_audit_timestamp_seconds", "").await;
        let now = votestream_schema::poll::now_ms() as f64 / 1e3;
        match ended {
            Some(ended) if ended > now - 60.0 && ended < now + 60.0 => Ok(()),
            other => Err(other),
        }
    })
    .await;
}

/// Postgres ends transactions that have no statement for as long as a statement may run.
#[tokio::test(flavor = "multi_thread")]
async fn registers_may_take_longer_to_read_than_a_transaction_may_wait() {
    let deployment = TestDeployment::new().await;
    for n in 0..6 {
        create_poll(&mut deployment.sql().await, json!({ "slug": format!("more-{n}") })).await;
    }
    let consumer = deployment.spawn(&["--statement-timeout-ms=200", "--audit-ms=500"]);
    eventually(SOON, async || {
        let ended = consumer.metric("votestream_audit_timestamp_seconds", "").await;
        ended.filter(|ended| *ended > 0.0)
    })
    .await;
}
