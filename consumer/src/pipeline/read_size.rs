//! How many entries a read asks for, so that a batch is bounded in bytes and not only in number.
//!
//! Redis bounds a read by the number of entries alone, and anybody who may append to a stream may append entries of
//! any size. So a new connection asks for few entries, for more while entries are small, and for fewer as soon as
//! they are large. This estimate cannot foresee many huge entries right behind many small ones; Redis delivers those
//! all the same. If they are more than this process or the connection can take, they stay pending, and pending entries
//! are fetched within exact bounds ([`crate::streams::Streams::read_pending`]).

/// The number of entries that the first read of a connection asks for.
const FIRST_READ: usize = 256;

/// The number of entries to ask for next; it adapts to the sizes seen on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveReadSize {
    count: usize,
    count_max: usize,
    bytes_max: usize,
}

impl AdaptiveReadSize {
    /// Starts at 256 entries, and never exceeds `count_max` entries or, by the estimate, `bytes_max` bytes.
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        let mut size = Self { count: 0, count_max: count_max.max(1), bytes_max };
        size.reset();
        size
    }

    /// Returns how many entries the next read should ask for, at least one.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns to the start value, because a new connection may meet entries of another size.
    pub fn reset(&mut self) {
        self.count = self.count_max.min(FIRST_READ);
    }

    /// Adapts to a read that returned this many entries and bytes: at most doubles, and shrinks at once.
    pub fn learn(&mut self, entries: usize, bytes: usize) {
        let Some(bytes_each) = bytes.checked_div(entries) else { return };
        let fit = (self.bytes_max / bytes_each.max(1)).max(1);
        let double = self.count.saturating_mul(2);
        // A few entries say little about the next ones, so only a read that was at least half full lets it grow.
        let wanted = if entries >= self.count / 2 { double } else { self.count };
        self.count = wanted.min(fit).min(self.count_max);
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
    fn few_entries_and_none_change_nothing() {
        let mut size = AdaptiveReadSize::new(5_000, 8 << 20);
        size.learn(0, 0);
        size.learn(3, 450);
        assert_eq!(size.count(), FIRST_READ);
        assert_eq!(AdaptiveReadSize::new(4, 1).count(), 4);
    }
}
