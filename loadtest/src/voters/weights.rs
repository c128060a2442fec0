//! How often each option of the poll is chosen.

use anyhow::{Context as _, ensure};

use crate::poll::Poll;

/// The weight of each option, by position. Only their proportions matter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights(Vec<f64>);

impl Weights {
    /// Parses weights such as `cats=60,dogs=40`. Options that are not named are never chosen.
    /// Without a text all options have the same weight.
    ///
    /// # Errors
    /// Returns an error for an unknown option, a weight that is no number, and too few options for
    /// a ballot.
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

    /// Draws one option that is not in `taken`; `None` if none is left. `unit` is a random number
    /// from 0 to 1.
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
