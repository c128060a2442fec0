//! Counting without any failure.

use serde_json::json;
use testkit::eventually;
use votestream_schema::db;
use votestream_schema::poll::now_ms;
use votestream_schema::{Poll, VoterKey};

use crate::support::{SOON, TestDeployment, ballot, create_poll, voters, wait_for_dead_letters};

#[tokio::test(flavor = "multi_thread")]
async fn ballots_are_counted_acknowledged_and_removed() {
    let deployment = TestDeployment::new().await;
    deployment.add(&deployment.ballots(500)).await;
    let consumer = deployment.start(&[]);
    deployment.settles_at(500).await;
    deployment.add(&deployment.ballots(7)).await;
    deployment.settles_at(507).await;
    consumer.ready().await;

    let mut redis = deployment.redis().await;
    assert_eq!(deployment.consumers(&mut redis).await.len(), 1);
    assert!(consumer.stop().await);
    assert_eq!(deployment.consumers(&mut redis).await, [] as [&str; 0], "its name is given up");
    assert!(deployment.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_share_the_work_under_names_of_their_own() {
    let deployment = TestDeployment::new().await;
    let one = deployment.start(&["--consumer-name=same", "--batch-max=50"]);
    let other = deployment.start(&["--consumer-name=same", "--batch-max=50"]);
    let mut redis = deployment.redis().await;
    eventually(SOON, async || deployment.consumers(&mut redis).await.len() == 2).await;
    for _ in 0..10 {
        deployment.add(&deployment.ballots(100)).await;
    }
    deployment.settles_at(1_000).await;
    assert!(one.stop().await && other.stop().await);
}

/// One voter of a poll whose ballots are counted together with those of others.
async fn counts(deployment: &TestDeployment, poll: &Poll, people: i64) {
    let sql = deployment.sql().await;
    eventually(SOON, async || {
        let voters = voters(&sql, poll).await;
        if voters == people { Ok(()) } else { Err(voters) }
    })
    .await;
    let set_aside = "SELECT count(*) FROM set_aside WHERE poll_id = $1";
    let set_aside: i64 = sql.query_one(set_aside, &[&poll.id.0]).await.unwrap().get(0);
    assert_eq!(set_aside, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abstention_is_counted_as_turnout_and_for_no_option() {
    let deployment = TestDeployment::new().await;
    let mut sql = deployment.sql().await;
    let changes = json!({"choices_min": 0, "vote_policy": "replace"});
    let poll = create_poll(&mut sql, changes).await;
    let consumer = deployment.start(&[]);
    let changing = VoterKey::new();
    let ballots = [(VoterKey::new(), 0), (VoterKey::new(), 1), (changing, 2), (changing, 0)];
    for (voter, mask) in ballots {
        deployment.add(&[ballot(&poll, voter, mask)]).await;
    }
    let tally = async || {
        let row = "SELECT voters, array(SELECT votes FROM tally WHERE poll_id = $1 ORDER BY position), \
                   (SELECT sum(votes)::int8 FROM series WHERE poll_id = $1) FROM poll_tally WHERE poll_id = $1";
        let row = sql.query_one(row, &[&poll.id.0]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, Vec<i64>>(1), row.get::<_, Option<i64>>(2))
    };
    eventually(SOON, async || match tally().await {
        (3, votes, Some(3)) if votes == [1, 0] => Ok(()),
        other => Err(other),
    })
    .await;
    // Where the poll wants a choice, a ballot without one is not counted.
    deployment.add(&[ballot(&deployment.poll, VoterKey::new(), 0)]).await;
    let dead = wait_for_dead_letters(&deployment, 1).await;
    let reason = String::from_utf8_lossy(&dead[0]["reason"]).into_owned();
    assert!(reason.contains("not among those that poll"), "{reason}");
    assert!(consumer.stop().await);
}

/// The consumer's copy of the polls is up to a minute old here, so it must reload before it refuses a ballot.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_created_or_opened_a_moment_ago_loses_no_ballot() {
    let deployment = TestDeployment::new().await;
    let mut sql = deployment.sql().await;
    let draft = create_poll(&mut sql, json!({"opens_at": null})).await;
    let consumer = deployment.start(&["--project-ms=60000"]);
    consumer.ready().await;
    deployment.add(&deployment.ballots(3)).await;
    deployment.settles_at(3).await;

    let opens_at_ms = Some(now_ms() - 1_000);
    let opened = Poll { opens_at_ms, revision: draft.revision + 1, ..draft };
    db::polls::set_times(&sql, &opened).await.unwrap();
    deployment.add(&[ballot(&opened, VoterKey::new(), 1)]).await;
    counts(&deployment, &opened, 1).await;

    let created = create_poll(&mut sql, json!({})).await;
    deployment.add(&[ballot(&created, VoterKey::new(), 2)]).await;
    counts(&deployment, &created, 1).await;

    assert!(deployment.dead_letters().await.is_empty());
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_out_of_time_is_set_aside_and_never_counted() {
    let times = json!({"opens_at": "2020-01-01T00:00:00Z", "closes_at": "2020-01-02T00:00:00Z"});
    let deployment = TestDeployment::with_poll(times).await;
    let consumer = deployment.start(&[]);
    deployment.add(&deployment.ballots(3)).await;
    let sql = deployment.sql().await;
    let ask = "SELECT count(*) FROM set_aside WHERE poll_id = $1 AND reason = 'out_of_time'";
    eventually(SOON, async || {
        let n: i64 = sql.query_one(ask, &[&deployment.poll.id.0]).await.unwrap().get(0);
        if n == 3 { Ok(()) } else { Err(n) }
    })
    .await;
    deployment.settles_at(0).await;
    assert!(consumer.stop().await);
}

/// The time of a replayed ballot is that of its original entry.
#[tokio::test(flavor = "multi_thread")]
async fn the_origin_of_a_replayed_ballot_decides_its_time() {
    let times = json!({"opens_at": "2020-01-01T00:00:00Z", "closes_at": "2020-01-02T00:00:00Z"});
    let deployment = TestDeployment::with_poll(times).await;
    let consumer = deployment.start(&[]);
    let (ballot, mut redis) = (deployment.ballot(1), deployment.redis().await);
    let mut add = redis::cmd("XADD");
    add.arg(deployment.keys.stream(ballot.voter.partition(deployment.partitions))).arg("*");
    add.arg("ballot").arg(votestream_schema::codec::encode(&ballot));
    add.arg("origin").arg("1577880000000-5").exec_async(&mut redis).await.unwrap();
    deployment.settles_at(1).await;
    let sql = deployment.sql().await;
    let row = sql.query_one("SELECT entry_ms, entry_seq FROM votes", &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1_577_880_000_000, 5));
    assert!(consumer.stop().await);
}

/// A ballot that comes a second time would no longer be recognised, because the votes have lost their voters.
#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_poll_counts_no_ballot_even_if_this_consumer_does_not_know_yet() {
    let deployment = TestDeployment::new().await;
    let ballots = deployment.ballots(2);
    let consumer = deployment.start(&[]);
    deployment.add(&ballots[..1]).await;
    deployment.settles_at(1).await;
    let sql = deployment.sql().await;
    let seal = "UPDATE votes SET voter = gen_random_uuid(), entry_ms = 0; \
                UPDATE polls SET sealed_at_ms = 1, revision = revision + 1";
    sql.batch_execute(seal).await.unwrap();
    // The consumer's copy of the poll is up to a second old, and the database refuses meanwhile.
    deployment.add(&ballots).await;
    let letters = wait_for_dead_letters(&deployment, 2).await;
    assert!(
        letters
            .iter()
            .all(|letter| { String::from_utf8_lossy(&letter["reason"]).contains("is sealed") })
    );
    assert_eq!(voters(&sql, &deployment.poll).await, 1);
    assert!(consumer.stop().await);
}
