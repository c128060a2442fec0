//! The panels of a dashboard that show a number as it is now, with their colours.

use std::collections::BTreeSet;

use serde_json::Value;

/// The colours that mean that all is well, as the dashboard itself says.
const WELL: [&str; 2] = ["green", "blue"];

/// Why a dashboard cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PanelError {
    #[error("the dashboard is no JSON: {0}")]
    NoJson(#[from] serde_json::Error),
    #[error("no panel of the dashboard shows a number")]
    NoPanel,
    #[error("the panel `{panel}` lacks {missing}")]
    Incomplete { panel: String, missing: &'static str },
    #[error("the panel `{panel}` has a mapping of a kind that is not known here: {mapping}")]
    UnknownMapping { panel: String, mapping: Value },
}

/// A panel with a number.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) expression: String,
    mappings: Vec<Mapping>,
    /// The lowest value of each colour, in ascending order; the first has none.
    steps: Vec<(f64, String)>,
}

/// Values that have a colour of their own.
#[derive(Debug)]
enum Mapping {
    NoNumber(String),
    Value(f64, String),
    Range(f64, f64, String),
}

impl Panel {
    /// Reads all panels with a number.
    ///
    /// # Errors
    /// Returns an error if a panel has a form that is not known here: its colour would be a guess.
    pub(crate) fn all(dashboard: &str) -> Result<Vec<Self>, PanelError> {
        let dashboard: Value = serde_json::from_str(dashboard)?;
        let panels = dashboard["panels"].as_array().into_iter().flatten();
        let numbers = panels.filter(|panel| panel["type"] == "stat").map(Self::read);
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        if numbers.is_empty() { Err(PanelError::NoPanel) } else { Ok(numbers) }
    }

    fn read(panel: &Value) -> Result<Self, PanelError> {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        let lacks = |missing| PanelError::Incomplete { panel: title.clone(), missing };
        let expression = panel["targets"][0]["expr"].as_str().ok_or(lacks("an expression"))?;
        let defaults = &panel["fieldConfig"]["defaults"];
        let steps = defaults["thresholds"]["steps"].as_array().ok_or(lacks("thresholds"))?;
        let step = |step: &Value| {
            let color = step["color"].as_str().ok_or(lacks("the colour of a threshold"))?;
            Ok((step["value"].as_f64().unwrap_or(f64::NEG_INFINITY), color.to_owned()))
        };
        let steps = steps.iter().map(step).collect::<Result<Vec<_>, PanelError>>()?;
        let mut mappings = Vec::new();
        for mapping in defaults["mappings"].as_array().into_iter().flatten() {
            let unknown =
                || PanelError::UnknownMapping { panel: title.clone(), mapping: mapping.clone() };
            mappings.extend(Mapping::read(mapping).ok_or_else(unknown)?);
        }
        let expression = testkit::prometheus::matching_all(expression);
        Ok(Self { title: title.clone(), expression, mappings, steps })
    }

    /// Whether the panel says that all is well, when it shows this value. `None` stands for a panel without data.
    pub(crate) fn looks_well(&self, value: Option<f64>) -> bool {
        WELL.contains(&self.color(value))
    }

    /// Returns the colour of a value. The first mapping that matches wins over the thresholds, as in Grafana.
    pub(crate) fn color(&self, value: Option<f64>) -> &str {
        let number = value.unwrap_or(f64::NAN);
        let mapped = self.mappings.iter().find_map(|mapping| match mapping {
            Mapping::NoNumber(color) => number.is_nan().then_some(color),
            Mapping::Value(of, color) => (number == *of).then_some(color),
            Mapping::Range(from, to, color) => (*from..=*to).contains(&number).then_some(color),
        });
        let reached = self.steps.iter().rev().find(|(from, _)| number >= *from);
        // Grafana gives the lowest colour to a value without a number that no mapping names.
        let step = reached.or(self.steps.first()).map(|(_, color)| color);
        mapped.or(step).map_or("", String::as_str)
    }

    /// Returns the first value that does not look well, if a value can be too high.
    pub(crate) fn first_alarm(&self) -> Option<f64> {
        let alarm = self.steps.iter().find(|(_, color)| !WELL.contains(&color.as_str()));
        alarm.map(|(from, _)| *from)
    }

