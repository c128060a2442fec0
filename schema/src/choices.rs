//! The options that a ballot chooses: a set of option positions as a bit mask.
//!
//! Choices travel and are stored as the mask. So a batch is grouped by its few distinct masks before any
//! of them is expanded to options.

use serde::{Deserialize, Serialize};

/// The largest number of options: bit 63 stays free, since Postgres' `bigint` is signed.
pub const OPTIONS_MAX: usize = 63;

/// A set of option positions in `0..63`; bit `i` is the option at position `i`. The empty set is an abstention.
///
/// ```
/// use votestream_schema::Choices;
/// let both = Choices::from_positions([0, 2]).unwrap();
/// assert_eq!(both.mask(), 0b101);
/// assert_eq!(both.positions().collect::<Vec<_>>(), [0, 2]);
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Choices(i64);

impl Choices {
    /// No option: an abstention.
    pub const NONE: Self = Self(0);

    /// The set with this mask, unless it names a position past 62.
    pub fn from_mask(mask: i64) -> Option<Self> {
        (mask >= 0).then_some(Self(mask))
    }

    /// The set of these positions, unless one lies past 62. Repeats count once.
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

    /// The bit mask, which is never negative.
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

    /// Whether no option is chosen.
    pub fn is_abstention(self) -> bool {
        self.0 == 0
    }

    /// The number of options that are chosen.
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The highest position among the chosen options, 0 to 62; `None` if there is none.
    pub fn highest(self) -> Option<usize> {
        self.0.checked_ilog2().map(|position| position as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_an_abstention_and_too_much_is_no_choice() {
        let none = Choices::from_mask(0).unwrap();
        assert_eq!(Choices::from_positions([]), Some(none));
        assert!(none.is_abstention() && none.highest().is_none() && none.count() == 0);
        assert_eq!(Choices::from_mask(-1), None);
        assert_eq!(Choices::from_positions([63]), None);
    }

    proptest! {
        #[test]
        fn positions_and_mask_say_the_same(mask in 0_i64..) {
            let choices = Choices::from_mask(mask).unwrap();
            prop_assert_eq!(Choices::from_positions(choices.positions()), Some(choices));
            prop_assert_eq!(choices.positions().count(), choices.count());
            prop_assert_eq!(choices.positions().max(), choices.highest());
        }
    }
}
