//! The tables in which the services declare the metrics that they export.

use votestream_service::metric::Metric;
use votestream_service::metrics::{COMMON, HTTP, PROCESS};

/// Returns all tables with their titles in docs/METRICS.md.
pub fn documented() -> Vec<(&'static str, &'static [Metric])> {
    vec![
        ("Every service", COMMON),
        ("Every process", PROCESS),
        ("Producer, dashboard and host", HTTP),
        ("Producer", votestream_producer::metrics::METRICS),
        ("Consumer", votestream_consumer::metrics::METRICS),
        ("Dashboard", votestream_dashboard::metrics::METRICS),
        ("Host", votestream_host::metrics::METRICS),
        ("Canary", votestream_canary::metrics::METRICS),
    ]
}
