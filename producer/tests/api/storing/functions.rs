//! The functions with which ballots are stored, in a Redis that may have lost them.

use std::time::Duration;

use testkit::{eventually, own_redis};
use votestream_schema::projection::functions::library;

use super::{ANSWERED_WITHIN, expect_unavailable};
use crate::harness::{Setup, entry_of};

/// A server that has lost its data has lost the functions, too. Consumers load them again.
#[tokio::test]
async fn without_its_functions_the_producer_is_not_ready_and_stores_nothing() {
    let redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
    redis.command(&["FUNCTION", "FLUSH"]).unwrap();
    let closed = eventually(ANSWERED_WITHIN, async || match service.health.ready() {
        Err(closed) if closed.contains_key("writes") => Ok(closed),
        other => Err(other),
    });
    let why = closed.await["writes"].clone();
    assert!(why.contains("votectl migrate") && why.contains(&library().name), "{why}");
    expect_unavailable(&service.ballot("pets", &["cats"]).send().await);

    // A ballot that arrives before the functions do waits for them.
    let ballot = service.ballot("pets", &["dogs"]);
    let (reply, ()) = tokio::join!(ballot.send(), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        redis.command(&["FUNCTION", "LOAD", &library().text]).unwrap();
    });
    entry_of(&reply);
    service.become_ready().await;
}

/// Redis keeps functions on its disk: a restart loses none.
#[tokio::test]
async fn functions_survive_a_restart_of_redis() {
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    redis.kill();
    redis.restart().unwrap();
    service.become_ready().await;
    entry_of(&service.ballot("pets", &["cats"]).send().await);
}
