//! What each of the dashboard's metrics means.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Registers the help texts.
pub(crate) fn describe() {
    describe_gauge!("votestream_viewers", "Event streams held now.");
    describe_counter!("votestream_frames_sent_total", "Frames sent to viewers.");
    describe_counter!(
        "votestream_frames_skipped_total",
        "Frames that slow viewers were not sent, since a newer one was there."
    );
    describe_histogram!(
        "votestream_tick_duration_seconds",
        Unit::Seconds,
        "One reading of all tallies."
    );
    describe_gauge!(
        "votestream_board_age_seconds",
        Unit::Seconds,
        "How old the shown state is while Postgres is away; 0 otherwise."
    );
}
