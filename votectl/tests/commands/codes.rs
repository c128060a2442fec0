use std::os::unix::fs::PermissionsExt;

use uuid::Uuid;
use votestream_schema::Poll;
use votestream_schema::code::{Code, CodeHash};

use super::deployment::{Deployment, PARTITIONS};

async fn is_known(deployment: &mut Deployment, poll: &Poll, code: &Code) -> bool {
    let hash = CodeHash::of(code.voter(poll.id));
    let partition = hash.partition(PARTITIONS);
    let mut ask = redis::cmd("SISMEMBER");
    ask.arg(deployment.keys.code_hashes(partition, poll.id)).arg(hash.0.as_bytes().as_slice());
    deployment.redis(&ask).await
}

#[tokio::test]
async fn issued_codes_are_known_to_both_servers_as_hashes() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--open", "--voter-policy", "code"]);
    let poll = deployment.poll().await;
    let printed = deployment.run(&["codes", "issue", "pets", "--count", "50"]).ok();
    let codes: Vec<Code> = printed.lines().map(|line| Code::parse(line).unwrap()).collect();
    assert_eq!(codes.len(), 50);
    let rows = deployment.postgres.query("SELECT hash FROM voting_codes", &[]).await.unwrap();
    let stored: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(stored.len(), 50);
    for code in &codes {
        let voter = code.voter(poll.id);
        assert!(stored.contains(&CodeHash::of(voter).0) && !stored.contains(&voter.0));
        assert!(is_known(&mut deployment, &poll, code).await);
    }
    let ballot = votestream_schema::Ballot {
        voter: codes[0].voter(poll.id),
        ..super::deployment::ballot(&poll, 0)
    };
    deployment.count(&ballot, "1700000000000-0").await;
    let counted = deployment.run(&["codes", "count", "pets", "--json"]).json();
    assert_eq!((&counted["issued"], &counted["voted"]), (&50.into(), &1.into()));
    let more = deployment.run(&["codes", "issue", "pets", "--count", "1", "--json"]).json();
    assert_eq!(more["codes"].as_array().unwrap().len(), 1);
    assert!(deployment.run(&["codes", "count", "pets"]).ok().contains("51 codes"));
}

#[tokio::test]
async fn codes_go_to_a_new_private_file() {
    let deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let path = testkit::folder("codes").join("codes.csv");
    let file = path.to_str().unwrap();
    let issue = ["codes", "issue", "pets", "--count", "3", "--output", file];
    let said = deployment.run(&issue).ok();
    assert!(said.contains("3 codes") && said.contains(file), "{said}");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written.lines().count() == 3 && written.lines().all(|line| Code::parse(line).is_some())
    );
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    deployment.run(&issue).refused(1, &[file, "exists"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    assert!(deployment.run(&["codes", "count", "pets"]).ok().contains("3 codes"));
}

#[tokio::test]
async fn only_polls_that_take_codes_get_them() {
    let deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let issue = |slug: &str| deployment.run(&["codes", "issue", slug, "--count", "1"]);
    issue("pets").refused(1, &["anybody may vote", "--voter-policy code"]);
    issue("none").refused(1, &["no poll `none`"]);
    assert_eq!(deployment.run(&["codes", "issue", "pets", "--count", "0"]).code, 2);
    let create =
        ["poll", "create", "--slug", "coded", "--title", "C", "--option", "a", "--option", "b"];
    deployment.run(&[create.as_slice(), &["--open", "--voter-policy", "code"]].concat()).ok();
    deployment.run(&["poll", "close", "coded"]).ok();
    issue("coded").refused(1, &["closed"]);
}

#[tokio::test]
async fn codes_that_redis_lost_come_back_with_the_poll() {
    let mut deployment = Deployment::new().await;
    deployment.create(&["--voter-policy", "code"]);
    let poll = deployment.poll().await;
    let printed = deployment.run(&["codes", "issue", "pets", "--count", "20"]).ok();
    for partition in 0..PARTITIONS {
        let keys =
            [deployment.keys.rules(partition), deployment.keys.code_hashes(partition, poll.id)];
        deployment.redis::<i64>(redis::cmd("DEL").arg(&keys)).await;
    }
    deployment.run(&["poll", "open", "pets"]).ok();
    for line in printed.lines() {
        assert!(is_known(&mut deployment, &poll, &Code::parse(line).unwrap()).await);
    }
}
