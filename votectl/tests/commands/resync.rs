use std::collections::BTreeMap;

use votestream_schema::code::CodeHash;
use votestream_schema::codec;
use votestream_schema::poll::now_ms;
use votestream_schema::poll_copy::cmd;
use votestream_schema::projection::epoch::Stamp;
use votestream_schema::projection::{self, epoch};

use super::deployment::{Deployment, PARTITIONS, ballot};

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
        "DELETE FROM audit_trail WHERE poll_id = {second}; DELETE FROM poll_secrets WHERE poll_id = {second}; DELETE FROM tally WHERE poll_id = {second}; DELETE FROM poll_tally WHERE poll_id = {second}; DELETE FROM options WHERE poll_id = {second}; DELETE FROM polls WHERE id = {second};
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

/// Postgres was restored to a moment before some votes and codes, and Redis was kept.
#[tokio::test]
async fn ballots_that_only_the_register_has_are_sent_again_and_lost_voters_are_registered() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    deployment.vote(&poll, 0, 3).await;
    // Postgres has lost four votes, and Redis one voter.
    let mut lost = BTreeMap::new();
    for _ in 0..4 {
        let ballot = ballot(&poll, 1);
        let entry = deployment.accept(&ballot).await;
        let mut delete = redis::cmd("XDEL");
        let partition = ballot.voter.partition(PARTITIONS);
        delete.arg(deployment.keys.stream(partition)).arg(&entry);
        assert_eq!(deployment.redis::<i64>(&delete).await, 1);
        lost.insert((ballot.voter, ballot.choices.mask(), ballot.id.tag()), entry);
    }
    let unknown = ballot(&poll, 0);
    let entry = deployment.accept(&unknown).await;
    deployment.count(&unknown, &entry).await;
    let partition = unknown.voter.partition(PARTITIONS);
    let bucket = deployment.keys.register(partition, poll.id, unknown.voter);
    let voter = unknown.voter.0.as_bytes().as_slice();
    let forget = redis::cmd("HDEL").arg(&bucket).arg(voter).clone();
    assert_eq!(deployment.redis::<i64>(&forget).await, 1);

    // Of another voter, Redis knows an earlier ballot only, which the vote in Postgres has replaced.
    let replaced = ballot(&poll, 0);
    let later = deployment.accept(&replaced).await;
    deployment.count(&replaced, &later).await;
    let its_bucket =
        deployment.keys.register(replaced.voter.partition(PARTITIONS), poll.id, replaced.voter);
    let its_name = replaced.voter.0.as_bytes().as_slice();
    let earlier = redis::cmd("HSET").arg(&its_bucket).arg(its_name).arg("2 0000abcd 5-5").clone();
    assert_eq!(deployment.redis::<i64>(&earlier).await, 0);

    let settled = deployment.run(&["resync", "--json"]).json();
    assert_eq!(settled["ballots_sent_again"], 4, "{settled}");
    assert_eq!((&settled["voters_registered"], &settled["ballots_left"]), (&2.into(), &0.into()));
    let its_line: Option<String> =
        deployment.redis(redis::cmd("HGET").arg(&its_bucket).arg(its_name)).await;
    assert_eq!(its_line, Some(format!("1 {:08x} {later}", replaced.id.tag())));
    let line: Option<String> = deployment.redis(redis::cmd("HGET").arg(&bucket).arg(voter)).await;
    assert_eq!(line, Some(format!("1 {:08x} {entry}", unknown.id.tag())));
    let mut sent = BTreeMap::new();
    for partition in 0..PARTITIONS {
        let range =
            redis::cmd("XRANGE").arg(deployment.keys.stream(partition)).arg("-").arg("+").clone();
        let entries: Vec<(String, BTreeMap<String, String>)> = deployment.redis(&range).await;
        for (_, fields) in entries {
            let ballot = codec::decode(fields[codec::FIELD_BALLOT].as_bytes()).unwrap();
            let origin = fields[codec::FIELD_ORIGIN].clone();
            sent.insert((ballot.voter, ballot.choices.mask(), ballot.id.tag()), origin);
        }
    }
    assert_eq!(sent, lost, "each under the time at which it came in");
    let again = deployment.run(&["resync", "--json"]).json();
    assert_eq!((&again["ballots_sent_again"], &again["voters_registered"]), (&0.into(), &0.into()));
}

#[tokio::test]
async fn voting_codes_in_redis_become_those_of_postgres() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open", "--voter-policy", "code"]);
    deployment.run(&["codes", "issue", "pets", "--count", "5"]).ok();
    let poll = deployment.poll().await;
    // Three codes were issued after the backup, and one of those before it is missing.
    deployment.run(&["codes", "issue", "pets", "--count", "3"]).ok();
    let sql = "DELETE FROM voting_codes WHERE hash IN (SELECT hash FROM voting_codes LIMIT 3)";
    deployment.postgres.batch_execute(sql).await.unwrap();
    let kept = deployment.postgres.query_one("SELECT hash FROM voting_codes LIMIT 1", &[]).await;
    let kept = CodeHash(kept.unwrap().get(0));
    let key = deployment.keys.code_hashes(kept.partition(PARTITIONS), poll.id);
    let remove = redis::cmd("SREM").arg(key).arg(kept.0.as_bytes().as_slice()).clone();
    assert_eq!(deployment.redis::<i64>(&remove).await, 1);
    let settled = deployment.run(&["resync", "--json"]).json();
    assert_eq!((&settled["codes_added"], &settled["codes_removed"]), (&1.into(), &3.into()));
    let mut codes = 0;
    for partition in 0..PARTITIONS {
        let count =
            redis::cmd("SCARD").arg(deployment.keys.code_hashes(partition, poll.id)).clone();
        codes += deployment.redis::<i64>(&count).await;
    }
    assert_eq!(codes, 5);
}
