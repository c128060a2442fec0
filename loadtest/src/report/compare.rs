//! Compares the figures of two reports.

use std::str::FromStr;

use anyhow::Context as _;

use crate::measure::histogram::Distribution;
use crate::report::data::Report;
use crate::report::slo::{Metric, SAMPLES_MIN};
use crate::text::{duration, rate};

/// One figure of both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The name of the figure, such as `latency p99`.
    pub name: String,
    /// The figure of the first run, formatted with its unit.
    pub before: String,
    /// The figure of the second run, formatted with its unit.
    pub after: String,
    /// The relative change, `after ÷ before − 1`; `None` if the first figure is 0.
    pub relative: Option<f64>,
    /// Whether the second run is better; `None` if the change is within the noise.
    pub better: Option<bool>,
}

/// The comparison of two reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The figures that both runs have.
    pub changes: Vec<Change>,
    /// Differences between the runs that make them hard to compare.
    pub warnings: Vec<String>,
}

/// A change that must not happen, such as `p99>+10%`: a figure by the names of thresholds, and how
/// far it may rise (`>+`) or fall (`<-`).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FailOn {
    text: String,
    metric: Metric,
    /// The limit of `after ÷ before − 1`; for shares that of the difference.
    limit: f64,
    rises: bool,
}

impl FromStr for FailOn {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let form = || format!("'{text}' is not a change such as 'p99>+10%' or 'rate<-5%'");
        let at = text.find(['<', '>']).with_context(form)?;
        let (rises, sign) = if text[at..].starts_with('>') { (true, '+') } else { (false, '-') };
        let limit = text[at + 1..].trim().strip_prefix(sign).with_context(form)?;
        let limit = crate::units::parse_share(limit).with_context(form)?;
        let metric = Metric::parse(text[..at].trim())?;
        Ok(Self { text: text.to_owned(), metric, limit: if rises { limit } else { -limit }, rises })
    }
}

impl FailOn {
    /// Returns the reason if the change has happened, or cannot be judged.
    pub(crate) fn check(&self, before: &Report, after: &Report) -> Option<String> {
        let (one, two) = (self.metric.measure(before), self.metric.measure(after));
        let (Some(one), Some(two)) = (one, two) else {
            return Some(format!("{}: not measured in both runs", self.text));
        };
        let samples = [before, after].map(|report| self.metric.samples(report));
        let counts = samples.map(|count| count.map_or_else(|| "–".to_owned(), crate::text::number));
        let counts = format!("samples {} and {}", counts[0], counts[1]);
        if samples.into_iter().flatten().any(|count| count < SAMPLES_MIN) {
            return Some(format!("{}: not judged, {counts}; {SAMPLES_MIN} are needed", self.text));
        }
        let change = match self.metric {
            Metric::Errors | Metric::Achieved => two - one,
            _ if one == 0.0 && two > 0.0 => f64::INFINITY,
            _ if one == 0.0 => 0.0,
            _ => two / one - 1.0,
        };
        let is_beyond = if self.rises { change > self.limit } else { change < self.limit };
        is_beyond.then(|| {
            let [one, two] = [one, two].map(|value| self.metric.show(value));
            format!("{}: {one} became {two} ({:+.1}%, {counts})", self.text, change * 100.0)
        })
    }
}

/// Relative changes up to this one count as noise.
const NOISE: f64 = 0.05;

/// Compares two reports figure by figure.
pub fn compare(before: &Report, after: &Report) -> Comparison {
    let mut changes = vec![
        figure(
            "acknowledged per second",
            before.ballots.acknowledged_per_second,
            after.ballots.acknowledged_per_second,
            true,
            |v| format!("{}/s", rate(v)),
        ),
        figure(
            "errors",
            before.ballots.error_ratio * 100.0,
            after.ballots.error_ratio * 100.0,
            false,
            |v| format!("{v:.3}%"),
        ),
    ];
    let ratio = |report: &Report| report.schedule.achieved_ratio.map(|ratio| ratio * 100.0);
    if let (Some(one), Some(two)) = (ratio(before), ratio(after)) {
        changes.push(figure("sent in time", one, two, true, |v| format!("{v:.2}%")));
    }
    latencies(&mut changes, "latency", &before.ballots.latency, &after.ballots.latency);
    if let (Some(one), Some(two)) = (&before.screen, &after.screen) {
        latencies(&mut changes, "click to screen", &one.from_click, &two.from_click);
    }
    // Figures that only some runs have are compared if both have them.
    if let (Some(one), Some(two)) = (&before.viewers, &after.viewers) {
        latencies(&mut changes, "first state", &one.first_state, &two.first_state);
    }
    if let (Some(one), Some(two)) =
        (before.audit.drained_after_seconds, after.audit.drained_after_seconds)
    {
        changes.push(figure("drained after", one * 1e6, two * 1e6, false, duration));
    }
    if let (Some(one), Some(two)) = (
        before.knee.as_ref().and_then(|k| k.rate_per_second),
        after.knee.as_ref().and_then(|k| k.rate_per_second),
    ) {
        changes.push(figure("knee", one, two, true, |v| format!("{}/s", rate(v))));
    }
    let found = |report: &Report| {
        let found = report.audit.findings;
        (found.lost + found.duplicated + found.phantom + found.wrong_choice) as f64
    };
    changes.push(figure(
        "lost, duplicated, phantom, wrong",
        found(before),
        found(after),
        false,
        |v| format!("{v:.0}"),
    ));
    changes.push(figure(
        "processor a request",
        before.generator.cpu_us_per_request,
        after.generator.cpu_us_per_request,
        false,
        duration,
    ));
    Comparison { changes, warnings: warnings(before, after) }
}

