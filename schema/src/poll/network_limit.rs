//! How many new voters one client network may bring to a poll.
//!
//! A limit is written `2000/600`: 2,000 new voters at once, and 600 more in each minute. `off` means that there is none.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The largest number in a limit.
pub const NETWORK_LIMIT_MAX: u32 = 1_000_000;

/// Why a text or a pair of numbers is no limit, in words for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidLimit(pub String);

/// The limit of one poll, for a single address. Larger networks may bring a multiple of it
/// ([`crate::poll::network::Level::factor`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NetworkLimit {
    /// A network may bring any number of new voters.
    Off,
    /// A network may bring so many.
    Limit {
        /// New voters that a network may bring at once.
        at_once: u32,
        /// New voters that it may bring in each minute after that.
        per_minute: u32,
    },
}

impl NetworkLimit {
    /// Makes the limit of these two numbers.
    ///
    /// # Errors
    /// Returns an error if one of them is 0 or larger than [`NETWORK_LIMIT_MAX`].
    pub fn new(at_once: u32, per_minute: u32) -> Result<Self, InvalidLimit> {
        let range = 1..=NETWORK_LIMIT_MAX;
        if range.contains(&at_once) && range.contains(&per_minute) {
            return Ok(Self::Limit { at_once, per_minute });
        }
        Err(InvalidLimit(format!(
            "both numbers of a network limit must lie in 1 to {NETWORK_LIMIT_MAX}"
        )))
    }

    /// The limit in words, for people.
    pub fn in_words(self) -> String {
        match self {
            Self::Off => "no limit of new voters per network".to_owned(),
            Self::Limit { at_once, per_minute } => {
                format!("{at_once} new voters of an address at once, then {per_minute} a minute")
            }
        }
    }
}

impl fmt::Display for NetworkLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Limit { at_once, per_minute } => write!(f, "{at_once}/{per_minute}"),
        }
    }
}

impl FromStr for NetworkLimit {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let number = |text: &str| text.parse::<u32>().ok().filter(|_| !text.starts_with('+'));
        let numbers = text
            .split_once('/')
            .and_then(|(at_once, per_minute)| Some((number(at_once)?, number(per_minute)?)));
        let (at_once, per_minute) = numbers.ok_or_else(|| {
            InvalidLimit(format!(
                "`{}` is no network limit: write AT_ONCE/PER_MINUTE, as 2000/600, or off",
                text.chars().take(64).collect::<String>().escape_debug()
            ))
        })?;
        Self::new(at_once, per_minute)
    }
}

impl TryFrom<String> for NetworkLimit {
    type Error = InvalidLimit;

    fn try_from(text: String) -> Result<Self, InvalidLimit> {
        text.parse()
    }
}

impl From<NetworkLimit> for String {
    fn from(limit: NetworkLimit) -> Self {
        limit.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_as_it_is_written() {
        for text in ["off", "2000/600", "1/1", "1000000/1000000"] {
            assert_eq!(text.parse::<NetworkLimit>().unwrap().to_string(), text);
        }
        for bad in
            ["", "2000", "0/600", "2000/0", "1000001/1", "2000/", "-1/5", "+1/5", "Off", "1/2/3"]
        {
            assert!(bad.parse::<NetworkLimit>().is_err(), "{bad}");
        }
    }
}
