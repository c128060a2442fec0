use std::collections::HashMap;

use redis::streams::StreamRangeReply;
use serde_json::json;
use votestream_schema::codec;

use super::deployment::{Deployment, ballot};

const PAYLOAD: &[u8] = b"1 7 5 0190c42ab6f87abc8def0123456789ab 0190c42ab6f97abc8def0123456789ab";

/// The fields of the only entry of a partition's stream.
async fn only_entry(deployment: &mut Deployment, partition: u16) -> HashMap<String, Vec<u8>> {
    let range =
        redis::cmd("XRANGE").arg(deployment.keys.stream(partition)).arg("-").arg("+").clone();
    let reply: StreamRangeReply = deployment.redis(&range).await;
    assert_eq!(reply.ids.len(), 1);
    let fields = reply.ids[0].map.iter();
    fields.map(|(k, v)| (k.clone(), redis::from_redis_value(v.clone()).unwrap())).collect()
}

#[tokio::test]
async fn letters_are_listed_and_shown_with_their_reason() {
    let mut deployment = Deployment::new().await;
    assert_eq!(deployment.run(&["dead-letters", "list"]).ok(), "there are no dead letters\n");
    let first = deployment.dead_letter("there is no poll 7", &[("ballot", PAYLOAD)]).await;
    let second = deployment
        .dead_letter_in(2, "not printable ASCII", &[("ballot", b"\x1b[2J\0\xff"), ("x", b"y")])
        .await;
    let listed = deployment.run(&["dead-letters", "list", "--json"]).json();
    assert_eq!(listed["total"], 2);
    assert_eq!(listed["dead_letters"][0]["id"], json!(first));
    assert_eq!(listed["dead_letters"][0]["reason"], "there is no poll 7");
    assert_eq!(listed["dead_letters"][0]["poll"], 7);
    assert_eq!(listed["dead_letters"][1]["id"], json!(second));
    assert_eq!(listed["dead_letters"][1]["poll"], json!(null));
    let text = deployment.run(&["dead-letters", "list", "--limit", "1"]).ok();
    assert!(text.contains(&first) && !text.contains(&second) && text.contains("1 of 2"), "{text}");
    let shown = deployment.run(&["dead-letters", "show", &second]).ok();
    assert!(shown.contains("1700000000000-7") && shown.contains("x = y"), "{shown}");
    assert!(!shown.contains('\x1b') && shown.contains("\\u{1b}[2J"), "{shown}");
    deployment.run(&["dead-letters", "show", "1/5-5"]).refused(1, &["no dead letter 1/5-5"]);
    deployment.run(&["dead-letters", "show", "9/5-5"]).refused(1, &["no dead letter 9/5-5"]);
    assert_eq!(deployment.run(&["dead-letters", "show", "five"]).code, 2);
}

#[tokio::test]
async fn a_replayed_letter_travels_again_once_with_its_first_id() {
    let mut deployment = Deployment::new().await;
    let odd = b"\0\xff binary".as_slice();
    let id = deployment.dead_letter("no poll", &[("ballot", PAYLOAD), ("trace", odd)]).await;
    let said = deployment.run(&["dead-letters", "replay", &id]).ok();
    assert!(said.contains("travels again"), "{said}");
    let fields = only_entry(&mut deployment, 0).await;
    assert_eq!(fields.len(), 3);
    assert_eq!(fields["ballot"], PAYLOAD);
    assert_eq!(fields["trace"], odd);
    assert_eq!(fields["origin"], b"1700000000000-7");
    deployment.run(&["dead-letters", "replay", &id]).refused(1, &["no dead letter"]);
    let stream = deployment.keys.stream(0);
    assert_eq!(deployment.length(stream).await, 1);
}

#[tokio::test]
async fn a_letter_replayed_before_keeps_the_origin_it_has() {
    let mut deployment = Deployment::new().await;
    let origin = b"1600000000000-3".as_slice();
    let id = deployment.dead_letter("no poll", &[("ballot", PAYLOAD), ("origin", origin)]).await;
    deployment.run(&["dead-letters", "replay", &id]).ok();
    let fields = only_entry(&mut deployment, 0).await;
    assert_eq!((fields.len(), fields["origin"].as_slice()), (2, origin));
}

#[tokio::test]
async fn all_letters_are_replayed_each_in_its_partition() {
    let mut deployment = Deployment::new().await;
    for partition in [0, 0, 1, 2] {
        deployment.dead_letter_in(partition, "no poll", &[("ballot", PAYLOAD)]).await;
    }
    let replayed = deployment.run(&["dead-letters", "replay", "--all", "--json"]).json();
    assert_eq!(replayed.as_array().unwrap().len(), 4);
    for (partition, expected) in [(0, 2), (1, 1), (2, 1)] {
        let (stream, dead) =
            (deployment.keys.stream(partition), deployment.keys.dead_letters(partition));
        assert_eq!(deployment.length(stream).await, expected);
        assert_eq!(deployment.length(dead).await, 0);
    }
    let again = deployment.run(&["dead-letters", "replay", "--all"]).ok();
    assert_eq!(again, "there are no dead letters\n");
    assert_eq!(deployment.run(&["dead-letters", "replay"]).code, 2);
    assert_eq!(deployment.run(&["dead-letters", "replay", "0/1-1", "--all"]).code, 2);
}

