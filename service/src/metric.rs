//! Declares metrics: each is a typed static with its name, unit, labels, buckets and help text.
//!
//! A crate lists its metrics in one [`metrics!`](crate::metrics!) block. The block also makes the table
//! from which the help texts, the first values of counters, the bounds of histograms and
//! docs/METRICS.md come, so no metric can be recorded without being documented.
//!
//! Invariant: label values are few and known beforehand, or bounded by the deployment (partitions,
//! routes); they never hold a poll, a voter or a client's text.

use ::metrics::{IntoF64, Key, Label, Level, Metadata, SharedString, with_recorder};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

/// A counter that is registered; incrementing it costs one atomic addition.
pub use ::metrics::Counter as CounterHandle;
/// A gauge that is registered; setting it costs one atomic store.
pub use ::metrics::Gauge as GaugeHandle;
/// A histogram that is registered; recording pushes one value to a lock-free list.
pub use ::metrics::Histogram as HistogramHandle;

/// Bucket bounds for durations, in seconds: 0.5 ms to 30 s, each about twice the one before.
pub const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0,
    15.0, 30.0,
];
/// Bucket bounds for batch sizes, in entries: 1 to 10,000.
pub const ENTRIES: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0];

/// The value of a gauge whose measurement failed. It equals nothing and exceeds nothing, so no alert takes it for a
/// number, and dashboards say that it is not known.
pub const UNKNOWN: f64 = f64::NAN;

/// The exporter ignores these facts about where a metric is recorded, but every registration needs them.
static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// Says whether a metric only grows, goes up and down, or counts observations by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts at 0 with the process.
    Counter,
    /// Holds the newest value.
    Gauge,
    /// Counts the observations up to each bound of its buckets.
    Histogram,
}

impl Kind {
    /// Returns the kind's name in Prometheus' text format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label's name and its known values; the values are empty where only the run time knows them.
pub type LabelValues = (&'static str, &'static [&'static str]);

/// One row of a table of metrics: everything about a metric but its values.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name under which the metric is exported.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Unit of the values: `seconds`, `bytes`, or the things that are counted.
    pub unit: &'static str,
    /// Labels in the order in which handles take their values.
    pub labels: &'static [LabelValues],
    /// Upper bounds of a histogram's buckets; empty for the other kinds.
    pub buckets: &'static [f64],
    /// Meaning, as `/metrics` and docs/METRICS.md show it.
    pub help: &'static str,
}

impl Metric {
    /// Registers the help text, and a counter at 0 for each known label value. A counter that appears
    /// only with its first step shows no increase to Prometheus.
    fn describe(&self) {
        let (name, help) = (self.name.into(), self.help.into());
        with_recorder(|recorder| match self.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram => recorder.describe_histogram(name, None, help),
        });
        match (self.kind, self.labels) {
            (Kind::Counter, []) => self.counter(&Key::from_static_name(self.name)).absolute(0),
            (Kind::Counter, [(_, values)]) => {
                for value in *values {
                    self.counter(&self.key([*value])).absolute(0);
                }
            }
            _ => {}
        }
    }

    fn counter(&self, key: &Key) -> CounterHandle {
        with_recorder(|recorder| recorder.register_counter(key, &METADATA))
    }

    fn gauge(&self, key: &Key) -> GaugeHandle {
        with_recorder(|recorder| recorder.register_gauge(key, &METADATA))
    }

    fn histogram(&self, key: &Key) -> HistogramHandle {
        with_recorder(|recorder| recorder.register_histogram(key, &METADATA))
    }

    fn key<const LABELS: usize>(&self, values: [impl Into<SharedString>; LABELS]) -> Key {
        let labels = self.labels.iter().zip(values);
        let labels: Vec<Label> =
            labels.map(|((name, _), value)| Label::new(*name, value)).collect();
        Key::from_parts(self.name, labels)
    }
}

/// Makes an exporter that knows the buckets of every declared histogram. It would export a histogram
/// without buckets as a summary.
///
/// # Errors
/// Returns the exporter's error if a histogram declares an empty list of buckets.
pub(crate) fn exporter(tables: &[&[Metric]]) -> Result<PrometheusBuilder, BuildError> {
    let mut exporter = PrometheusBuilder::new();
    let all = tables.iter().flat_map(|table| table.iter());
    for metric in all.filter(|metric| metric.kind == Kind::Histogram) {
        let name = Matcher::Full(metric.name.to_owned());
        exporter = exporter.set_buckets_for_metric(name, metric.buckets)?;
    }
    Ok(exporter)
}

/// Describes every metric of a table to the exporter and starts its counters at 0.
pub fn describe(table: &[Metric]) {
    table.iter().for_each(Metric::describe);
}

/// A declared counter with `LABELS` labels.
#[derive(Debug)]
pub struct Counter<const LABELS: usize = 0> {
    metric: Metric,
    key: Key,
}

/// A declared gauge with `LABELS` labels.
#[derive(Debug)]
pub struct Gauge<const LABELS: usize = 0> {
    metric: Metric,
    key: Key,
}

/// A declared histogram with `LABELS` labels and buckets of its own.
#[derive(Debug)]
pub struct Histogram<const LABELS: usize = 0> {
    metric: Metric,
    key: Key,
}

impl<const LABELS: usize> Counter<LABELS> {
    /// Declares a counter; [`metrics!`](crate::metrics!) calls this.
    pub const fn new(
        name: &'static str,
        unit: &'static str,
        labels: &'static [LabelValues; LABELS],
        help: &'static str,
    ) -> Self {
        let metric = Metric { name, kind: Kind::Counter, unit, labels, buckets: &[], help };
        Self { metric, key: Key::from_static_name(name) }
    }

