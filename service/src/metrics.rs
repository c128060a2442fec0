//! Declares the metrics that several services export.

use crate::metric::{Counter, Gauge, Histogram, SECONDS};

/// The states of client connections.
const KINDS: &[&str] = &["idle", "kept", "head", "body", "request", "reply", "viewer"];
/// The reasons for which client connections are closed.
const REASONS: &[&str] = &["share", "room", "idle", "slow", "lifetime"];

crate::metrics! {
    /// The metrics that every service exports.
    pub static COMMON;

    /// Always 1; the labels say which service, version and revision runs.
    pub(crate) static BUILD_INFO: Gauge<3> =
        ("votestream_build_info", "1", &[("service", &[]), ("version", &[]), ("revision", &[])]);

    /// 1 if the dependency answered the last probe, else 0.
    pub(crate) static DEPENDENCY_UP: Gauge<1> =
        ("votestream_dependency_up", "bool", &[("dependency", &[])]);

    /// Client connections that are open now, by listener.
    pub(crate) static HTTP_CONNECTIONS: Gauge<1> =
        ("votestream_http_connections", "connections", &[("listener", &[])]);

    /// Most client connections that a listener holds. For further ones it closes connections that rest or are slow.
    pub(crate) static HTTP_CONNECTIONS_MAX: Gauge<1> =
        ("votestream_http_connections_max", "connections", &[("listener", &[])]);

    /// Memory that is reserved for client connections now, by listener and by the state of the connection: an upper bound,
    /// which includes the kernel's buffers.
    pub(crate) static HTTP_MEMORY_BYTES: Gauge<2> =
        ("votestream_http_memory_bytes", "bytes", &[("listener", &[]), ("kind", KINDS)]);

    /// Most memory that is reserved for a listener's client connections.
    pub(crate) static HTTP_MEMORY_BYTES_MAX: Gauge<1> =
        ("votestream_http_memory_max_bytes", "bytes", &[("listener", &[])]);

    /// Client connections that this service closed, by reason. `share`: memory or slots ran short, and its network held
    /// more than a tenth of them. `room`: they ran short. `slow`: the client sent or read too slowly. `idle` and
    /// `lifetime` are usual.
    pub(crate) static HTTP_CONNECTIONS_CLOSED: Counter<1> =
        ("votestream_http_connections_closed_total", "connections", &[("reason", REASONS)]);

    /// Trace spans that were lost: because more of them waited than OTEL_BSP_MAX_QUEUE_SIZE, or because the collector did
    /// not take them. Grows only while traces are on.
    pub(crate) static SPANS_LOST: Counter<1> =
        ("votestream_spans_lost_total", "spans", &[("reason", &["queue-full", "not-taken"])]);

    /// Open connections of a pool, by state.
    pub(crate) static POOL_CONNECTIONS: Gauge<2> = (
        "votestream_pool_connections",
        "connections",
        &[("pool", &[]), ("state", &["idle", "used"])],
    );

    /// Most connections that a pool opens.
    pub(crate) static POOL_CONNECTIONS_MAX: Gauge<1> =
        ("votestream_pool_connections_max", "connections", &[("pool", &[])]);

    /// Time when the first of these certificates expires. Absent where no TLS is configured.
    pub(crate) static CERTIFICATE_EXPIRY_TIMESTAMP_SECONDS: Gauge<1> = (
        "votestream_certificate_expiry_timestamp_seconds",
        "unix seconds",
        &[("certificate", &["redis_ca", "redis_server", "postgres_ca", "postgres_server"])],
    );
}

crate::metrics! {
    /// The metrics of every process, under the names that all Prometheus clients use.
    pub static PROCESS;

    /// User and system CPU time that the process has used.
    pub(crate) static PROCESS_CPU_SECONDS: Counter = ("process_cpu_seconds_total", "seconds", &[]);

    /// File descriptors that are open now.
    pub(crate) static PROCESS_OPEN_FDS: Gauge = ("process_open_fds", "descriptors", &[]);

    /// Most file descriptors that may be open.
    pub(crate) static PROCESS_MAX_FDS: Gauge = ("process_max_fds", "descriptors", &[]);

    /// Resident memory of the process.
    pub(crate) static PROCESS_RESIDENT_MEMORY_BYTES: Gauge =
        ("process_resident_memory_bytes", "bytes", &[]);

    /// Virtual memory of the process.
    pub(crate) static PROCESS_VIRTUAL_MEMORY_BYTES: Gauge =
        ("process_virtual_memory_bytes", "bytes", &[]);

    /// Most virtual memory that the process may have.
    pub(crate) static PROCESS_VIRTUAL_MEMORY_MAX_BYTES: Gauge =
        ("process_virtual_memory_max_bytes", "bytes", &[]);

    /// Time when the process started.
    pub(crate) static PROCESS_START_TIME_SECONDS: Gauge =
        ("process_start_time_seconds", "unix seconds", &[]);

    /// Threads that the process runs now.
    pub(crate) static PROCESS_THREADS: Gauge = ("process_threads", "threads", &[]);
}

crate::metrics! {
    /// The metrics of services that answer HTTP requests.
    pub static HTTP;

    /// Requests answered, by route, method and status code.
    pub(crate) static HTTP_REQUESTS: Counter<3> = (
        "votestream_http_requests_total",
        "requests",
        &[("route", &[]), ("method", &["GET", "POST", "HEAD", "other"]), ("status", &[])],
    );

    /// Time from a request's head to its reply's head, by route.
    pub(crate) static HTTP_REQUEST_DURATION_SECONDS: Histogram<1> =
        ("votestream_http_request_duration_seconds", "seconds", &[("route", &[])], SECONDS);
}
