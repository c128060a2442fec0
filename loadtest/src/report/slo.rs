//! Thresholds that a run must meet, such as `--slo 'p99<50ms'`.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail};

use crate::measure::histogram::Distribution;
use crate::report::data::{Report, SloResult};

/// Quantiles of fewer samples are not judged.
pub(crate) const SAMPLES_MIN: u64 = 100;

/// One threshold: a metric, an operator and a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    text: String,
    metric: Metric,
    operator: Operator,
    /// The limit in the unit of the metric: µs, a ratio from 0 to 1, or a number per second.
    limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Metric {
    /// A quantile of a latency, in µs.
    Latency(Subject, f64),
    /// The mean of a latency, in µs.
    Mean(Subject),
    /// The share of requests whose outcome was wrong.
    Errors,
    /// The share of voters who were sent in time.
    Achieved,
    /// Acknowledged ballots per second.
    Rate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Subject {
    Ballot,
    Page,
    ClickToScreen,
    FirstState,
    Spread,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl FromStr for Slo {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let at = text
            .find(['<', '>'])
            .with_context(|| format!("'{text}' has no comparison: write for example p99<50ms"))?;
        let (name, rest) = text.split_at(at);
        let (operator, limit) =
            match (rest.strip_prefix("<="), rest.strip_prefix(">="), rest.strip_prefix('<')) {
                (Some(limit), _, _) => (Operator::LessOrEqual, limit),
                (_, Some(limit), _) => (Operator::GreaterOrEqual, limit),
                (_, _, Some(limit)) => (Operator::Less, limit),
                _ => (Operator::Greater, &rest[1..]),
            };
        let metric = Metric::parse(name.trim())?;
        let limit = metric.parse_limit(limit.trim()).with_context(|| format!("in '{text}'"))?;
        Ok(Self { text: text.split_whitespace().collect(), metric, operator, limit })
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Subject {
    /// Returns the latencies of this subject; `None` if nothing was measured.
    fn of(self, report: &Report) -> Option<&Distribution> {
        let found = match self {
            Self::Ballot => &report.ballots.latency,
            Self::Page => &report.ballots.page_latency,
            Self::ClickToScreen => &report.screen.as_ref()?.from_click,
            Self::FirstState => &report.viewers.as_ref()?.first_state,
            Self::Spread => &report.viewers.as_ref()?.spread,
        };
        (found.count > 0).then_some(found)
    }
}

impl Metric {
    pub(crate) fn parse(name: &str) -> anyhow::Result<Self> {
        match name {
            "errors" => return Ok(Self::Errors),
            "achieved" => return Ok(Self::Achieved),
            "rate" => return Ok(Self::Rate),
            _ => {}
        }
        let subjects = [
            ("click_to_screen_", Subject::ClickToScreen),
            ("first_state_", Subject::FirstState),
            ("spread_", Subject::Spread),
            ("page_", Subject::Page),
        ];
        let found = subjects
            .iter()
            .find_map(|(prefix, subject)| Some((*subject, name.strip_prefix(prefix)?)));
        let (subject, statistic) = found.unwrap_or((Subject::Ballot, name));
        match statistic {
            "max" => Ok(Self::Latency(subject, 1.0)),
            "mean" => Ok(Self::Mean(subject)),
            _ => match statistic.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok()) {
                Some(percent) if percent > 0.0 && percent <= 100.0 => {
                    Ok(Self::Latency(subject, percent / 100.0))
                }
                _ => bail!(
                    "there is no metric '{name}'; there are p50 … p99.9, mean, max (also with \
                     click_to_screen_, first_state_, spread_, page_ in front), errors, achieved, rate"
                ),
            },
        }
    }

    fn parse_limit(self, text: &str) -> anyhow::Result<f64> {
        match self {
            Self::Latency(..) | Self::Mean(_) => Ok(crate::units::parse_seconds(text)? * 1e6),
            Self::Errors | Self::Achieved => Ok(crate::units::parse_share(text)?),
            Self::Rate => Ok(crate::units::parse_rate(text)?),
        }
    }

    /// Returns the number of samples behind a quantile; `None` for other figures, and if there are
    /// none.
    pub(crate) fn samples(self, report: &Report) -> Option<u64> {
        match self {
            Self::Latency(subject, quantile) if quantile < 1.0 => Some(subject.of(report)?.count),
            _ => None,
        }
    }

    pub(crate) fn measure(self, report: &Report) -> Option<f64> {
        match self {
            Self::Latency(subject, quantile) => {
                let latencies = subject.of(report)?.latencies().ok()?;
                Some(latencies.quantile_us(quantile) as f64)
            }
            Self::Mean(subject) => Some(subject.of(report)?.mean_us),
            Self::Errors => Some(report.ballots.error_ratio),
            Self::Achieved => report.schedule.achieved_ratio,
            Self::Rate => Some(report.ballots.acknowledged_per_second),
        }
    }

    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Latency(..) | Self::Mean(_) => crate::text::duration(value),
            Self::Errors | Self::Achieved => format!("{:.3}%", value * 100.0),
            Self::Rate => format!("{}/s", crate::text::number(value.round() as u64)),
        }
    }
}

