//! Serves the admin port: `/metrics` for Prometheus, `/healthz` and `/readyz` for orchestrators.

use std::convert::Infallible;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use metrics_process::Collector;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use crate::health::Health;
use crate::http;
use crate::http::BasePath;
use crate::listener::{self, Limits, Stop};
use crate::problem::Problem;

/// Serves the admin port until `stopped` is cancelled. Once `draining` is cancelled, `/readyz` answers
/// 503, so that load balancers send no new work.
pub async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    health: Health,
    draining: CancellationToken,
    stopped: CancellationToken,
) {
    let limits = Limits {
        connections_max: 64,
        memory_bytes: usize::MAX,
        header_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(10),
        lifetime: Duration::from_secs(3_600),
        proxies: Vec::new(),
        base_path: BasePath::default(),
        gate: None,
        grace: Duration::from_millis(200),
        idle_grace: Duration::ZERO,
        hsts_max_age_s: 0,
        always_https: false,
    };
    let stop = Stop { draining: stopped.clone(), closing: stopped };
    listener::serve("admin", listener, limits, routes(metrics, health, draining), stop).await;
}

fn routes(
    metrics: PrometheusHandle,
    health: Health,
    draining: CancellationToken,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone + Send + Sync + 'static {
    let read = warp::get().or(warp::head()).unify();
    let process = Collector::default();
    let metrics = warp::path!("metrics").and(read).map(move || {
        process.collect();
        let mut reply = http::text(StatusCode::OK, metrics.render());
        let prometheus = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        reply.headers_mut().insert(header::CONTENT_TYPE, prometheus);
        reply
    });
    let alive = warp::path!("healthz").and(read).map(|| http::text(StatusCode::OK, "alive\n"));
    let ready = warp::path!("readyz").and(read).map(move || readiness(&health, &draining));
    metrics.or(alive).unify().or(ready).unify().recover(answer_unrouted).unify()
}

fn readiness(health: &Health, draining: &CancellationToken) -> Response {
    let (status, body) = if draining.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, serde_json::json!({"ready": false, "draining": true}))
    } else {
        match health.ready() {
            Ok(()) => (StatusCode::OK, serde_json::json!({"ready": true})),
            Err(closed) => (
                StatusCode::SERVICE_UNAVAILABLE,
                serde_json::json!({"ready": false, "waiting_for": closed}),
            ),
        }
    };
    http::json(status, body.to_string())
}

/// Answers a request that fits none of the three addresses.
async fn answer_unrouted(rejection: Rejection) -> Result<Response, Infallible> {
    if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
        return Ok(Problem::method_not_allowed(http::READ_ONLY).into_response());
    }
    let text = "this port serves /metrics, /healthz and /readyz\n";
    Ok(http::text(StatusCode::NOT_FOUND, text))
}
