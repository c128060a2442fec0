//! Reads the target's own metrics: the backlog, the time from ballot to commit, and the accepted
//! ballots.
//!
//! All of it is optional. A deployment without reachable metrics is measured from outside alone.

use std::collections::BTreeMap;

use crate::http::client::ApiClient;
use crate::report::data::MetricsReport;

/// The figures of one reading over all addresses.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sample {
    /// Lag and pending entries together.
    pub(crate) backlog: f64,
    /// Whether any metric of the backlog was found.
    has_backlog: bool,
    /// Ballots that the producers have accepted.
    accepted: Option<f64>,
    /// Cumulative buckets of the time from ballot to commit, by upper bound in µs.
    commits: BTreeMap<u64, f64>,
}

/// Reads the metrics of several addresses of one deployment.
pub(crate) struct Scraper {
    clients: Vec<(String, String, ApiClient)>,
    first: Option<Sample>,
    last: Option<Sample>,
    backlog_max: Option<f64>,
    failures: u64,
}

impl Scraper {
    /// Returns a scraper of these `(address, path, client)`.
    pub(crate) fn new(clients: Vec<(String, String, ApiClient)>) -> Self {
        Self { clients, first: None, last: None, backlog_max: None, failures: 0 }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.clients.is_empty()
    }

    /// Reads all addresses. Returns the backlog if any of them shows it.
    pub(crate) async fn scrape(&mut self) -> Option<u64> {
        let mut sample = Sample::default();
        for (_, path, client) in &mut self.clients {
            match client.get(path).await {
                Ok((200, body)) => sample.merge(Sample::read(&String::from_utf8_lossy(&body))),
                _ => self.failures += 1,
            }
        }
        let backlog = sample.has_backlog.then_some(sample.backlog as u64);
        if sample.has_backlog {
            self.backlog_max = Some(self.backlog_max.unwrap_or(0.0).max(sample.backlog));
        }
        self.first.get_or_insert_with(|| sample.clone());
        self.last = Some(sample);
        backlog
    }

    /// Returns the figures of the run. `sent` is the number of ballots that may be this load
    /// tester's own.
    pub(crate) fn report(&self, sent: u64) -> Option<MetricsReport> {
        let (first, last) = (self.first.as_ref()?, self.last.as_ref()?);
        let foreign = match (first.accepted, last.accepted) {
            (Some(before), Some(after)) => {
                Some(((after - before).max(0.0) as u64).saturating_sub(sent))
            }
            _ => None,
        };
        Some(MetricsReport {
            addresses: self.clients.iter().map(|(address, ..)| address.clone()).collect(),
            backlog_max: self.backlog_max.map(|most| most as u64),
            backlog_end: last.has_backlog.then_some(last.backlog as u64),
            ballot_to_commit_us: quantiles(&first.commits, &last.commits),
            foreign_ballots: foreign,
            failures: self.failures,
        })
    }
}

impl Sample {
    /// Parses one page of the Prometheus text format.
    fn read(page: &str) -> Self {
        let mut sample = Self::default();
        for line in page.lines().filter(|line| line.starts_with("votestream_")) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            match name {
                _ if is_backlog(name) => {
                    sample.has_backlog = true;
                    // `max` would make a zero of NaN.
                    sample.backlog += if value.is_nan() { value } else { value.max(0.0) };
                }
                "votestream_ballots_total" if labels.contains("outcome=\"accepted\"") => {
                    *sample.accepted.get_or_insert(0.0) += value;
                }
                _ if name.ends_with("ballot_to_commit_seconds_bucket") => {
                    if let Some(bound_us) = upper_bound_us(labels) {
                        *sample.commits.entry(bound_us).or_default() += value;
                    }
                }
                _ => {}
            }
        }
        // A consumer that cannot measure the streams says NaN.
        if sample.backlog.is_nan() {
            (sample.backlog, sample.has_backlog) = (0.0, false);
        }
        sample
    }

    /// Adds another page. Counters belong to one process and are summed. The backlog is the same
    /// for each process, so the largest value is kept.
    fn merge(&mut self, other: Self) {
        self.has_backlog |= other.has_backlog;
        self.backlog = self.backlog.max(other.backlog);
        if let Some(accepted) = other.accepted {
            *self.accepted.get_or_insert(0.0) += accepted;
        }
        for (bound_us, count) in other.commits {
            *self.commits.entry(bound_us).or_default() += count;
        }
    }
}

/// Returns whether the metric counts entries that are not delivered yet, or delivered but not
/// acknowledged.
fn is_backlog(name: &str) -> bool {
    matches!(name, "votestream_stream_lag" | "votestream_stream_pending")
}

fn upper_bound_us(labels: &str) -> Option<u64> {
    let bound = labels.split_once("le=\"")?.1.split('"').next()?;
    if bound == "+Inf" {
        Some(u64::MAX)
    } else {
        Some((bound.parse::<f64>().ok()? * 1e6).round() as u64)
    }
}

/// Returns quantiles of the samples that were added between two readings, each as the upper bound
/// of its bucket in µs.
fn quantiles(before: &BTreeMap<u64, f64>, after: &BTreeMap<u64, f64>) -> BTreeMap<String, u64> {
    let gain = |bound: &u64, count: &f64| count - before.get(bound).copied().unwrap_or(0.0);
    let total = after.get(&u64::MAX).map_or(0.0, |count| gain(&u64::MAX, count));
    let mut out = BTreeMap::new();
    if total < 1.0 {
        return out;
    }
    for (quantile, name) in [(0.5, "p50"), (0.9, "p90"), (0.99, "p99")] {
        let reached = after.iter().find(|(bound, count)| gain(bound, count) >= quantile * total);
        if let Some((bound, _)) = reached {
            out.insert(name.to_owned(), *bound);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_metrics_is_understood() {
        let page = "# HELP votestream_stream_lag x\nvotestream_stream_lag{partition=\"0\"} 3\n\
             votestream_stream_lag{partition=\"1\"} 4\nvotestream_stream_pending{partition=\"0\"} 5\n\
             votestream_ballots_total{outcome=\"accepted\"} 7\n\
             votestream_ballots_total{outcome=\"refused\"} 9\nother 1\n";
        let mut sample = Sample::read(page);
        assert_eq!((sample.backlog, sample.accepted), (12.0, Some(7.0)));
        // A second replica shows the same backlog, and ballots of its own.
        sample.merge(Sample::read(page));
        assert_eq!((sample.backlog, sample.accepted), (12.0, Some(14.0)));
        // A third one cannot measure the streams.
        let unknown = Sample::read("votestream_stream_lag{partition=\"0\"} NaN\n");
        assert_eq!((unknown.backlog, unknown.has_backlog), (0.0, false));
        sample.merge(unknown);
        assert_eq!((sample.backlog, sample.has_backlog), (12.0, true));
    }

    #[test]
    fn quantiles_are_those_of_the_run_alone() {
        let before = BTreeMap::from([(1000, 100.0), (10_000, 100.0), (u64::MAX, 100.0)]);
        let after = BTreeMap::from([(1000, 160.0), (10_000, 199.0), (u64::MAX, 200.0)]);
        let found = quantiles(&before, &after);
        assert_eq!((found["p50"], found["p90"], found["p99"]), (1000, 10_000, 10_000));
    }
}
