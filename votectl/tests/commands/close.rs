use std::time::Duration;

use votestream_schema::poll::now_ms;
use votestream_schema::projection::{self, NEVER_MS, Rules};
use votestream_schema::{Poll, PollState};

use super::deployment::{Deployment, PARTITIONS, ballot};

async fn closing_times(deployment: &mut Deployment, poll: &Poll) -> Vec<i64> {
    let rules = deployment.rules(poll).await;
    rules.iter().map(|text| text.as_ref().unwrap().parse::<Rules>().unwrap().closes_at_ms).collect()
}

#[tokio::test]
async fn every_partition_knows_the_closing_time_that_postgres_has() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let open = deployment.poll().await;
    assert_eq!(closing_times(&mut deployment, &open).await, [NEVER_MS; 3]);
    let before_ms = now_ms();
    let said = deployment.run(&["poll", "close", "pets"]).ok();
    assert!(said.contains("every ballot is counted"), "{said}");
    let poll = deployment.poll().await;
    let closes = poll.closes_at_ms.unwrap();
    assert!(before_ms + 500 <= closes && closes <= now_ms(), "{before_ms} {closes}");
    assert_eq!(poll.revision, open.revision + 1);
    assert_eq!(closing_times(&mut deployment, &poll).await, [closes; 3]);
    // Closed is final, and closing again is harmless.
    deployment.run(&["poll", "close", "pets"]).ok();
    assert_eq!(deployment.poll().await, poll);
    deployment.run(&["poll", "close", "pets", "--at", "+1h"]).refused(1, &["closed already"]);
    deployment.run(&["poll", "open", "pets"]).refused(1, &["closed, for good"]);
}

#[tokio::test]
async fn a_closing_time_can_be_set_and_moved_ahead_of_it() {
    let mut deployment = Deployment::new().await;
    deployment.create(&[]);
    deployment.run(&["poll", "close", "pets"]).refused(1, &["draft"]);
    deployment.run(&["poll", "open", "pets", "--at", "+1h"]).ok();
    deployment.run(&["poll", "close", "pets"]).refused(1, &["has not opened", "--at"]);
    deployment.run(&["poll", "close", "pets", "--at", "+30m"]).refused(1, &["before it opens"]);
    deployment.run(&["poll", "open", "pets"]).ok();
    deployment.run(&["poll", "close", "pets", "--at", "now"]).refused(1, &["500 ms from now"]);
    for at in ["+2h", "+1h", "+3h"] {
        let said = deployment.run(&["poll", "close", "pets", "--at", at]).ok();
        assert!(said.contains("closes at"), "{said}");
        let poll = deployment.poll().await;
        assert_eq!(poll.state(now_ms()), PollState::Open);
        assert_eq!(closing_times(&mut deployment, &poll).await, [poll.closes_at_ms.unwrap(); 3]);
    }
}

#[tokio::test]
async fn a_poll_can_be_extended_and_not_shortened_by_that() {
    let mut deployment = Deployment::new().await;
    deployment.create(&[]);
    deployment.run(&["poll", "extend", "pets", "--by", "5m"]).refused(1, &["no closing time"]);
    deployment.run(&["poll", "open", "pets", "--closes-at", "+1h"]).ok();
    let before = deployment.poll().await.closes_at_ms.unwrap();
    let said = deployment.run(&["poll", "extend", "pets", "--by", "10m"]).ok();
    assert!(said.contains("closes at"), "{said}");
    let poll = deployment.poll().await;
    assert_eq!(poll.closes_at_ms, Some(before + 600_000));
    assert_eq!(closing_times(&mut deployment, &poll).await, [before + 600_000; 3]);
    deployment.run(&["poll", "extend", "pets", "--to", "+2h"]).ok();
    deployment.run(&["poll", "extend", "pets", "--to", "+30m"]).refused(1, &["already"]);
    deployment.run(&["poll", "extend", "pets"]);
    assert_eq!(deployment.run(&["poll", "extend", "pets"]).code, 2);
    let both = ["poll", "extend", "pets", "--to", "+3h", "--by", "1h"];
    assert_eq!(deployment.run(&both).code, 2);
    deployment.run(&["poll", "close", "pets"]).ok();
    deployment.run(&["poll", "extend", "pets", "--by", "1h"]).refused(1, &["closed, for good"]);
}

