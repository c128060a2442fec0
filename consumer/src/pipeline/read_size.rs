//! How many entries a read asks for, so that a batch is bounded in bytes and not only in number.
//!
//! Redis bounds a read by the number of entries alone, and anybody who may append to a stream may append entries of
//! any size. So a new connection asks for few entries, for more while entries are small, and for fewer as soon as
//! they are large. This estimate cannot foresee many huge entries right behind many small ones; Redis delivers those
//! all the same. If they are more than this process or the connection can take, they stay pending, and pending entries
//! are fetched within exact bounds ([`crate::streams::Streams::read_pending`]).

/// The number of entries that the first read of a connection asks for.
const FIRST_READ: usize = 256;
/// Reads of the size after which no connection broke, before a larger one is tried.
const READS_AT_CEILING: u32 = 64;

/// The number of entries to ask for next; it adapts to the sizes seen on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveReadSize {
    count: usize,
    count_max: usize,
    bytes_max: usize,
    /// Lower than `count_max` after a connection broke, because Redis may have ended it for its reply's size.
    ceiling: usize,
    /// Reads at the ceiling since it was set.
    at_ceiling: u32,
}

impl AdaptiveReadSize {
    /// Starts at 256 entries, and never exceeds `count_max` entries or, by the estimate, `bytes_max` bytes.
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        let count_max = count_max.max(1);
        let mut size = Self { count: 0, count_max, bytes_max, ceiling: count_max, at_ceiling: 0 };
        size.reset();
        size
    }

    /// Returns how many entries the next read should ask for, at least one.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns to the start value, because a new connection may meet entries of another size.
    pub fn reset(&mut self) {
        self.count = self.ceiling.min(FIRST_READ);
    }

    /// Asks for half as many from now on, because the connection broke: Redis ends one whose reply exceeds
    /// `client-output-buffer-limit`, and the same read would end the next one as well.
    pub fn halve(&mut self) {
        self.ceiling = (self.count / 2).max(1);
        (self.count, self.at_ceiling) = (self.ceiling, 0);
    }

    /// Adapts to a read that returned this many entries and bytes: at most doubles, and shrinks at once.
    pub fn learn(&mut self, entries: usize, bytes: usize) {
        let Some(bytes_each) = bytes.checked_div(entries) else { return };
        let fit = (self.bytes_max / bytes_each.max(1)).max(1);
        let double = self.count.saturating_mul(2);
        // A few entries say little about the next ones, so only a read that was at least half full lets it grow.
        let wanted = if entries >= self.count / 2 { double } else { self.count };
        self.count = wanted.min(fit).min(self.ceiling);
        if self.count == self.ceiling && self.ceiling < self.count_max {
            self.at_ceiling += 1;
            if self.at_ceiling >= READS_AT_CEILING {
                self.ceiling = self.ceiling.saturating_mul(2).min(self.count_max);
                self.at_ceiling = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_entries_are_soon_read_in_full_batches() {
        let mut size = AdaptiveReadSize::new(5_000, 8 << 20);
        let mut reads = 0;
        while size.count() < 5_000 {
            size.learn(size.count(), size.count() * 150);
            reads += 1;
        }
        assert_eq!(reads, 5);
    }

    #[test]
    fn large_entries_are_read_one_by_one_and_trust_grows_slowly_again() {
        let mut size = AdaptiveReadSize::new(5_000, 8 << 20);
        size.learn(256, 256 << 20);
        assert_eq!(size.count(), 8);
        size.learn(8, 8 << 30);
        assert_eq!(size.count(), 1);
        size.learn(1, 150);
        assert_eq!(size.count(), 2);
    }

    #[test]
    fn after_a_broken_connection_fewer_are_asked_for_and_more_only_much_later() {
        let mut size = AdaptiveReadSize::new(5_000, 8 << 20);
        size.learn(256, 256 * 150);
        assert_eq!(size.count(), 512);
        size.halve();
        size.reset();
        assert_eq!(size.count(), 256);
        for _ in 0..READS_AT_CEILING {
            assert_eq!(size.count(), 256);
            size.learn(256, 256 * 150);
        }
        size.learn(256, 256 * 150);
        assert_eq!(size.count(), 512);
        (0..20).for_each(|_| size.halve());
        assert_eq!(size.count(), 1);
    }

    #[test]
    fn few_entries_and_none_change_nothing() {
        let mut size = AdaptiveReadSize::new(5_000, 8 << 20);
        size.learn(0, 0);
        size.learn(3, 450);
        assert_eq!(size.count(), FIRST_READ);
        assert_eq!(AdaptiveReadSize::new(4, 1).count(), 4);
    }
}
