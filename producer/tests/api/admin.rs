//! The admin port: it serves metrics, liveness and readiness.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::http::{Client, check_metrics};
use testkit::{eventually, own_redis};
use votestream_schema::poll::now_ms;
use votestream_schema::projection::presence;
use votestream_service::{CancellationToken, admin, listener};

use crate::harness::{Service, Setup, contract};

const SOON: Duration = Duration::from_secs(60);

async fn serve_admin(service: &Service) -> Client {
    let listener = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let (metrics, health) = (service.metrics.clone(), service.health.clone());
    let stopped = CancellationToken::new();
    tokio::spawn(admin::serve(listener, metrics, health, service.shutdown.clone(), stopped));
    Client::new(address, contract())
}

#[tokio::test]
async fn each_metric_is_explained_and_each_histogram_has_buckets() {
    let service = Setup::new().start().await;
    let admin = serve_admin(&service).await;
    service.client.get("/").send().await;
    service.ballot("pets", &["cats"]).send().await;
    service.ballot("pets", &["birds"]).send().await;
    service.ballot("birds", &["cats"]).send().await;
    // The pool is recorded every few seconds, first at the start.
    let text = eventually(SOON, async || {
        let text = admin.ask("GET", "/metrics").await.text();
        text.contains("votestream_pool_connections").then_some(text)
    })
    .await;
    let names = [
        "votestream_build_info",
        "votestream_ballots_total",
        "votestream_http_requests_total",
        "votestream_http_request_duration_seconds",
        "votestream_http_connections",
        "votestream_publish_batch_entries",
        "votestream_publish_duration_seconds",
        "votestream_dependency_up",
        "votestream_pool_connections",
        "votestream_redis_durable",
        "votestream_ballots_refused_seconds",
        "votestream_redis_setting_kept",
        "votestream_backlog_max_entries",
        "votestream_http_connections_max",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ];
    check_metrics(&text, &names);
    for outcome in ["accepted", "invalid-choice", "unknown-poll"] {
        assert!(text.contains(&format!("votestream_ballots_total{{outcome=\"{outcome}\"}}")));
    }
    assert!(!text.contains("pets"), "no label holds a poll's or a client's text");
}

#[tokio::test]
async fn a_dependency_that_is_down_fails_readiness_and_never_liveness() {
    let mut redis = own_redis();
    let service = Setup::on(redis.url()).start().await;
    let admin = serve_admin(&service).await;
    assert_eq!(admin.ask("GET", "/readyz").await.status, 200);
    redis.kill();
    eventually(SOON, async || {
        let reply = admin.ask("GET", "/readyz").await;
        // Other gates may close before that of Redis itself.
        let is_named = reply.status == 503 && reply.json()["waiting_for"]["redis"].is_string();
        if is_named { Ok(()) } else { Err(reply.text()) }
    })
    .await;
    assert_eq!(admin.ask("GET", "/healthz").await.status, 200);
    redis.restart().unwrap();
    eventually(SOON, async || admin.ask("GET", "/readyz").await.status == 200).await;
}

async fn producers(
    redis: &mut redis::aio::MultiplexedConnection,
    keys: &votestream_schema::Keys,
) -> Vec<(String, presence::Presence)> {
    let read = redis::cmd("HGETALL").arg(keys.producers()).to_owned();
    presence::parse(read.query_async(redis).await.unwrap())
}

/// `votectl poll open` waits until each producer that is alive has read the poll.
#[tokio::test]
async fn a_producer_says_that_it_is_alive_and_when_it_read_the_polls() {
    let service = Setup::new().start().await;
    let mut redis = service.redis().await;
    let keys = service.keys.clone();
    let before = eventually(SOON, async || producers(&mut redis, &keys).await.pop()).await;
    let (name, first) = before;
    assert!(first.is_alive(now_ms()) && first.unreadable.is_empty(), "{name}: {first:?}");
    let definitions = redis::cmd("HSET").arg(keys.polls()).arg("odd").arg("{}").to_owned();
    definitions.exec_async(&mut redis).await.unwrap();
    eventually(SOON, async || {
        let (same, later) = producers(&mut redis, &keys).await.pop().unwrap();
        assert_eq!(same, name);
        later.read_at_ms > first.read_at_ms && later.unreadable == ["odd"]
    })
    .await;
    assert!(service.stop().await);
    assert_eq!(producers(&mut redis, &keys).await, [], "it has stopped");
}

#[tokio::test]
async fn a_service_that_stops_is_not_ready() {
    let service = Setup::new().start().await;
    let admin = serve_admin(&service).await;
    service.shutdown.cancel();
    let reply = admin.ask("GET", "/readyz").await;
    assert_eq!((reply.status, reply.json()["draining"].as_bool()), (503, Some(true)));
    assert_eq!(admin.ask("GET", "/healthz").await.status, 200);
    assert_eq!(admin.ask("GET", "/else").await.status, 404);
}

#[tokio::test]
async fn the_admin_port_is_only_read_and_says_so() {
    let service = Setup::new().start().await;
    let admin = serve_admin(&service).await;
    for path in ["/metrics", "/healthz", "/readyz"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let reply = admin.ask(method, path).await;
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
        assert_eq!(admin.ask("HEAD", path).await.status, 200, "{path}");
        assert_eq!(admin.ask("GET", path).await.status, 200, "{path}");
    }
    assert_eq!(admin.ask("POST", "/else").await.status, 404);
}
