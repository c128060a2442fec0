//! What each of the dashboard's metrics means.

use votestream_service::metric::{Counter, Gauge, Histogram, Metric, SECONDS};
use votestream_service::metrics::HTTP;

/// Every table that the dashboard exports, beside those of all services.
pub const TABLES: &[&[Metric]] = &[METRICS, HTTP];

votestream_service::metrics! {
    /// The dashboard's own.
    pub static METRICS;

    /// Event streams held now.
    pub(crate) static VIEWERS: Gauge = ("votestream_viewers", "streams", &[]);

    /// The most event streams held (VIEWERS_MAX).
    pub(crate) static VIEWERS_MAX: Gauge = ("votestream_viewers_max", "streams", &[]);

    /// Viewers asked to come back later, for all seats were taken.
    pub(crate) static VIEWERS_REFUSED: Counter =
        ("votestream_viewers_refused_total", "requests", &[]);

    /// Polls in Postgres that this dashboard cannot read, since a newer release or somebody by hand
    /// wrote them. They are not shown; the log names them. Should be 0.
    pub(crate) static UNREADABLE_POLLS: Gauge = ("votestream_unreadable_polls", "polls", &[]);

    /// Frames sent to viewers.
    pub(crate) static FRAMES_SENT: Counter = ("votestream_frames_sent_total", "frames", &[]);

    /// Frames that slow viewers were not sent, since a newer one was there.
    pub(crate) static FRAMES_SKIPPED: Counter = ("votestream_frames_skipped_total", "frames", &[]);

    /// By viewer and frame: from the last look at which a change was not there yet to its frame being
    /// written. No commit in the frame waited longer. Without first frames, and without viewers that
    /// do not read.
    pub(crate) static DELIVERY_SECONDS: Histogram =
        ("votestream_delivery_seconds", "seconds", &[], SECONDS);

    /// One reading of all tallies.
    pub(crate) static TICK_DURATION_SECONDS: Histogram =
        ("votestream_tick_duration_seconds", "seconds", &[], SECONDS);

    /// How old the shown state is while Postgres is away; 0 otherwise.
    pub(crate) static BOARD_AGE_SECONDS: Gauge = ("votestream_board_age_seconds", "seconds", &[]);

    /// When the tallies were last read. Absent before the first time.
    pub(crate) static BOARD_READ_TIMESTAMP_SECONDS: Gauge =
        ("votestream_board_read_timestamp_seconds", "unix seconds", &[]);
}
