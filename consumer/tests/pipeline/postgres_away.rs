//! A database that is down, frozen or restarting never makes a ballot a dead letter.

mod epoch;
mod stalls;

use serde_json::json;
use testkit::{create_database, eventually, own_postgres};

use crate::support::{SOON, TestDeployment, connect, voters};

#[tokio::test(flavor = "multi_thread")]
async fn a_long_outage_leaves_no_dead_letter_and_everything_is_counted_afterwards() {
    let mut postgres = own_postgres().await;
    let database = create_database(&postgres).await;
    let deployment = TestDeployment::on(testkit::redis(), database, 2, json!({})).await;
    assert!(postgres.stop());
    // The consumer starts while Postgres is away.
    let consumer = deployment.spawn(&[]);
    let alive = async || consumer.ask("/healthz").await.filter(|(status, _)| *status == 200);
    eventually(SOON, alive).await;
    assert_eq!(consumer.ask("/readyz").await.unwrap().0, 503);
    deployment.add(&deployment.ballots(100)).await;
    postgres.restart().unwrap();
    deployment.settles_at(100).await;
    consumer.ready().await;

    // It is killed this time, without closing its connections.
    postgres.kill();
    deployment.add(&deployment.ballots(200)).await;
    eventually(SOON, async || match consumer.ask("/readyz").await {
        Some((503, body)) if body.contains("postgres") => Ok(()),
        other => Err(other),
    })
    .await;
    // Long enough for an attempt to have failed.
    eventually(SOON, async || {
        let retries = consumer.metric("votestream_retries_total", "postgres").await;
        retries.filter(|n| *n > 0.0).ok_or(retries)
    })
    .await;
    let (status, body) = consumer.ask("/readyz").await.unwrap();
    assert_eq!(status, 503);
    assert!(!body.contains("redis"), "Redis is not to blame: {body}");
    assert!(alive().await.is_some(), "restarting the consumer would not bring Postgres back");
    assert_eq!(consumer.metric("votestream_dependency_up", "postgres").await, Some(0.0));
    assert_eq!(consumer.metric("votestream_dependency_up", "redis").await, Some(1.0));
    assert!(deployment.dead_letters().await.is_empty());
    assert_eq!(
        deployment.in_flight(&mut deployment.redis().await).await.0,
        200,
        "all are still there"
    );

    postgres.restart().unwrap();
    deployment.settles_at(300).await;
    consumer.ready().await;
    assert!(deployment.dead_letters().await.is_empty());
    assert_eq!(consumer.metric("votestream_dead_letters_total", "").await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_killed_or_frozen_in_the_middle_of_it_counts_everybody_once() {
    let mut postgres = own_postgres().await;
    let database = create_database(&postgres).await;
    let deployment = TestDeployment::on(testkit::redis(), database, 2, json!({})).await;
    let brisk = ["--batch-max=20", "--linger-ms=0", "--statement-timeout-ms=500"];
    let consumers = [deployment.start(&brisk), deployment.start(&brisk)];
    let mut people = 0;
    for _ in 0..2 {
        let sql = deployment.sql().await;
        deployment.add(&deployment.ballots(2_000)).await;
        people += 2_000;
        let some = people - 2_000 + 300;
        eventually(SOON, async || voters(&sql, &deployment.poll).await > some).await;
        postgres.kill();
        postgres.restart().unwrap();
        let back = async || connect(&deployment.database_url).await.map(drop);
        eventually(SOON, back).await;
    }
    deployment.settles_at(people as usize).await;

    // A frozen server answers nothing and enforces no time-out of its own.
    let sql = deployment.sql().await;
    deployment.add(&deployment.ballots(2_000)).await;
    eventually(SOON, async || voters(&sql, &deployment.poll).await > people + 300).await;
    postgres.freeze();
    eventually(SOON, async || match consumers[0].health.ready() {
        Err(reasons) if reasons.contains_key("postgres") => Ok(()),
        other => Err(other),
    })
    .await;
    postgres.thaw();
    deployment.settles_at(people as usize + 2_000).await;
    assert!(deployment.dead_letters().await.is_empty());
    for consumer in consumers {
        assert!(consumer.stop().await);
    }
}

/// A real disk is not filled here: a trigger fails with the error of a full one.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_counts_nobody_twice() {
    let postgres = own_postgres().await;
    let deployment =
        TestDeployment::on(testkit::redis(), create_database(&postgres).await, 2, json!({})).await;
    let consumer = deployment.spawn(&[]);
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;
    let is_full = async |wanted: f64| {
        eventually(SOON, async || {
            match consumer.metric("votestream_postgres_disk_full", "").await {
                Some(found) if found == wanted => Ok(()),
                other => Err(other),
            }
        })
        .await;
    };
    is_full(0.0).await;
    let sql = deployment.sql().await;
    sql.batch_execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE 'No space left on device' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON votes EXECUTE FUNCTION full_disk()",
    )
    .await
    .unwrap();
    deployment.add(&deployment.ballots(10)).await;
    is_full(1.0).await;
    sql.batch_execute("DROP FUNCTION full_disk CASCADE").await.unwrap();
    deployment.settles_at(20).await;
    is_full(0.0).await;
    assert!(deployment.dead_letters().await.is_empty());
}

