//! Entries that Redis would deliver to nobody, after an operator's command or a refused removal.

use testkit::eventually;

use crate::support::{CLAIM_SOON, SOON, TestDeployment};
use votestream_schema::keys::GROUP;

/// Makes all entries of a deployment pending under the name of a consumer that does not run.
pub(super) async fn deliver_to_nobody(deployment: &TestDeployment) {
    let mut redis = deployment.redis().await;
    for partition in 0..deployment.partitions {
        let stream = deployment.keys.stream(partition);
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&stream).arg(GROUP).arg("0").arg("MKSTREAM");
        create.exec_async(&mut redis).await.unwrap();
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg("gone").arg("COUNT").arg(10_000);
        read.arg("STREAMS").arg(&stream).arg(">").exec_async(&mut redis).await.unwrap();
    }
}

async fn in_each_stream(deployment: &TestDeployment, command: &str, arguments: &[&str]) {
    let mut redis = deployment.redis().await;
    for partition in 0..deployment.partitions {
        let mut send = redis::cmd("XGROUP");
        send.arg(command).arg(deployment.keys.stream(partition)).arg(GROUP).arg(arguments);
        send.exec_async(&mut redis).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_consumer_that_was_deleted_by_hand_are_counted() {
    let deployment = TestDeployment::new().await;
    // More than one call looks at, and more than a batch holds.
    deployment.add(&deployment.ballots(1_300)).await;
    deliver_to_nobody(&deployment).await;
    in_each_stream(&deployment, "DELCONSUMER", &["gone"]).await;
    assert_eq!(deployment.in_flight(&mut deployment.redis().await).await, (1_300, 0));
    let consumer = deployment.spawn(&[CLAIM_SOON, &["--batch-max=200"]].concat());
    deployment.settles_at(1_300).await;
    let taken = async || consumer.metric("votestream_abandoned_entries_total", "").await;
    eventually(SOON, async || taken().await.filter(|n| *n == 1_300.0).ok_or(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_consumer_finds_what_an_operator_skipped_within_a_minute() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.start(CLAIM_SOON);
    consumer.ready().await;
    deployment.settles_at(0).await;
    // The group's position is far beyond every entry, so that Redis delivers none of them.
    in_each_stream(&deployment, "SETID", &["99999999999999-0"]).await;
    deployment.add(&deployment.ballots(40)).await;
    deployment.settles_at(40).await;
    // The position was repaired, so later entries are delivered at once.
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(50).await;
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_acknowledged_and_not_removed_is_removed() {
    let deployment = TestDeployment::new().await;
    deployment.add(&deployment.ballots(30)).await;
    deliver_to_nobody(&deployment).await;
    let mut redis = deployment.redis().await;
    for partition in 0..deployment.partitions {
        let stream = deployment.keys.stream(partition);
        let mut range = redis::cmd("XRANGE");
        range.arg(&stream).arg("-").arg("+");
        let entries: Vec<(String, redis::Value)> = range.query_async(&mut redis).await.unwrap();
        let mut ack = redis::cmd("XACK");
        ack.arg(&stream).arg(GROUP);
        for (id, _) in entries {
            ack.arg(id);
        }
        ack.exec_async(&mut redis).await.unwrap();
    }
    let consumer = deployment.start(CLAIM_SOON);
    deployment.settles_at(30).await;
    assert!(consumer.stop().await);
}
