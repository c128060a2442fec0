//! What each of the metrics means that several services have.

use crate::metric::Metric;

/// Of every service.
pub const COMMON: &[Metric] = &[
    Metric::gauge(
        "votestream_build_info",
        "1",
        &[("service", &[]), ("version", &[]), ("revision", &[])],
        "Always 1; its labels say which service, version and revision runs.",
    ),
    Metric::gauge(
        "votestream_dependency_up",
        "bool",
        &[("dependency", &[])],
        "1 when the dependency answered the last probe, else 0.",
    ),
    Metric::gauge(
        "votestream_http_connections",
        "connections",
        &[("listener", &[])],
        "Client connections held now, by listener.",
    ),
    Metric::gauge(
        "votestream_http_connections_max",
        "connections",
        &[("listener", &[])],
        "The most client connections a listener holds; further ones wait.",
    ),
    Metric::gauge(
        "votestream_pool_connections",
        "connections",
        &[("pool", &[]), ("state", &["idle", "used"])],
        "Connections of a pool, by state.",
    ),
    Metric::gauge(
        "votestream_pool_connections_max",
        "connections",
        &[("pool", &[])],
        "The most connections a pool opens.",
    ),
    Metric::gauge(
        "votestream_certificate_expiry_timestamp_seconds",
        "unix seconds",
        &[("certificate", &["redis_ca", "redis_server", "postgres_ca", "postgres_server"])],
        "When the first of these certificates ends. Absent where no TLS is configured.",
    ),
];

/// Of every service; the names are those that all Prometheus clients use.
pub const PROCESS: &[Metric] = &[
    Metric::counter("process_cpu_seconds_total", "seconds", &[], "User and system time spent."),
    Metric::gauge("process_open_fds", "descriptors", &[], "File descriptors open now."),
    Metric::gauge("process_max_fds", "descriptors", &[], "The most that may be open."),
    Metric::gauge("process_resident_memory_bytes", "bytes", &[], "Memory in use."),
    Metric::gauge("process_virtual_memory_bytes", "bytes", &[], "Memory addressed."),
    Metric::gauge("process_virtual_memory_max_bytes", "bytes", &[], "The most that may be."),
    Metric::gauge("process_start_time_seconds", "unix seconds", &[], "When the process started."),
    Metric::gauge("process_threads", "threads", &[], "Threads of the process."),
];

/// Of services that answer HTTP requests.
pub const HTTP: &[Metric] = &[
    Metric::counter(
        "votestream_http_requests_total",
        "requests",
        &[("route", &[]), ("method", &["GET", "POST", "HEAD", "other"]), ("status", &[])],
        "Requests answered, by route, method and status code.",
    ),
    Metric::histogram(
        "votestream_http_request_duration_seconds",
        "seconds",
        &[("route", &[])],
        "From a request's head to its reply's head, by route.",
    ),
];
