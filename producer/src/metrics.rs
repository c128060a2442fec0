//! Declares the metrics that only the producer exports.

use votestream_service::metric::{Counter, ENTRIES, Gauge, Histogram, Metric, SECONDS};
use votestream_service::metrics::HTTP;

/// The outcomes of a ballot: `accepted`, and the names of the problems that it may meet.
const OUTCOMES: &[&str] = &[
    "accepted",
    "already-voted",
    "bad-code",
    "challenge-required",
    "code-used",
    "cross-site",
    "idempotency-key-reused",
    "invalid-choice",
    "malformed",
    "not-open",
    "too-large",
    "too-many-new-voters",
    "too-many-wrong-codes",
    "too-slow",
    "unavailable",
    "unknown-poll",
    "unsupported-media",
];

/// The kinds of networks that bring new voters.
const NETWORKS: &[&str] = &["usual", "busy", "unreadable", "unlimited"];

/// The outcomes of challenges.
const CHALLENGE_OUTCOMES: &[&str] = &["asked", "solved", "wrong", "unchecked"];

/// The tables of metrics that the producer exports in addition to those of every service.
pub const TABLES: &[&[Metric]] = &[METRICS, HTTP];

/// The settings of Redis that the durability check compares.
const SETTINGS: &[&str] = &[
    "appendonly",
    "appendfsync",
    "maxmemory-policy",
    "no-appendfsync-on-rewrite",
    "replay-rights",
    "file-in-effect",
    "reaches-disk",
    "replicas",
];

votestream_service::metrics! {
    /// The metrics that only the producer exports.
    pub static METRICS;

    /// Ballots answered, by outcome: accepted, or the name of the problem. Only `unavailable` is a fault
    /// of the service.
    pub(crate) static BALLOTS: Counter<1> =
        ("votestream_ballots_total", "ballots", &[("outcome", OUTCOMES)]);

    /// Voters whose first ballot in an open poll was accepted, by their network: `usual` ones stay within a hundredth of
    /// their limit on a replica, `busy` ones bring more, `unreadable` ones came from a proxy that does not name them,
    /// and `unlimited` ones have no limit.
    pub(crate) static NEW_VOTERS: Counter<1> =
        ("votestream_new_voters_total", "voters", &[("network", NETWORKS)]);

    /// Challenges for new voters, by outcome: `asked` of a voter, `solved`, answered with a `wrong` or expired solution, or
    /// left `unchecked` because the service that checks solutions did not answer.
    pub(crate) static CHALLENGES: Counter<1> =
        ("votestream_challenges_total", "challenges", &[("outcome", CHALLENGE_OUTCOMES)]);

    /// Ballots sent to Redis in one round trip.
    pub(crate) static PUBLISH_BATCH_ENTRIES: Histogram =
        ("votestream_publish_batch_entries", "ballots", &[], ENTRIES);

    /// Duration of one round trip to Redis, including the wait for its disk or replicas.
    pub(crate) static PUBLISH_DURATION_SECONDS: Histogram =
        ("votestream_publish_duration_seconds", "seconds", &[], SECONDS);

    /// Round trips to Redis that failed and may have been repeated.
    pub(crate) static PUBLISH_RETRIES: Counter =
        ("votestream_publish_retries_total", "round trips", &[]);

    /// Time for which every ballot has been refused, although ballots come in; 0 once one is stored. Refusals by the rules
    /// of a poll do not count.
    pub(crate) static BALLOTS_REFUSED_SECONDS: Gauge =
        ("votestream_ballots_refused_seconds", "seconds", &[]);

    /// 1 while Redis is set up for the durability that DURABILITY promises, else 0; no ballot is accepted
    /// then.
    pub(crate) static REDIS_DURABLE: Gauge = ("votestream_redis_durable", "bool", &[]);

    /// 1 while a setting of Redis is as DURABILITY needs it, else 0; 0 also for a setting of the disk that
    /// Redis does not show. Absent where DURABILITY does not need the setting.
    pub(crate) static REDIS_SETTING_KEPT: Gauge<1> = (
        "votestream_redis_setting_kept",
        "bool",
        &[("setting", SETTINGS)],
    );

    /// Ballot pages that follow their poll now: open streams of its state.
    pub(crate) static STATE_STREAMS: Gauge = ("votestream_state_streams", "streams", &[]);

    /// The most streams of a poll's state that this replica holds: STATE_STREAMS_MAX, or two thirds of the connections.
    pub(crate) static STATE_STREAMS_MAX: Gauge = ("votestream_state_streams_max", "streams", &[]);

    /// Requests for a stream of a poll's state that were refused because the maximum was reached; such a page asks every 15 s
    /// instead.
    pub(crate) static STATE_STREAMS_REFUSED: Counter =
        ("votestream_state_streams_refused_total", "requests", &[]);

    /// The most entries that a partition's stream may hold (BACKLOG_MAX).
    pub(crate) static BACKLOG_MAX_ENTRIES: Gauge =
        ("votestream_backlog_max_entries", "entries", &[]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::TYPES;

    #[test]
    fn every_problem_that_a_ballot_may_meet_is_an_outcome() {
        // No ballot reaches an address or a method that does not exist, nor one that gives receipts.
        let never = ["method-not-allowed", "not-found", "no-receipt"];
        let problems = TYPES.iter().map(|kind| kind.name).filter(|name| !never.contains(name));
        let outcomes: Vec<&str> = std::iter::once("accepted").chain(problems).collect();
        assert_eq!(OUTCOMES, outcomes);
    }
}
