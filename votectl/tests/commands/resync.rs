use votestream_schema::poll::now_ms;
use votestream_schema::poll_copy::cmd;
use votestream_schema::projection::epoch::Stamp;
use votestream_schema::projection::{self, epoch};

use super::deployment::Deployment;

fn create(deployment: &Deployment, slug: &str) -> super::deployment::Said {
    let title = ["--title", "A poll", "--option", "A", "--option", "B", "--open", "--json"];
    deployment.run(&[&["poll", "create", "--slug", slug], &title[..]].concat())
}

/// Postgres was restored to a moment before the second poll was created, and Redis was kept.
#[tokio::test]
async fn after_a_restore_redis_follows_postgres_and_no_number_of_a_poll_returns() {
    let mut deployment = Deployment::new().await;
    let first = create(&deployment, "first").json()["poll"]["id"].as_i64().unwrap();
    let second = create(&deployment, "second").json()["poll"]["id"].as_i64().unwrap();
    let restore = format!(
        "DELETE FROM poll_secrets WHERE poll_id = {second}; DELETE FROM tally WHERE poll_id = {second}; DELETE FROM poll_tally WHERE poll_id = {second}; DELETE FROM options WHERE poll_id = {second}; DELETE FROM polls WHERE id = {second};
         SELECT setval(pg_get_serial_sequence('polls', 'id'), {first})"
    );
    deployment.postgres.batch_execute(&restore).await.unwrap();
    let keys = deployment.keys.clone();
    let epoch = deployment.postgres.query_one("SELECT epoch FROM deployment", &[]).await.unwrap();
    let ahead = Stamp { epoch: Some(epoch.get(0)), generation: now_ms() };
    let _: i64 = deployment.redis(&cmd(&epoch::store(&keys, &ahead))).await;
    let note = cmd(&epoch::note(&keys, epoch::Mismatch::OtherEpoch));
    let _: i64 = deployment.redis(&note).await;

    create(&deployment, "third").refused(1, &["restored to an earlier state", "votectl resync"]);
    let settled = deployment.run(&["resync", "--json"]).json();
    assert_eq!(settled["removed"], serde_json::json!(["second"]));
    assert_eq!(settled["highest_poll"], second);
    assert_ne!(settled["epoch"], ahead.epoch.unwrap().to_string(), "it is a new one");
    let noted: Option<String> = deployment.redis(&cmd(&epoch::noted(&keys))).await;
    assert_eq!(noted, None);
    let third = create(&deployment, "third").json()["poll"]["id"].as_i64().unwrap();
    assert_eq!(third, second + 1, "the number of the lost poll is not given out again");
    // Without its secret a poll would admit nobody.
    let get = redis::cmd("HGET").arg(keys.polls()).arg("first").clone();
    let definition: String = deployment.redis(&get).await;
    let read = projection::read_definition(&definition).unwrap();
    assert!(read.secrecy.keys.secret().is_some(), "{:?}", read.secrecy);
    // Again it changes nothing but the epoch.
    assert!(deployment.run(&["resync"]).ok().contains("2 polls were written"));
}
