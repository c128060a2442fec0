//! Entries that are not ballots, and ballots that the database refuses.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;
use serde_json::json;
use testkit::eventually;
use votestream_schema::{Ballot, VoterKey, codec};

use crate::support::{SOON, TestDeployment, ballot, create_poll, wait_for_dead_letters};

const ONE_MIB: usize = 1 << 20;

/// Appends an entry with these fields to the first partition, under this ID.
async fn append(
    redis: &mut MultiplexedConnection,
    deployment: &TestDeployment,
    id: &str,
    fields: &[(&[u8], &[u8])],
) {
    let mut add = redis::cmd("XADD");
    add.arg(deployment.keys.stream(0)).arg(id);
    for (name, value) in fields {
        add.arg(*name).arg(*value);
    }
    add.exec_async(redis).await.expect("Redis appends anything");
}

fn text(letter: &BTreeMap<String, Vec<u8>>, field: &str) -> String {
    let value = letter.get(field).unwrap_or_else(|| panic!("no field {field} in {letter:?}"));
    String::from_utf8_lossy(value).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_becomes_dead_letters_and_harms_no_other_entry() {
    let deployment = TestDeployment::new().await;
    let mut redis = deployment.redis().await;
    let good = codec::encode(&deployment.ballot(0));
    let parts: Vec<&str> = good.split(' ').collect();
    let with = |part: usize, value: &str| {
        let mut parts = parts.clone();
        parts[part] = value;
        parts.join(" ").into_bytes()
    };
    let without = |part: usize| {
        let mut parts = parts.clone();
        parts.remove(part);
        parts.join(" ").into_bytes()
    };
    let voter = parts[3];
    let big_number = "9".repeat(30);
    let mut payloads: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "part `version` is missing"),
        (without(0), "part `ballot` is missing"),
        (with(0, "2"), "unknown version `2`"),
        (without(1), "part `ballot` is missing"),
        (with(1, "0"), "part `poll`"),
        (with(1, "-1"), "part `poll`"),
        (with(1, "x"), "part `poll`"),
        (with(1, &big_number), "part `poll`"),
        (with(1, "2147483647"), "there is no poll 2147483647"),
        (without(2), "part `ballot` is missing"),
        (with(2, "0"), "choices are not among"),
        (with(2, "-1"), "part `choices`"),
        (with(2, "9223372036854775808"), "part `choices`"),
        (with(2, "3"), "choices are not among"),
        (with(2, "4"), "choices are not among"),
        (with(2, "9223372036854775807"), "are not among"),
        (without(3), "part `ballot` is missing"),
        (with(3, "not-a-voter"), "part `voter`"),
        (with(3, &voter[1..]), "part `voter`"),
        (without(4), "part `ballot` is missing"),
        (with(4, &"g".repeat(32)), "part `ballot`"),
        (format!("{good} more").into_bytes(), "more parts"),
        (format!("{good}\0").into_bytes(), "not printable ASCII"),
        (vec![0xff; 40], "not printable ASCII"),
        (vec![b' '; 40], "part `version` is missing"),
        (vec![b'1'; 300], "300 bytes long"),
        (vec![b'1'; ONE_MIB], "bytes long, more than 65536"),
    ];
    for (payload, _) in &payloads {
        append(&mut redis, &deployment, "*", &[(b"ballot", payload)]).await;
        deployment.add(&[deployment.ballot(1)]).await;
    }
    // Entries with wrong fields, no fields, too many fields, and an origin that is not an entry ID.
    append(&mut redis, &deployment, "*", &[(b"vote", b"a")]).await;
    append(&mut redis, &deployment, "*", &[(b"\0\xff", &[0; 10])]).await;
    append(&mut redis, &deployment, "*", &[(b"ballot", good.as_bytes()), (b"origin", b"x")]).await;
    let many: Vec<(&[u8], &[u8])> = (0..20_000).map(|_| (&b"f"[..], &b"v"[..])).collect();
    append(&mut redis, &deployment, "*", &many).await;
    payloads.push((Vec::new(), "field `ballot` is missing"));
    payloads.push((Vec::new(), "field `ballot` is missing"));
    payloads.push((good.clone().into_bytes(), "field `origin` is not an entry ID"));
    payloads.push((Vec::new(), "bytes long, more than 65536"));

    let consumer = deployment.start(&[]);
    let letters = wait_for_dead_letters(&deployment, payloads.len()).await;
    deployment.settles_at(27).await;
    for (letter, (payload, reason)) in letters.iter().zip(&payloads) {
        let found = text(letter, "reason");
        assert!(found.contains(reason), "{found} instead of {reason}");
        assert!(text(letter, "entry").contains('-'));
        assert_eq!(text(letter, "deliveries"), "1");
        if let Some(original) = letter.get("original:ballot") {
            assert_eq!(original, payload);
        }
    }
    assert!(letters.iter().filter(|letter| letter.contains_key("original:ballot")).count() >= 28);
    let [vote, nul, _, many] = &letters[letters.len() - 4..] else { panic!("four more") };
    assert_eq!(text(vote, "original:vote"), "a");
    assert_eq!(nul.len(), 4, "its one field is kept: {nul:?}");
    assert!(many["packed"].len() > 4 * 18_000 - 10, "{}", many["packed"].len());
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_id_beyond_what_postgres_stores_is_a_dead_letter() {
    let deployment = TestDeployment::new().await;
    let mut redis = deployment.redis().await;
    let last_good = deployment.ballots(20);
    deployment.add(&last_good).await;
    let beyond = "18446744073709551615-18446744073709551614";
    let payload = codec::encode(&deployment.ballot(0));
    append(&mut redis, &deployment, beyond, &[(b"ballot", payload.as_bytes())]).await;
    let consumer = deployment.start(&[]);
    let letters = wait_for_dead_letters(&deployment, 1).await;
    assert_eq!(text(&letters[0], "entry"), beyond);
    assert_eq!(text(&letters[0], "original:ballot"), payload);
    assert!(text(&letters[0], "reason").contains("entry ID"));
    deployment.settles_at(20).await;
    assert!(consumer.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_postgres_refuses_is_split_down_to_the_bad_ballots() {
    let deployment = TestDeployment::new().await;
    let sql = deployment.sql().await;
    let ballots = deployment.ballots(300);
    let refused: Vec<Ballot> = [0, 150, 151, 299].map(|i| ballots[i]).to_vec();
    let list: Vec<String> = refused.iter().map(|b| format!("'{}'", b.voter.0)).collect();
    let constraint = format!(
        "ALTER TABLE votes ADD CONSTRAINT refused CHECK (voter NOT IN ({}))",
        list.join(", ")
    );
    sql.batch_execute(&constraint).await.unwrap();
    // The batch also has a ballot that does not count; it must be stored although parts of the batch fail.
    let second = ballot(&deployment.poll, ballots[1].voter, 2);
    deployment.add(&ballots).await;
    deployment.add(&[second]).await;
    let consumer = deployment.start(&[]);
    let letters = wait_for_dead_letters(&deployment, refused.len()).await;
    deployment.settles_at(ballots.len() - refused.len()).await;

    let mut dead: Vec<String> = letters.iter().map(|l| text(l, "original:ballot")).collect();
    let mut expected: Vec<String> = refused.iter().map(codec::encode).collect();
    dead.sort();
    expected.sort();
    assert_eq!(dead, expected);
    assert!(letters.iter().all(|letter| text(letter, "reason").contains("refused")), "{letters:?}");
    let set_aside = sql.query("SELECT ballot FROM set_aside", &[]).await.unwrap();
    let set_aside: Vec<uuid::Uuid> = set_aside.iter().map(|row| row.get(0)).collect();
    assert_eq!(set_aside, [second.id.0]);
    assert!(consumer.stop().await);
}

/// The only vote of a batch is refused, and a ballot of the batch does not count: it is stored all the same.
#[tokio::test(flavor = "multi_thread")]
async fn ballots_that_do_not_count_are_stored_when_every_vote_is_refused() {
    let deployment = TestDeployment::new().await;
    let sql = deployment.sql().await;
    sql.batch_execute("ALTER TABLE votes ADD CONSTRAINT refused CHECK (false) NOT VALID")
        .await
        .unwrap();
    let in_first = |ballot: &Ballot| ballot.voter.partition(deployment.partitions) == 0;
    let ballots: Vec<Ballot> =
        deployment.ballots(60).into_iter().filter(in_first).take(2).collect();
    let mut redis = deployment.redis().await;
    for (id, ballot) in ["1-1", "*"].iter().zip(&ballots) {
        append(&mut redis, &deployment, id, &[(b"ballot", codec::encode(ballot).as_bytes())]).await;
    }
    let consumer = deployment.start(&[]);
    wait_for_dead_letters(&deployment, 1).await;
    eventually(SOON, async || {
        let rows = sql.query("SELECT ballot FROM set_aside", &[]).await.unwrap();
        let stored: Vec<uuid::Uuid> = rows.iter().map(|row| row.get(0)).collect();
        if stored == [ballots[0].id.0] { Ok(()) } else { Err(stored) }
    })
    .await;
    assert_eq!(deployment.in_flight(&mut redis).await, (0, 0));
    assert!(consumer.stop().await);
}

/// Moving an entry to the dead letters is atomic: after a crash in the middle of many, each entry is in one place only.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_dead_lettering_leaves_each_entry_dead_once() {
    let deployment = TestDeployment::new().await;
    let mut redis = deployment.redis().await;
    for n in 0..400 {
        append(&mut redis, &deployment, "*", &[(b"odd", format!("{n}").as_bytes())]).await;
    }
    let consumer = deployment.start(&[]);
    eventually(SOON, async || deployment.dead_letters().await.len() > 20).await;
    consumer.crash().await;
    let consumer = deployment.start(crate::support::CLAIM_SOON);
    deployment.settles_at(0).await;
    let letters = deployment.dead_letters().await;
    let mut numbers: Vec<u32> =
        letters.iter().map(|letter| text(letter, "original:odd").parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..400).collect::<Vec<_>>());
    assert!(consumer.stop().await);
}

