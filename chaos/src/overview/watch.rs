//! Looks at the overview each second, and compares it with the processes of the services.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;
use testkit::prometheus::{Prometheus, QueryError, SCRAPE_EVERY};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::panel::{Panel, PanelError};
use super::silence::Silence;
use crate::sampler::{Shared, lock};
use crate::testbed::{SERVICES, Testbed, kind_of};

/// The shipped dashboard and rules.
pub(super) const OVERVIEW: &str = include_str!("../../../grafana/dashboards/overview.json");
const RULES: [(&str, &str); 3] = [
    ("recording.yml", include_str!("../../../grafana/prometheus/rules/recording.yml")),
    ("alerts.yml", include_str!("../../../grafana/prometheus/rules/alerts.yml")),
    ("slo.yml", include_str!("../../../grafana/prometheus/rules/slo.yml")),
];
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The scrapes in the window of a rate: Grafana's `$__rate_interval` is four times the scrape interval.
const SCRAPES_IN_RATE: u32 = 4;
/// The time range of the dashboard, `$__range`.
const RANGE: &str = "30m";
/// What a machine that is busy may add to the bound.
const MARGIN: Duration = Duration::from_secs(3);
/// The longest time until Prometheus has scraped every service for the first time.
const SCRAPED_WITHIN: Duration = Duration::from_secs(30);
/// The most figures that the report describes.
const DESCRIBED_MAX: usize = 20;

/// The time within which a figure must stop to look well once its service is silent: until a scrape is due, until that
/// scrape is given up, and until the rules are evaluated, [`SCRAPE_EVERY`] each; then a rate still covers scrapes from
/// before.
pub(crate) const BOUND: Duration =
    SCRAPE_EVERY.saturating_mul(3 + SCRAPES_IN_RATE).saturating_add(MARGIN);

/// What the looks at the overview have found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OverviewVerdict {
    /// Why nothing was checked, if it was not.
    pub(crate) unchecked: Option<String>,
    /// For each panel the number of looks, of those at which it looked well, and of those at which its service had been
    /// silent for longer than the bound.
    pub(crate) looks: BTreeMap<String, Looks>,
    /// Descriptions of figures that looked well though their service was silent, one for each panel and silence.
    pub(crate) falsely_well: Vec<String>,
}

/// The numbers of looks at a panel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) all: u64,
    pub(crate) well: u64,
    pub(crate) in_silence: u64,
}

/// Why the overview cannot be looked at.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("Prometheus has not scraped every service within 30 s; its log ends with: {0}")]
    NotScraped(String),
    #[error("Prometheus has ended: {0}")]
    Ended(String),
}

/// A running watch.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: CancellationToken,
    /// `None` if Prometheus is not installed.
    looking: Option<JoinHandle<OverviewVerdict>>,
    /// Answered once Prometheus has scraped every service.
    scraped: Option<oneshot::Receiver<()>>,
}

/// Why nothing is checked on a machine without the program.
const NOT_INSTALLED: &str =
    "Prometheus is not installed (Debian, Ubuntu: apt-get install prometheus)";

impl Watch {
    /// Starts a Prometheus for the services of the testbed, and looks at the overview until [`Watch::end`].
    ///
    /// # Errors
    /// Returns an error if the shipped dashboard has a form that is not known here, or Prometheus cannot be started though
    /// it is installed.
    pub(crate) fn start(testbed: &Testbed) -> anyhow::Result<Self> {
        let panels = read_panels()?;
        let stop = CancellationToken::new();
        if !Prometheus::is_installed() {
            return Ok(Self { stop, looking: None, scraped: None });
        }
        let home = testbed.folder.run().join("prometheus");
        write_rules(&home.join("rules"))?;
        let prometheus =
            Prometheus::start_in(&home, &testbed.metrics_targets(), &home.join("rules"))?;
        let (seen, stopped) = (testbed.seen.clone(), stop.clone());
        let (tell, scraped) = oneshot::channel();
        let looking = tokio::task::spawn_blocking(move || {
            let is_scraped = wait_until_scraped(&prometheus, &stopped);
            // The run may have failed meanwhile, and wait for nothing any more.
            let _ = tell.send(());
            match is_scraped {
                Ok(()) => look(prometheus, &panels, &seen, &stopped),
                Err(error) => {
                    let unchecked = Some(error.to_string());
                    OverviewVerdict { unchecked, ..OverviewVerdict::default() }
                }
            }
        });
        Ok(Self { stop, looking: Some(looking), scraped: Some(scraped) })
    }

