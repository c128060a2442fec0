//! Measures the time from a click over the acknowledgement to the screen, over HTTP alone.
//!
//! A frame shows how many voters are counted, not which. So the n-th voter in order of
//! acknowledgement is taken to be on screen with the first frame that shows n voters more than
//! before the run. Voters without a reply may be counted, too. As many of them as the last frame
//! leaves room for are spread evenly over that order. If votes are counted in another order than
//! they are acknowledged, voters swap places: the mean stays exact, and quantiles stay close.
//!
//! All events are kept until the end and matched once. This needs a run that is not divided, and a
//! poll without other traffic.

use crate::measure::histogram::Latencies;
use crate::measure::intervals::Intervals;
use crate::workers::recorder::VoterEvent;

/// The number of voters that are remembered, with eight bytes each. Later ones are only counted.
const VOTERS_MAX: usize = 8 << 20;

/// The acknowledgements and the frames of a run.
#[derive(Debug, Clone)]
pub(crate) struct ClickToScreen {
    /// Voters who were counted before the run.
    before: u64,
    warm_up_us: u64,
    interval_us: u64,
    tick_us: u64,
    /// The ticks of the acknowledgement and of the click of each voter.
    acknowledged: Vec<(u32, u32)>,
    /// The ticks of the clicks that were never answered.
    unanswered: Vec<u32>,
    /// All acknowledged voters, remembered or not.
    count: u64,
    /// The ticks of each frame that showed more voters than before, with the voters of the run that
    /// it showed.
    frames: Vec<(u32, u64)>,
}

/// The latencies that result from matching voters with frames.
#[derive(Debug, Default)]
pub(crate) struct ScreenLatencies {
    /// The latency from the voter's intended start to the screen.
    pub(crate) from_click: Latencies,
    /// The latency from the acknowledgement to the screen.
    pub(crate) from_acknowledgement: Latencies,
    /// `from_click` by the interval of the frame.
    pub(crate) intervals: Option<Intervals<ShortLatencies>>,
    /// Acknowledged voters who never appeared on screen.
    pub(crate) never: u64,
}

/// Times are kept in ticks of this many µs, so that eleven hours fit into 32 bits.
const TICK_US: u64 = 10;

/// The length of a tick in runs of eleven hours and more, in µs: 49 days fit.
const LONG_TICK_US: u64 = 1_000;

/// Runs that are planned to last longer than this have long ticks. Unit: µs.
const SHORT_RUN_US: u64 = 11 * 3_600_000_000;

/// The latencies of one interval, with fewer digits than those of the whole run.
#[derive(Debug, Clone)]
pub(crate) struct ShortLatencies(pub(crate) Latencies);

impl Default for ShortLatencies {
    fn default() -> Self {
        Self(Latencies::with_digits(2))
    }
}

impl crate::measure::intervals::Join for ShortLatencies {
    fn join(&mut self, later: &Self) {
        self.0.add(&later.0);
    }
}

impl ClickToScreen {
    /// Returns a record of a run that is planned to last `planned_us`.
    pub(crate) fn new(before: u64, warm_up_us: u64, interval_us: u64, planned_us: u64) -> Self {
        Self {
            tick_us: if planned_us > SHORT_RUN_US { LONG_TICK_US } else { TICK_US },
            before,
            warm_up_us,
            interval_us,
            acknowledged: Vec::new(),
            unanswered: Vec::new(),
            count: 0,
            frames: Vec::new(),
        }
    }

    fn ticks(&self, us: u64) -> u32 {
        u32::try_from(us / self.tick_us).unwrap_or(u32::MAX)
    }

    /// Records events of voters, in any order.
    pub(crate) fn record_voters(&mut self, events: &[VoterEvent]) {
        for event in events {
            match *event {
                VoterEvent::Acknowledged { clicked_us, acknowledged_us } => {
                    self.count += 1;
                    if self.acknowledged.len() < VOTERS_MAX {
                        let voter = (self.ticks(acknowledged_us), self.ticks(clicked_us));
                        self.acknowledged.push(voter);
                    }
                }
                VoterEvent::Unanswered { clicked_us } => {
                    if self.unanswered.len() < VOTERS_MAX {
                        self.unanswered.push(self.ticks(clicked_us));
                    }
                }
            }
        }
    }

    /// Records a frame that shows this many voters.
    pub(crate) fn frame(&mut self, voters: u64, now_us: u64) {
        let gain = voters.saturating_sub(self.before);
        if gain > self.shown() {
            self.frames.push((self.ticks(now_us), gain));
        }
    }

    /// Returns the number of voters of the run that are on screen.
    pub(crate) fn shown(&self) -> u64 {
        self.frames.last().map_or(0, |(_, gain)| *gain)
    }

    /// Returns the number of acknowledged voters who are not on screen yet.
    pub(crate) fn behind(&self) -> u64 {
        self.count.saturating_sub(self.shown())
    }

