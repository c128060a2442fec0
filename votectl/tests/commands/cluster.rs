use votestream_schema::projection::Rules;

use super::deployment::{Deployment, PARTITIONS, votectl_in_cluster};

/// Every command, with the partitions spread over three masters: none may touch two slots at once.
#[tokio::test]
async fn every_command_works_in_a_redis_cluster() {
    let cluster = testkit::redis_cluster(3);
    let deployment = Deployment::empty().await;
    let run = |arguments: &[&str]| {
        let (urls, database) = (cluster.urls(), &deployment.database_url);
        votectl_in_cluster(&urls, database, &deployment.prefix, arguments)
    };
    run(&["migrate", "--partitions", &PARTITIONS.to_string()]).ok();
    let create =
        ["poll", "create", "--slug", "pets", "--title", "P", "--option", "a", "--option", "b"];
    run(&[create.as_slice(), &["--voter-policy", "code"]].concat()).ok();
    run(&["codes", "issue", "pets", "--count", "20"]).ok();
    run(&["poll", "open", "pets"]).ok();
    // On whichever master a key lies, that one answers; the others say MOVED.
    let ask = |command: &[&str]| {
        let answers = cluster.masters.iter().map(|master| master.command(command));
        let answers: Vec<String> = answers.filter_map(Result::ok).collect();
        assert_eq!(answers.len(), 1, "{command:?}: {answers:?}");
        answers[0].clone()
    };
    let dead = deployment.keys.dead_letters(1);
    for _ in 0..2 {
        ask(&["XADD", &dead, "*", "reason", "r", "entry", "5-5", "original:ballot", "x"]);
    }
    let listed = run(&["dead-letters", "list", "--json"]).json();
    let id = listed["dead_letters"][0]["id"].as_str().unwrap();
    run(&["dead-letters", "show", id]).ok();
    run(&["dead-letters", "drop", id, "--yes"]).ok();
    run(&["dead-letters", "replay", "--all"]).ok();
    assert_eq!(ask(&["XLEN", &deployment.keys.stream(1)]), "1");
    run(&["poll", "close", "pets"]).ok();
    let poll = deployment.poll().await;
    for partition in 0..PARTITIONS {
        let rules = ask(&["HGET", &deployment.keys.rules(partition), &poll.id.to_string()]);
        assert_eq!(rules.parse::<Rules>().unwrap().closes_at_ms, poll.closes_at_ms.unwrap());
    }
    run(&["audit"]).ok();
    run(&["poll", "archive", "pets"]).ok();
    drop(cluster);
    let said = votectl_in_cluster(
        &format!("redis://127.0.0.1:{}", testkit::free_port()),
        &deployment.database_url,
        &deployment.prefix,
        &["audit"],
    );
    said.refused(3, &["redis", "REDIS_URL"]);
}