/// Simulates a failover that left sessions open to the old server, which answers but refuses to write.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_became_read_only_are_given_up() {
    let postgres = own_postgres().await;
    let deployment =
        TestDeployment::on(testkit::redis(), create_database(&postgres).await, 2, json!({})).await;
    let consumer = deployment.spawn(&[]);
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;
    let sql = deployment.sql().await;
    let read_only = async |on: &str| {
        sql.batch_execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {on}"))
            .await
            .unwrap();
        sql.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    };
    read_only("on").await;
    eventually(SOON, async || {
        let told: String =
            sql.query_one("SHOW default_transaction_read_only", &[]).await.unwrap().get(0);
        told == "on"
    })
    .await;
    deployment.add(&deployment.ballots(20)).await;
    eventually(SOON, async || match consumer.ask("/readyz").await {
        Some((503, body)) if body.contains("postgres") => Ok(()),
        other => Err(other),
    })
    .await;
    sql.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    read_only("off").await;
    deployment.settles_at(30).await;
    consumer.ready().await;
    assert!(deployment.dead_letters().await.is_empty());
}

/// If commits were answered before they are on disk, a crash would lose votes whose entries are already removed.
#[tokio::test]
async fn a_commit_is_flushed_whatever_the_server_has_for_a_default() {
    for (default, used) in [("off", "on"), ("remote_apply", "remote_apply")] {
        let deployment = TestDeployment::new().await;
        let sql = deployment.sql().await;
        let name: String = sql.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
        let set = format!("ALTER DATABASE \"{name}\" SET synchronous_commit = {default}");
        sql.batch_execute(&set).await.unwrap();
        let pool = deployment.pool(2_000);
        let mut session = pool.get().await.unwrap();
        let session = session.begin().await.unwrap();
        let told: String = session.query_one("SHOW synchronous_commit", &[]).await.unwrap().get(0);
        assert_eq!(told, used);
    }
}

/// A batch that takes longer than the statement time-out is counted in smaller parts.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database_counts_slowly_and_does_not_stand_still() {
    let deployment = TestDeployment::new().await;
    let sql = deployment.sql().await;
    sql.batch_execute(
        "CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END $$; \
         CREATE TRIGGER slow BEFORE INSERT ON votes FOR EACH ROW EXECUTE FUNCTION be_slow()",
    )
    .await
    .unwrap();
    // All of them are in the streams before the consumer starts, so its first batches are large.
    deployment.add(&deployment.ballots(1_200)).await;
    let consumer = deployment.spawn(&["--statement-timeout-ms=500"]);
    deployment.settles_at(1_200).await;
    assert!(deployment.dead_letters().await.is_empty());
    let retries = consumer.metric("votestream_retries_total", "postgres").await;
    assert!(retries.is_some_and(|retries| retries > 0.0), "{retries:?}");
}

/// With its synchronous standby away, Postgres commits on its own disk only, and says so in a warning.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_no_standby_has_confirmed_is_not_acknowledged() {
    let postgres = own_postgres().await;
    let database = create_database(&postgres).await;
    let deployment = TestDeployment::on(testkit::redis(), database, 2, json!({})).await;
    let consumer = deployment.spawn(&["--statement-timeout-ms=500"]);
    consumer.ready().await;
    let sql = deployment.sql().await;
    let set_standby = async |name: &str| {
        // This session must not wait for the standby itself.
        sql.batch_execute("SET synchronous_commit = local").await.unwrap();
        sql.batch_execute(&format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"))
            .await
            .unwrap();
        sql.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    };
    set_standby("away").await;
    eventually(SOON, async || {
        let row = sql.query_one("SHOW synchronous_standby_names", &[]).await.unwrap();
        if row.get::<_, &str>(0) == "away" { Ok(()) } else { Err(()) }
    })
    .await;
    deployment.add(&deployment.ballots(5)).await;
    // Somebody cancels the wait of each commit, which then succeeds with a warning: the votes are committed here.
    let mut redis = deployment.redis().await;
    let (mut cancelled, mut committed) = (0, 0);
    while committed < 10 {
        let cancel =
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        cancelled += sql.query(cancel, &[]).await.unwrap().len();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(deployment.in_flight(&mut redis).await.0, 5, "the entries stay");
        // The first batch that was read may have fewer than five.
        committed += usize::from(voters(&sql, &deployment.poll).await >= 1);
        assert!(cancelled < 1_000, "no vote is ever committed");
    }
    set_standby("").await;
    deployment.settles_at(5).await;
}
