use serde_json::{Value, json};
use votestream_schema::Poll;

use super::deployment::{Deployment, PARTITIONS, Said, ballot};

/// A poll with seven votes, all in order.
async fn voted() -> (Deployment, Poll) {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    deployment.vote(&poll, 0, 5).await;
    deployment.vote(&poll, 1, 2).await;
    (deployment, poll)
}

fn audit(deployment: &Deployment) -> (Said, Value) {
    let said = deployment.run(&["audit", "pets", "--json"]);
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    (said, report["polls"][0].clone())
}

#[tokio::test]
async fn books_in_order_pass() {
    let (mut deployment, poll) = voted().await;
    let (said, report) = audit(&deployment);
    said.ok();
    assert_eq!(report["balance"]["accepted"], json!([7, 7]));
    assert_eq!(report["balance"]["counted"], 7);
    assert_eq!(report["balance"]["verdict"], "ok");
    let text = deployment.run(&["audit"]).ok();
    assert!(text.contains("votes for cats") && text.contains("accepted 7, found 7"), "{text}");
    assert!(!text.contains("DIFFERENT"), "{text}");
    // A ballot under way, one that was counted but not acknowledged yet, and one out of time.
    deployment.accept(&ballot(&poll, 0)).await;
    let counted = ballot(&poll, 0);
    let entry = deployment.accept(&counted).await;
    deployment.count(&counted, &entry).await;
    let again = redis::cmd("XADD")
        .arg(deployment.keys.stream(counted.voter.partition(PARTITIONS)))
        .arg("*")
        .arg("ballot")
        .arg(votestream_schema::codec::encode(&counted))
        .clone();
    deployment.redis::<String>(&again).await;
    let late = ballot(&poll, 0);
    let entry = deployment.accept(&late).await;
    let stream = deployment.keys.stream(late.voter.partition(PARTITIONS));
    deployment.redis::<i64>(redis::cmd("XDEL").arg(stream).arg(entry)).await;
    let sql = "INSERT INTO set_aside (ballot, poll_id, reason) VALUES ($1, $2, 'out_of_time')";
    deployment.postgres.execute(sql, &[&late.id.0, &poll.id.0]).await.unwrap();
    let (said, report) = audit(&deployment);
    said.ok();
    let balance = &report["balance"];
    assert_eq!(
        (&balance["accepted"], &balance["counted"], &balance["under_way"], &balance["out_of_time"]),
        (&json!([10, 10]), &json!(8), &json!(1), &json!(1))
    );
    let register = &report["register"];
    assert_eq!((&register["verdict"], &register["registered"]), (&json!("ok"), &json!(10)));
    assert_eq!(
        (&register["counted"], &register["under_way"], &register["set_aside"]),
        (&json!(8), &json!(1), &json!(1))
    );
}

#[tokio::test]
async fn planted_drift_is_found_where_it_is() {
    let plants = [
        ("UPDATE tally SET votes = votes + 1 WHERE position = 1", "votes for dogs"),
        ("UPDATE poll_tally SET voters = voters - 1", "voters"),
        ("DELETE FROM series", "series, sum"),
        ("UPDATE series SET second = second + 100000", "series, wrong seconds"),
    ];
    for (sql, name) in plants {
        let (deployment, _) = voted().await;
        deployment.postgres.batch_execute(sql).await.unwrap();
        let (said, report) = audit(&deployment);
        said.refused(1, &["found a difference"]);
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == name).unwrap();
        assert_eq!(check["verdict"], "different", "{sql}");
        let text = deployment.run(&["audit"]);
        assert!(text.code == 1 && text.out.contains("DIFFERENT"), "{text:?}");
    }
}

#[tokio::test]
async fn a_vote_without_a_voting_code_is_found() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open", "--voter-policy", "code"]);
    deployment.run(&["codes", "issue", "pets", "--count", "2"]).ok();
    audit(&deployment).0.ok();
    // Somebody has the consumer's role, and writes a vote with its tallies.
    let poll = deployment.poll().await;
    deployment.vote(&poll, 0, 1).await;
    let (said, report) = audit(&deployment);
    said.refused(1, &["found a difference"]);
    let checks = report["checks"].as_array().unwrap();
    let different: Vec<&Value> =
        checks.iter().filter(|check| check["verdict"] == "different").collect();
    assert_eq!(different.len(), 1, "{checks:?}");
    assert_eq!(different[0]["check"], "votes without a code");
}

