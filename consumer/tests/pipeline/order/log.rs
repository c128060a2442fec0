//! Every ballot is in the public log of its poll, once, in a tree that others can check.

use serde_json::json;
use testkit::eventually;
use tokio_postgres::Client;
use votestream_consumer::streams::entry::Entry;
use votestream_schema::{Choices, EntryId, Poll, codec};
use votestream_transparency::Hash;
use votestream_transparency::audit::Follower;
use votestream_transparency::checkpoint::{self, Head};
use votestream_transparency::entry::{self, LogEntry, Nonce};
use votestream_transparency::keys::{PublicKeys, SigningKeys};
use votestream_transparency::tree;

use super::deliver;
use crate::support::{CLAIM_SOON, SOON, TestDeployment, ballot};

/// What is published of a log.
struct Published {
    head: Head,
    lines: Vec<String>,
    level_0: Vec<u8>,
}

async fn read(sql: &Client, poll: &Poll) -> Option<Published> {
    let poll = &poll.id.0;
    let ask = async |text: &str| sql.query(text, &[poll]).await.expect("Postgres answers");
    let log = ask("SELECT size, root FROM logs WHERE poll_id = $1").await;
    let log = log.first()?;
    let root: &[u8] = log.get(1);
    let head =
        Head { size: log.get::<_, i64>(0) as u64, root: Hash(root.try_into().expect("a hash")) };
    let bundles = ask("SELECT entries FROM log_bundles WHERE poll_id = $1 ORDER BY index").await;
    let lines = bundles.iter().flat_map(|row| {
        let lines = entry::lines(row.get(0)).expect("the bundle can be read");
        lines.into_iter().map(str::to_owned).collect::<Vec<_>>()
    });
    let lines: Vec<String> = lines.collect();
    let level_0 =
        ask("SELECT hashes FROM log_tiles WHERE poll_id = $1 AND level = 0 ORDER BY index").await;
    let level_0 = level_0.iter().flat_map(|row| row.get::<_, Vec<u8>>(0)).collect();
    Some(Published { head, lines, level_0 })
}

/// Waits until the log has this many entries, and checks it as somebody from outside does.
async fn log_of(sql: &Client, poll: &Poll, size: u64) -> Follower {
    let published = eventually(SOON, async || match read(sql, poll).await {
        Some(published) if published.head.size == size => Ok(published),
        Some(published) => Err(format!("{} of {size} entries", published.head.size)),
        None => Err("no log".to_owned()),
    })
    .await;
    let mut follower = Follower::default();
    let mut hashes = Vec::new();
    for line in &published.lines {
        follower.push(line);
        hashes.extend(tree::leaf_hash(line).0);
    }
    assert_eq!(follower.bad(), []);
    assert_eq!(follower.head(), published.head, "the root hash is that of the entries");
    assert_eq!(hashes, published.level_0);
    follower
}

fn signing_keys() -> (SigningKeys, String) {
    let keys = SigningKeys::generate("vote.example").expect("the name is valid");
    let flag = format!("--signing-keys={}", keys.reveal());
    (keys, flag)
}

#[tokio::test]
async fn every_ballot_is_in_the_log_once_whatever_dies_and_each_checkpoint_is_signed() {
    let deployment = TestDeployment::new().await;
    let sql = deployment.sql().await;
    let (keys, flag) = signing_keys();
    let flags: Vec<&str> = CLAIM_SOON.iter().copied().chain([flag.as_str()]).collect();
    let (one, two) = (deployment.spawn(&flags), deployment.start(&flags));
    for _ in 0..6 {
        deployment.add(&deployment.ballots(100)).await;
    }
    // One consumer dies in the midst of it.
    drop(one);
    deployment.settles_at(600).await;
    let follower = log_of(&sql, &deployment.poll, 600).await;
    let votes = [0, 1].map(|position| follower.recount().votes(position));
    assert_eq!((votes, follower.recount().voters()), ([300, 300], 600));

    let origin = keys.origin_of(deployment.poll.slug.as_str());
    let published = sql.query("SELECT public_key FROM log_keys", &[]).await.unwrap();
    let public = PublicKeys::new(published.iter().map(|row| row.get(0))).unwrap();
    let public = public.under(&origin).unwrap();
    let ask = "SELECT size, note, root FROM log_checkpoints WHERE poll_id = $1 ORDER BY size";
    let rows = sql.query(ask, &[&deployment.poll.id.0]).await.unwrap();
    let mut later = Follower::default();
    let lines = read(&sql, &deployment.poll).await.unwrap().lines;
    for row in &rows {
        let head = checkpoint::open(row.get("note"), &origin, &public).unwrap();
        while later.head().size < head.size {
            later.push(&lines[later.head().size as usize]);
        }
        assert_eq!(later.head(), head, "the log only grows");
    }
    assert_eq!(later.head().size, 600);
    assert!(two.stop().await);
}