    /// Returns the row of this counter in its crate's table.
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// Returns the series with these label values. The look-up hashes and allocates: keep the handle
    /// where every ballot or viewer passes.
    pub fn with(&self, values: [impl Into<SharedString>; LABELS]) -> CounterHandle {
        self.metric.counter(&self.metric.key(values))
    }
}

impl Counter {
    /// Returns the only series of a counter without labels, to be kept on hot paths.
    pub fn handle(&self) -> CounterHandle {
        self.metric.counter(&self.key)
    }

    /// Adds `n` to the counter.
    pub fn increment(&self, n: u64) {
        self.handle().increment(n);
    }
}

impl<const LABELS: usize> Gauge<LABELS> {
    /// Declares a gauge; [`metrics!`](crate::metrics!) calls this.
    pub const fn new(
        name: &'static str,
        unit: &'static str,
        labels: &'static [LabelValues; LABELS],
        help: &'static str,
    ) -> Self {
        let metric = Metric { name, kind: Kind::Gauge, unit, labels, buckets: &[], help };
        Self { metric, key: Key::from_static_name(name) }
    }

    /// Returns the row of this gauge in its crate's table.
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// Returns the series with these label values. The look-up hashes and allocates: keep the handle
    /// where every ballot or viewer passes.
    pub fn with(&self, values: [impl Into<SharedString>; LABELS]) -> GaugeHandle {
        self.metric.gauge(&self.metric.key(values))
    }
}

impl Gauge {
    /// Returns the only series of a gauge without labels, to be kept on hot paths.
    pub fn handle(&self) -> GaugeHandle {
        self.metric.gauge(&self.key)
    }

    /// Replaces the value of the gauge.
    pub fn set(&self, value: impl IntoF64) {
        self.handle().set(value);
    }
}

impl<const LABELS: usize> Histogram<LABELS> {
    /// Declares a histogram with these upper bounds of its buckets; [`metrics!`](crate::metrics!) calls
    /// this.
    pub const fn new(
        name: &'static str,
        unit: &'static str,
        labels: &'static [LabelValues; LABELS],
        buckets: &'static [f64],
        help: &'static str,
    ) -> Self {
        let metric = Metric { name, kind: Kind::Histogram, unit, labels, buckets, help };
        Self { metric, key: Key::from_static_name(name) }
    }

