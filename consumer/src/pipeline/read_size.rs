//! How many entries a read asks for, so that a batch is bounded in bytes and not only in number.
//!
//! Redis bounds a read by the number of entries alone, and whoever may append to a stream may append
//! entries of any size. So a connection begins with few, asks for more while entries are small, and
//! for fewer as soon as they are not. What this cannot foresee, many huge entries right behind many
//! small ones, is delivered all the same; should that be more than this process or the connection
//! can take, the entries are pending, and pending entries are fetched within bounds
//! ([`crate::streams::Streams::read_pending`]).

/// What a new connection asks for.
const FIRST: usize = 256;

/// Of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appetite {
    count: usize,
    count_max: usize,
    bytes_max: usize,
}

impl Appetite {
    /// Never for more than `count_max` entries, and as far as one can tell for no more than
    /// `bytes_max` bytes.
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        let mut appetite = Self { count: 0, count_max: count_max.max(1), bytes_max };
        appetite.reset();
        appetite
    }

    /// How many entries to ask for.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Back to what a new connection asks for.
    pub fn reset(&mut self) {
        self.count = self.count_max.min(FIRST);
    }

    /// Learns from what a read gave.
    pub fn learn(&mut self, entries: usize, bytes: usize) {
        let Some(bytes_each) = bytes.checked_div(entries) else { return };
        let fit = (self.bytes_max / bytes_each.max(1)).max(1);
        let double = self.count.saturating_mul(2);
        // Few entries say little about the next ones.
        let wanted = if entries >= self.count / 2 { double } else { self.count };
        self.count = wanted.min(fit).min(self.count_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_entries_are_soon_read_in_full_batches() {
        let mut appetite = Appetite::new(5_000, 8 << 20);
        let mut reads = 0;
        while appetite.count() < 5_000 {
            appetite.learn(appetite.count(), appetite.count() * 150);
            reads += 1;
        }
        assert_eq!(reads, 5);
    }

    #[test]
    fn large_entries_are_read_one_by_one_and_trust_grows_slowly_again() {
        let mut appetite = Appetite::new(5_000, 8 << 20);
        appetite.learn(256, 256 << 20);
        assert_eq!(appetite.count(), 8);
        appetite.learn(8, 8 << 30);
        assert_eq!(appetite.count(), 1);
        appetite.learn(1, 150);
        assert_eq!(appetite.count(), 2);
    }

    #[test]
    fn few_entries_and_none_change_nothing() {
        let mut appetite = Appetite::new(5_000, 8 << 20);
        appetite.learn(0, 0);
        appetite.learn(3, 450);
        assert_eq!(appetite.count(), FIRST);
        assert_eq!(Appetite::new(4, 1).count(), 4);
    }
}
