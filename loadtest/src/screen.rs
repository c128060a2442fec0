//! Click → acknowledged → on screen, over HTTP alone.
//!
//! A frame says how many voters are counted, not who. The n-th acknowledged voter is taken to be on
//! screen with the first frame that shows n voters more than before the run. Counting in another
//! order than acknowledging swaps voters, which leaves the mean exact and the quantiles close.
//! Needs an undivided run without other traffic; otherwise there is no screen to watch.

use std::collections::VecDeque;

use crate::histogram::Latencies;
use crate::recorder::Acknowledgement;

/// Matches acknowledgements with the frames that include them.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    /// Voters counted before the run.
    before: u64,
    warm_up_us: u64,
    interval_us: u64,
    /// Acknowledged, not on screen yet, in order of acknowledgement.
    waiting: VecDeque<Acknowledgement>,
    /// Voters of the run on screen so far.
    shown: u64,
    /// On screen before their acknowledgement reached the generator.
    ahead: u64,
    /// From the voter's intended start to the screen.
    pub(crate) from_click: Latencies,
    /// From the acknowledgement to the screen.
    pub(crate) from_acknowledgement: Latencies,
    /// `from_click` by interval of the frame.
    pub(crate) intervals: Vec<Latencies>,
}

impl Screen {
    pub(crate) fn new(before: u64, warm_up_us: u64, interval_us: u64) -> Self {
        Self {
            before,
            warm_up_us,
            interval_us,
            waiting: VecDeque::new(),
            shown: 0,
            ahead: 0,
            from_click: Latencies::default(),
            from_acknowledgement: Latencies::default(),
            intervals: Vec::new(),
        }
    }

    /// Takes in acknowledgements, in any order among those of one call.
    pub(crate) fn acknowledge(&mut self, mut news: Vec<Acknowledgement>) {
        news.sort_unstable_by_key(|one| one.acknowledged_us);
        for one in news {
            if self.ahead > 0 {
                self.ahead -= 1;
                self.show(one, one.acknowledged_us);
            } else {
                self.waiting.push_back(one);
            }
        }
    }

    /// A frame came that shows so many voters.
    pub(crate) fn frame(&mut self, voters: u64, now_us: u64) {
        let gain = voters.saturating_sub(self.before);
        while self.shown < gain {
            self.shown += 1;
            match self.waiting.pop_front() {
                Some(one) => self.show(one, now_us),
                None => self.ahead += 1,
            }
        }
    }

    /// Acknowledged voters who are not on screen yet.
    pub(crate) fn behind(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Voters of the run on screen.
    pub(crate) fn shown(&self) -> u64 {
        self.shown
    }

    fn show(&mut self, one: Acknowledgement, now_us: u64) {
        if one.clicked_us < self.warm_up_us {
            return;
        }
        self.from_acknowledgement.record(now_us.saturating_sub(one.acknowledged_us));
        let from_click = now_us.saturating_sub(one.clicked_us);
        self.from_click.record(from_click);
        let at = usize::try_from(now_us / self.interval_us).unwrap_or(usize::MAX).min(4096);
        if at >= self.intervals.len() {
            self.intervals.resize_with(at + 1, || Latencies::with_digits(2));
        }
        self.intervals[at].record(from_click);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(clicked_us: u64, acknowledged_us: u64) -> Acknowledgement {
        Acknowledgement { clicked_us, acknowledged_us }
    }

    #[test]
    fn the_first_frame_that_counts_a_voter_shows_it() {
        let mut screen = Screen::new(100, 0, 1_000_000);
        screen.acknowledge(vec![acknowledged(10, 2_000), acknowledged(0, 1_000)]);
        screen.frame(101, 51_000);
        let waited = screen.from_acknowledgement.quantile_us(1.0) as f64;
        assert!((waited / 50_000.0 - 1.0).abs() < 0.001, "{waited}");
        assert_eq!(screen.behind(), 1);
        screen.frame(101, 60_000);
        assert_eq!(screen.behind(), 1);
        screen.frame(102, 102_000);
        assert_eq!((screen.behind(), screen.shown()), (0, 2));
        assert_eq!(screen.from_click.count(), 2);
    }

    #[test]
    fn a_frame_may_overtake_the_reply() {
        let mut screen = Screen::new(0, 0, 1_000_000);
        screen.frame(1, 500);
        screen.acknowledge(vec![acknowledged(0, 600)]);
        assert_eq!((screen.behind(), screen.from_acknowledgement.count()), (0, 1));
    }

    #[test]
    fn warm_up_is_matched_but_not_measured() {
        let mut screen = Screen::new(0, 1_000, 1_000_000);
        screen.acknowledge(vec![acknowledged(0, 10), acknowledged(2_000, 2_010)]);
        screen.frame(2, 3_000);
        assert_eq!((screen.behind(), screen.from_click.count()), (0, 1));
    }
}
