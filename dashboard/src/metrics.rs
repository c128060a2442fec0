//! The dashboard's metrics, with the help texts that /metrics and docs/METRICS.md show.

use votestream_service::metric::{Counter, Gauge, Histogram, Metric, SECONDS};
use votestream_service::metrics::HTTP;

/// Every table that the dashboard exports, beside those of all services.
pub const TABLES: &[&[Metric]] = &[METRICS, HTTP];

votestream_service::metrics! {
    /// The metrics that only the dashboard has.
    pub static METRICS;

    /// Event streams that are open now.
    pub(crate) static VIEWERS: Gauge = ("votestream_viewers", "streams", &[]);

    /// The most event streams that this replica holds: VIEWERS_MAX, or four fifths of the connections.
    pub(crate) static VIEWERS_MAX: Gauge = ("votestream_viewers_max", "streams", &[]);

    /// Requests for an event stream that were refused because the maximum was reached; the viewer is asked to come back
    /// later.
    pub(crate) static VIEWERS_REFUSED: Counter =
        ("votestream_viewers_refused_total", "requests", &[]);

    /// Voters that are counted, as Postgres has them, in all polls that are not archived and whose results everybody may see,
    /// without those of canaries. NaN while Postgres cannot be read.
    pub(crate) static VOTERS: Gauge = ("votestream_voters", "voters", &[]);

    /// Polls in Postgres that this dashboard cannot read, because a newer release or a manual change wrote them. They are
    /// not shown; the log names them. Should be 0.
    pub(crate) static UNREADABLE_POLLS: Gauge = ("votestream_unreadable_polls", "polls", &[]);

    /// Frames written to viewers, each counted once per viewer.
    pub(crate) static FRAMES_SENT: Counter = ("votestream_frames_sent_total", "frames", &[]);

    /// Frames that slow viewers did not receive because a newer one replaced them.
    pub(crate) static FRAMES_SKIPPED: Counter = ("votestream_frames_skipped_total", "frames", &[]);

    /// Delay of a frame, per viewer: from the last read that did not find its changes until the frame was written. No commit
    /// in the frame waited longer. First frames, and viewers that read too slowly, are left out.
    pub(crate) static DELIVERY_SECONDS: Histogram =
        ("votestream_delivery_seconds", "seconds", &[], SECONDS);

    /// Duration of one read of all tallies from Postgres.
    pub(crate) static TICK_DURATION_SECONDS: Histogram =
        ("votestream_tick_duration_seconds", "seconds", &[], SECONDS);

    /// Age of the shown state while Postgres is down; 0 otherwise.
    pub(crate) static BOARD_AGE_SECONDS: Gauge = ("votestream_board_age_seconds", "seconds", &[]);

    /// When the tallies were last read; absent before the first read.
    pub(crate) static BOARD_READ_TIMESTAMP_SECONDS: Gauge =
        ("votestream_board_read_timestamp_seconds", "unix seconds", &[]);
}
