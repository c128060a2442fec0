//! The admin port: metrics, liveness, readiness.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::http::{Client, check_metrics};
use testkit::{create_database, eventually, own_postgres};
use votestream_service::{CancellationToken, admin, listener};

use crate::harness::{Database, Service, Setup, contract, poll};
use crate::stream::{Stream, Way};

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
    let mut stream = Stream::open(&service.client, "pets", Way::Fresh).await;
    stream.event().await;
    service.client.get("/").send().await;
    let text = admin.ask("GET", "/metrics").await.text();
    let names = [
        "votestream_build_info",
        "votestream_viewers",
        "votestream_voters",
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
    ];
    check_metrics(&text, &names);
    assert!(!text.contains("pets"), "no label holds a poll's or a client's text");
}

#[tokio::test]
async fn requests_are_counted_by_what_they_are_whoever_serves_them() {
    const STREAMS: f64 = 200.0;
    let service = Setup::new().start().await;
    let counted = |labels: &str| {
        let text = service.metrics.render();
        let of = format!("votestream_http_requests_total{{{labels}}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&of)?.parse::<f64>().ok());
        line.unwrap_or_default()
    };
    let streams = r#"route="events",method="GET",status="200""#;
    let before = counted(streams);
    for _ in 0..STREAMS as usize {
        Stream::open(&service.client, "pets", Way::Fresh).await;
    }
    // Other tests of this process open far fewer streams at the same time.
    assert!(counted(streams) - before >= STREAMS, "{before} and {}", counted(streams));
    service.client.request("HEAD", "/openapi.json").send().await;
    assert!(counted(r#"route="openapi",method="HEAD",status="200""#) > 0.0);
}

#[tokio::test]
async fn a_dependency_that_is_down_fails_readiness_and_never_liveness() {
    let mut postgres = own_postgres().await;
    let mut database = Database::at(create_database(&postgres).await).await;
    database.create(&poll("pets")).await;
    let service = Setup::on(&database.url).start().await;
    let admin = serve_admin(&service).await;
    assert_eq!(admin.ask("GET", "/readyz").await.status, 200);
    postgres.kill();
    let reply = eventually(SOON, async || {
        let reply = admin.ask("GET", "/readyz").await;
        (reply.status == 503).then_some(reply)
    })
    .await;
    assert!(reply.json()["waiting_for"]["postgres"].is_string(), "{}", reply.text());
    assert_eq!(admin.ask("GET", "/healthz").await.status, 200);
    postgres.restart().unwrap();
    eventually(SOON, async || admin.ask("GET", "/readyz").await.status == 200).await;
}