    /// Waits until Prometheus has scraped every service, or has not done so within [`SCRAPED_WITHIN`]. A fault before that
    /// would strike a service that Prometheus does not know.
    pub(crate) async fn scraped(&mut self) {
        if let Some(scraped) = self.scraped.take() {
            // The watch itself says why it could not begin.
            let _ = scraped.await;
        }
    }

    /// Ends the watch and returns its findings.
    ///
    /// # Errors
    /// Returns an error if the watch has panicked.
    pub(crate) async fn end(mut self) -> anyhow::Result<OverviewVerdict> {
        self.stop.cancel();
        match &mut self.looking {
            Some(looking) => looking.await.context("the watch over the overview panicked"),
            None => {
                let unchecked = Some(NOT_INSTALLED.to_owned());
                Ok(OverviewVerdict { unchecked, ..OverviewVerdict::default() })
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits until every service was scraped.
fn wait_until_scraped(prometheus: &Prometheus, stop: &CancellationToken) -> Result<(), LookError> {
    let deadline = Instant::now() + SCRAPED_WITHIN;
    while !stop.is_cancelled() && Instant::now() < deadline {
        // It refuses connections until it has read its files. On a busy machine a scrape may fail now and then.
        let up = prometheus.query("max_over_time(up[1m]) == 1").map_or(0, |series| series.len());
        if up == SERVICES.len() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(LookError::NotScraped(standalone::servers::log_tail(prometheus.log(), 3)))
}

/// Reads the panels, and puts the windows of this Prometheus into their expressions.
fn read_panels() -> Result<Vec<Panel>, PanelError> {
    let rate = format!("[{}s]", SCRAPE_EVERY.as_secs() * u64::from(SCRAPES_IN_RATE));
    let mut panels = Panel::all(OVERVIEW)?;
    for panel in &mut panels {
        let with_rate = panel.expression.replace("[$__rate_interval]", &rate);
        panel.expression = with_rate.replace("[$__range]", &format!("[{RANGE}]"));
    }
    Ok(panels)
}

fn write_rules(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, text) in RULES {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

/// Looks at all panels each second until `stop`.
fn look(
    mut prometheus: Prometheus,
    panels: &[Panel],
    seen: &Shared,
    stop: &CancellationToken,
) -> OverviewVerdict {
    let mut found = OverviewVerdict::default();
    let mut described = BTreeSet::new();
    let mut silence = Silence::default();
    let mut failure: Option<String> = None;
    while !stop.is_cancelled() {
        let next = Instant::now() + LOOK_EVERY;
        silence.look(&lock(seen).pids);
        failure = None;
        for panel in panels {
            if stop.is_cancelled() {
                break;
            }
            match look_at(&mut prometheus, panel, &mut silence, seen, &mut found) {
                Ok(wrong) => {
                    let new = wrong.into_iter().filter(|wrong| {
                        described.insert((wrong.panel.clone(), wrong.kind, wrong.since))
                    });
                    found.falsely_well.extend(new.map(|wrong| wrong.description));
                }
                Err(error) => failure = Some(error.to_string()),
            }
        }
        while Instant::now() < next && !stop.is_cancelled() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    // A Prometheus that has ended in mid-run has not seen all of it.
    let never_well = found.looks.values().all(|looks| looks.well == 0);
    found.unchecked =
        failure.or_else(|| never_well.then(|| "no figure ever looked well".to_owned()));
    found.falsely_well.truncate(DESCRIBED_MAX);
    found
}

/// A figure that looks well though its service is silent.
struct FalselyWell {
    panel: String,
    kind: &'static str,
    since: Instant,
    description: String,
}

/// Looks at one panel, and returns the figures that look well though their service is silent.
fn look_at(
    prometheus: &mut Prometheus,
    panel: &Panel,
    silence: &mut Silence,
    seen: &Shared,
    found: &mut OverviewVerdict,
) -> Result<Vec<FalselyWell>, LookError> {
    let asked = Instant::now();
    let series = match prometheus.query(&panel.expression) {
        Ok(series) => series,
        Err(_) if !prometheus.is_running() => {
            let log = standalone::servers::log_tail(prometheus.log(), 3);
            return Err(LookError::Ended(log));
        }
        Err(error) => return Err(error.into()),
    };
    let figures: Vec<(Option<f64>, Option<&str>)> =
        if series.is_empty() { vec![(None, None)] } else { series.iter().map(figure).collect() };
    let well = figures.iter().any(|(value, _)| panel.looks_well(*value));
    let bound = bound_of(panel);
    let late = |silence: &Silence, kind: &'static str| {
        silence.of(kind).filter(|since| asked.saturating_duration_since(*since) > bound)
    };
    let kinds: BTreeSet<&'static str> = SERVICES.map(kind_of).into();
    let mut silent: Vec<&'static str> =
        kinds.into_iter().filter(|kind| late(silence, kind).is_some()).collect();
    if !silent.is_empty() {
        let sources = sources(prometheus, panel)?;
        silent.retain(|kind| sources.contains(*kind));
    }
    let looks = found.looks.entry(panel.title.clone()).or_default();
    looks.all += 1;
    looks.well += u64::from(well);
    looks.in_silence += u64::from(!silent.is_empty());
    // The service must have been silent until after the answer.
    silence.look(&lock(seen).pids);
    let mut wrong = Vec::new();
    for (value, whose) in figures {
        let Some(value) = value.filter(|value| panel.looks_well(Some(*value))) else { continue };
        let about = |kind: &&&'static str| whose.is_none_or(|whose| whose == **kind);
        let Some((kind, since)) =
            silent.iter().filter(about).find_map(|kind| Some((*kind, late(silence, kind)?)))
        else {
            continue;
        };
        let description = format!(
            "the figure `{}` of the overview showed {value} in {} while every {kind} had been silent for {:.0} s",
            panel.title,
            panel.color(Some(value)),
            asked.saturating_duration_since(since).as_secs_f64()
        );
        wrong.push(FalselyWell { panel: panel.title.clone(), kind, since, description });
    }
    Ok(wrong)
}

/// The time for which a panel may look well while its service is silent. A panel that shows the time of the silence itself
/// becomes red at its threshold.
fn bound_of(panel: &Panel) -> Duration {
    match panel.first_alarm().filter(|_| panel.measures_silence()) {
        Some(alarm) => BOUND + Duration::from_secs_f64(alarm),
        None => BOUND,
    }
}

/// Returns the value of a series, if it is a number, and the service that its labels name.
fn figure(series: &Value) -> (Option<f64>, Option<&str>) {
    let value = series["value"][1].as_str().and_then(|text| text.parse::<f64>().ok());
    (value.filter(|value| !value.is_nan()), service_of(series))
}

fn service_of(series: &Value) -> Option<&str> {
    let labels = &series["metric"];
    labels["component"].as_str().or(labels["job"].as_str())
}

/// Returns the services whose metrics a panel uses, as Prometheus knows them.
fn sources(prometheus: &Prometheus, panel: &Panel) -> Result<BTreeSet<String>, QueryError> {
    let names: Vec<&str> = panel.metrics().into_iter().collect();
    let series = format!(
        "group by (job, component) (last_over_time({{__name__=~\"{}\"}}[{RANGE}]))",
        names.join("|")
    );
    let found = prometheus.query(&series)?;
    Ok(found.iter().filter_map(service_of).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_have_no_variables_left() {
        for panel in read_panels().unwrap() {
            assert!(!panel.expression.contains('$'), "{}", panel.expression);
        }
    }

    #[test]
    fn a_panel_of_the_silence_has_the_time_until_its_threshold() {
        let panels = read_panels().unwrap();
        let bound =
            |title: &str| panels.iter().find(|panel| panel.title == title).map(bound_of).unwrap();
        assert_eq!(bound("Viewers"), BOUND);
        assert_eq!(bound("Silent for"), BOUND + Duration::from_secs(20));
    }
}
