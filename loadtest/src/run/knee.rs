//! The knee: the highest rate that a target serves within the limits.

use crate::config::Config;
use crate::report::verdict::ACHIEVED_MIN;
use crate::workers::recorder::PhaseRecord;

/// The limit of the p99 in µs, unless a threshold sets another.
const KNEE_P99_US: f64 = 100_000.0;

/// Returns the limit of the p99 for each step, in µs.
pub(crate) fn knee_limit_us(config: &Config) -> f64 {
    config.slos.iter().find_map(crate::report::slo::Slo::p99_limit_us).unwrap_or(KNEE_P99_US)
}

/// Returns whether a step met the limit without an error, and its voters were sent in time.
pub(crate) fn is_within(phase: &PhaseRecord, p99_limit_us: f64) -> bool {
    let in_time = phase.sent_in_time as f64 >= ACHIEVED_MIN * phase.intended as f64;
    phase.intended > 0
        && in_time
        && phase.errors == 0
        && (phase.latencies.quantile_us(0.99) as f64) < p99_limit_us
}