    /// Matches all acknowledgements with the first frames that include them.
    pub(crate) fn matched(&self) -> ScreenLatencies {
        let mut acknowledged = self.acknowledged.clone();
        acknowledged.sort_unstable();
        let mut unanswered = self.unanswered.clone();
        unanswered.sort_unstable();
        // The share of the voters without a reply that the last frame includes.
        let room = self.shown().saturating_sub(self.count) as f64;
        let share = (room / unanswered.len().max(1) as f64).min(1.0);
        let mut shown = ScreenLatencies::default();
        let mut frames = self.frames.iter().peekable();
        let mut passed = 0;
        for (nth, (at, clicked)) in acknowledged.into_iter().enumerate() {
            while unanswered.get(passed).is_some_and(|one| *one <= at) {
                passed += 1;
            }
            let place = (nth + 1) as f64 + share * passed as f64;
            while frames.next_if(|(_, gain)| (*gain as f64) < place - 0.5).is_some() {}
            match frames.peek() {
                Some((frame, _)) => self.record(&mut shown, *frame, at, clicked),
                None => shown.never += 1,
            }
        }
        shown
    }

    fn record(&self, shown: &mut ScreenLatencies, frame: u32, acknowledged: u32, clicked: u32) {
        if u64::from(clicked) * self.tick_us < self.warm_up_us {
            return;
        }
        // A frame may arrive before the reply does.
        let us = |since: u32| u64::from(frame.saturating_sub(since)) * self.tick_us;
        shown.from_acknowledgement.record(us(acknowledged));
        shown.from_click.record(us(clicked));
        let intervals = shown.intervals.get_or_insert_with(|| Intervals::new(self.interval_us));
        intervals.at(u64::from(frame) * self.tick_us).0.record(us(clicked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(clicked_us: u64, acknowledged_us: u64) -> VoterEvent {
        VoterEvent::Acknowledged { clicked_us, acknowledged_us }
    }

    fn assert_near(us: u64, expected: u64) {
        assert!((us as f64 / expected as f64 - 1.0).abs() < 0.002, "{us} is not {expected}");
    }

    #[test]
    fn the_first_frame_that_counts_a_voter_shows_it() {
        let mut screen = ClickToScreen::new(100, 0, 1_000_000, 0);
        screen.record_voters(&[acknowledged(100, 2_000), acknowledged(0, 1_000)]);
        screen.frame(101, 51_000);
        assert_eq!((screen.behind(), screen.shown()), (1, 1));
        screen.frame(101, 60_000);
        screen.frame(102, 102_000);
        assert_eq!((screen.behind(), screen.shown()), (0, 2));
        let shown = screen.matched();
        assert_eq!((shown.from_click.count(), shown.never), (2, 0));
        assert_near(shown.from_acknowledgement.quantile_us(0.5), 50_000);
        assert_near(shown.from_acknowledgement.quantile_us(1.0), 100_000);
    }

    #[test]
    fn a_run_of_a_day_is_measured_to_its_end() {
        const HOUR_US: u64 = 3_600_000_000;
        let mut screen = ClickToScreen::new(0, 0, 1_000_000, 24 * HOUR_US);
        screen.record_voters(&[acknowledged(23 * HOUR_US, 23 * HOUR_US + 50_000)]);
        screen.frame(1, 23 * HOUR_US + 400_000);
        assert_near(screen.matched().from_click.quantile_us(1.0), 400_000);
    }

    #[test]
    fn a_frame_may_overtake_the_reply() {
        let mut screen = ClickToScreen::new(0, 0, 1_000_000, 0);
        screen.frame(1, 500);
        screen.record_voters(&[acknowledged(0, 600)]);
        let shown = screen.matched();
        assert_eq!((shown.from_acknowledgement.quantile_us(1.0), shown.never), (1, 0));
        assert_near(shown.from_click.quantile_us(1.0), 500);
    }

    #[test]
    fn warm_up_is_matched_but_not_measured() {
        let mut screen = ClickToScreen::new(0, 1_000, 1_000_000, 0);
        screen.record_voters(&[acknowledged(0, 10), acknowledged(2_000, 2_010)]);
        screen.frame(2, 3_000);
        assert_eq!((screen.behind(), screen.matched().from_click.count()), (0, 1));
    }

    #[test]
    fn voters_without_a_reply_do_not_push_others_onto_the_screen() {
        // One voter comes each millisecond, and a frame every 100 ms. Every fourth voter hangs up,
        // and of those `counted` in ten are counted.
        for counted in [0, 5, 10] {
            let mut screen = ClickToScreen::new(0, 0, 1_000_000, 0);
            let (mut on_screen, mut hung_up) = (0, 0);
            for ms in 0..4_000_u64 {
                if ms % 100 == 99 {
                    screen.frame(on_screen, ms * 1_000);
                }
                if ms % 4 == 0 {
                    screen.record_voters(&[VoterEvent::Unanswered { clicked_us: ms * 1_000 }]);
                    hung_up += 1;
                    on_screen += u64::from(hung_up % 10 < counted);
                } else {
                    screen.record_voters(&[acknowledged(ms * 1_000, ms * 1_000)]);
                    on_screen += 1;
                }
            }
            screen.frame(on_screen, 4_099_000);
            let shown = screen.matched();
            let median = shown.from_click.quantile_us(0.5);
            assert!((40_000..60_000).contains(&median), "{counted} counted: {median}");
            assert_eq!(shown.never, 0);
        }
    }

    #[test]
    fn who_never_appears_is_counted() {
        let mut screen = ClickToScreen::new(0, 0, 1_000_000, 0);
        screen.record_voters(&[acknowledged(0, 10), acknowledged(0, 20)]);
        screen.frame(1, 100);
        assert_eq!((screen.behind(), screen.matched().never), (1, 1));
    }
}
