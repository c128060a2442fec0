//! What each of the consumer's metrics means.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Registers the help texts, and counters that must be there before they first move.
pub(crate) fn describe() {
    describe_histogram!("votestream_batch_entries", "Entries worked on in one go.");
    describe_histogram!(
        "votestream_store_duration_seconds",
        Unit::Seconds,
        "One transaction in Postgres, from taking a connection to its commit."
    );
    describe_histogram!(
        "votestream_ballot_to_commit_seconds",
        Unit::Seconds,
        "From Redis storing a ballot to its commit in Postgres."
    );
    describe_counter!(
        "votestream_votes_total",
        "Ballots worked on, by outcome: counted (a new voter), replaced (took the place of \
         another), unchanged (a replay, or beaten by another), superseded (by another ballot of \
         its batch), out_of_time."
    );
    describe_counter!(
        "votestream_retries_total",
        "Attempts that failed and were repeated, by server."
    );
    describe_counter!("votestream_claimed_entries_total", "Stale entries taken over.");
    describe_counter!("votestream_dead_letters_total", "Entries set aside as dead letters.");
    describe_counter!(
        "votestream_vanished_entries_total",
        "Entries deleted from a stream before they were counted. Must stay 0."
    );
    describe_counter!("votestream_consumers_removed_total", "Names of dead consumers removed.");
    describe_counter!(
        "votestream_registers_forgotten_total",
        "Registers of closed polls forgotten, each partition's by itself."
    );
    describe_gauge!("votestream_stream_entries", "Entries in a stream: lag and pending together.");
    describe_gauge!("votestream_stream_lag", "Entries not yet delivered to the group.");
    describe_gauge!(
        "votestream_stream_lag_unknown",
        "1 when Redis does not know the lag, which is then worked out from length and pending."
    );
    describe_gauge!("votestream_stream_pending", "Delivered, not yet acknowledged.");
    describe_gauge!(
        "votestream_stream_oldest_pending_age_seconds",
        Unit::Seconds,
        "Age of the oldest pending entry; 0 when there is none."
    );
    describe_gauge!(
        "votestream_stream_oldest_age_seconds",
        Unit::Seconds,
        "Age of the oldest entry not yet acknowledged; 0 when there is none."
    );
    describe_gauge!(
        "votestream_stream_clock_ahead_seconds",
        Unit::Seconds,
        "By how much a stream's last ID is ahead of Redis' clock: IDs decide whether a ballot is in \
         time, so ballots count as that late. Should be about 0."
    );
    describe_gauge!("votestream_stream_consumers", "Consumer names in the group.");
    describe_gauge!("votestream_dead_letters_held", "Dead letters waiting for an operator.");
    for outcome in ["counted", "replaced", "unchanged", "superseded", "out_of_time"] {
        metrics::counter!("votestream_votes_total", "outcome" => outcome).absolute(0);
    }
    for what in ["redis", "postgres"] {
        metrics::counter!("votestream_retries_total", "what" => what).absolute(0);
    }
    for name in [
        "votestream_claimed_entries_total",
        "votestream_dead_letters_total",
        "votestream_vanished_entries_total",
        "votestream_consumers_removed_total",
        "votestream_registers_forgotten_total",
    ] {
        metrics::counter!(name).absolute(0);
    }
}
