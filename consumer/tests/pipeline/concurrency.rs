//! Several replicas that count ballots of the same voters; ballots that arrive late, twice, or out of order.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;
use votestream_consumer::pipeline::batch::{self, Batch, Vote};
use votestream_consumer::pipeline::store::{Error, Store};
use votestream_consumer::polls::Polls;
use votestream_consumer::streams::entry::Entry;
use votestream_schema::{Ballot, EntryId, Poll, VoterKey, codec};

use crate::support::{TestDeployment, ballot};

fn entry(ballot: &Ballot, ms: i64, seq: i64) -> Entry {
    let fields = vec![codec::FIELD_BALLOT.into(), codec::encode(ballot).into()];
    Entry { partition: 0, id: EntryId { ms, seq }.to_string(), fields, oversized: None }
}

const NOW_MS: i64 = 1_700_000_000_000;

async fn count(store: &Store, polls: &Polls, entries: &[Entry]) {
    let Batch { votes, set_aside, dead, .. } = batch::sort(entries, polls);
    assert!(dead.is_empty(), "{dead:?}");
    loop {
        match store.count(&votes, &set_aside).await {
            Ok(_) => return,
            // A transaction that lost a deadlock is retried, as the worker does.
            Err(Error::Transient(_) | Error::TooSlow(_)) => {}
            Err(Error::Rejected(reason)) => panic!("{reason}"),
        }
    }
}

