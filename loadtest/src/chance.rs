//! Reproducible chance: what a voter does follows from the seed and the voter's number alone.
//!
//! Invariant: the same seed gives the same voters however the run is cut into shards and threads.

/// SplitMix64 (Steele, Lea, Flood 2014): one multiply-xor chain a number, no state to share.
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    /// The stream of numbers that belongs to `index` under `seed`.
    pub(crate) fn of(seed: u64, index: u64) -> Self {
        let mut chance = Self { state: seed ^ index.wrapping_mul(0xD134_2543_DE82_EF95) };
        chance.draw();
        chance
    }

    /// The next 64 random bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponentially distributed with mean 1: the gaps of a Poisson process.
    pub(crate) fn gap(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_gap_is_one() {
        let mut chance = Chance::of(1, 0);
        let mean = (0..100_000).map(|_| chance.gap()).sum::<f64>() / 100_000.0;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
    }

    #[test]
    fn neighbouring_voters_share_nothing() {
        let first: Vec<u64> = (0..1000).map(|i| Chance::of(7, i).draw()).collect();
        let mut distinct = first.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), first.len());
    }
}
