//! What each of the producer's metrics means.

use votestream_service::metric::Metric;

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

/// The producer's own.
pub const METRICS: &[Metric] = &[
    Metric::counter(
        "votestream_ballots_total",
        "ballots",
        &[("outcome", OUTCOMES)],
        "Ballots answered, by outcome: accepted, or the name of the problem. Only `unavailable` is \
         our fault.",
    ),
    Metric::histogram(
        "votestream_publish_batch_entries",
        "ballots",
        &[],
        "Ballots sent to Redis in one round trip.",
    ),
    Metric::histogram(
        "votestream_publish_duration_seconds",
        "seconds",
        &[],
        "One round trip to Redis, the wait for its disk or replicas included.",
    ),
    Metric::counter(
        "votestream_publish_retries_total",
        "round trips",
        &[],
        "Round trips to Redis that failed and may have been repeated.",
    ),
    Metric::gauge(
        "votestream_redis_durable",
        "bool",
        &[],
        "1 when Redis is set up for what DURABILITY promises, else 0 and no ballot is taken.",
    ),
    Metric::gauge(
        "votestream_redis_setting_kept",
        "bool",
        &[(
            "setting",
            &[
                "appendonly",
                "appendfsync",
                "maxmemory-policy",
                "no-appendfsync-on-rewrite",
                "replicas",
            ],
        )],
        "1 when a setting of Redis is as DURABILITY needs it, else 0, also where Redis does not tell \
         how it keeps its disk and DURABILITY=fsync; absent where DURABILITY does not care.",
    ),
    Metric::gauge(
        "votestream_backlog_max_entries",
        "entries",
        &[],
        "The most entries that a partition's stream may hold (BACKLOG_MAX).",
    ),
];
