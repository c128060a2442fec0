//! Something that may happen thousands of times a second, and is told of once in a while.

use std::time::Duration;

use tokio::time::Instant;

/// Lets through the first of many, then one each `every`.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    told: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// One each `every` at most.
    pub fn new(every: Duration) -> Self {
        Self { every, told: None, untold: 0 }
    }

    /// Whether it is to be told now: how often it happened since it was told last, this time too.
    pub fn happened(&mut self) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| told.elapsed() < self.every) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_told_at_once_and_the_others_counted() {
        let mut seldom = Seldom::new(Duration::from_secs(10));
        assert_eq!(seldom.happened(), Some(1));
        for _ in 0..5 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(seldom.happened(), None);
        }
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(seldom.happened(), Some(6));
    }
}
