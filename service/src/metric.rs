//! What a metric is: one table a crate, from which help texts, first values and docs/METRICS.md come.
//!
//! Invariant: label values are few and known beforehand, or bounded by the deployment (partitions,
//! routes); never a poll, a voter or a client's text.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// What a metric counts or measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts at 0 with the process.
    Counter,
    /// The newest value.
    Gauge,
    /// How many observations were at most so large, by bucket.
    Histogram,
}

impl Kind {
    /// As Prometheus writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label and its known values; none where they are known only at run time.
pub type Label = (&'static str, &'static [&'static str]);

/// One line of a table of metrics.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// As it is exported.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Of its values: `seconds`, `bytes`, or what is counted.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
    /// What it means.
    pub help: &'static str,
}

impl Metric {
    /// A counter.
    pub const fn counter(
        name: &'static str,
        unit: &'static str,
        labels: &'static [Label],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Counter, unit, labels, help }
    }

    /// A gauge.
    pub const fn gauge(
        name: &'static str,
        unit: &'static str,
        labels: &'static [Label],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Gauge, unit, labels, help }
    }

    /// A histogram.
    pub const fn histogram(
        name: &'static str,
        unit: &'static str,
        labels: &'static [Label],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Histogram, unit, labels, help }
    }

    /// Counters must be there before they first move, else their first step is no increase to
    /// Prometheus.
    fn start(&self) {
        match (self.kind, self.labels) {
            (Kind::Counter, []) => metrics::counter!(self.name).absolute(0),
            (Kind::Counter, [(label, values)]) => {
                for value in *values {
                    metrics::counter!(self.name, *label => *value).absolute(0);
                }
            }
            _ => {}
        }
    }
}

/// Registers the help texts of a table, and counters at 0 wherever their labels are known.
pub fn describe(table: &[Metric]) {
    for metric in table {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.help),
        }
        metric.start();
    }
}