#[tokio::test]
async fn a_lost_ballot_and_a_smuggled_one_are_found() {
    let (mut deployment, poll) = voted().await;
    let lost = ballot(&poll, 0);
    let entry = deployment.accept(&lost).await;
    let stream = deployment.keys.stream(lost.voter.partition(PARTITIONS));
    deployment.redis::<i64>(redis::cmd("XDEL").arg(stream).arg(entry)).await;
    let (said, report) = audit(&deployment);
    said.refused(1, &[]);
    let why = report["balance"]["why"].as_str().unwrap();
    assert!(why.starts_with("1 accepted ballots are nowhere"), "{why}");
    let register = &report["register"];
    assert_eq!((&register["verdict"], &register["missing"]), (&json!("different"), &json!(1)));

    let (mut deployment, poll) = voted().await;
    deployment.vote(&poll, 0, 40).await;
    let smuggled = ballot(&poll, 1);
    let add = redis::cmd("XADD")
        .arg(deployment.keys.stream(smuggled.voter.partition(PARTITIONS)))
        .arg("*")
        .arg("ballot")
        .arg(votestream_schema::codec::encode(&smuggled))
        .clone();
    deployment.redis::<String>(&add).await;
    let (said, report) = audit(&deployment);
    said.refused(1, &[]);
    let why = report["balance"]["why"].as_str().unwrap();
    assert!(why.starts_with("1 ballots were never accepted"), "{why}");
}

/// The sums agree over each of these; the contents do not.
#[tokio::test]
async fn a_loss_behind_a_forgery_and_a_vote_with_other_choices_are_found_voter_by_voter() {
    let (mut deployment, poll) = voted().await;
    let lost = ballot(&poll, 0);
    let entry = deployment.accept(&lost).await;
    let partition = lost.voter.partition(PARTITIONS);
    let stream = deployment.keys.stream(partition);
    deployment.redis::<i64>(redis::cmd("XDEL").arg(stream).arg(&entry)).await;
    deployment.count(&ballot(&poll, 1), "1700000000000-0").await;
    let (said, report) = audit(&deployment);
    let text = deployment.run(&["audit"]).out;
    assert!(text.contains("missing 1 + unknown 0; 1 votes of others  DIFFERENT"), "{text}");
    assert!(text.contains(&format!("{partition}:{entry}")), "the entry is named: {text}");
    assert!(!text.contains(&lost.voter.to_string()), "the voter is not: {text}");
    said.refused(1, &["found a difference"]);
    assert_eq!(report["balance"]["verdict"], "ok");
    assert_eq!(report["register"]["verdict"], "different");

    let (mut deployment, poll) = voted().await;
    let cast = ballot(&poll, 0);
    let entry = deployment.accept(&cast).await;
    let choices = votestream_schema::Choices::from_mask(2).unwrap();
    deployment.count(&votestream_schema::Ballot { choices, ..cast }, &entry).await;
    let (said, report) = audit(&deployment);
    said.refused(1, &[]);
    assert_eq!(
        (&report["balance"]["verdict"], &report["register"]["missing"]),
        (&json!("ok"), &json!(1))
    );
}

#[tokio::test]
async fn a_dead_letter_and_a_ballot_that_is_replayed_are_not_missing() {
    let (mut deployment, poll) = voted().await;
    let cast = ballot(&poll, 0);
    let partition = cast.voter.partition(PARTITIONS);
    let entry = deployment.accept(&cast).await;
    let stream = deployment.keys.stream(partition);
    deployment.redis::<i64>(redis::cmd("XDEL").arg(&stream).arg(&entry)).await;
    let payload = votestream_schema::codec::encode(&cast);
    let letter =
        deployment.dead_letter_in(partition, "refused", &[("ballot", payload.as_bytes())]).await;
    let (said, report) = audit(&deployment);
    said.ok();
    assert_eq!(report["register"]["dead"], 1);
    deployment.run(&["dead-letters", "replay", &letter]).ok();
    let (said, report) = audit(&deployment);
    said.ok();
    assert_eq!(report["register"]["under_way"], 1);
}

