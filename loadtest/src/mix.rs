//! What shares of the voters do something out of the ordinary, and how the choices are weighted.

use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::poll::Poll;

/// Shares of the voters, each 0 to 1. The first five exclude each other; the others come on top.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mix {
    /// Send the same ballot again.
    pub twice: f64,
    /// Send a second ballot with another choice.
    pub change: f64,
    /// Send a second ballot with the same cookie on another connection.
    pub other_connection: f64,
    /// Send something that is no ballot.
    pub rubbish: f64,
    /// Hang up before the reply to their ballot.
    pub hang_up: f64,
    /// Load the ballot page first, as a browser does; its cookie goes with the ballot.
    pub page: f64,
    /// Post the HTML form instead of JSON.
    pub form: f64,
    /// Open a connection of their own.
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
                    "no voters are called '{other}'; there are twice, change, other-connection, \
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
    /// The shares of which a voter has at most one.
    pub(crate) fn exclusive(&self) -> [f64; 5] {
        [self.twice, self.change, self.other_connection, self.rubbish, self.hang_up]
    }
}

/// Reads `5%` or `0.05`.
pub(crate) fn parse_share(text: &str) -> anyhow::Result<f64> {
    let text = text.trim();
    let (digits, unit) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 0.01));
    let share = digits.trim().parse::<f64>().ok().map(|share| share * unit);
    match share {
        Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => bail!("'{text}' is not a share such as 5% or 0.05"),
    }
}

/// How often each option is chosen, by position; need not add up to anything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights(Vec<f64>);

impl Weights {
    /// Reads `cats=60,dogs=40`; options not named are not chosen. Without a text, all are alike.
    pub(crate) fn parse(text: Option<&str>, poll: &Poll) -> anyhow::Result<Self> {
        let Some(text) = text else { return Ok(Self(vec![1.0; poll.options.len()])) };
        let mut weights = vec![0.0; poll.options.len()];
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (slug, weight) =
                part.split_once('=').with_context(|| format!("'{part}' is not OPTION=WEIGHT"))?;
            let at = poll.options.iter().position(|option| option.slug == slug.trim());
            let at = at.with_context(|| {
                let known: Vec<_> =
                    poll.options.iter().map(|option| option.slug.as_str()).collect();
                format!("the poll has no option '{slug}'; it has {}", known.join(", "))
            })?;
            let weight = weight.trim().trim_end_matches('%').parse::<f64>().ok();
            weights[at] = weight
                .filter(|weight| weight.is_finite() && *weight >= 0.0)
                .with_context(|| format!("'{part}': a weight is a number, 0 or more"))?;
        }
        let chosen = weights.iter().filter(|weight| **weight > 0.0).count();
        ensure!(
            chosen >= poll.choices() as usize,
            "weights name {chosen} options, a ballot here needs {}",
            poll.choices()
        );
        Ok(Self(weights))
    }

    /// Draws one option that is not in `taken`; `None` when none is left.
    pub(crate) fn draw(&self, unit: f64, taken: u64) -> Option<usize> {
        let free = || {
            self.0
                .iter()
                .enumerate()
                .filter(|(at, weight)| taken & (1 << at) == 0 && **weight > 0.0)
        };
        let mut left = unit * free().map(|(_, weight)| weight).sum::<f64>();
        let mut last = None;
        for (at, weight) in free() {
            last = Some(at);
            if left < *weight {
                break;
            }
            left -= weight;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{VotePolicy, sample};

    #[test]
    fn shares_read_as_percent_or_fraction() {
        let mix: Mix = "twice=5%, hang-up=0.01,page=100%".parse().unwrap();
        assert_eq!((mix.twice, mix.hang_up, mix.page), (0.05, 0.01, 1.0));
        for text in ["twice", "twice=200%", "nice=1%", "twice=60%,rubbish=60%"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }

    #[test]
    fn weights_decide_how_often_an_option_is_drawn() {
        let poll = sample(&["cats", "dogs", "fish"], 1, VotePolicy::KeepFirst);
        let weights = Weights::parse(Some("cats=60,dogs=40"), &poll).unwrap();
        assert_eq!(weights.draw(0.59, 0), Some(0));
        assert_eq!(weights.draw(0.61, 0), Some(1));
        assert_eq!(weights.draw(0.5, 0b001), Some(1));
        assert_eq!(weights.draw(0.5, 0b011), None);
        assert!(Weights::parse(Some("birds=1"), &poll).is_err());
        assert!(Weights::parse(Some("cats=0"), &poll).is_err());
    }
}
