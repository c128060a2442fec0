//! Latency histograms. They record microseconds, and can be added across threads and processes
//! without loss.
//!
//! They are HDR histograms (Gil Tene): the relative error is constant over the whole range. So a
//! quantile of merged histograms is the one that a single process would have measured.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// The latencies of a run, with three significant digits by default.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies(Histogram<u64>);

/// The quantiles that every report shows, with their names.
pub const QUANTILES: [(f64, &str); 8] = [
    (0.5, "p50"),
    (0.75, "p75"),
    (0.9, "p90"),
    (0.95, "p95"),
    (0.99, "p99"),
    (0.999, "p99.9"),
    (0.9999, "p99.99"),
    (1.0, "max"),
];

impl Default for Latencies {
    fn default() -> Self {
        Self::with_digits(3)
    }
}

impl Latencies {
    /// Returns an empty histogram that keeps this many significant digits (1 to 5).
    pub fn with_digits(digits: u8) -> Self {
        Self(Histogram::new(digits).expect("up to five digits are possible"))
    }

    /// Records one latency in microseconds. 0 is recorded as 1.
    pub fn record(&mut self, us: u64) {
        self.0.record(us.max(1)).expect("the histogram grows by itself");
    }

    /// Adds all latencies of another histogram.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("the histogram grows by itself");
    }

    /// Returns the number of recorded latencies.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Returns the latency that this fraction of all recordings does not exceed, in microseconds; 0
    /// if there are none.
    pub fn quantile_us(&self, quantile: f64) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.value_at_quantile(quantile).min(self.0.max()) }
    }

    /// Returns the mean in microseconds; 0 if nothing was recorded.
    pub fn mean_us(&self) -> f64 {
        self.0.mean()
    }

    /// Encodes the histogram as HDR V2, compressed, in base64, which other tools for HDR histograms
    /// read.
    pub fn encode(&self) -> String {
        // The histogram is copied to the smallest size that holds it, so that equal contents give
        // equal texts.
        let mut tight = Histogram::<u64>::new_with_max(self.0.max().max(2), self.0.sigfig())
            .expect("sizes are in bounds");
        tight.add(&self.0).expect("it has room for the largest value");
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&tight, &mut bytes)
            .expect("writing to memory cannot fail");
        STANDARD.encode(bytes)
    }

    /// Decodes a histogram that [`Self::encode`] has encoded.
    ///
    /// # Errors
    /// Returns an error if the text is not such a histogram.
    pub fn decode(text: &str) -> anyhow::Result<Self> {
        let bytes = STANDARD.decode(text)?;
        let decoded = Deserializer::new().deserialize(&mut bytes.as_slice());
        let mut histogram: Histogram<u64> =
            decoded.map_err(|error| anyhow::anyhow!("not an HDR histogram: {error:?}"))?;
        histogram.auto(true);
        Ok(Self(histogram))
    }
}

/// A distribution of latencies as it stands in reports.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Distribution {
    /// The number of recorded latencies.
    pub count: u64,
    /// The mean in microseconds.
    pub mean_us: f64,
    /// Quantiles in microseconds by their names, `p50` to `max`.
    pub quantiles_us: std::collections::BTreeMap<String, u64>,
    /// The histogram itself, encoded as HDR V2, compressed, in base64.
    pub hdr: String,
}

impl From<&Latencies> for Distribution {
    fn from(latencies: &Latencies) -> Self {
        if latencies.count() == 0 {
            return Self::default();
        }
        let quantile = |(at, name): (f64, &str)| (name.to_owned(), latencies.quantile_us(at));
        Self {
            count: latencies.count(),
            mean_us: (latencies.mean_us() * 10.0).round() / 10.0,
            quantiles_us: QUANTILES.into_iter().map(quantile).collect(),
            hdr: latencies.encode(),
        }
    }
}

impl Distribution {
    /// Returns the histogram behind the quantiles.
    ///
    /// # Errors
    /// Returns an error if the encoded histogram is damaged.
    pub fn latencies(&self) -> anyhow::Result<Latencies> {
        if self.hdr.is_empty() { Ok(Latencies::default()) } else { Latencies::decode(&self.hdr) }
    }

    /// Returns the quantile of this name in microseconds; 0 if there is none.
    pub fn named_us(&self, name: &str) -> u64 {
        self.quantiles_us.get(name).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_parts_are_the_whole() {
        let mut whole = Latencies::default();
        let mut parts = vec![Latencies::default(); 4];
        for nth in 0..50_000_u64 {
            let us = nth * nth % 900_017;
            whole.record(us);
            parts[(nth % 4) as usize].record(us);
        }
        let mut merged = Latencies::default();
        for part in &parts {
            merged.add(&Latencies::decode(&part.encode()).unwrap());
        }
        assert_eq!(Distribution::from(&merged), Distribution::from(&whole));
    }

    #[test]
    fn three_digits_are_kept() {
        let mut latencies = Latencies::default();
        for us in [100, 123_456, 9_876_543] {
            latencies.record(us);
        }
        let median = latencies.quantile_us(0.5) as f64;
        assert!((median / 123_456.0 - 1.0).abs() < 0.001);
        let max = latencies.quantile_us(1.0) as f64;
        assert!((max / 9_876_543.0 - 1.0).abs() < 0.001);
    }

    #[test]
    fn damaged_histogram_is_an_error() {
        assert!(Latencies::decode("AAAA").is_err());
        assert!(Latencies::decode("*").is_err());
    }
}
