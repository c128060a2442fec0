//! The shares of voters with an unusual behaviour.

use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::units::parse_share;

/// Shares of the voters, each from 0 to 1. A voter has at most one of the first five. The others
/// are independent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Mix {
    /// Voters who send the same ballot again.
    pub twice: f64,
    /// Voters who send a second ballot with another choice.
    pub change: f64,
    /// Voters who send a second ballot with the same cookie on another connection.
    pub other_connection: f64,
    /// Voters who send a request that is no valid ballot.
    pub rubbish: f64,
    /// Voters who hang up before the reply to their ballot.
    pub hang_up: f64,
    /// Voters who load the ballot page first, as a browser does. Its cookie goes with the ballot.
    pub page: f64,
    /// Voters who post the HTML form instead of JSON.
    pub form: f64,
    /// Voters who open a connection of their own.
    pub fresh: f64,
}

impl FromStr for Mix {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut mix = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, share) =
                part.split_once('=').with_context(|| format!("'{part}' is not NAME=SHARE"))?;
            let share = parse_share(share)?;
            *match name.trim() {
                "twice" => &mut mix.twice,
                "change" => &mut mix.change,
                "other-connection" => &mut mix.other_connection,
                "rubbish" => &mut mix.rubbish,
                "hang-up" => &mut mix.hang_up,
                "page" => &mut mix.page,
                "form" => &mut mix.form,
                "fresh" => &mut mix.fresh,
                other => bail!(
                    "there is no kind of voter '{other}'; the kinds are twice, change, other-connection, \
                     rubbish, hang-up, page, form, fresh"
                ),
            } = share;
        }
        ensure!(
            mix.exclusive().iter().sum::<f64>() <= 1.0 + 1e-9,
            "the shares add up to more than 100%"
        );
        Ok(mix)
    }
}

impl Mix {
    /// Returns the shares of which a voter has at most one.
    pub(crate) fn exclusive(&self) -> [f64; 5] {
        [self.twice, self.change, self.other_connection, self.rubbish, self.hang_up]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_read_as_percent_or_fraction() {
        let mix: Mix = "twice=5%, hang-up=0.01,page=100%".parse().unwrap();
        assert_eq!((mix.twice, mix.hang_up, mix.page), (0.05, 0.01, 1.0));
        for text in ["twice", "twice=200%", "nice=1%", "twice=60%,rubbish=60%"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
