//! Figures over time, in intervals of equal length.
//!
//! Nobody knows in advance how long a run will last: a plan of a day may be stopped after seconds.
//! So a series begins with short intervals, and joins each two of them whenever there are too many.
//! Invariant: the length is the first length times a power of two, so that series of one run can be
//! brought to the same length.

use crate::measure::histogram::Latencies;

/// The most intervals of a series. A run of ten minutes has 600 of one second.
const INTERVALS_MAX: usize = 1200;

/// A figure that can be joined with that of the next interval.
pub(crate) trait Join: Default + Clone {
    /// Adds the figure of the interval that follows.
    fn join(&mut self, later: &Self);
}

impl Join for u64 {
    fn join(&mut self, later: &Self) {
        *self += later;
    }
}

/// A sampled value: the later one stands.
impl Join for Option<u64> {
    fn join(&mut self, later: &Self) {
        *self = later.or(*self);
    }
}

impl Join for Latencies {
    fn join(&mut self, later: &Self) {
        self.add(later);
    }
}

/// A series of figures.
#[derive(Debug, Clone)]
pub(crate) struct Intervals<T> {
    length_us: u64,
    values: Vec<T>,
}

impl<T: Join> Intervals<T> {
    /// Returns an empty series whose intervals begin with this length in µs, above 0.
    pub(crate) fn new(length_us: u64) -> Self {
        Self { length_us, values: Vec::new() }
    }

    /// Returns the figure of the interval that holds this time in µs.
    pub(crate) fn at(&mut self, us: u64) -> &mut T {
        while us / self.length_us >= INTERVALS_MAX as u64 {
            self.widen(self.length_us * 2);
        }
        let at = usize::try_from(us / self.length_us).unwrap_or(usize::MAX);
        if at >= self.values.len() {
            self.values.resize(at + 1, T::default());
        }
        &mut self.values[at]
    }

    /// Joins intervals until each has at least this length in µs.
    pub(crate) fn widen(&mut self, length_us: u64) {
        while self.length_us < length_us {
            self.length_us *= 2;
            let pairs = self.values.chunks(2).map(|pair| {
                let mut sum = pair[0].clone();
                pair.iter().skip(1).for_each(|later| sum.join(later));
                sum
            });
            self.values = pairs.collect();
        }
    }

    /// Adds another series of the same run, interval by interval.
    pub(crate) fn add(&mut self, other: &Self, add: impl Fn(&mut T, &T)) {
        let mut other = other.clone();
        self.widen(other.length_us);
        other.widen(self.length_us);
        if self.values.len() < other.values.len() {
            self.values.resize(other.values.len(), T::default());
        }
        for (sum, more) in self.values.iter_mut().zip(&other.values) {
            add(sum, more);
        }
    }

    /// Returns the length of an interval in µs.
    pub(crate) fn length_us(&self) -> u64 {
        self.length_us
    }

    /// Returns the figures in order of time.
    pub(crate) fn values(&self) -> &[T] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_joins_intervals_and_loses_nothing() {
        let mut counts = Intervals::<u64>::new(1_000_000);
        let mut samples = Intervals::<Option<u64>>::new(1_000_000);
        for second in 0..86_400_u64 {
            *counts.at(second * 1_000_000) += 1;
            *samples.at(second * 1_000_000) = Some(second);
        }
        assert!(counts.values().len() <= INTERVALS_MAX);
        assert_eq!(counts.values().iter().sum::<u64>(), 86_400);
        assert_eq!(counts.length_us(), 128_000_000);
        assert_eq!(samples.values().last(), Some(&Some(86_399)));
    }

    #[test]
    fn a_run_that_is_stopped_early_keeps_its_short_intervals() {
        let mut counts = Intervals::<u64>::new(1_000_000);
        for second in 0..8 {
            *counts.at(second * 1_000_000) += 1;
        }
        assert_eq!((counts.values().len(), counts.length_us()), (8, 1_000_000));
    }

    #[test]
    fn series_of_different_lengths_are_added() {
        let (mut short, mut long) = (Intervals::<u64>::new(10), Intervals::<u64>::new(10));
        *short.at(5) += 1;
        *short.at(25) += 2;
        *long.at(25) += 4;
        *long.at(10 * INTERVALS_MAX as u64) += 8;
        short.add(&long, |sum, more| *sum += more);
        assert_eq!((short.length_us(), short.values()[0], short.values()[1]), (20, 1, 6));
        assert_eq!(short.values().iter().sum::<u64>(), 15);
    }
}