#[tokio::test]
async fn a_scheduled_poll_can_be_cancelled_and_an_open_one_cannot() {
    let deployment = Deployment::new().await;
    deployment.create(&[]);
    deployment.run(&["poll", "cancel", "pets"]).refused(1, &["is a draft"]);
    deployment.run(&["poll", "open", "pets", "--at", "+3s"]).ok();
    deployment.run(&["poll", "cancel", "pets"]).refused(1, &["within seconds"]);
    let mut deployment = Deployment::new().await;
    deployment.create(&[]);
    deployment.run(&["poll", "open", "pets", "--at", "+1h", "--closes-at", "+2h"]).ok();
    let said = deployment.run(&["poll", "cancel", "pets"]).ok();
    assert!(said.contains("it is a draft"), "{said}");
    let poll = deployment.poll().await;
    assert_eq!((poll.opens_at_ms, poll.closes_at_ms), (None, None));
    for rules in deployment.rules(&poll).await {
        assert_eq!(rules.unwrap().parse::<Rules>().unwrap(), Rules::of(&poll));
    }
    deployment.run(&["poll", "open", "pets"]).ok();
    deployment.run(&["poll", "cancel", "pets"]).refused(1, &["has opened", "votectl poll close"]);
}

/// Redis would take ballots that Postgres then refuses as too late.
#[tokio::test]
async fn a_later_end_that_postgres_refused_does_not_reach_redis() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    deployment.run(&["poll", "close", "pets", "--at", "+1h"]).ok();
    let poll = deployment.poll().await;
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE 'no'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON polls FOR EACH ROW EXECUTE FUNCTION refuse()";
    deployment.postgres.batch_execute(refuse).await.unwrap();
    deployment.run(&["poll", "close", "pets", "--at", "+3h"]).refused(1, &["no"]);
    assert_eq!(closing_times(&mut deployment, &poll).await, [poll.closes_at_ms.unwrap(); 3]);
}

#[tokio::test]
async fn a_stream_ahead_of_the_clock_closes_after_its_last_entry() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    let ahead_ms = now_ms() + 3_000;
    let mut add = redis::cmd("XADD");
    add.arg(deployment.keys.stream(1)).arg(format!("{ahead_ms}-0")).arg("ballot");
    add.arg(votestream_schema::codec::encode(&ballot(&poll, 0)));
    deployment.redis::<String>(&add).await;
    let said = deployment.run(&["poll", "close", "pets"]).ok();
    assert!(said.contains("1 ballots are still to be counted"), "{said}");
    let poll = deployment.poll().await;
    assert!(poll.closes_at_ms.unwrap() > ahead_ms);
    assert!(poll.takes_entry_at(ahead_ms));
}

#[tokio::test]
async fn waiting_ends_when_the_last_ballot_is_counted() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    let ballot = ballot(&poll, 0);
    let entry = deployment.accept(&ballot).await;
    let said = deployment.run(&["poll", "close", "pets", "--wait", "1"]);
    assert!(said.out.contains("1 ballots are still to be counted"), "{said:?}");
    said.refused(1, &["consumers"]);
    deployment.count(&ballot, &entry).await;
    let said = deployment.run(&["poll", "close", "pets", "--wait"]).ok();
    assert!(said.contains("every ballot is counted"), "{said}");
}

/// Postgres does not learn the closing time: it is adopted from Redis when the command is run again.
#[tokio::test]
async fn a_close_that_postgres_missed_is_finished_by_running_it_again() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let open = deployment.poll().await;
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'no space'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON polls FOR EACH ROW EXECUTE FUNCTION refuse()";
    deployment.postgres.batch_execute(refuse).await.unwrap();
    let said = deployment.run(&["poll", "close", "pets"]);
    said.refused(1, &["no space", "redis closes the poll at", "run this command again"]);
    assert_eq!(deployment.poll().await, open);
    let told = closing_times(&mut deployment, &open).await;
    assert!(told[0] < NEVER_MS && told == [told[0]; 3], "{told:?}");

    deployment.postgres.batch_execute("DROP TRIGGER refuse ON polls").await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    deployment.run(&["poll", "close", "pets"]).ok();
    let poll = deployment.poll().await;
    assert_eq!(poll.closes_at_ms, Some(told[0]));
    assert_eq!(closing_times(&mut deployment, &poll).await, told);
}

/// Broken off between two partitions, nothing is adopted: all get a new, later time.
#[tokio::test]
async fn a_close_that_reached_only_some_partitions_is_done_anew() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let open = deployment.poll().await;
    let half = Poll { closes_at_ms: Some(now_ms() + 50), revision: open.revision + 1, ..open };
    let script = projection::close_script(&deployment.keys, PARTITIONS - 1, &half);
    assert_eq!(deployment.redis::<i64>(redis::cmd(&script[0]).arg(&script[1..])).await, 1);
    deployment.run(&["poll", "close", "pets"]).ok();
    let poll = deployment.poll().await;
    assert!(poll.closes_at_ms > half.closes_at_ms);
    assert_eq!(closing_times(&mut deployment, &poll).await, [poll.closes_at_ms.unwrap(); 3]);
}
