//! A reproducible random number generator: the same seed gives the same numbers, on every machine and in every version.
//!
//! Invariant: the numbers of one voter depend on the seed and the voter's number alone. So a run has the same voters
//! however it is divided into shards and threads.

/// The generator SplitMix64 (Steele, Lea, Flood 2014).
///
/// It has 64 bits of state and costs a few multiplications a number. It is not fit for secrets.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// Returns the generator for this seed.
    pub fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the generator that belongs to `index` under this seed.
    ///
    /// Generators of different indexes give independent numbers.
    pub fn for_index(seed: u64, index: u64) -> Self {
        let mut rng = Self { state: seed ^ index.wrapping_mul(0xD134_2543_DE82_EF95) };
        rng.draw();
        rng
    }

    /// Returns the next 64 random bits.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number that is uniformly distributed from 0 up to, but without, 1.
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number that is uniformly distributed between `low` and `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Returns a number in `0..n`. `n` must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.draw() % n as u64) as usize
    }

    /// Returns an exponentially distributed number with mean 1: a gap between two arrivals of a Poisson process.
    pub fn gap(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_gap_is_one() {
        let mut rng = Rng::for_index(1, 0);
        let mean = (0..100_000).map(|_| rng.gap()).sum::<f64>() / 100_000.0;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
    }

    #[test]
    fn neighbouring_voters_share_nothing() {
        let first: Vec<u64> = (0..1000).map(|i| Rng::for_index(7, i).draw()).collect();
        let mut distinct = first.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), first.len());
    }
}
