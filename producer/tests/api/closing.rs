//! Closing while ballots flow: the entry's own ID says whether it came in time.

use std::sync::Arc;

use votestream_schema::poll::now_ms;
use votestream_schema::{EntryId, Poll, keys, projection};

use crate::harness::{Service, Setup, entry_of, poll, send};

/// Votes as new voters, one after the other, until the poll is closed.
async fn vote_until_closed(service: Arc<Service>) -> Vec<EntryId> {
    let mut acknowledged = Vec::new();
    loop {
        let reply = service.ballot("pets", &["cats"]).send().await;
        match reply.status {
            202 => acknowledged.push(entry_of(&reply)),
            _ => {
                assert_eq!((reply.status, reply.problem().as_str()), (403, "not-open"));
                return acknowledged;
            }
        }
    }
}

#[tokio::test]
async fn no_ballot_is_acknowledged_at_or_after_the_closing_time() {
    let service = Arc::new(Setup::new().flag("lanes", "2").start().await);
    let voters: Vec<_> =
        (0..16).map(|_| tokio::spawn(vote_until_closed(service.clone()))).collect();
    let mut redis = service.redis().await;
    // Leaves enough time to set the closing time in all partitions on a busy machine.
    let closes_at_ms = now_ms() + 2_500;
    let closed =
        Poll { closes_at_ms: Some(closes_at_ms), revision: 2, ..service.poll("pets").clone() };
    for partition in 0..service.setup.partitions {
        let close = projection::close_script(&service.keys, partition, &closed);
        assert_eq!(send::<i64>(&mut redis, &close).await, 1, "set in time");
    }
    let mut acknowledged = Vec::new();
    for voter in voters {
        acknowledged.extend(voter.await.unwrap());
    }
    acknowledged.sort();
    let stored: Vec<EntryId> = service.entries().await.iter().map(|entry| entry.id).collect();
    assert_eq!(acknowledged, stored, "acknowledged and stored are the same");
    assert!(stored.len() > 16, "ballots flowed: {}", stored.len());
    let last = stored.last().unwrap();
    assert!(last.ms < closes_at_ms, "{last} is too late for {closes_at_ms}");
    assert!(last.ms > closes_at_ms - 500, "{last}: ballots flowed until the end");

    let late = Poll { closes_at_ms: Some(now_ms() - 1), revision: 3, ..closed };
    let again = projection::close_script(&service.keys, 0, &late);
    assert_eq!(send::<i64>(&mut redis, &again).await, 0, "a time that has passed cannot be set");
}

#[tokio::test]
async fn rules_never_go_back_to_an_older_revision() {
    let service = Setup::new().partitions(1).start().await;
    let mut redis = service.redis().await;
    let newer =
        Poll { closes_at_ms: Some(now_ms() - 1_000), revision: 5, ..service.poll("pets").clone() };
    let script = projection::rules_script(&service.keys, 0, &newer);
    assert_eq!(send::<i64>(&mut redis, &script).await, 1);
    let older = projection::rules_script(&service.keys, 0, &poll("pets"));
    assert_eq!(send::<i64>(&mut redis, &older).await, 0);
    assert_eq!(service.ballot("pets", &["cats"]).send().await.problem(), "not-open");
}

#[tokio::test]
async fn a_voter_whose_register_was_forgotten_sees_that_the_poll_has_closed() {
    let service = Setup::new().start().await;
    let first = service.ballot("pets", &["cats"]).send().await;
    let voter = first.cookie().unwrap();
    let mut redis = service.redis().await;
    let closed_at_ms = now_ms() - 1_000;
    let closed =
        Poll { closes_at_ms: Some(closed_at_ms), revision: 2, ..service.poll("pets").clone() };
    let forget = async |redis: &mut _, kept_ms| {
        for partition in 0..service.setup.partitions {
            for first in (0..keys::BUCKETS).step_by(1_024) {
                let buckets = first..first + 1_024;
                let (keys, poll) = (&service.keys, closed.id);
                let script = projection::forget_script(keys, partition, poll, buckets, kept_ms);
                let done: i64 = send(redis, &script).await;
                assert_eq!(done, i64::from(kept_ms == 0), "closed a second ago");
            }
        }
    };
    for partition in 0..service.setup.partitions {
        let script = projection::rules_script(&service.keys, partition, &closed);
        assert_eq!(send::<i64>(&mut redis, &script).await, 1);
    }
    forget(&mut redis, 60_000).await;
    let again = service.ballot("pets", &["dogs"]).cookie(voter).send().await;
    assert_eq!(again.problem(), "already-voted");
    forget(&mut redis, 0).await;
    let again = service.ballot("pets", &["dogs"]).cookie(voter).send().await;
    assert_eq!((again.status, again.problem().as_str()), (403, "not-open"));
    assert!(service.standing("pets", voter).await.is_null());
    assert_eq!(service.entries().await.len(), 1);
}
