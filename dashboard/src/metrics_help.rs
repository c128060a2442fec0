//! What each of the dashboard's metrics means.

use votestream_service::metric::Metric;

/// The dashboard's own.
pub const METRICS: &[Metric] = &[
    Metric::gauge("votestream_viewers", "streams", &[], "Event streams held now."),
    Metric::gauge(
        "votestream_viewers_max",
        "streams",
        &[],
        "The most event streams held (VIEWERS_MAX).",
    ),
    Metric::counter(
        "votestream_viewers_refused_total",
        "requests",
        &[],
        "Viewers asked to come back later, for all seats were taken.",
    ),
    Metric::counter("votestream_frames_sent_total", "frames", &[], "Frames sent to viewers."),
    Metric::counter(
        "votestream_frames_skipped_total",
        "frames",
        &[],
        "Frames that slow viewers were not sent, since a newer one was there.",
    ),
    Metric::histogram(
        "votestream_delivery_seconds",
        "seconds",
        &[],
        "By viewer and frame: from the last look at which a change was not there yet to its frame \
         being written. No commit in the frame waited longer. Without first frames, and without \
         viewers that do not read.",
    ),
    Metric::histogram(
        "votestream_tick_duration_seconds",
        "seconds",
        &[],
        "One reading of all tallies.",
    ),
    Metric::gauge(
        "votestream_board_age_seconds",
        "seconds",
        &[],
        "How old the shown state is while Postgres is away; 0 otherwise.",
    ),
    Metric::gauge(
        "votestream_board_read_timestamp_seconds",
        "unix seconds",
        &[],
        "When the tallies were last read. Absent before the first time.",
    ),
];
