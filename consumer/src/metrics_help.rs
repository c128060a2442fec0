//! What each of the consumer's metrics means.

use votestream_service::metric::{Label, Metric};

/// Partitions are few, and fixed at the first deployment.
const PARTITION: &[Label] = &[("partition", &[])];

/// The consumer's own.
pub const METRICS: &[Metric] = &[
    Metric::histogram("votestream_batch_entries", "entries", &[], "Entries worked on in one go."),
    Metric::histogram(
        "votestream_store_duration_seconds",
        "seconds",
        &[],
        "One transaction in Postgres, from taking a connection to its commit.",
    ),
    Metric::histogram(
        "votestream_ballot_to_commit_seconds",
        "seconds",
        &[],
        "From Redis storing a ballot to its commit in Postgres.",
    ),
    Metric::counter(
        "votestream_votes_total",
        "ballots",
        &[("outcome", &["counted", "replaced", "unchanged", "superseded", "out_of_time"])],
        "Ballots worked on, by outcome: counted (a new voter), replaced (took the place of \
         another), unchanged (a replay, or beaten by another), superseded (by another ballot of \
         its batch), out_of_time.",
    ),
    Metric::counter(
        "votestream_refused_inserts_total",
        "batches",
        &[],
        "Batches that were upserted after an insert was refused, since one of their voters was known. \
         Postgres logs each as a duplicate key; nothing is lost. Many of them mean that Redis has lost \
         its register, or that votes are replaced all the time.",
    ),
    Metric::counter(
        "votestream_retries_total",
        "attempts",
        &[("what", &["redis", "postgres"])],
        "Attempts that failed and were repeated, by server.",
    ),
    Metric::counter(
        "votestream_claimed_entries_total",
        "entries",
        &[],
        "Stale entries taken over.",
    ),
    Metric::counter(
        "votestream_dead_letters_total",
        "entries",
        &[],
        "Entries set aside as dead letters.",
    ),
    Metric::counter(
        "votestream_vanished_entries_total",
        "entries",
        &[],
        "Entries deleted from a stream while they were pending, before they were counted. Must \
         stay 0.",
    ),
    Metric::counter(
        "votestream_consumers_removed_total",
        "names",
        &[],
        "Names of dead consumers removed.",
    ),
    Metric::counter(
        "votestream_registers_forgotten_total",
        "registers",
        &[],
        "Registers of closed polls forgotten, each partition's by itself.",
    ),
    Metric::gauge(
        "votestream_stream_entries",
        "entries",
        PARTITION,
        "Entries in a stream: lag and pending together.",
    ),
    Metric::gauge(
        "votestream_stream_bytes",
        "bytes",
        PARTITION,
        "Memory that a stream takes in Redis, as Redis estimates it.",
    ),
    Metric::gauge(
        "votestream_stream_lag",
        "entries",
        PARTITION,
        "Entries not yet delivered to the group.",
    ),
    Metric::gauge(
        "votestream_stream_lag_unknown",
        "bool",
        PARTITION,
        "1 when Redis does not know the lag; we take it from length and pending.",
    ),
    Metric::gauge(
        "votestream_stream_pending",
        "entries",
        PARTITION,
        "Delivered, not yet acknowledged.",
    ),
    Metric::gauge(
        "votestream_stream_lost_entries",
        "entries",
        PARTITION,
        "Entries that left a stream, ever, without being counted or set aside: somebody trimmed or \
         deleted them. Must stay 0.",
    ),
    Metric::gauge(
        "votestream_stream_oldest_pending_age_seconds",
        "seconds",
        PARTITION,
        "Age of the oldest pending entry; 0 when there is none.",
    ),
    Metric::gauge(
        "votestream_stream_oldest_age_seconds",
        "seconds",
        PARTITION,
        "Age of the oldest entry not yet acknowledged; 0 when there is none.",
    ),
    Metric::gauge(
        "votestream_stream_clock_ahead_seconds",
        "seconds",
        PARTITION,
        "By how much a stream's last ID is ahead of Redis' clock: IDs decide whether a ballot is in \
         time, so ballots count as that late. Should be about 0.",
    ),
    Metric::gauge(
        "votestream_stream_consumers",
        "names",
        PARTITION,
        "Consumer names in the group.",
    ),
    Metric::gauge(
        "votestream_dead_letters_held",
        "entries",
        PARTITION,
        "Dead letters waiting for an operator.",
    ),
    Metric::gauge(
        "votestream_redis_memory_bytes",
        "bytes",
        PARTITION,
        "Memory that Redis uses: the server of a partition; a plain server is that of partition 0.",
    ),
    Metric::gauge(
        "votestream_redis_memory_max_bytes",
        "bytes",
        PARTITION,
        "The most memory that Redis may use (maxmemory), where it has a bound, else that of its \
         machine.",
    ),
    Metric::gauge(
        "votestream_postgres_connections",
        "sessions",
        &[],
        "Sessions of clients on the Postgres server, everybody's.",
    ),
    Metric::gauge(
        "votestream_postgres_connections_max",
        "sessions",
        &[],
        "The most sessions that Postgres takes (max_connections).",
    ),
    Metric::gauge(
        "votestream_audit_timestamp_seconds",
        "unix seconds",
        &[],
        "When the deployment's last audit ended; 0 before the first.",
    ),
    Metric::gauge(
        "votestream_audit_duration_seconds",
        "seconds",
        &[],
        "How long the last audit took.",
    ),
    Metric::gauge(
        "votestream_audit_drift_votes",
        "votes",
        &[],
        "By how much the stored tallies, numbers of voters and series differed from a recount, in \
         the last audit. Must be 0.",
    ),
    Metric::gauge(
        "votestream_audit_missing_ballots",
        "ballots",
        &[],
        "Accepted ballots of which the last audit found no trace; at least so many are missing. \
         Must be 0.",
    ),
    Metric::gauge(
        "votestream_stream_regressions",
        "losses",
        &[],
        "Times that a stream in Redis went back behind the furthest position that Postgres has seen, so that \
         acknowledged ballots may be lost, and of which no operator has taken note. Must be 0.",
    ),
    Metric::gauge(
        "votestream_redis_replays_ballots",
        "",
        PARTITION,
        "1 if the Redis that holds the partition would replay all ballots of its append-only file after a restart, 0 \
         if its default user lacks the rights for that. Absent where Redis does not say. Must be 1.",
    ),
    Metric::gauge(
        "votestream_codes_issued",
        "codes",
        &[],
        "Voting codes of polls that are open, by the last audit.",
    ),
    Metric::gauge("votestream_codes_used", "codes", &[], "Of these, those that have voted."),
    Metric::gauge(
        "votestream_codes_unused_ratio",
        "ratio",
        &[],
        "The smallest share of unused codes over these polls; 1 when there is none.",
    ),
];
