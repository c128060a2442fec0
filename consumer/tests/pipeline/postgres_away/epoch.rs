//! A database that was restored to an earlier state while Redis was kept.

use testkit::eventually;
use votestream_schema::db;
use votestream_schema::poll_copy::cmd;
use votestream_schema::projection::epoch;

use crate::support::{SOON, TestDeployment, voters};

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_counts_nothing_until_it_is_settled() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.start(&[]);
    consumer.ready().await;
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;
    assert!(consumer.stop().await);

    // As a backup of ten minutes ago has it.
    let sql = deployment.sql().await;
    sql.batch_execute("UPDATE waiting SET generation = generation - 600000").await.unwrap();
    let consumer = deployment.start(&[]);
    let told = eventually(SOON, async || match consumer.health.ready() {
        Err(closed) if closed.get("deployment").is_some_and(|why| why.contains("resync")) => {
            Ok(closed["deployment"].clone())
        }
        other => Err(other),
    })
    .await;
    assert!(told.contains("restored to an earlier state"), "{told}");
    deployment.add(&deployment.ballots(5)).await;
    // Producers read the reason in Redis.
    let mut redis = deployment.redis().await;
    let noted = cmd(&epoch::noted(&deployment.keys));
    let noted: Option<String> = noted.query_async(&mut redis).await.unwrap();
    assert_eq!(noted.as_ref(), Some(&told));
    // Dashboards read it in Postgres, and call nothing complete.
    let row = sql.query_one("SELECT mismatch, complete_to_ms FROM progress", &[]).await.unwrap();
    assert_eq!((row.get::<_, Option<String>>(0), row.get::<_, Option<i64>>(1)), (Some(told), None));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(voters(&sql, &deployment.poll).await, 10, "nothing is counted");

    // `votectl resync` renews both.
    let (epoch, generation) =
        cmd(&epoch::read(&deployment.keys)).query_async(&mut redis).await.unwrap();
    let stamp = db::epoch::renew(&sql, epoch::parse(epoch, generation).generation).await.unwrap();
    cmd(&epoch::store(&deployment.keys, &stamp)).exec_async(&mut redis).await.unwrap();
    deployment.settles_at(15).await;
    consumer.ready().await;
    let noted = cmd(&epoch::noted(&deployment.keys));
    let noted: Option<String> = noted.query_async(&mut redis).await.unwrap();
    assert_eq!(noted, None, "producers take ballots again");
    let row = sql.query_one("SELECT mismatch, complete_to_ms FROM progress", &[]).await.unwrap();
    assert!(row.get::<_, Option<String>>(0).is_none() && row.get::<_, Option<i64>>(1).is_some());
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_was_slow_does_not_undo_a_new_epoch() {
    let deployment = TestDeployment::new().await;
    let consumer = deployment.start(&[]);
    consumer.ready().await;
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;

    // The consumer has read the epoch, and waits for Postgres before it copies it to Redis. Then `votectl resync` renews both.
    let (mut sql, watching) = (deployment.sql().await, deployment.sql().await);
    let renewing = sql.transaction().await.unwrap();
    renewing.execute("SELECT FROM waiting FOR UPDATE", &[]).await.unwrap();
    let waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually(SOON, async || {
        let waiting = watching.query(waits, &[]).await.unwrap().len();
        (waiting > 0).then_some(()).ok_or("nobody waits")
    })
    .await;
    let stamp = db::epoch::renew(renewing.client(), 0).await.unwrap();
    let mut redis = deployment.redis().await;
    cmd(&epoch::store(&deployment.keys, &stamp)).exec_async(&mut redis).await.unwrap();
    renewing.commit().await.unwrap();

    deployment.add(&deployment.ballots(5)).await;
    deployment.settles_at(15).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    consumer.ready().await;
    let (epoch, generation) =
        cmd(&epoch::read(&deployment.keys)).query_async(&mut redis).await.unwrap();
    assert_eq!(epoch::parse(epoch, generation).epoch, stamp.epoch);
    assert!(consumer.stop().await);
}