    /// Whether the number is the time for which a service has been silent, in seconds.
    pub(crate) fn measures_silence(&self) -> bool {
        let metrics = self.metrics();
        metrics.len() == 1 && metrics.iter().all(|metric| metric.contains("silence:seconds"))
    }

    /// Returns the names of the metrics of services that the expression uses. Those that rules have recorded are left out
    /// if there are others.
    pub(crate) fn metrics(&self) -> BTreeSet<&str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let words = self.expression.split(|c| !is_part(c));
        let ours: BTreeSet<&str> = words.filter(|word| word.contains("votestream_")).collect();
        let exported: BTreeSet<&str> =
            ours.iter().copied().filter(|name| !name.contains(':')).collect();
        if exported.is_empty() { ours } else { exported }
    }
}

impl Mapping {
    /// Reads a mapping, which may name several values; `None` if its kind is not known.
    fn read(mapping: &Value) -> Option<Vec<Self>> {
        let options = &mapping["options"];
        let color = |result: &Value| Some(result["color"].as_str()?.to_owned());
        match mapping["type"].as_str()? {
            "special" if options["match"] == "null+nan" => {
                Some(vec![Self::NoNumber(color(&options["result"])?)])
            }
            "range" => {
                let (from, to) = (options["from"].as_f64()?, options["to"].as_f64()?);
                Some(vec![Self::Range(from, to, color(&options["result"])?)])
            }
            "value" => {
                let values = options.as_object()?.iter();
                let value = |(value, result): (&String, &Value)| {
                    Some(Self::Value(value.parse().ok()?, color(result)?))
                };
                values.map(value).collect()
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch::OVERVIEW;
    use super::*;

    fn panel(title: &str) -> Panel {
        let mut panels = Panel::all(OVERVIEW).unwrap();
        let at = panels.iter().position(|panel| panel.title == title).expect("a panel");
        panels.swap_remove(at)
    }

    #[test]
    fn the_shipped_overview_is_read() {
        let panels = Panel::all(OVERVIEW).unwrap();
        assert!(panels.len() >= 12, "{}", panels.len());
        for panel in &panels {
            assert!(!panel.looks_well(None) && !panel.looks_well(Some(f64::NAN)), "{panel:?}");
            assert!(!panel.metrics().is_empty(), "{panel:?}");
        }
        assert!(panels.iter().any(Panel::measures_silence));
    }

    #[test]
    fn colours_follow_from_mappings_and_thresholds() {
        let drain = panel("Time to drain");
        for (value, color) in [(0.0, "green"), (9.9, "green"), (10.0, "orange"), (1e9, "red")] {
            assert_eq!(drain.color(Some(value)), color, "{value}");
        }
        assert_eq!((drain.color(Some(-1e6)), drain.color(None)), ("blue", "red"));
        assert_eq!(
            (panel("Silent for").first_alarm(), panel("Viewers").first_alarm()),
            (Some(20.0), None)
        );
    }

    #[test]
    fn a_panel_belongs_to_the_metrics_that_services_export() {
        assert_eq!(panel("Viewers").metrics(), BTreeSet::from(["votestream_viewers"]));
        let click = panel("Click to screen");
        assert!(click.metrics().iter().all(|metric| metric.starts_with("votestream_canary_")));
        let missing = panel("Replicas missing");
        assert!(missing.metrics().contains("service:votestream_replicas:count"));
    }

    #[test]
    fn a_colour_that_would_be_a_guess_is_an_error() {
        let with = |defaults: &str| {
            let field = format!(r#""fieldConfig": {{"defaults": {{{defaults}}}}}"#);
            let panel = format!(
                r#"{{"type": "stat", "title": "x", "targets": [{{"expr": "up"}}], {field}}}"#
            );
            Panel::all(&format!(r#"{{"panels": [{panel}]}}"#))
        };
        let steps = r#""thresholds": {"steps": [{"color": "green", "value": null}]}"#;
        assert!(with(steps).is_ok());
        assert!(matches!(with(""), Err(PanelError::Incomplete { .. })));
        let odd = with(&format!(r#"{steps}, "mappings": [{{"type": "regex", "options": {{}}}}]"#));
        assert!(matches!(odd, Err(PanelError::UnknownMapping { .. })), "{odd:?}");
        assert!(matches!(Panel::all("{}"), Err(PanelError::NoPanel)));
    }
}
