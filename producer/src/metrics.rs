//! What each of the producer's metrics means.

use votestream_service::metric::{Counter, ENTRIES, Gauge, Histogram, Metric, SECONDS};
use votestream_service::metrics::HTTP;

/// The names of all problems that a ballot may meet, and `accepted`.
const OUTCOMES: &[&str] = &[
    "accepted",
    "already-voted",
    "bad-code",
    "cross-site",
    "invalid-choice",
    "malformed",
    "not-open",
    "too-large",
    "too-many-new-voters",
    "too-slow",
    "unavailable",
    "unknown-poll",
    "unsupported-media",
];

/// Every table that the producer exports, beside those of all services.
pub const TABLES: &[&[Metric]] = &[METRICS, HTTP];

votestream_service::metrics! {
    /// The producer's own.
    pub static METRICS;

    /// Ballots answered, by outcome: accepted, or the name of the problem. Only `unavailable` is our
    /// fault.
    pub(crate) static BALLOTS: Counter<1> =
        ("votestream_ballots_total", "ballots", &[("outcome", OUTCOMES)]);

    /// Ballots sent to Redis in one round trip.
    pub(crate) static PUBLISH_BATCH_ENTRIES: Histogram =
        ("votestream_publish_batch_entries", "ballots", &[], ENTRIES);

    /// One round trip to Redis, the wait for its disk or replicas included.
    pub(crate) static PUBLISH_DURATION_SECONDS: Histogram =
        ("votestream_publish_duration_seconds", "seconds", &[], SECONDS);

    /// Round trips to Redis that failed and may have been repeated.
    pub(crate) static PUBLISH_RETRIES: Counter =
        ("votestream_publish_retries_total", "round trips", &[]);

    /// 1 when Redis is set up for what DURABILITY promises, else 0 and no ballot is taken.
    pub(crate) static REDIS_DURABLE: Gauge = ("votestream_redis_durable", "bool", &[]);

    /// 1 when a setting of Redis is as DURABILITY needs it, else 0, also where Redis does not tell
    /// how it keeps its disk and DURABILITY=fsync; absent where DURABILITY does not care.
    pub(crate) static REDIS_SETTING_KEPT: Gauge<1> = (
        "votestream_redis_setting_kept",
        "bool",
        &[("setting", &["appendonly", "appendfsync", "maxmemory-policy", "no-appendfsync-on-rewrite", "replicas"])],
    );

    /// The most entries that a partition's stream may hold (BACKLOG_MAX).
    pub(crate) static BACKLOG_MAX_ENTRIES: Gauge =
        ("votestream_backlog_max_entries", "entries", &[]);
}
