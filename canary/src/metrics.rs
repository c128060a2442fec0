//! The canary's metrics, with the help texts that /metrics and docs/METRICS.md show.

use votestream_service::metric::{Counter, Gauge, Histogram, Metric, SECONDS};

/// Every table that the canary exports, beside those of all services.
pub const TABLES: &[&[Metric]] = &[METRICS];

votestream_service::metrics! {
    /// The metrics that only the canary has.
    pub static METRICS;

    /// Ballots of the canary by what became of them: shown (on screen in time), refused (by the producer), unanswered (no
    /// reply, or none in time), not-shown (accepted, and not on screen in time), no-results (not cast, because the results
    /// could not be read).
    pub(crate) static BALLOTS: Counter<1> = ("votestream_canary_ballots_total", "ballots",
        &[("outcome", &["shown", "refused", "unanswered", "not-shown", "no-results"])]);

    /// Time from the click to the screen: from sending a ballot until an event stream showed it. Ballots that were not shown
    /// are left out.
    pub(crate) static SCREEN_SECONDS: Histogram =
        ("votestream_canary_screen_seconds", "seconds", &[], SECONDS);

    /// Time from the click to the screen of the last ballot; NaN if it was not shown.
    pub(crate) static LAST_SCREEN_SECONDS: Gauge =
        ("votestream_canary_last_screen_seconds", "seconds", &[]);
}