#[tokio::test]
async fn a_replaced_vote_and_one_out_of_time_are_in_the_log_with_what_became_of_them() {
    let changes = json!({"vote_policy": "replace", "closes_at": "2020-01-02T00:00:00Z"});
    let deployment = TestDeployment::with_poll(changes).await;
    let (store, polls) = deployment.store(5_000).await;
    let sql = deployment.sql().await;
    let opens_ms = deployment.poll.opens_at_ms.unwrap();
    let (first, second) = (deployment.ballot(0), deployment.ballot(1));
    let newer = ballot(&deployment.poll, first.voter, 0b10);
    let late = deployment.ballot(0);
    let cast = [(first, 1), (second, 2), (newer, 3), (late, 200_000_000)];
    for (ballot, after_ms) in cast {
        let entry = EntryId { ms: opens_ms + after_ms, seq: 0 };
        let fields = vec![codec::FIELD_BALLOT.into(), codec::encode(&ballot).into()];
        let delivered = Entry { partition: 0, id: entry.to_string(), fields, oversized: None };
        deliver(&store, &polls, std::slice::from_ref(&delivered)).await;
        // A second delivery adds nothing.
        deliver(&store, &polls, &[delivered]).await;
    }
    let replica = deployment.start(&[]);
    let follower = log_of(&sql, &deployment.poll, 4).await;
    let recount = follower.recount();
    assert_eq!([0, 1].map(|position| recount.votes(position)), [0, 2]);
    assert_eq!((recount.voters(), recount.set_aside()), (2, 1));
    let lines = read(&sql, &deployment.poll).await.unwrap().lines;
    let entries: Vec<LogEntry> = lines.iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!(entries[2].replaces, Some(entries[0].entry));
    // The nonce is the one that a producer would give in the receipt.
    let secret = deployment.poll.secrecy.keys.secret().unwrap();
    assert!(entries.iter().all(|entry| entry.nonce == Nonce::of(secret, entry.entry)));
    assert_eq!(entries[1].choices, Choices::from_mask(0b10).unwrap());
    // Without a key there are checkpoints, and none is signed.
    let unsigned = "SELECT count(*) FILTER (WHERE note IS NULL), count(*) FROM log_checkpoints";
    let row = sql.query_one(unsigned, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) == row.get::<_, i64>(1) && row.get::<_, i64>(1) > 0);
    assert!(replica.stop().await);
}

#[tokio::test]
async fn a_log_whose_tiles_somebody_changed_is_not_signed_again() {
    let deployment = TestDeployment::new().await;
    let sql = deployment.sql().await;
    let (_, flag) = signing_keys();
    let program = deployment.spawn(&[&flag]);
    deployment.add(&deployment.ballots(20)).await;
    log_of(&sql, &deployment.poll, 20).await;
    let changed = "UPDATE log_tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE poll_id = $1";
    sql.execute(changed, &[&deployment.poll.id.0]).await.unwrap();
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(30).await;
    eventually(SOON, async || match program.metric("votestream_logs_broken", "").await {
        Some(1.0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let ask = "SELECT max(size) FROM log_checkpoints WHERE poll_id = $1";
    let size: i64 = sql.query_one(ask, &[&deployment.poll.id.0]).await.unwrap().get(0);
    assert_eq!(size, 20, "what was changed is not signed");
    let waiting: i64 = sql.query_one("SELECT count(*) FROM log_queue", &[]).await.unwrap().get(0);
    assert!(waiting > 0, "the ballots wait until the log is repaired");
}

#[tokio::test]
async fn a_poll_without_receipts_has_no_log() {
    let deployment = TestDeployment::with_poll(json!({"receipts": false})).await;
    let sql = deployment.sql().await;
    let replica = deployment.start(&[]);
    deployment.add(&deployment.ballots(10)).await;
    deployment.settles_at(10).await;
    let waiting: i64 = sql.query_one("SELECT count(*) FROM log_queue", &[]).await.unwrap().get(0);
    assert_eq!((waiting, read(&sql, &deployment.poll).await.is_none()), (0, true));
    assert!(replica.stop().await);
}
