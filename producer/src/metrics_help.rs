//! What each of the producer's metrics means.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Registers the help texts.
pub(crate) fn describe() {
    describe_counter!(
        "votestream_ballots_total",
        "Ballots answered, by outcome: accepted, or the name of the problem."
    );
    describe_histogram!(
        "votestream_publish_batch_entries",
        "Ballots sent to Redis in one round trip."
    );
    describe_histogram!(
        "votestream_publish_duration_seconds",
        Unit::Seconds,
        "One round trip to Redis, the wait for its disk or replicas included."
    );
    describe_counter!(
        "votestream_publish_retries_total",
        "Round trips to Redis that failed and may have been repeated."
    );
    describe_gauge!(
        "votestream_redis_durable",
        "1 when Redis is set up for what DURABILITY promises, else 0 and no ballot is taken."
    );
}
