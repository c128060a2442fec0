//! The consumer's metrics, with the help texts that /metrics and docs/METRICS.md show.
//!
//! A gauge whose measurement failed is NaN until the next one succeeds ([`UNKNOWN`](votestream_service::metric::UNKNOWN)).

use votestream_service::metric::{
    Counter, ENTRIES, Gauge, Histogram, LabelValues, Metric, SECONDS,
};

/// The label of metrics by partition. Partitions are few, and their number is fixed at the first deployment.
const PARTITION: &[LabelValues; 1] = &[("partition", &[])];

/// Every table that the consumer exports, beside those of all services.
pub const TABLES: &[&[Metric]] = &[METRICS];

votestream_service::metrics! {
    /// The metrics that only the consumer has.
    pub static METRICS;

    /// Entries per batch, that is, per transaction in Postgres.
    pub(crate) static BATCH_ENTRIES: Histogram =
        ("votestream_batch_entries", "entries", &[], ENTRIES);

    /// Duration of one transaction in Postgres, from borrowing a connection to the commit.
    pub(crate) static STORE_DURATION_SECONDS: Histogram =
        ("votestream_store_duration_seconds", "seconds", &[], SECONDS);

    /// Delay of a ballot from its storage in Redis to its commit in Postgres.
    pub(crate) static BALLOT_TO_COMMIT_SECONDS: Histogram =
        ("votestream_ballot_to_commit_seconds", "seconds", &[], SECONDS);

    /// Ballots by outcome: counted (a new voter), replaced (replaced the voter's earlier choice), unchanged (an entry
    /// delivered again, or a ballot that loses to the stored one), superseded (by another ballot of the same batch),
    /// out_of_time (the poll was not open).
    pub(crate) static VOTES: Counter<1> = (
        "votestream_votes_total",
        "ballots",
        &[("outcome", &["counted", "replaced", "unchanged", "superseded", "out_of_time"])],
    );

    /// Batches that were upserted after Postgres refused to insert them, because a voter was already stored. Postgres logs
    /// each as a duplicate key; nothing is lost. Many of them mean that Redis has lost its register, or that voters
    /// replace their votes all the time.
    pub(crate) static REFUSED_INSERTS: Counter =
        ("votestream_refused_inserts_total", "batches", &[]);

    /// Entries appended to the public logs of polls.
    pub(crate) static LOG_ENTRIES: Counter = ("votestream_log_entries_total", "entries", &[]);

    /// Age of the oldest counted ballots that are not in the public log of their poll yet; 0 when there are none.
    pub(crate) static LOG_BEHIND_SECONDS: Gauge = ("votestream_log_behind_seconds", "seconds", &[]);

    /// Polls whose public log cannot grow: somebody has changed its stored tiles, or its ballots cannot be read. Should be 0.
    pub(crate) static LOGS_BROKEN: Gauge = ("votestream_logs_broken", "polls", &[]);

    /// Checkpoints that witnesses were asked to sign, by outcome: signed, refused (a witness has seen another history of the log, or does
    /// not know the log), away (it did not answer).
    pub(crate) static COSIGNATURES: Counter<1> = (
        "votestream_cosignatures_total",
        "checkpoints",
        &[("outcome", &["signed", "refused", "away"])],
    );

    /// Attempts that failed and were retried, by server.
    pub(crate) static RETRIES: Counter<1> =
        ("votestream_retries_total", "attempts", &[("what", &["redis", "postgres"])]);

    /// Stale entries that were claimed from other consumers.
    pub(crate) static CLAIMED_ENTRIES: Counter =
        ("votestream_claimed_entries_total", "entries", &[]);

    /// Entries that the group had passed and that no consumer held, and that were taken and counted again: somebody deleted a
    /// consumer or moved the group's position by hand, or Redis refused to remove counted entries. Should be 0.
    pub(crate) static ABANDONED_ENTRIES: Counter =
        ("votestream_abandoned_entries_total", "entries", &[]);

    /// Polls in Postgres that this consumer cannot read, because a newer release or a manual change wrote them. Their
    /// ballots become dead letters here; the log names the polls. Should be 0.
    pub(crate) static UNREADABLE_POLLS: Gauge = ("votestream_unreadable_polls", "polls", &[]);

    /// Parts of polls in Redis that differed from Postgres although nobody had changed the poll, and were repaired: the
    /// rules of a partition, a definition, single voting codes. Somebody else writes to Redis, or Redis lost data. Should
    /// be 0.
    pub(crate) static COPIES_REPAIRED: Counter<1> = (
        "votestream_copies_repaired_total",
        "parts",
        &[("what", &["rules", "definition", "code"])],
    );

    /// Entries that were moved to the dead letters.
    pub(crate) static DEAD_LETTERS: Counter = ("votestream_dead_letters_total", "entries", &[]);

    /// Entries deleted from a stream while they were pending, before they were counted. Must stay 0.
    pub(crate) static VANISHED_ENTRIES: Counter =
        ("votestream_vanished_entries_total", "entries", &[]);

    /// Names of dead consumers that were removed from the group.
    pub(crate) static CONSUMERS_REMOVED: Counter =
        ("votestream_consumers_removed_total", "names", &[]);

    /// Registers of closed polls that were removed; each partition counts as one.
    pub(crate) static REGISTERS_FORGOTTEN: Counter =
        ("votestream_registers_forgotten_total", "registers", &[]);

    /// Entries in a stream: the lag plus the pending ones.
    pub(crate) static STREAM_ENTRIES: Gauge<1> =
        ("votestream_stream_entries", "entries", PARTITION);

    /// Memory that a stream takes in Redis, as Redis estimates it.
    pub(crate) static STREAM_BYTES: Gauge<1> = ("votestream_stream_bytes", "bytes", PARTITION);

    /// Entries not yet delivered to the group.
    pub(crate) static STREAM_LAG: Gauge<1> = ("votestream_stream_lag", "entries", PARTITION);

    /// 1 when Redis does not know the lag itself; the lag is computed from length and pending entries in any case.
    pub(crate) static STREAM_LAG_UNKNOWN: Gauge<1> =
        ("votestream_stream_lag_unknown", "bool", PARTITION);

    /// Entries delivered to a consumer and not yet acknowledged.
    pub(crate) static STREAM_PENDING: Gauge<1> =
        ("votestream_stream_pending", "entries", PARTITION);

    /// Entries that ever left a stream without being counted or moved to the dead letters: somebody trimmed or deleted
    /// them. Must stay 0.
    pub(crate) static STREAM_LOST_ENTRIES: Gauge<1> =
        ("votestream_stream_lost_entries", "entries", PARTITION);

    /// Age of the oldest pending entry; 0 when there is none.
    pub(crate) static STREAM_OLDEST_PENDING_AGE_SECONDS: Gauge<1> =
        ("votestream_stream_oldest_pending_age_seconds", "seconds", PARTITION);

    /// Age of the oldest entry not yet acknowledged; 0 when there is none.
    pub(crate) static STREAM_OLDEST_AGE_SECONDS: Gauge<1> =
        ("votestream_stream_oldest_age_seconds", "seconds", PARTITION);

    /// Time for which entries of a stream have waited and none was counted, by any replica; 0 while there is none. After 30 s
    /// no consumer is ready.
    pub(crate) static STREAM_STALLED_SECONDS: Gauge<1> =
        ("votestream_stream_stalled_seconds", "seconds", PARTITION);

    /// Time by which a stream's last ID is ahead of Redis' clock. The ID decides whether a ballot is in time, so ballots are
    /// treated as later by this much. Should be about 0.
    pub(crate) static STREAM_CLOCK_AHEAD_SECONDS: Gauge<1> =
        ("votestream_stream_clock_ahead_seconds", "seconds", PARTITION);

    /// Consumer names that are registered in the group.
    pub(crate) static STREAM_CONSUMERS: Gauge<1> =
        ("votestream_stream_consumers", "names", PARTITION);

    /// Dead letters that wait for an operator.
    pub(crate) static DEAD_LETTERS_HELD: Gauge<1> =
        ("votestream_dead_letters_held", "entries", PARTITION);

    /// Memory that the Redis server of a partition uses; a plain server is reported as that of partition 0.
    pub(crate) static REDIS_MEMORY_BYTES: Gauge<1> =
        ("votestream_redis_memory_bytes", "bytes", PARTITION);

    /// The most memory that Redis may use: maxmemory where it is set, else the memory of the machine.
    pub(crate) static REDIS_MEMORY_MAX_BYTES: Gauge<1> =
        ("votestream_redis_memory_max_bytes", "bytes", PARTITION);

    /// Sessions on the Postgres server, including those of other applications.
    pub(crate) static POSTGRES_CONNECTIONS: Gauge =
        ("votestream_postgres_connections", "sessions", &[]);

    /// The most sessions that the Postgres server accepts (max_connections).
    pub(crate) static POSTGRES_CONNECTIONS_MAX: Gauge =
        ("votestream_postgres_connections_max", "sessions", &[]);

    /// 1 if Postgres refused this consumer's last votes because its disk is full, 0 if it stored them. Absent before the
    /// first votes.
    pub(crate) static POSTGRES_DISK_FULL: Gauge =
        ("votestream_postgres_disk_full", "0 or 1", &[]);

    /// When the deployment's last audit ended; 0 before the first, and then what an audit finds is NaN.
    pub(crate) static AUDIT_TIMESTAMP_SECONDS: Gauge =
        ("votestream_audit_timestamp_seconds", "unix seconds", &[]);

    /// Duration of the deployment's last audit.
    pub(crate) static AUDIT_DURATION_SECONDS: Gauge =
        ("votestream_audit_duration_seconds", "seconds", &[]);

    /// Votes by which the stored tallies, numbers of voters and series differed from a recount, in the last audit. Must
    /// be 0.
    pub(crate) static AUDIT_DRIFT_VOTES: Gauge = ("votestream_audit_drift_votes", "votes", &[]);

    /// Accepted ballots that the last audit found neither in Redis nor in Postgres; at least this many are missing. Must
    /// be 0.
    pub(crate) static AUDIT_MISSING_BALLOTS: Gauge =
        ("votestream_audit_missing_ballots", "ballots", &[]);

    /// Ballots that are counted and that no producer had accepted, in the last audit: somebody else wrote to the streams
    /// or the tables. NaN once a stream has gone back, because Redis' counters are incomplete then. Must be 0.
    pub(crate) static AUDIT_SURPLUS_BALLOTS: Gauge =
        ("votestream_audit_surplus_ballots", "ballots", &[]);

    /// Voters in the register whose ballot is neither counted, nor set aside, nor in a stream, nor a dead letter. Each audit
    /// compares a part of the register, in rotation; a small one is compared whole. Must be 0.
    pub(crate) static AUDIT_UNACCOUNTED_VOTERS: Gauge =
        ("votestream_audit_unaccounted_voters", "voters", &[]);

    /// Votes in polls with voting codes whose voter has no code, in the last audit. Must be 0.
    pub(crate) static AUDIT_VOTES_WITHOUT_CODE: Gauge =
        ("votestream_audit_votes_without_code", "votes", &[]);

    /// Times that a stream in Redis fell behind the furthest position recorded in Postgres, so that acknowledged ballots
    /// may be lost, without those that an operator has taken note of. Must be 0.
    pub(crate) static STREAM_REGRESSIONS: Gauge = ("votestream_stream_regressions", "losses", &[]);

    /// 1 if the Redis that holds the partition would replay all ballots of its append-only file after a
    /// restart, 0 if its default user lacks the rights for that. Absent where Redis does not say. Must
    /// be 1.
    pub(crate) static REDIS_REPLAYS_BALLOTS: Gauge<1> =
        ("votestream_redis_replays_ballots", "0 or 1", PARTITION);

    /// Voting codes of open polls, as of the last audit.
    pub(crate) static CODES_ISSUED: Gauge = ("votestream_codes_issued", "codes", &[]);

    /// Voting codes of open polls that were used to vote, as of the last audit.
    pub(crate) static CODES_USED: Gauge = ("votestream_codes_used", "codes", &[]);

    /// The smallest share of unused voting codes in any open poll, 0 to 1; 1 when no poll uses codes, NaN
    /// before the first audit.
    pub(crate) static CODES_UNUSED_RATIO: Gauge = ("votestream_codes_unused_ratio", "ratio", &[]);
}
