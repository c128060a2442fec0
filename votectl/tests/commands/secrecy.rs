//! Who chose what, and who can find it out: keys, sealing, erasing.

use std::collections::BTreeSet;

use uuid::Uuid;
use votestream_schema::code::Code;
use votestream_schema::{Ballot, Poll, VoterId, projection};

use super::deployment::{Deployment, ballot};

/// A poll with voting codes, three of which have voted: two for Cats and one for Dogs.
async fn voted(more: &[&str]) -> (Deployment, Vec<Code>) {
    let mut deployment = Deployment::new().await;
    deployment.create(&[["--open", "--voter-policy", "code"].as_slice(), more].concat());
    let poll = deployment.poll().await;
    let printed = deployment.run(&["codes", "issue", "pets", "--count", "5"]).ok();
    let codes: Vec<Code> = printed.lines().map(|line| Code::parse(line).unwrap()).collect();
    for (code, position) in codes.iter().zip([0, 0, 1]) {
        let ballot = Ballot { voter: code.key_in(&poll).unwrap(), ..ballot(&poll, position) };
        let entry = deployment.accept(&ballot).await;
        deployment.count(&ballot, &entry).await;
    }
    (deployment, codes)
}

/// Closes the poll, with everything counted, as the consumers store it.
async fn close(deployment: &Deployment) {
    deployment.run(&["poll", "close", "pets"]).ok();
    let closes_at_ms = deployment.poll().await.closes_at_ms.unwrap();
    let sql =
        "INSERT INTO watermarks SELECT n, $1 FROM deployment, generate_series(0, partitions - 1) n";
    deployment.postgres.execute(sql, &[&closes_at_ms]).await.unwrap();
}

