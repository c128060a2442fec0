//! Collects the state of a service's dependencies and decides whether the service is ready.
//!
//! Each dependency has a gate; whoever talks to the dependency reports to it. The service is ready while
//! all gates are open.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::metrics;

/// The state of all gates; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health {
    gates: Arc<Mutex<BTreeMap<&'static str, GateState>>>,
    draining: CancellationToken,
}

/// `None` while the gate is open, else the reason why it is closed.
type GateState = Option<String>;

/// The handle through which one dependency's state is reported.
#[derive(Clone, Debug)]
pub struct Gate {
    name: &'static str,
    /// Host and port of the server that the gate is about, for log lines; empty if there is none.
    servers: Arc<str>,
    health: Health,
}

impl Health {
    /// Creates a state without gates, which is not ready until there are some and all are open.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a gate that stays closed until its first successful [`Gate::report`].
    pub fn gate(&self, name: &'static str) -> Gate {
        self.set(name, Some("not reached yet".into()));
        Gate { name, servers: Arc::default(), health: self.clone() }
    }

    /// Returns `Ok` if all gates are open.
    ///
    /// # Errors
    /// Returns the name of each closed gate with its reason.
    pub fn ready(&self) -> Result<(), BTreeMap<&'static str, String>> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.is_empty() {
            return Err([("start", "not started yet".to_owned())].into());
        }
        let closed: BTreeMap<_, _> =
            gates.iter().filter_map(|(name, reason)| Some((*name, reason.clone()?))).collect();
        if closed.is_empty() { Ok(()) } else { Err(closed) }
    }

    /// Returns the token that is cancelled once load balancers shall send no new work. The service
    /// stops later, because they need time to notice.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Stores a gate's state; returns whether the gate opened or closed by it.
    fn set(&self, name: &'static str, state: GateState) -> bool {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let was_open = gates.get(name).is_some_and(Option::is_none);
        let is_open = state.is_none();
        gates.insert(name, state);
        was_open != is_open
    }
}

impl Gate {
    /// Names the server in the gate's log lines, by host and port.
    #[must_use]
    pub fn at(self, servers: impl Into<Arc<str>>) -> Self {
        Self { servers: servers.into(), ..self }
    }

    /// Opens the gate for `Ok` and closes it for an error. Logs only when the gate changes.
    pub fn report<E: Display>(&self, outcome: Result<(), E>) {
        self.report_every(outcome, None);
    }

    /// Reports an outcome that is asked for again after `period`.
    fn report_every<E: Display>(&self, outcome: Result<(), E>, period: Option<Duration>) {
        let name = self.name;
        let servers = Some(&*self.servers).filter(|servers| !servers.is_empty());
        let place = servers.map_or_else(String::new, |servers| format!(" ({servers})"));
        let reason = outcome.err().map(|error| error.to_string());
        let changed = self.health.set(name, reason.clone());
        metrics::DEPENDENCY_UP.with([name]).set(if reason.is_none() { 1.0 } else { 0.0 });
        match (changed, reason) {
            (true, None) => {
                tracing::info!(dependency = name, servers, "{name}{place}: usable from now on");
            }
            (true, Some(reason)) => {
                let again = period.map_or_else(String::new, |period| {
                    format!(", asked again every {} ms", period.as_millis())
                });
                tracing::warn!(
                    dependency = name,
                    servers,
                    "{name}{place}: not usable, not ready until it is{again}: {reason}"
                );
            }
            (false, _) => {}
        }
    }

    /// Runs `probe` every `period` and reports its outcome, until `shutdown` is cancelled.
    pub async fn watch<E, F>(
        self,
        period: Duration,
        shutdown: CancellationToken,
        mut probe: impl FnMut() -> F,
    ) where
        E: Display,
        F: Future<Output = Result<(), E>>,
    {
        let watch = async {
            loop {
                self.report_every(probe().await, Some(period));
                tokio::time::sleep(period).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = watch => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_when_every_gate_is_open() {
        let health = Health::new();
        assert!(health.ready().is_err(), "a service that has not started is not ready");
        let (redis, postgres) = (health.gate("redis"), health.gate("postgres"));
        redis.report(Ok::<(), String>(()));
        assert_eq!(health.ready().unwrap_err().into_keys().collect::<Vec<_>>(), ["postgres"]);
        postgres.report(Ok::<(), String>(()));
        assert!(health.ready().is_ok());
        redis.report(Err("connection refused"));
        assert_eq!(health.ready().unwrap_err()["redis"], "connection refused");
    }
}
