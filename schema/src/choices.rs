//! The options that a ballot chooses: a set of option positions as a bit mask.
//!
//! Choices travel and are stored as the mask. So a batch is grouped by its few distinct masks before any
//! of them is expanded to options.

use serde::{Deserialize, Serialize};

/// The largest number of options: bit 63 stays free, since Postgres' `bigint` is signed.
pub const OPTIONS_MAX: usize = 63;

/// A non-empty set of option positions in `0..63`; bit `i` is the option at position `i`.
///
/// ```
/// use votestream_schema::Choices;
/// let both = Choices::from_positions([0, 2]).unwrap();
/// assert_eq!(both.mask(), 0b101);
/// assert_eq!(both.positions().collect::<Vec<_>>(), [0, 2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choices(i64);

impl Choices {
    /// The set with this mask, unless it is empty or names a position past 62.
    pub fn from_mask(mask: i64) -> Option<Self> {
        (mask > 0).then_some(Self(mask))
    }

    /// The set of these positions, unless it is empty or one lies past 62. Repeats count once.
    pub fn from_positions(positions: impl IntoIterator<Item = usize>) -> Option<Self> {
        let mut mask = 0;
        for position in positions {
            if position >= OPTIONS_MAX {
                return None;
            }
            mask |= 1_i64 << position;
        }
        Self::from_mask(mask)
    }

    /// The bit mask, which is always positive.
    pub fn mask(self) -> i64 {
        self.0
    }

    /// The positions of the chosen options, ascending.
    pub fn positions(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lowest = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(lowest)
        })
    }

    /// The number of options that are chosen, at least 1.
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The highest position among the chosen options, 0 to 62.
    pub fn highest(self) -> usize {
        self.0.ilog2() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_and_too_much_are_no_choice() {
        assert_eq!(Choices::from_mask(0), None);
        assert_eq!(Choices::from_mask(-1), None);
        assert_eq!(Choices::from_positions([]), None);
        assert_eq!(Choices::from_positions([63]), None);
    }

    proptest! {
        #[test]
        fn positions_and_mask_say_the_same(mask in 1_i64..) {
            let choices = Choices::from_mask(mask).unwrap();
            prop_assert_eq!(Choices::from_positions(choices.positions()), Some(choices));
            prop_assert_eq!(choices.positions().count(), choices.count());
            prop_assert_eq!(choices.positions().max(), Some(choices.highest()));
        }
    }
}