async fn voters(deployment: &Deployment) -> BTreeSet<Uuid> {
    let rows = deployment.postgres.query("SELECT voter FROM votes", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn definition(deployment: &mut Deployment) -> Poll {
    let mut get = redis::cmd("HGET");
    get.arg(deployment.keys.polls()).arg("pets");
    let json: String = deployment.redis(&get).await;
    projection::read_definition(&json).unwrap()
}

async fn count(deployment: &Deployment, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    deployment.postgres.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_sealed_poll_keeps_its_result_and_nothing_that_names_a_voter() {
    let (mut deployment, codes) = voted(&[]).await;
    let poll = deployment.poll().await;
    assert_eq!(definition(&mut deployment).await.secrecy.keys, poll.secrecy.keys);
    let shown = deployment.run(&["poll", "show", "pets"]).ok();
    assert!(shown.contains("operators can find out who chose what, until `votectl poll seal`"));
    let before = voters(&deployment).await;
    let keys: BTreeSet<Uuid> =
        codes[..3].iter().map(|code| code.key_in(&poll).unwrap().0).collect();
    assert_eq!(before, keys);

    // Not yet: the poll takes ballots, then it is not archived, then a dead letter may still be counted.
    deployment
        .run(&["poll", "seal", "pets", "--yes"])
        .refused(1, &["is open", "votectl poll archive"]);
    close(&deployment).await;
    deployment.run(&["poll", "seal", "pets", "--yes"]).refused(1, &["is closed"]);
    let archived = deployment.run(&["poll", "archive", "pets"]).ok();
    assert!(archived.contains("votectl poll seal pets"), "{archived}");
    let payload = votestream_schema::codec::encode(&ballot(&poll, 0));
    deployment.dead_letter("test", &[("ballot", payload.as_bytes())]).await;
    // A producer had accepted it.
    let accepted = deployment.keys.accepted(0);
    let one: i64 =
        deployment.redis(redis::cmd("HINCRBY").arg(accepted).arg(poll.id.0).arg(1)).await;
    assert!(one >= 1);
    deployment
        .run(&["poll", "seal", "pets", "--yes"])
        .refused(1, &["1 dead letters", "replay or drop"]);
    deployment.run(&["dead-letters", "drop", "--all", "--yes"]).ok();

    deployment.run(&["poll", "seal", "pets"]).refused(1, &["cannot be undone", "--yes"]);
    let aside = "INSERT INTO set_aside (ballot, poll_id, reason, partition, entry_ms, entry_seq)
        SELECT gen_random_uuid(), id, 'superseded', 0, 5, 5 FROM polls";
    deployment.postgres.batch_execute(aside).await.unwrap();
    for _ in 0..2 {
        let said = deployment.run(&["poll", "seal", "pets", "--yes"]).ok();
        assert!(said.contains("is sealed") && said.contains("backups"), "{said}");
    }
    assert_eq!(count(&deployment, "poll_secrets").await, 0);
    let after = voters(&deployment).await;
    assert!(after.len() == 3 && after.is_disjoint(&before));
    let sql = "SELECT count(*) FROM votes WHERE entry_ms <> 0 OR entry_seq <> 0 OR prev_ballot IS NOT NULL";
    let with_time: i64 = deployment.postgres.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(with_time, 0);
    let sql = "DELETE FROM set_aside RETURNING partition IS NULL AND entry_ms IS NULL AND entry_seq IS NULL";
    let aside: bool = deployment.postgres.query_one(sql, &[]).await.unwrap().get(0);
    assert!(aside, "a ballot that was set aside keeps its time");
    let copy = definition(&mut deployment).await;
    assert!(copy.secrecy.is_sealed() && copy.secrecy.keys.secret().is_none());
    let shown = deployment.run(&["poll", "show", "pets", "--json"]).json();
    assert_eq!(shown["results"]["options"][0]["votes"], 2);
    assert_eq!(shown["results"]["options"][1]["votes"], 1);
    let audited = deployment.run(&["audit"]);
    assert!(!audited.out.contains("wrong seconds") && !audited.out.contains("without a code"));
    audited.ok();
    let voter = codes[0].voter(poll.id).to_string();
    let asked = deployment.run_with_input(&["poll", "voter-keys", "pets"], &voter);
    asked.refused(1, &["is sealed"]);
}

#[tokio::test]
async fn a_sealed_poll_counts_no_ballot_again() {
    let (deployment, _) = voted(&["--secret"]).await;
    close(&deployment).await;
    let said = deployment.run(&["poll", "archive", "pets"]).ok();
    assert!(said.contains("is archived") && said.contains("is sealed"), "{said}");
    let counted = "UPDATE poll_tally SET voters = voters + 1";
    let refused = deployment.postgres.execute(counted, &[]).await.unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert!(refused.message().contains("is sealed and counts no more votes"), "{refused}");
}

#[tokio::test]
async fn a_secret_poll_that_is_not_final_is_archived_and_not_sealed() {
    let (deployment, _) = voted(&["--secret"]).await;
    deployment.run(&["poll", "close", "pets"]).ok();
    let said = deployment.run(&["poll", "archive", "pets"]);
    for words in ["archived and not sealed", "ballots that may still be counted", "poll seal"] {
        assert!(said.code == 1 && said.err.contains(words), "{said:?}");
    }
    assert!(deployment.poll().await.secrecy.keys.secret().is_some());
    assert!(!deployment.poll().await.secrecy.is_sealed());
}

#[tokio::test]
async fn votes_are_deleted_after_the_days_that_the_poll_states() {
    let (deployment, _) = voted(&["--keep-votes-days", "30"]).await;
    close(&deployment).await;
    let nothing = deployment.run(&["forget"]).ok();
    assert!(nothing.contains("no poll has votes that are no longer kept"), "{nothing}");
    let month =
        "UPDATE polls SET closes_at_ms = closes_at_ms - 31 * 86400000::bigint, opens_at_ms = 1";
    deployment.postgres.execute(month, &[]).await.unwrap();
    let refused = deployment.run(&["forget"]);
    assert!(refused.out.contains("nothing deleted: poll `pets` is closed"), "{refused:?}");
    refused.refused(1, &["some polls could not be erased"]);
    deployment.run(&["poll", "archive", "pets"]).ok();
    let dry = deployment.run(&["forget", "--dry-run"]).ok();
    assert!(dry.contains("poll `pets`: 3 votes would be deleted"), "{dry}");
    assert_eq!(count(&deployment, "votes").await, 3);
    let said = deployment.run(&["forget"]).ok();
    assert!(said.contains("poll `pets`: 3 votes are deleted; the results stay"), "{said}");
    for table in ["votes", "voting_codes", "poll_secrets"] {
        assert_eq!(count(&deployment, table).await, 0, "{table}");
    }
    let shown = deployment.run(&["poll", "show", "pets"]).ok();
    assert!(
        shown.contains("3 voters counted") && shown.contains("the votes are deleted"),
        "{shown}"
    );
    let audited = deployment.run(&["audit", "--json"]).json();
    assert_eq!(audited["polls"][0]["checks"], serde_json::json!([]), "nothing is left to recount");
    assert!(deployment.run(&["forget"]).ok().contains("no poll has votes"));
    deployment.run(&["forget", "pets", "--now"]).ok();
    assert_eq!(deployment.run(&["forget", "pets"]).code, 2, "a poll by name needs --now");
}

#[tokio::test]
async fn the_key_of_a_voter_is_found_by_the_id_in_its_cookie() {
    let deployment = Deployment::new().await;
    deployment.create(&["--open"]);
    let poll = deployment.poll().await;
    let ids: Vec<VoterId> = (0..3).map(|_| VoterId::new()).collect();
    let lines: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let said = deployment.run_with_input(&["poll", "voter-keys", "pets"], &lines.join("\n")).ok();
    let right = ids.iter().map(|id| poll.secrecy.keys.key_of(*id).unwrap().to_string());
    assert_eq!(said.lines().map(str::to_owned).collect::<Vec<_>>(), right.collect::<Vec<_>>());
    let bad = deployment.run_with_input(&["poll", "voter-keys", "pets"], "not an id");
    bad.refused(1, &["not the id of a voter"]);
}