#[tokio::test]
async fn a_letter_is_dropped_only_when_that_is_meant() {
    let mut deployment = Deployment::new().await;
    let id = deployment.dead_letter("no poll", &[("ballot", PAYLOAD)]).await;
    deployment.dead_letter_in(1, "no poll", &[("ballot", PAYLOAD)]).await;
    deployment.run(&["dead-letters", "drop", &id]).refused(1, &["--yes"]);
    deployment.run(&["dead-letters", "drop", "--all"]).refused(1, &["--yes"]);
    deployment.run(&["dead-letters", "drop", &id, "--yes"]).ok();
    let dead = deployment.keys.dead_letters(0);
    assert_eq!(deployment.length(dead).await, 0);
    let dropped = deployment.run(&["dead-letters", "drop", "--all", "--yes", "--json"]).json();
    assert_eq!(dropped.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn replayed_and_dropped_ballots_still_balance() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    let mut letters = Vec::new();
    for _ in 0..2 {
        let ballot = ballot(&poll, 0);
        let partition = ballot.voter.partition(super::deployment::PARTITIONS);
        let entry = deployment.accept(&ballot).await;
        let stream = deployment.keys.stream(partition);
        deployment.redis::<i64>(redis::cmd("XDEL").arg(stream).arg(entry)).await;
        let payload = codec::encode(&ballot);
        let original = [("ballot", payload.as_bytes())];
        letters.push(deployment.dead_letter_in(partition, "why not", &original).await);
    }
    let balance = |deployment: &Deployment| {
        let balance =
            deployment.run(&["audit", "pets", "--json"]).json()["polls"][0]["balance"].clone();
        let number = |name: &str| balance[name].as_i64().unwrap();
        (number("dead"), number("under_way"), number("dropped"))
    };
    assert_eq!(balance(&deployment), (2, 0, 0));
    deployment.run(&["dead-letters", "replay", &letters[0]]).ok();
    assert_eq!(balance(&deployment), (1, 1, 0));
    deployment.run(&["dead-letters", "drop", &letters[1], "--yes"]).ok();
    assert_eq!(balance(&deployment), (0, 1, 1));
}

#[tokio::test]
async fn names_that_are_no_text_are_in_nobodys_way() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let name = b"\0\xff".as_slice();
    let id = deployment.dead_letter("field `ballot` is missing", &[(name, b"\xfe")]).await;
    let mut add = redis::cmd("XADD");
    add.arg(deployment.keys.stream(0)).arg("*").arg(name).arg("x");
    let entry: String = deployment.redis(&add).await;

    let listed = deployment.run(&["dead-letters", "list", "--json"]).json();
    assert_eq!(listed["dead_letters"][0]["original"], json!({"\0\u{fffd}": "\u{fffd}"}));
    let shown = deployment.run(&["dead-letters", "show", &id]).ok();
    assert!(shown.contains("\\u{0}\u{fffd} = \u{fffd}"), "{shown}");
    let audited = deployment.run(&["audit", "--json"]).json();
    assert_eq!(audited["ok"], true, "{audited}");
    let closed = deployment.run(&["poll", "close", "pets"]).ok();
    assert!(closed.contains("every ballot is counted"), "{closed}");

    deployment.redis::<i64>(redis::cmd("XDEL").arg(deployment.keys.stream(0)).arg(entry)).await;
    deployment.run(&["dead-letters", "replay", "--all"]).ok();
    let range = redis::cmd("XRANGE").arg(deployment.keys.stream(0)).arg("-").arg("+").clone();
    let replayed: Vec<(String, Vec<Vec<u8>>)> = deployment.redis(&range).await;
    assert_eq!(replayed[0].1[..2], [name, b"\xfe".as_slice()]);
    deployment.dead_letter("field `ballot` is missing", &[(name, b"\xfe")]).await;
    let dropped = deployment.run(&["dead-letters", "drop", "--all", "--yes"]).ok();
    assert!(dropped.contains("is gone"), "{dropped}");
}

#[tokio::test]
async fn large_letters_are_read_a_few_at_a_time() {
    let server = testkit::own_redis();
    let mut deployment = Deployment::empty_on(server.url()).await.migrated();
    // A reply that is larger costs the connection.
    let mut limit = redis::cmd("CONFIG");
    limit.arg("SET").arg("client-output-buffer-limit").arg("normal 12mb 0 0");
    deployment.redis::<()>(&limit).await;
    let (large, huge) = (vec![b'x'; 100 << 10], vec![b'x'; 1 << 20]);
    let mut last = String::new();
    for value in [vec![&large; 150], vec![&huge; 15]].concat() {
        let original = [("ballot", PAYLOAD), ("x", value.as_slice())];
        last = deployment.dead_letter("there is no poll 7", &original).await;
    }
    let listed = deployment.run(&["dead-letters", "list", "--limit", "1000", "--json"]).json();
    let letters = listed["dead_letters"].as_array().unwrap();
    assert_eq!((&listed["total"], letters.len()), (&json!(165), 165));
    assert!(letters.iter().all(|letter| letter["poll"] == 7), "of each what tells its ballot");
    let shown = deployment.run(&["dead-letters", "show", &last, "--json"]).json();
    assert_eq!(shown["original"]["x"].as_str().map(str::len), Some(huge.len()));
    deployment.run(&["audit"]).ok();
    let dropped = deployment.run(&["dead-letters", "drop", "--all", "--yes", "--json"]).json();
    assert_eq!(dropped.as_array().map(Vec::len), Some(165));
}