fn latencies(changes: &mut Vec<Change>, what: &str, before: &Distribution, after: &Distribution) {
    if before.count == 0 || after.count == 0 {
        return;
    }
    let samples = figure(
        &format!("{what} samples"),
        before.count as f64,
        after.count as f64,
        true,
        |count| crate::text::number(count as u64),
    );
    changes.push(Change { better: None, ..samples });
    for name in ["p50", "p90", "p99", "p99.9", "max"] {
        let (one, two) = (before.named_us(name) as f64, after.named_us(name) as f64);
        changes.push(figure(&format!("{what} {name}"), one, two, false, duration));
    }
}

fn figure(
    name: &str,
    before: f64,
    after: f64,
    more_is_better: bool,
    show: impl Fn(f64) -> String,
) -> Change {
    let relative = (before != 0.0).then(|| after / before - 1.0);
    let moved = match relative {
        Some(relative) => relative.abs() > NOISE,
        None => after != 0.0,
    };
    let better = moved.then_some((after > before) == more_is_better);
    Change { name: name.to_owned(), before: show(before), after: show(after), relative, better }
}

fn warnings(before: &Report, after: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut differs = |what: &str, same: bool| {
        if !same {
            warnings.push(format!("the runs differ in {what}"));
        }
    };
    differs("their plan", before.setup.plan == after.setup.plan);
    differs("their voters' mix", before.setup.mix == after.setup.mix);
    differs("the generator's machine", before.setup.machine == after.setup.machine);
    differs(
        "the number of viewers",
        before.viewers.as_ref().map(|v| v.watching) == after.viewers.as_ref().map(|v| v.watching),
    );
    for (which, report) in [("first", before), ("second", after)] {
        if report.schedule.void {
            warnings.push(format!("the {which} run is void: its schedule was not kept"));
        }
    }
    warnings
}

impl Change {
    /// Returns the change in percent with its sign; a dash if there is no relative change.
    pub fn percent(&self) -> String {
        self.relative
            .map_or_else(|| "–".to_owned(), |relative| format!("{:+.1}%", relative * 100.0))
    }

    /// Returns one word for the change: `better`, `worse` or `same`.
    pub fn word(&self) -> &'static str {
        match self.better {
            Some(true) => "better",
            Some(false) => "worse",
            None => "same",
        }
    }
}

impl Comparison {
    /// Formats the comparison as a table of text.
    pub fn to_text(&self) -> String {
        let mut out: String =
            self.warnings.iter().map(|warning| format!("note: {warning}\n")).collect();
        out.push_str(&format!("{:<34} {:>14} {:>14} {:>9}\n", "", "first", "second", "change"));
        for change in &self.changes {
            let (before, after) = (&change.before, &change.after);
            let word = if change.better.is_some() { change.word() } else { "" };
            let line = format!(
                "{:<34} {before:>14} {after:>14} {:>9}  {word}",
                change.name,
                change.percent()
            );
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(latencies: &[u64], rate: f64) -> Report {
        let mut all = crate::measure::histogram::Latencies::default();
        latencies.iter().for_each(|us| all.record(*us));
        let mut report = Report::default();
        report.ballots.latency = (&all).into();
        report.ballots.acknowledged_per_second = rate;
        report
    }

    #[test]
    fn a_change_beyond_the_limit_fails() {
        let (before, after) = (report(&[1000; 200], 100.0), report(&[1200; 200], 97.0));
        let check = |limit: &str| limit.parse::<FailOn>().unwrap().check(&before, &after);
        let why = check("p99>+10%").unwrap();
        assert!(why.contains("+20.") && why.contains("samples 200 and 200"), "{why}");
        assert_eq!((check("p99>+25%"), check("rate<-5%"), check("p99<-1%")), (None, None, None));
        assert!(check("rate<-2%").is_some());
        assert!(check("click_to_screen_p99>+10%").unwrap().contains("not measured"));
        for text in ["p99", "p99>10%", "p99<+5%", "speed>+5%", "p99>+fast"] {
            assert!(text.parse::<FailOn>().is_err(), "{text}");
        }
    }

    #[test]
    fn few_samples_are_not_judged() {
        let (before, after) = (report(&[1000; 200], 1.0), report(&[1000; 99], 1.0));
        let why = "p99>+10%".parse::<FailOn>().unwrap().check(&before, &after).unwrap();
        assert!(why.contains("samples 200 and 99"), "{why}");
    }

    #[test]
    fn direction_decides_what_is_better() {
        let show = |v: f64| format!("{v}");
        assert_eq!(figure("x", 100.0, 120.0, true, show).better, Some(true));
        assert_eq!(figure("x", 100.0, 120.0, false, show).better, Some(false));
        assert_eq!(figure("x", 100.0, 102.0, false, show).better, None);
        assert_eq!(figure("x", 0.0, 1.0, false, show).better, Some(false));
        assert_eq!(figure("x", 0.0, 0.0, false, show).better, None);
    }
}
