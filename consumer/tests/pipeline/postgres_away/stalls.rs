//! A consumer that counts nothing says so, and one that is cut off from Postgres writes no definitions.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;
use testkit::proxy::{Mode, Proxy};
use votestream_schema::poll_copy::cmd;
use votestream_schema::{Poll, projection};

use crate::support::{SOON, TestDeployment};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_counted_for_half_a_minute_is_told_with_its_reason() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.spawn(&["--statement-timeout-ms=500"]);
    consumer.ready().await;
    let barrier = deployment.sql().await;
    barrier.batch_execute("BEGIN; LOCK TABLE votes IN EXCLUSIVE MODE").await.unwrap();
    deployment.add(&deployment.ballots(20)).await;
    let told = eventually(2 * SOON, async || match consumer.ask("/readyz").await {
        Some((503, body)) if body.contains("counting") => Ok(body),
        other => Err(other),
    })
    .await;
    assert!(told.contains("nothing was counted for 3") && told.contains("entries wait"), "{told}");
    assert!(told.contains("postgres at 127.0.0.1:"), "the reason names the server: {told}");
    let stalled = consumer.metric("votestream_stream_stalled_seconds", "0").await;
    assert!(stalled.is_some_and(|seconds| seconds >= 25.0), "{stalled:?}");
    barrier.batch_execute("COMMIT").await.unwrap();
    deployment.settles_at(20).await;
    consumer.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_cut_off_from_postgres_writes_no_definitions() {
    let mut deployment = TestDeployment::new().await;
    let direct = deployment.database_url.clone();
    let port: u16 = direct.rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    let proxy = Proxy::open(vec![port]).await.unwrap();
    deployment.database_url = direct.replace(&port.to_string(), &proxy.port().to_string());
    let consumer = deployment.spawn(&[]);
    consumer.ready().await;

    // Somebody who reaches Postgres closes the poll while this consumer does not: the definition in Redis is newer.
    proxy.set(Mode::Cut);
    let closed = Poll { closes_at_ms: Some(1), revision: 2, ..deployment.poll.clone() };
    let mut redis = deployment.redis().await;
    let write = cmd(&projection::definition(&deployment.keys, &closed));
    write.exec_async(&mut redis).await.unwrap();
    eventually(SOON, async || match consumer.ask("/readyz").await {
        Some((503, body)) if body.contains("postgres") => Ok(()),
        other => Err(other),
    })
    .await;
    // Several rounds later it is still there.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let found: String = redis::cmd("HGET")
        .arg(deployment.keys.polls())
        .arg(closed.slug.as_str())
        .query_async(&mut redis)
        .await
        .unwrap();
    assert_eq!(projection::read_definition(&found).unwrap().revision, 2);

    // Once it reaches Postgres again, Postgres decides.
    proxy.set(Mode::Pass);
    eventually(SOON, async || {
        let found: String = redis::cmd("HGET")
            .arg(deployment.keys.polls())
            .arg(closed.slug.as_str())
            .query_async(&mut redis)
            .await
            .unwrap();
        let revision = projection::read_definition(&found).unwrap().revision;
        if revision == 1 { Ok(()) } else { Err(json!(revision)) }
    })
    .await;
}