    /// Returns the row of this histogram in its crate's table.
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// Returns the series with these label values. The look-up hashes and allocates: keep the handle
    /// where every ballot or viewer passes.
    pub fn with(&self, values: [impl Into<SharedString>; LABELS]) -> HistogramHandle {
        self.metric.histogram(&self.metric.key(values))
    }
}

impl Histogram {
    /// Returns the only series of a histogram without labels, to be kept on hot paths.
    pub fn handle(&self) -> HistogramHandle {
        self.metric.histogram(&self.key)
    }

    /// Records one observation; a `Duration` counts in seconds.
    pub fn record(&self, value: impl IntoF64) {
        self.handle().record(value);
    }
}

/// Declares metrics and the table that lists them all.
///
/// The doc comment of each metric is its help text. The arguments are name, unit and labels, and for a
/// [`Histogram`](crate::metric::Histogram) the upper bounds of its buckets. A label is its name and its
/// known values; list none where only the run time knows them.
///
/// ```
/// use votestream_service::metric::{Counter, Histogram, SECONDS};
///
/// votestream_service::metrics! {
///     /// The metrics of a kitchen.
///     pub static KITCHEN;
///
///     /// Dishes served, by course.
///     pub static DISHES: Counter<1> = ("dishes_total", "dishes", &[("course", &["soup"])]);
///
///     /// Time from an order to its dish.
///     pub static WAIT: Histogram = ("dish_wait_seconds", "seconds", &[], SECONDS);
/// }
///
/// DISHES.with(["soup"]).increment(1);
/// WAIT.record(0.3);
/// assert_eq!(KITCHEN[1].help, "Time from an order to its dish.");
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$about:meta])*
        $table_visibility:vis static $table:ident;

        $(
            $(#[doc = $help:literal])+
            $visibility:vis static $name:ident: $kind:ty = ($($argument:expr),+ $(,)?);
        )+
    ) => {
        $(
            $(#[doc = $help])+
            $visibility static $name: $kind =
                <$kind>::new($($argument),+, ::std::concat!($($help),+).trim_ascii());
        )+

        $(#[$about])*
        $table_visibility static $table: &[$crate::metric::Metric] = &[$($name.metric()),+];
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    metrics! {
        static TABLE;

        /// Dishes served,
        /// by course.
        static DISHES: Counter<1> = ("dishes_total", "dishes", &[("course", &["soup", "fish"])]);

        /// Guests seated, by table and room.
        static GUESTS: Gauge<2> = ("guests", "guests", &[("table", &[]), ("room", &[])]);

        /// Dishes of one order.
        static ORDER: Histogram = ("order_dishes", "dishes", &[], &[1.0, 2.0]);

        /// Orders that were lost on their way.
        static LOST: Counter = ("orders_lost_total", "orders", &[]);
    }

    #[test]
    fn what_is_declared_is_what_is_exported() {
        let recorder = exporter(&[TABLE]).unwrap().build_recorder();
        ::metrics::with_local_recorder(&recorder, || {
            describe(TABLE);
            DISHES.with(["fish"]).increment(2);
            GUESTS.with(["7".to_owned(), "garden".to_owned()]).set(4.0);
            ORDER.record(2.0);
        });
        let text = recorder.handle().render();
        for line in [
            "# HELP dishes_total Dishes served, by course.",
            "# TYPE dishes_total counter",
            "dishes_total{course=\"soup\"} 0",
            "dishes_total{course=\"fish\"} 2",
            "guests{table=\"7\",room=\"garden\"} 4",
            "order_dishes_bucket{le=\"1\"} 0",
            "order_dishes_bucket{le=\"2\"} 1",
            "orders_lost_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
    }
}