/// This server closes a connection that has more than 16 MiB to receive, so the test fails unless the consumer bounds the
/// bytes of each reply.
#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_mebibyte_neither_stop_the_count_nor_come_back_for_ever() {
    let redis = testkit::own_redis_with(|options| {
        let limit = ("client-output-buffer-limit".to_owned(), "normal 16mb 0 0".to_owned());
        options.settings.push(limit);
    });
    let deployment =
        TestDeployment::on(redis.url(), testkit::database().await, 1, serde_json::json!({})).await;
    let mut connection = deployment.redis().await;
    // Small entries come first, so that the consumer has learnt to ask for many at once.
    let consumer = deployment.start(&["--linger-ms=0"]);
    consumer.ready().await;
    deployment.add(&deployment.ballots(3_000)).await;
    deployment.settles_at(3_000).await;
    let big = vec![b'1'; ONE_MIB];
    let mut all = redis::pipe();
    for n in 0..120 {
        let payload = match n % 3 {
            0 => codec::encode(&deployment.ballot(0)).into_bytes(),
            _ => big.clone(),
        };
        all.cmd("XADD").arg(deployment.keys.stream(0)).arg("*").arg("ballot").arg(payload).ignore();
    }
    all.atomic().exec_async(&mut connection).await.unwrap();
    let held = |connection: &mut MultiplexedConnection| {
        let mut length = redis::cmd("XLEN");
        length.arg(deployment.keys.dead_letters(0));
        let mut connection = connection.clone();
        async move { length.query_async::<usize>(&mut connection).await.unwrap() }
    };
    eventually(SOON, async || match held(&mut connection).await {
        80 => Ok(()),
        other => Err(other),
    })
    .await;
    deployment.settles_at(3_040).await;
    assert!(consumer.stop().await);

    // Entries of a dead consumer are claimed within the same bounds.
    let gone = deployment.start(&["--claim-idle-ms=600000"]);
    gone.ready().await;
    let barrier = deployment.sql().await;
    barrier.batch_execute("BEGIN; LOCK TABLE votes IN EXCLUSIVE MODE").await.unwrap();
    all.atomic().exec_async(&mut connection).await.unwrap();
    deployment.pending_is(120).await;
    gone.crash().await;
    barrier.batch_execute("COMMIT").await.unwrap();
    let heir = deployment.start(crate::support::CLAIM_SOON);
    eventually(SOON, async || match held(&mut connection).await {
        160 => Ok(()),
        other => Err(other),
    })
    .await;
    deployment.settles_at(3_040).await;
    assert!(heir.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_huge_entry_the_dead_letter_keeps_the_beginning_and_its_size() {
    let deployment = TestDeployment::new().await;
    let mut redis = deployment.redis().await;
    let huge = vec![b'x'; 5 * ONE_MIB];
    append(&mut redis, &deployment, "*", &[(b"ballot", &huge), (b"more", b"y")]).await;
    deployment.add(&deployment.ballots(5)).await;
    let consumer = deployment.start(&[]);
    let letters = wait_for_dead_letters(&deployment, 1).await;
    deployment.settles_at(5).await;
    assert_eq!(letters[0]["original:ballot"], &huge[..256]);
    assert_eq!(text(&letters[0], "original:more"), "y");
    assert!(text(&letters[0], "truncated").starts_with("5242"), "{:?}", letters[0]["truncated"]);
    assert!(consumer.stop().await);
}

/// As a newer release would leave it: a poll with a policy that this release does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_cannot_be_read_holds_up_no_other() {
    let deployment = TestDeployment::new().await;
    let mut sql = deployment.sql().await;
    let unreadable = create_poll(&mut sql, json!({})).await;
    let change = format!(
        "ALTER TABLE polls DROP CONSTRAINT polls_vote_policy_check; \
         UPDATE polls SET vote_policy = 'ranked' WHERE id = {}",
        unreadable.id
    );
    sql.batch_execute(&change).await.expect("the owner may change a table");
    deployment.add(&deployment.ballots(30)).await;
    deployment.add(&[ballot(&unreadable, VoterKey::new(), 1)]).await;

    let consumer = deployment.spawn(&[]);
    deployment.settles_at(30).await;
    let letters = wait_for_dead_letters(&deployment, 1).await;
    let reason = text(&letters[0], "reason");
    assert_eq!(reason, format!("there is no poll {} that this consumer can read", unreadable.id));
    consumer.ready().await;
    assert_eq!(consumer.metric("votestream_unreadable_polls", "").await, Some(1.0));
}
