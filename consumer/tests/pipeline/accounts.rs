//! The accounts of a poll: what became of every ballot that Redis has accepted.

use redis::aio::MultiplexedConnection;
use serde_json::json;
use testkit::eventually;
use votestream_schema::{Ballot, BallotId, codec};

use crate::support::{SOON, TestDeployment, ballot};

/// Appends ballots, and counts them as accepted as the register function does.
async fn accept(deployment: &TestDeployment, ballots: &[Ballot]) {
    let mut redis = deployment.redis().await;
    let mut all = redis::pipe();
    for ballot in ballots {
        let partition = ballot.voter.partition(deployment.partitions);
        let add = all.cmd("XADD").arg(deployment.keys.stream(partition)).arg("*");
        add.arg(codec::FIELD_BALLOT).arg(codec::encode(ballot)).ignore();
        let count = all.cmd("HINCRBY").arg(deployment.keys.accepted(partition));
        count.arg(ballot.poll.0).arg(1).ignore();
    }
    all.atomic().exec_async(&mut redis).await.unwrap();
}

/// Changes the number of accepted ballots in Redis.
async fn accepted(deployment: &TestDeployment, ballot: &Ballot, change: i64) {
    let mut redis: MultiplexedConnection = deployment.redis().await;
    let partition = ballot.voter.partition(deployment.partitions);
    let mut count = redis::cmd("HINCRBY");
    count.arg(deployment.keys.accepted(partition)).arg(ballot.poll.0).arg(change);
    count.exec_async(&mut redis).await.unwrap();
}

/// Waits until the account of the poll has these numbers: accepted, counted, replaced, out of time, without a code, dead
/// letters, waiting, unexplained. Returns since when it differs.
async fn account_is(deployment: &TestDeployment, wanted: [i64; 8]) -> Option<i64> {
    let sql = deployment.sql().await;
    eventually(SOON, async || {
        let row = sql
            .query_opt(
                "SELECT accepted, counted, replaced, out_of_time, no_such_code, dead, waiting, unexplained,
                     differs_since_ms
                 FROM accounts WHERE poll_id = $1",
                &[&deployment.poll.id.0],
            )
            .await
            .unwrap()
            .ok_or_else(|| "no account yet".to_owned())?;
        let found: [i64; 8] = std::array::from_fn(|at| row.get(at));
        if found == wanted { Ok(row.get(8)) } else { Err(format!("{found:?}")) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_balance_and_say_since_when_they_do_not() {
    let deployment = TestDeployment::with_poll(json!({"vote_policy": "replace"})).await;
    let consumer = deployment.start(&[]);
    consumer.ready().await;
    let first = deployment.ballots(10);
    accept(&deployment, &first).await;
    assert_eq!(account_is(&deployment, [10, 10, 0, 0, 0, 0, 0, 0]).await, None);
    // Three change their minds, and one ballot has choices that the poll does not allow.
    let again: Vec<Ballot> =
        first[..3].iter().map(|it| Ballot { id: BallotId::new(), ..*it }).collect();
    accept(&deployment, &again).await;
    accept(&deployment, &[ballot(&deployment.poll, first[5].voter, 1 << 60)]).await;
    assert_eq!(account_is(&deployment, [14, 10, 3, 0, 0, 1, 0, 0]).await, None);

    // A ballot that Redis has accepted is in neither server.
    accepted(&deployment, &first[0], 1).await;
    let since = account_is(&deployment, [15, 10, 3, 0, 0, 1, 0, 1]).await;
    assert!(since.is_some());
    accepted(&deployment, &first[0], 1).await;
    assert_eq!(account_is(&deployment, [16, 10, 3, 0, 0, 1, 0, 2]).await, since);
    accepted(&deployment, &first[0], -2).await;
    assert_eq!(account_is(&deployment, [14, 10, 3, 0, 0, 1, 0, 0]).await, None);

    // Nobody counts: what was accepted waits.
    let sql = deployment.sql().await;
    sql.batch_execute("BEGIN; LOCK TABLE votes IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
    accept(&deployment, &deployment.ballots(5)).await;
    assert_eq!(account_is(&deployment, [19, 10, 3, 0, 0, 1, 5, 0]).await, None);
    sql.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(account_is(&deployment, [19, 15, 3, 0, 0, 1, 0, 0]).await, None);

    // Redis goes back to an earlier state: nobody knows how many it had accepted.
    sql.batch_execute("INSERT INTO stream_regressions VALUES (0, 1, 1, 1, 1, 1, 1, 1, 1)")
        .await
        .unwrap();
    let ask = "SELECT accepted IS NULL, unexplained IS NULL, differs_since_ms IS NULL, counted FROM accounts
        WHERE poll_id = $1";
    eventually(SOON, async || {
        let row = sql.query_one(ask, &[&deployment.poll.id.0]).await.unwrap();
        let found: (bool, bool, bool, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
        if found == (true, true, true, 15) { Ok(()) } else { Err(found) }
    })
    .await;
    assert!(consumer.stop().await);
}

/// The accounts balance while ballots come in all the time.
#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_balance_while_people_vote() {
    let deployment = TestDeployment::with_poll(json!({"vote_policy": "replace"})).await;
    let consumer = deployment.start(&[]);
    consumer.ready().await;
    let voters = deployment.ballots(40);
    let mut seen = Vec::new();
    let sql = deployment.sql().await;
    eventually(SOON, async || {
        let ballots: Vec<Ballot> =
            voters.iter().map(|it| Ballot { id: BallotId::new(), ..*it }).collect();
        accept(&deployment, &ballots).await;
        let ask =
            "SELECT taken_at_ms, accepted, counted, unexplained FROM accounts WHERE poll_id = $1";
        if let Some(row) = sql.query_opt(ask, &[&deployment.poll.id.0]).await.unwrap() {
            let found: [i64; 4] = std::array::from_fn(|at| row.get(at));
            if seen.last() != Some(&found) {
                seen.push(found);
            }
        }
        if seen.len() > 4 { Ok(()) } else { Err(seen.len()) }
    })
    .await;
    assert!(consumer.stop().await);
    assert!(seen.iter().all(|[.., unexplained]| *unexplained == 0), "{seen:?}");
    assert!(seen.last().unwrap()[1] > 40, "{seen:?}");
}
