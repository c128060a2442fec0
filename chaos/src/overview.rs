//! The overview dashboard during a run: while a service is silent, no figure of it may look well.
//!
//! A [`testkit::prometheus::Prometheus`] scrapes the services with the shipped rules. Each second [`watch`] evaluates the
//! panels of the shipped dashboard ([`panel`]) and looks which services are silent ([`silence`]).
//!
//! Absent on purpose: Grafana itself. A panel's colour follows from its JSON.

mod panel;
mod silence;
mod watch;

#[cfg(test)]
pub(crate) use watch::Looks;
pub(crate) use watch::{BOUND, OverviewVerdict, Watch};
