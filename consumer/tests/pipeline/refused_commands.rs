//! Redis refuses one command of a script, and rolls back nothing of the commands before it.

use std::collections::HashMap;

use serde_json::json;
use testkit::eventually;
use votestream_schema::keys::FIELD_REMOVED;

use crate::support::{SOON, TestDeployment, wait_for_dead_letters};

/// Commands of the scripts that acknowledge entries and move them to the dead letters.
const REFUSED_IN_TURN: [&str; 6] = ["xack", "xdel", "hincrby", "xadd", "xpending", "xrange"];
const BALLOTS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_counted_and_removed_once_whichever_command_redis_refuses() {
    let redis = testkit::own_redis();
    let deployment = TestDeployment::on(redis.url(), testkit::database().await, 1, json!({})).await;
    let deployment = deployment.with_shipped_prefix();
    let user = redis.url_at("consumer", redis.port()).unwrap();
    let consumer = deployment.spawn(&[&format!("--redis-url={user}")]);
    consumer.ready().await;
    let mut operator = deployment.redis().await;
    for (round, refused) in (1..).zip(REFUSED_IN_TURN) {
        redis.command(&["ACL", "LOG", "RESET"]).unwrap();
        redis.command(&["ACL", "SETUSER", "consumer", &format!("-{refused}")]).unwrap();
        deployment.add(&deployment.ballots(BALLOTS)).await;
        redis.command(&["XADD", &deployment.keys.stream(0), "*", "odd", "1"]).unwrap();
        // A second attempt has met the refusal of the first one, and its result.
        eventually(SOON, async || {
            let log: Vec<HashMap<String, redis::Value>> =
                redis::cmd("ACL").arg("LOG").query_async(&mut operator.clone()).await.unwrap();
            let text = |value: &redis::Value| redis::from_redis_value::<String>(value.clone());
            let of_it = log.iter().filter(|entry| text(&entry["object"]).unwrap() == refused);
            let times: i64 = of_it
                .map(|entry| redis::from_redis_value::<i64>(entry["count"].clone()).unwrap())
                .sum();
            if times >= 2 { Ok(()) } else { Err(format!("{refused}: refused {times} times")) }
        })
        .await;
        redis.command(&["ACL", "SETUSER", "consumer", &format!("+{refused}")]).unwrap();
        deployment.settles_at(round * BALLOTS).await;
        wait_for_dead_letters(&deployment, round).await;
        let removed: usize = redis::cmd("HGET")
            .arg(deployment.keys.accepted(0))
            .arg(FIELD_REMOVED)
            .query_async(&mut operator)
            .await
            .unwrap();
        assert_eq!(removed, round * (BALLOTS + 1), "{refused}: entries that were removed");
        assert_eq!(deployment.dead_letters().await.len(), round, "{refused}: dead letters");
    }
}
