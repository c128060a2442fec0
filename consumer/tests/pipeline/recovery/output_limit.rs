//! A Redis that ends every connection with more than 100 kB to receive.

use serde_json::json;
use testkit::{database, own_redis};

use super::abandoned::deliver_to_nobody;
use crate::support::{CLAIM_SOON, TestDeployment};

/// Each read in the usual size would end the connection, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn reads_are_halved_until_redis_lets_them_pass() {
    let server = own_redis();
    let deployment = TestDeployment::on(server.url(), database().await, 1, json!({})).await;
    // Pending entries of a consumer that is gone, and new ones behind them.
    deployment.add(&deployment.ballots(6_000)).await;
    deliver_to_nobody(&deployment).await;
    deployment.add(&deployment.ballots(6_000)).await;
    let limit = ["CONFIG", "SET", "client-output-buffer-limit", "normal 102400 0 0"];
    server.command(&limit).unwrap();
    let consumer = deployment.start(CLAIM_SOON);
    deployment.settles_at(12_000).await;
    assert!(consumer.stop().await);
}
