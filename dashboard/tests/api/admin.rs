//! The admin port: metrics, liveness, readiness.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use testkit::{create_database, eventually, own_postgres};
use votestream_service::{CancellationToken, admin, listener};

use crate::client::{Client, Reply};
use crate::harness::{Database, Service, Setup, poll};
use crate::stream::{Stream, Way};

const SOON: Duration = Duration::from_secs(15);

async fn serve_admin(service: &Service) -> Client {
    let listener = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let (metrics, health) = (service.metrics.clone(), service.health.clone());
    let stopped = CancellationToken::new();
    tokio::spawn(admin::serve(listener, metrics, health, service.shutdown.clone(), stopped));
    Client { address }
}

async fn ask(admin: &Client, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    admin.exchange(request.as_bytes()).await.unwrap()
}

#[tokio::test]
async fn each_metric_is_explained_and_each_histogram_has_buckets() {
    let service = Setup::new().start().await;
    let admin = serve_admin(&service).await;
    let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
    stream.event().await;
    service.client.get("/").send().await;
    let text = ask(&admin, "/metrics").await.text();
    let helped: HashSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut seen = HashSet::new();
    for (name, kind) in kinds {
        assert!(name.starts_with("votestream_") || name.starts_with("process_"), "{name}");
        assert!(helped.contains(name), "{name} has no HELP");
        assert_ne!(kind, "summary", "{name}: summaries of replicas do not add up");
        if kind == "histogram" {
            assert!(text.contains(&format!("{name}_bucket{{")), "{name} has no buckets");
        }
        seen.insert(name);
    }
    for name in [
        "votestream_build_info",
        "votestream_viewers",
        "votestream_frames_sent_total",
        "votestream_frames_skipped_total",
        "votestream_tick_duration_seconds",
        "votestream_board_age_seconds",
        "votestream_board_read_timestamp_seconds",
        "votestream_viewers_max",
        "votestream_viewers_refused_total",
        "votestream_http_requests_total",
        "votestream_http_request_duration_seconds",
        "votestream_http_connections",
        "votestream_dependency_up",
        "votestream_pool_connections",
    ] {
        assert!(seen.contains(name), "{name} is missing");
    }
    assert!(!text.contains("pets"), "no label holds a poll's or a client's text");
}

#[tokio::test]
async fn a_dependency_that_is_down_fails_readiness_and_never_liveness() {
    let mut postgres = own_postgres().await;
    let mut database = Database::at(create_database(&postgres).await).await;
    database.create(&poll("pets")).await;
    let service = Setup::on(&database.url).start().await;
    let admin = serve_admin(&service).await;
    assert_eq!(ask(&admin, "/readyz").await.status, 200);
    postgres.kill();
    let reply = eventually(SOON, async || {
        let reply = ask(&admin, "/readyz").await;
        (reply.status == 503).then_some(reply)
    })
    .await;
    assert!(reply.json()["waiting_for"]["postgres"].is_string(), "{}", reply.text());
    assert_eq!(ask(&admin, "/healthz").await.status, 200);
    postgres.restart().unwrap();
    eventually(SOON, async || ask(&admin, "/readyz").await.status == 200).await;
}