#[tokio::test]
async fn entries_that_no_producer_wrote_are_counted_apart() {
    let (mut deployment, poll) = voted().await;
    deployment.dead_letter("field `ballot` is missing", &[("vote", b"a")]).await;
    deployment.dead_letter("not ASCII", &[("ballot", b"\xff\xfe")]).await;
    let foreign = votestream_schema::codec::encode(&ballot(&poll, 40));
    deployment.dead_letter("choices", &[("ballot", foreign.as_bytes())]).await;
    let add = redis::cmd("XADD").arg(deployment.keys.stream(1)).arg("*").arg("x").arg("y").clone();
    deployment.redis::<String>(&add).await;
    let said = deployment.run(&["audit", "--json"]).json();
    assert_eq!((&said["ok"], &said["not_our_ballots"]), (&json!(true), &json!(4)));
    assert_eq!(
        (&said["entries"], &said["lag"], &said["pending"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert!(deployment.run(&["audit"]).ok().contains("not our ballots: 4"));
}

#[tokio::test]
async fn a_balance_without_counters_is_unproved_and_says_why() {
    let (mut deployment, _) = voted().await;
    for partition in 0..PARTITIONS {
        let keys = [deployment.keys.accepted(partition), deployment.keys.stream(partition)];
        deployment.redis::<i64>(redis::cmd("DEL").arg(&keys)).await;
    }
    let (said, report) = audit(&deployment);
    said.ok();
    assert_eq!(report["balance"]["verdict"], "unproved");
    let why = report["balance"]["why"].as_str().unwrap();
    assert!(why.contains("no counter") && why.contains("restarted without its data"), "{why}");
    // Voting went on since: the counters are there again, but not all.
    let poll = deployment.poll().await;
    deployment.vote(&poll, 0, 1).await;
    for partition in 0..PARTITIONS {
        let field = redis::cmd("HINCRBY")
            .arg(deployment.keys.accepted(partition))
            .arg(poll.id.0)
            .arg(0)
            .clone();
        deployment.redis::<i64>(&field).await;
    }
    let (said, report) = audit(&deployment);
    said.ok();
    let why = report["balance"]["why"].as_str().unwrap();
    assert!(why.contains("redis lost counters"), "{why}");
    assert!(deployment.run(&["audit"]).ok().contains("UNPROVED"));
}

#[tokio::test]
async fn waiting_gives_up_after_its_time() {
    let (mut deployment, poll) = voted().await;
    deployment.accept(&ballot(&poll, 0)).await;
    let since = std::time::Instant::now();
    deployment.run(&["audit", "--wait", "1"]).ok();
    assert!(since.elapsed() >= std::time::Duration::from_secs(1));
    deployment.run(&["audit", "nothing"]).refused(1, &["no poll `nothing`"]);
}

#[tokio::test]
async fn a_stream_that_went_back_fails_the_audit_until_an_operator_takes_note() {
    let (mut deployment, poll) = voted().await;
    // The first look remembers how far the streams have come.
    deployment.run(&["audit"]).ok();
    let waiting = ballot(&poll, 0);
    let entry = deployment.accept(&waiting).await;
    deployment.run(&["audit"]).ok();
    // A restart that replays nothing: the stream begins anew, with later IDs.
    let partition = waiting.voter.partition(PARTITIONS);
    let stream = deployment.keys.stream(partition);
    let facts: redis::Value =
        deployment.redis(redis::cmd("XINFO").arg("STREAM").arg(&stream)).await;
    assert!(format!("{facts:?}").contains("entries-added"));
    deployment.redis::<i64>(redis::cmd("DEL").arg(&stream)).await;
    // A stream that has got as many entries as before, with later IDs, looks as if nothing had happened to it.
    let elsewhere = std::iter::repeat_with(|| ballot(&poll, 1))
        .find(|ballot| ballot.voter.partition(PARTITIONS) != partition);
    deployment.accept(&elsewhere.unwrap()).await;
    let said = deployment.run(&["audit", "--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let lost = &report["streams"]["regressions"];
    assert_eq!(lost.as_array().unwrap().len(), 1, "{report}");
    assert_eq!(lost[0]["partition"], partition);
    assert_eq!(lost[0]["last_before"], entry);
    let text = deployment.run(&["audit"]);
    assert!(text.out.contains(&format!("REDIS LOST ENTRIES of partition {partition}")), "{text:?}");
    let noted = deployment.run(&["audit", "--acknowledge-regressions"]);
    assert!(!noted.out.contains("REDIS LOST ENTRIES"), "{noted:?}");
}

#[tokio::test]
async fn an_audit_says_that_the_next_restart_of_redis_would_lose_ballots() {
    let redis = testkit::own_redis();
    let deployment = Deployment::empty_on(redis.url()).await.migrated();
    assert!(!deployment.run(&["audit"]).ok().contains("RESTART"));
    redis.command(&["ACL", "SETUSER", "default", "reset"]).unwrap();
    let text = deployment.run(&["audit"]).ok();
    assert!(text.contains("A RESTART OF REDIS WOULD LOSE BALLOTS"), "{text}");
    let report: Value = deployment.run(&["audit", "--json"]).json();
    assert_eq!(report["streams"]["survives_restart"], "no");
}