impl Slo {
    /// Compares the measured value of a run with the threshold.
    pub fn check(&self, report: &Report) -> SloResult {
        let measured = self.metric.measure(report);
        let not_judged = self.metric.samples(report).filter(|samples| *samples < SAMPLES_MIN);
        let not_judged = not_judged.map(|samples| {
            format!("not judged: {samples} samples, and a quantile needs {SAMPLES_MIN}")
        });
        let kept = not_judged.is_none()
            && measured.is_some_and(|value| match self.operator {
                Operator::Less => value < self.limit,
                Operator::LessOrEqual => value <= self.limit,
                Operator::Greater => value > self.limit,
                Operator::GreaterOrEqual => value >= self.limit,
            });
        SloResult {
            slo: self.text.clone(),
            measured: measured.map(|value| self.metric.show(value)),
            kept,
            not_judged,
        }
    }

    /// Compares a run with all thresholds.
    ///
    /// A plan that looks for the highest rate exceeds its limits on purpose. There the threshold of
    /// the p99 is the limit of each step, and it is met if any step met it.
    pub(crate) fn check_all(slos: &[Self], report: &Report) -> Vec<SloResult> {
        let check = |slo: &Self| match (&report.knee, slo.p99_limit_us()) {
            (Some(knee), Some(_)) => SloResult {
                slo: slo.text.clone(),
                measured: knee
                    .rate_per_second
                    .map(|at| format!("up to {}/s", crate::text::rate(at))),
                kept: knee.rate_per_second.is_some(),
                not_judged: None,
            },
            _ => slo.check(report),
        };
        slos.iter().map(check).collect()
    }

    /// Returns the limit in µs if this threshold is for the p99 of ballots. The search for the
    /// highest rate uses it.
    pub(crate) fn p99_limit_us(&self) -> Option<f64> {
        (self.metric == Metric::Latency(Subject::Ballot, 0.99)).then_some(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_of_the_manual_parse() {
        for text in [
            "p99<50ms",
            "errors<0.1%",
            "click_to_screen_p99<250ms",
            "p99.9 <= 1s",
            "max<2s",
            "rate>=1000/s",
            "achieved>99.5%",
            "first_state_mean<800us",
        ] {
            assert!(text.parse::<Slo>().is_ok(), "{text}");
        }
        for text in
            ["p99", "p0<1ms", "p101<1ms", "p99<50", "p99<fast", "errors<2", "speed>1", "rate>x"]
        {
            assert!(text.parse::<Slo>().is_err(), "{text}");
        }
    }

    #[test]
    fn limits_have_their_units() {
        assert_eq!("p99<50ms".parse::<Slo>().unwrap().limit, 50_000.0);
        assert_eq!("errors<0.1%".parse::<Slo>().unwrap().limit, 0.001);
        assert_eq!("p99<50ms".parse::<Slo>().unwrap().p99_limit_us(), Some(50_000.0));
        assert_eq!("p90<50ms".parse::<Slo>().unwrap().p99_limit_us(), None);
    }

    #[test]
    fn what_was_not_measured_was_not_kept() {
        let result = "click_to_screen_p99<1h".parse::<Slo>().unwrap().check(&Report::default());
        assert_eq!((result.measured, result.kept), (None, false));
    }
}
