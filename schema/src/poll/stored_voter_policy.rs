//! The word of a voter policy where it is stored.

use std::fmt;
use std::str::FromStr;

use super::{Invalid, VoterPolicy};

/// The word for who may vote and how voters are named, in Postgres and in the rules that Redis holds: the word of the
/// [`VoterPolicy`], with `keyed_` in front where voters are named by keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredVoterPolicy {
    /// Decides who may vote.
    pub policy: VoterPolicy,
    /// Whether voters are named by keys.
    pub is_keyed: bool,
}

/// In front of the policy's word where voters are named by keys.
const KEYED_PREFIX: &str = "keyed_";

impl fmt::Display for StoredVoterPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_keyed { KEYED_PREFIX } else { "" })?;
        f.write_str(self.policy.as_str())
    }
}

impl FromStr for StoredVoterPolicy {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (word, is_keyed) = match text.strip_prefix(KEYED_PREFIX) {
            Some(word) => (word, true),
            None => (text, false),
        };
        Ok(Self { policy: word.parse()?, is_keyed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_two_words_which_are_read_as_they_were_written() {
        let mut words = std::collections::HashSet::new();
        for &policy in VoterPolicy::ALL {
            for is_keyed in [false, true] {
                let stored = StoredVoterPolicy { policy, is_keyed };
                assert_eq!(stored.to_string().parse(), Ok(stored));
                assert!(words.insert(stored.to_string()));
            }
        }
        for bad in ["", "keyed_", "keyed_keyed_open", "keyed", "Open", "keyed-open"] {
            assert!(bad.parse::<StoredVoterPolicy>().is_err(), "{bad}");
        }
        // The word that releases without keys cannot read.
        assert!("keyed_open".parse::<VoterPolicy>().is_err());
    }
}