/// Returns the ballots that count, and those that were set aside.
async fn outcome(deployment: &TestDeployment) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
    let sql = deployment.sql().await;
    let ask = async |text: &str| -> BTreeSet<Uuid> {
        let rows = sql.query(text, &[&deployment.poll.id.0]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let votes = ask("SELECT ballot FROM votes WHERE poll_id = $1").await;
    let set_aside = ask("SELECT ballot FROM set_aside WHERE poll_id = $1").await;
    deployment.results_equal_recount(&sql).await;
    (votes, set_aside)
}

async fn meet_on_the_same_voters(vote_policy: &str, standing_round: i64) {
    let deployment = TestDeployment::with_poll(json!({"vote_policy": vote_policy})).await;
    let (store, polls) = deployment.store(10_000).await;
    let (store, polls) = (Arc::new(store), Arc::new(polls));
    let voters: Vec<VoterKey> = (0..40).map(|_| VoterKey::new()).collect();
    let rounds = 8;
    let cast: Vec<Vec<Ballot>> = (0..rounds)
        .map(|round| {
            voters.iter().map(|v| ballot(&deployment.poll, *v, 1 << (round % 2))).collect()
        })
        .collect();
    let tasks: Vec<_> = cast
        .iter()
        .enumerate()
        .map(|(round, ballots)| {
            let (store, polls) = (store.clone(), polls.clone());
            let entry = |ballot| entry(ballot, NOW_MS + round as i64, 0);
            let entries: Vec<Entry> = ballots.iter().map(entry).collect();
            tokio::spawn(async move {
                for entries in entries.chunks(13).chain(entries.chunks(40)) {
                    count(&store, &polls, entries).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (votes, set_aside) = outcome(&deployment).await;
    let standing: BTreeSet<Uuid> = cast[standing_round as usize].iter().map(|b| b.id.0).collect();
    assert_eq!(votes, standing);
    assert_eq!(set_aside.len(), voters.len() * (rounds - 1));
    assert!(set_aside.is_disjoint(&votes));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_batches_with_the_same_voters_keep_the_first_ballots() {
    meet_on_the_same_voters("keep_first", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_batches_with_the_same_voters_keep_the_newest_ballots() {
    meet_on_the_same_voters("replace", 7).await;
}

/// Sorting prevents deadlocks. When a batch is not sorted, Postgres ends one transaction with an error that is retried.
#[tokio::test(flavor = "multi_thread")]
async fn batches_in_opposite_order_do_not_block_each_other_for_ever() {
    let deployment = TestDeployment::new().await;
    let (store, polls) = deployment.store(10_000).await;
    let ballots = deployment.ballots(400);
    let entries: Vec<Entry> = ballots.iter().map(|ballot| entry(ballot, NOW_MS, 0)).collect();
    let forth = batch::sort(&entries, &polls).votes;
    let back: Vec<Vote> = forth.iter().rev().copied().collect();
    let count_all = async |votes: &[Vote]| {
        for _ in 0..3 {
            while let Err(error) = store.count(votes, &[]).await {
                assert!(matches!(error, Error::Transient(_)), "{error}");
            }
        }
    };
    tokio::join!(count_all(&forth), count_all(&back), count_all(&forth), count_all(&back));
    let (votes, set_aside) = outcome(&deployment).await;
    assert_eq!(votes.len(), ballots.len());
    assert!(set_aside.is_empty());
}

#[tokio::test]
async fn an_older_ballot_that_comes_after_a_newer_one_does_not_replace_it() {
    let deployment = TestDeployment::with_poll(json!({"vote_policy": "replace"})).await;
    let (store, polls) = deployment.store(10_000).await;
    let voter = VoterKey::new();
    let (older, newer) = (ballot(&deployment.poll, voter, 1), ballot(&deployment.poll, voter, 2));
    count(&store, &polls, &[entry(&newer, NOW_MS, 10)]).await;
    // 9 is below 10 as a number, although not as text.
    count(&store, &polls, &[entry(&older, NOW_MS, 9)]).await;
    assert_eq!(outcome(&deployment).await, ([newer.id.0].into(), [older.id.0].into()));
}

#[tokio::test]
async fn entry_ids_that_regress_after_a_failover_count_nobody_twice() {
    for (policy, first_stands) in [("keep_first", false), ("replace", true)] {
        let deployment = TestDeployment::with_poll(json!({"vote_policy": policy})).await;
        let (store, polls) = deployment.store(10_000).await;
        let voter = VoterKey::new();
        let (one, other) = (ballot(&deployment.poll, voter, 1), ballot(&deployment.poll, voter, 2));
        count(&store, &polls, &[entry(&one, NOW_MS, 0)]).await;
        // After a failover to a server whose clock is behind, the later ballot has the lower ID.
        count(&store, &polls, &[entry(&other, NOW_MS - 5_000, 0)]).await;
        // One ballot arrives again in an entry with a new ID.
        count(&store, &polls, &[entry(&one, NOW_MS + 1, 0)]).await;
        let (standing, beaten) = if first_stands { (one, other) } else { (other, one) };
        assert_eq!(
            outcome(&deployment).await,
            ([standing.id.0].into(), [beaten.id.0].into()),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn the_same_id_issued_twice_is_decided_by_the_ballots_own_ids() {
    let deployment = TestDeployment::with_poll(json!({"vote_policy": "replace"})).await;
    let (store, polls) = deployment.store(10_000).await;
    let voter = VoterKey::new();
    let (one, other) = (ballot(&deployment.poll, voter, 1), ballot(&deployment.poll, voter, 2));
    for ballots in [[one, other], [other, one], [one, other]] {
        for ballot in ballots {
            count(&store, &polls, &[entry(&ballot, NOW_MS, 0)]).await;
        }
    }
    let newest = one.id.max(other.id).0;
    assert_eq!(outcome(&deployment).await.0, [newest].into());
}

#[tokio::test]
async fn one_voter_twice_in_a_batch_is_one_vote() {
    let deployment = TestDeployment::new().await;
    let (store, polls) = deployment.store(10_000).await;
    let twice = |poll: &Poll| {
        let voter = VoterKey::new();
        [ballot(poll, voter, 1), ballot(poll, voter, 2)]
    };
    let ballots: Vec<[Ballot; 2]> = (0..50).map(|_| twice(&deployment.poll)).collect();
    // The later entries are counted first, and the last ones a second time.
    let later = ballots.iter().map(|[_, later]| entry(later, NOW_MS, 1));
    let first = ballots.iter().map(|[first, _]| entry(first, NOW_MS, 0));
    let entries: Vec<Entry> = later.clone().chain(first).chain(later).collect();
    count(&store, &polls, &entries).await;
    let (votes, set_aside) = outcome(&deployment).await;
    assert_eq!(votes, ballots.iter().map(|[first, _]| first.id.0).collect());
    assert_eq!(set_aside, ballots.iter().map(|[_, later]| later.id.0).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_voter_who_is_known_costs_the_new_ones_of_the_batch_nothing() {
    let deployment = TestDeployment::new().await;
    let (store, polls) = deployment.store(10_000).await;
    let cast = async |ballots: &[Ballot], ms| {
        let entries: Vec<Entry> = ballots.iter().map(|ballot| entry(ballot, ms, 0)).collect();
        let Batch { votes, set_aside, .. } = batch::sort(&entries, &polls);
        let counted = store.count(&votes, &set_aside).await.unwrap().counted;
        (counted.counted, counted.replaced, counted.unchanged)
    };
    let first = deployment.ballots(20);
    assert_eq!(cast(&first, NOW_MS).await, (20, 0, 0));

    // One of the first voters votes again: the insert is refused and must leave no rows behind.
    let mut second = deployment.ballots(20);
    second.push(ballot(&deployment.poll, first[7].voter, 2));
    assert_eq!(cast(&second, NOW_MS + 1).await, (20, 0, 1));

    // The next batch is upserted without trying an insert first.
    let mut third = deployment.ballots(20);
    third.push(first[8]);
    assert_eq!(cast(&third, NOW_MS + 2).await, (20, 0, 1));

    let (votes, set_aside) = outcome(&deployment).await;
    assert_eq!(votes.len(), 60);
    assert!(votes.contains(&first[7].id.0), "the first stands");
    assert_eq!(set_aside, BTreeSet::from([second[20].id.0]));
}
