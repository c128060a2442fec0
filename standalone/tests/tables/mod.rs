//! What the services say that they export.

use votestream_service::metric::Metric;
use votestream_service::metrics_help::{COMMON, HTTP, PROCESS};

/// All tables, under the titles of docs/METRICS.md.
pub fn documented() -> Vec<(&'static str, &'static [Metric])> {
    vec![
        ("Every service", COMMON),
        ("Every process", PROCESS),
        ("Producer and dashboard", HTTP),
        ("Producer", votestream_producer::metrics_help::METRICS),
        ("Consumer", votestream_consumer::metrics_help::METRICS),
        ("Dashboard", votestream_dashboard::metrics_help::METRICS),
    ]
}
